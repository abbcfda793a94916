"""Which distribution the machine runs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.os_release import OsReleaseReader
from bongsu.sources.root import Machine

INFO = MetricSpec(
    "node_os_info", Kind.INFO, "The distribution, as its os-release file has it.",
    (
        "build_id", "id", "id_like", "image_id", "image_version", "name", "pretty_name", "variant", "variant_id",
        "version", "version_codename", "version_id",
    ),
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
VERSION = MetricSpec(
    "node_os_version", Kind.GAUGE, "The distribution's version, as far as it is a number: 22.04 of 22.04.3.",
    ("id", "id_like", "name"), vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip

_VERSION = re.compile(r"[0-9]+\.?[0-9]*")


class OsCollector:
    """Name and version of the distribution, from os-release."""

    name = "os"
    specs = (INFO, VERSION)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._reader = OsReleaseReader(machine.rootfs)
        self._values: dict[str, str] | None = None
        self._samples: list[Sample] = []

    def collect(self) -> Iterator[Sample]:
        """The name, and the version where it begins with a number."""
        try:
            values = self._reader.read()
        except FileNotFoundError:
            raise NoData(Message("there is no os-release file, neither in /etc nor in /usr/lib")) from None
        if values is not self._values:
            self._samples = list(_describe(values))
            self._values = values
        yield from self._samples


def _describe(values: dict[str, str]) -> Iterator[Sample]:
    yield Sample(INFO, tuple(values.get(label.upper(), "") for label in INFO.labels), 1)
    version = _VERSION.match(values.get("VERSION_ID", ""))
    if version and 0 < (number := float(version[0])) < math.inf:
        yield Sample(VERSION, tuple(values.get(label.upper(), "") for label in VERSION.labels), number)
