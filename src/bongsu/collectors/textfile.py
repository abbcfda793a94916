"""Metrics that other programs leave in files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bongsu.collectors.device_file import absence
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricPattern, MetricSpec, Vocabulary
from bongsu.sources import prom_file
from bongsu.sources.root import Machine

MTIME = MetricSpec(
    "node_textfile_mtime_seconds", Kind.GAUGE, "When the file was last written (Unix time).", ("file",), "seconds",
    Vocabulary.NODE_EXPORTER,
)  # fmt: skip
SCRAPE_ERROR = MetricSpec(
    "node_textfile_scrape_error", Kind.GAUGE, "1 if a file or the directory could not be read or understood.",
    vocabulary=Vocabulary.NODE_EXPORTER,
)  # fmt: skip
WRITTEN = MetricPattern("{}", Kind.UNTYPED, "{}: as the file has it.", vocabulary=Vocabulary.FILE)


@dataclass(slots=True)
class _File:
    stamp: prom_file.Stamp
    families: dict[str, prom_file.Family]
    problem: str = ""  # why it was not understood


class TextfileCollector:
    """Metrics from the *.prom files of a directory, under their own names.

    ``directory`` may be a pattern such as /var/lib/*/metrics. A file that is not in the Prometheus
    text format, or has timestamps, is left out and named; the others are read. Parts of summaries
    and histograms come as untyped values. Where files disagree on a metric's type or help, the
    first file in the order of names is believed.
    """

    name = "textfile"
    specs = (MTIME, SCRAPE_ERROR, WRITTEN)
    may_block = True  # the directory may lie on a network file system
    on_by_default = True

    def __init__(self, machine: Machine, *, directory: str = "") -> None:
        del machine  # the directory is ours, not that of another root
        self._directory = directory
        self._files: dict[str, _File] = {}
        self._samples: list[Sample | Absence] = []
        self._specs: dict[tuple[str, Kind, str, tuple[str, ...]], MetricSpec] = {}

    def collect(self) -> Iterator[Sample | Absence]:
        """What the files say, when each was written, and an absence that says why for each that is broken."""
        if not self._directory:
            yield Sample(SCRAPE_ERROR, (), 0)
            return
        try:
            paths = prom_file.paths(self._directory)
        except OSError as error:
            yield Sample(SCRAPE_ERROR, (), 1)
            cure = Message("let the agent's user read the directory")
            yield absence(MTIME, (self._directory,), error, self._directory, cure)
            return
        files: dict[str, _File] = {}
        failed: list[Absence] = []
        for path in paths:
            try:
                stamp = prom_file.stamp(path)
                known = self._files.get(path)
                files[path] = known if known is not None and known.stamp == stamp else _read(path, stamp)
            except OSError as error:
                failed.append(absence(MTIME, (path,), error, path, Message("let the agent's user read the file")))
        if files.keys() != self._files.keys() or any(file is not self._files[path] for path, file in files.items()):
            self._files = files
            self._samples = list(self._merge())
        yield from self._samples
        yield from failed
        broken = bool(failed)
        for path, file in files.items():
            if file.problem:
                broken = True
                yield Absence(
                    MTIME, (path,), Why.FAILED, Message("{path}: {problem}", path=path, problem=file.problem),
                    Message("repair what writes the file; check it with promtool check metrics"),
                )  # fmt: skip
            else:
                yield Sample(MTIME, (path,), file.stamp.mtime_ns // 1_000_000_000)
        yield Sample(SCRAPE_ERROR, (), int(broken))

    def _merge(self) -> Iterator[Sample | Absence]:
        kinds: dict[str, Kind] = {}
        helps: dict[str, str] = {}
        said: dict[str, list[str]] = {}  # metric → the files that have it
        for path, file in self._files.items():
            for name, family in file.families.items():
                said.setdefault(name, []).append(path)
                kinds.setdefault(name, family.kind or Kind.UNTYPED)
                if family.help is not None:
                    helps.setdefault(name, family.help)
        seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        specs: dict[tuple[str, Kind, str, tuple[str, ...]], MetricSpec] = {}
        for path, file in self._files.items():
            for name, family in file.families.items():
                kind, text = kinds[name], helps.get(name, "").strip() or f"Read from {', '.join(said[name])}."
                if (family.kind or Kind.UNTYPED) is not kind or (
                    family.help is not None and family.help != helps[name]
                ):
                    yield Absence(
                        MTIME, (path,), Why.FAILED,
                        Message("{path}: {name} has another type or help in {other} and is left out here",
                                path=path, name=name, other=said[name][0]),
                    )  # fmt: skip
                    continue
                for reading in family.readings:
                    if (reading.name, reading.labels) in seen:
                        yield Absence(
                            MTIME, (path,), Why.FAILED,
                            Message("{path}: {name} stands twice with the same labels; the first one is believed",
                                    path=path, name=reading.name),
                        )  # fmt: skip
                        continue
                    seen.add((reading.name, reading.labels))
                    key = (reading.name, kind, text, tuple(label for label, _ in reading.labels))
                    spec = specs.get(key) or self._specs.get(key)
                    if spec is None:
                        spec = MetricSpec(reading.name, kind, text, key[3], vocabulary=Vocabulary.FILE)
                    specs[key] = spec
                    yield Sample(spec, tuple(value for _, value in reading.labels), reading.value)
        self._specs = specs


def _read(path: str, stamp: prom_file.Stamp) -> _File:
    try:
        return _File(stamp, prom_file.read(path))
    except prom_file.NotMetrics as problem:
        return _File(stamp, {}, str(problem))
