"""Builds what runs from settings: the machine, its collectors, the gatherer, the sinks."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from bongsu.cli import installed
from bongsu.cli.settings_file import Loaded, Origins, one, unknown_key
from bongsu.collectors import COLLECTORS
from bongsu.collectors.demo import DemoCollector
from bongsu.model.contract import Collector, Sink
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.metric import MetricPattern, MetricSpec
from bongsu.model.settings import Duration, Number
from bongsu.owners.kubernetes import PATIENCE_SECONDS
from bongsu.owners.resolver import configure
from bongsu.pipeline import Gatherer
from bongsu.sources.nvml.reader import read_by
from bongsu.sources.root import Machine


class CollectorClass(Protocol):
    """What every class in COLLECTORS, and every one that a package brings, offers before it is made."""

    name: str
    specs: tuple[MetricSpec | MetricPattern, ...]
    may_block: bool
    on_by_default: bool

    def __call__(self, machine: Machine, **options: Any) -> Collector: ...  # noqa: D102  makes one


class Keyword(NamedTuple):
    """One option of a collector, as its ``__init__`` declares it."""

    name: str
    type: Any
    default: Any


_ONCE_SECONDS = 2.0  # for the kubelet, where nobody looks again
SHIPPED_SCENARIO = "shipped"  # what --demo plays without a file
CLASSES: tuple[CollectorClass, ...] = COLLECTORS  # type: ignore[assignment]  # classes of one shape, not one base


def classes() -> tuple[CollectorClass, ...]:
    """All collectors that can be had here: ours, then those that installed packages bring."""
    return (*CLASSES, *installed.found(CLASSES))


def brought() -> tuple[str, ...]:
    """The names of the collectors that installed packages bring, also of those that cannot be used."""
    return tuple(cls.name for cls in installed.found(CLASSES))


def keywords(cls: CollectorClass) -> tuple[Keyword, ...]:
    """A collector's options: the keyword-only arguments of its ``__init__``."""
    signature = inspect.signature(cls, eval_str=True)
    return tuple(
        Keyword(p.name, p.annotation, p.default)
        for p in signature.parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    )


def machine(loaded: Loaded, *, once: bool = False) -> Machine:
    """The trees that the settings name, how owners of its processes are found, and GPUs that are played. Raises BadInput.

    ``once``: it is read one time, so that an answer which comes late would come too late.
    """
    paths, origins = loaded.settings.paths, loaded.origins
    procfs, sysfs, rootfs = (
        origins.of(path) if origins.is_given(path) else f"--{path[-1]}"
        for path in (("paths", "procfs"), ("paths", "sysfs"), ("paths", "rootfs"))
    )
    found = Machine.at(paths.procfs, paths.sysfs, paths.rootfs, paths.udev, options=(procfs, sysfs, rootfs))
    configure(found, loaded.settings.owners, _ONCE_SECONDS if once else PATIENCE_SECONDS)
    if loaded.settings.demo is not None:
        _play(loaded.settings.demo, origins.of(("demo",)), found)
    return found


def _play(scenario: str, option: str, on: Machine) -> None:
    from bongsu.sources.nvml.demo import SHIPPED, DemoReader
    from bongsu.sources.nvml.scenario_file import load

    read_by(on, DemoReader(load(SHIPPED if scenario == SHIPPED_SCENARIO else scenario, option)))


def collectors(
    loaded: Loaded, on: Machine, *, only: Iterable[str] | None = None, even_off: bool = False
) -> list[Collector]:
    """The collectors that the settings turn on, with their options; ``only`` picks from them by name.

    With ``even_off`` those picked are made also where they are turned off.

    Raises:
        BadInput: a collector or option does not exist, or a value does not fit.
    """
    settings, origins = loaded.settings, loaded.origins
    by_name = {cls.name: cls for cls in classes()}
    for name in settings.collectors:
        if name not in by_name:
            raise unknown_key(("collectors", name), by_name, origins)
    chosen: list[Collector] = [] if settings.demo is None else [DemoCollector()]
    for cls in by_name.values():
        wish = settings.collectors.get(cls.name, {})
        options = {"enabled": wish} if isinstance(wish, bool) else dict(wish)
        # Options in the file turn a collector on; a flag with an option only configures, as node_exporter's does.
        by_default = ("collectors", cls.name) in origins.lines or (cls.on_by_default and settings.collector_defaults)
        wanted = one(options.pop("enabled", by_default), bool, ("collectors", cls.name, "enabled"), origins)
        places = {_flag(cls, written): origins.of(("collectors", cls.name, written)) for written in options}
        options = _options(cls, options, origins)
        if (wanted or even_off) and (only is None or cls.name in only):
            try:
                chosen.append(cls(on, **options))
            except BadInput as refused:  # it knows its flag, but not where the value came from
                flag = str(dict(refused.message.values).get("option", ""))
                raise BadInput(refused.message.replaced(option=places.get(flag, flag))) from None
    return chosen


def gatherer(loaded: Loaded, collecting: Sequence[Collector], *, slower: bool = True) -> Gatherer:
    """A gatherer over these collectors with the settings' deadline; ``slower`` reads processes and owners at their own interval."""
    settings = loaded.settings
    every = dict.fromkeys(("owner", "process"), settings.processes.interval) if slower else {}
    return Gatherer(collecting, deadline=settings.deadline, every=every)


def sinks(loaded: Loaded) -> list[Sink]:
    """The sinks that the settings name; made-up readings go to none. Raises BadInput where a path cannot be used."""
    if loaded.settings.demo is not None:
        return []
    wanted = loaded.settings.sinks
    found: list[Sink] = []
    if wanted.textfile is not None:
        from bongsu.sinks.textfile import TextfileSink

        option = loaded.origins.of(("sinks", "textfile"))
        found.append(TextfileSink(wanted.textfile, remove=wanted.textfile_remove, option=option))
    if wanted.jsonl is not None:
        from bongsu.sinks.jsonl import JsonlSink

        jsonl = wanted.jsonl
        found.append(
            JsonlSink(
                jsonl.path, max_bytes=jsonl.max_bytes, max_age=jsonl.max_age, keep=jsonl.keep, compress=jsonl.compress,
                fsync=jsonl.fsync, option=loaded.origins.of(("sinks", "jsonl", "path")),
            )
        )  # fmt: skip
    return found


def first_line(cls: CollectorClass) -> str:
    """What a collector reads, in one line."""
    return (inspect.getdoc(cls) or "").split("\n")[0]


def known(names: Iterable[str]) -> frozenset[str] | None:
    """The collectors that a person named, or None if they named none.

    Raises:
        BadInput: there is no such collector.
    """
    all_names = [cls.name for cls in classes()]
    for name in names:
        if name not in all_names:
            near = difflib.get_close_matches(name, all_names, n=1)
            raise BadInput(
                Message("{name}: there is no such collector; {advice}", name=name,
                        advice=f"did you mean {near[0]}?" if near else f"there are: {', '.join(all_names)}")
            )  # fmt: skip
    return frozenset(names) or None


def _flag(cls: CollectorClass, option: str) -> str:
    return f"--collector.{cls.name}.{option.replace('_', '-')}"


def _options(cls: CollectorClass, wish: dict[str, Any], origins: Origins) -> dict[str, object]:
    known = {keyword.name: keyword for keyword in keywords(cls)}
    options: dict[str, object] = {}
    for written, value in wish.items():
        name = written.replace("-", "_")
        path = ("collectors", cls.name, written)
        if name not in known:
            if not known:
                raise BadInput(
                    Message("{where}: the collector {name} has no options; write `{name}: on` or `{name}: off`",
                            where=origins.of(path), name=cls.name)
                )  # fmt: skip
            raise unknown_key(path, known, origins)
        kind = known[name].type
        if kind is float and isinstance(value, str):
            # The only numbers with units that our collectors take are times; what a package's are, it knows.
            kind = Number if isinstance(cls, installed.Installed) else Duration
        options[name] = one(value, kind, path, origins)
    return options
