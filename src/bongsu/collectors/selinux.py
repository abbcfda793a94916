"""Whether SELinux enforces its policy."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import selinux

ENABLED = MetricSpec(
    "node_selinux_enabled", Kind.GAUGE, "1 if the kernel has loaded an SELinux policy, else 0.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
CONFIG_MODE = MetricSpec(
    "node_selinux_config_mode", Kind.GAUGE, "Mode in which the machine starts: 1 enforcing, 0 permissive, -1 disabled.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
CURRENT_MODE = MetricSpec(
    "node_selinux_current_mode", Kind.GAUGE, "Mode of the running kernel: 1 enforcing, 0 permissive.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip


class SelinuxCollector:
    """Whether SELinux is on, and in which mode."""

    name = "selinux"
    specs = (ENABLED, CONFIG_MODE, CURRENT_MODE)
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def collect(self) -> Iterator[Sample]:
        """Whether it is on; the modes only where it is."""
        current = selinux.current(self._machine.sys, self._machine.proc)
        yield Sample(ENABLED, (), int(current is not selinux.Mode.DISABLED))
        if current is not selinux.Mode.DISABLED:
            yield Sample(CONFIG_MODE, (), selinux.configured(self._machine.rootfs).value)
            yield Sample(CURRENT_MODE, (), current.value)
