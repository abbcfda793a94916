"""Collectors that other installed packages bring: found by their entry points, checked, and held to the contract."""

from __future__ import annotations

import functools
import inspect
import math
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bongsu.cli.their_output import aside
from bongsu.model.batch import Absence, Sample, Table, Why
from bongsu.model.contract import Collector
from bongsu.model.errors import BadInput, BongsuError
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricPattern, MetricSpec
from bongsu.sources.root import Machine

if TYPE_CHECKING:  # takes 20 ms to import: only where a package has brought a collector
    from importlib.metadata import Distribution, EntryPoint

GROUP = "bongsu.collectors"
# These mean something else where names are given.
RESERVED = frozenset({"agent", "collectors", "demo", "self", "settings", "store"})
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OPTION_TYPES = (bool, float, int, str)
_Spec = MetricSpec | MetricPattern


class _UnfitError(ValueError):
    """What does not fit the contract; its text says all."""


class Installed:
    """A package's collector class as ours are: made with the machine and options, by the name of its entry point."""

    def __init__(self, cls: Any, package: str) -> None:
        self.name: str = cls.name
        self.specs: tuple[_Spec, ...] = cls.specs
        self.may_block: bool = cls.may_block
        self.on_by_default: bool = getattr(cls, "on_by_default", False)
        self.package = package
        self.__doc__ = inspect.getdoc(cls)
        self.__signature__ = inspect.signature(cls, eval_str=True)
        self._make: Callable[..., Any] = cls

    def __call__(self, machine: Machine, **options: Any) -> Collector:
        """A collector that is checked with each answer, or one that fails with what making it said. Raises BadInput."""
        try:
            with aside():
                made = self._make(machine, **options)
            return _Held(made, self)
        except BadInput as refused:
            if isinstance(getattr(refused, "message", None), Message):
                raise
            return _Failing(self, _explain(refused))
        except (Exception, SystemExit) as error:  # noqa: BLE001  a package may fail in any way; the others must go on
            return _Failing(self, _explain(error))


class Refused:
    """Stands where a package's collector cannot: always on, always failed, with the reason."""

    specs: tuple[_Spec, ...] = ()
    may_block = False
    on_by_default = True

    def __init__(self, name: str, package: str, reason: str) -> None:
        self.name = name
        self.package = package
        self.reason = reason
        self.__doc__ = f"Refused: {reason}"

    def __call__(self, machine: Machine, **options: Any) -> Collector:
        """The collector that says so."""
        del machine, options
        return _Failing(self, self.reason)


def found(own: Sequence[Any]) -> tuple[Installed | Refused, ...]:
    """The collectors of installed packages, sorted by name; ``own`` are ours, whose names are taken.

    Looked up once in a process. A package whose class cannot be imported or does not fit the contract
    is a `Refused` in its place. Nothing is raised.
    """
    return _found(tuple(own))


@functools.cache
def _found(own: tuple[Any, ...]) -> tuple[Installed | Refused, ...]:
    entries = sorted(_entries(sys.path), key=lambda one: (getattr(one[1], "name", ""), one[0]))
    if not entries:  # the usual machine
        return ()
    answer: dict[str, Installed | Refused] = {}
    taken = {cls.name: "bongsu" for cls in own} | dict.fromkeys(RESERVED, "bongsu")
    metrics = _Metrics(own)
    for package, entry in entries:
        if isinstance(entry, Exception):
            one: Installed | Refused = Refused(_spare(package, answer), package, _explain(entry))
        elif entry.name in taken:
            reason = f"the name {entry.name} is taken by {taken[entry.name]}; give the collector another one"
            one = Refused(_spare(f"{package}:{entry.name}", answer), package, reason)
        elif not _NAME.fullmatch(entry.name):
            reason = f"{entry.name!r} is no collector's name: small letters, digits and _ only"
            one = Refused(_spare(f"{package}:{entry.name}", answer), package, reason)
        else:
            taken[entry.name] = f"the package {package}"
            try:
                one = Installed(_fitting(entry, metrics), package)
                metrics.take(one)
            except (Exception, SystemExit) as error:  # noqa: BLE001  a package may fail in any way; the others must go on
                one = Refused(entry.name, package, _explain(error))
        answer[one.name] = one
    return tuple(answer[name] for name in sorted(answer))


def _entries(path: Iterable[str]) -> Iterator[tuple[str, EntryPoint | Exception]]:
    """(package, entry point of our group, or why a package's could not be read).

    Looks into the files first: where no package has one, which is the usual machine, importlib.metadata, which
    takes longer to import than all else here takes together, is not imported.
    """
    seen: set[str] = set()
    for directory in _naming_us(path):
        from importlib.metadata import Distribution

        distribution: Distribution = Distribution.at(directory)
        package = _plain(os.path.basename(directory).partition("-")[0])
        problem: Exception | None = None
        try:
            package = str(distribution.metadata["Name"] or package)
            entries = tuple(distribution.entry_points.select(group=GROUP))
        except Exception as error:  # noqa: BLE001  whatever a broken file leads to
            entries, problem = (), error
        if (key := re.sub(r"[-_.]+", "-", package).lower()) in seen:
            continue  # hidden by one that stands earlier in the path, as its modules are
        seen.add(key)
        if problem is not None:
            yield package, problem
        for entry in entries:
            yield package, entry


def _naming_us(path: Iterable[str]) -> Iterator[str]:
    for place in dict.fromkeys(path):
        try:
            with os.scandir(place or ".") as entries:
                names = sorted(e.path for e in entries if e.name.endswith((".dist-info", ".egg-info")))
        except OSError:
            continue
        for name in names:
            try:
                with open(os.path.join(name, "entry_points.txt"), "rb") as file:
                    if GROUP.encode() in file.read():
                        yield name
            except OSError:
                continue


def _fitting(entry: EntryPoint, metrics: _Metrics) -> Any:
    """The class that an entry point names. Raises whatever importing it raises, or ValueError: it does not fit."""
    with aside():
        cls = entry.load()
    if not isinstance(cls, type):
        raise _UnfitError(f"{entry.value} is not a class")
    for attribute, kind in (("name", str), ("specs", tuple), ("may_block", bool)):
        if not isinstance(getattr(cls, attribute, None), kind):
            raise _UnfitError(f"{entry.value} has no {attribute} ({_A_KIND[attribute]})")
    given: Any = cls
    if not isinstance(getattr(cls, "on_by_default", False), bool):
        raise _UnfitError(f"{entry.value}: on_by_default is not True or False")
    if given.name != entry.name:
        raise _UnfitError(
            f"{entry.value} calls itself {given.name!r}, its entry point {entry.name}: make them the same"
        )
    if not callable(getattr(cls, "collect", None)):
        raise _UnfitError(f"{entry.value} has no method collect()")
    for spec in given.specs:
        metrics.check(spec, entry.value)
    names = [spec.name for spec in given.specs if isinstance(spec, MetricSpec)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _UnfitError(f"{entry.value}: specs holds {twice[0]} twice")
    first, *rest = inspect.signature(cls, eval_str=True).parameters.values() or (None,)
    if first is None or first.kind not in {first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD}:
        raise _UnfitError(f"{entry.value}: __init__ must take the machine, then options as keywords")
    for option in rest:
        if option.kind is not option.KEYWORD_ONLY or option.default is option.empty:
            raise _UnfitError(f"{entry.value}: {option.name} of __init__ must be keyword-only and have a default")
        if option.annotation not in _OPTION_TYPES:
            raise _UnfitError(f"{entry.value}: the option {option.name} must be annotated bool, int, float or str")
    return cls


_A_KIND = {
    "name": "a text, that of the entry point",
    "specs": "a tuple of MetricSpec: every metric that it can give",
    "may_block": "True or False",
}


class _Metrics:
    """Whose each metric name is."""

    def __init__(self, own: Iterable[Any]) -> None:
        self._of: dict[str, str] = {"up": "Prometheus"}
        self._patterns: list[tuple[re.Pattern[str], str]] = [(re.compile("bongsu_.*"), "bongsu")]
        for cls in own:
            self.take(cls)

    def take(self, cls: Any) -> None:
        for spec in cls.specs:
            if isinstance(spec, MetricSpec):
                self._of[spec.name] = f"the collector {cls.name}"
            elif spec.pattern != "{}":  # the textfile collector's, which would be every name
                pattern = re.escape(spec.pattern).replace(r"\{\}", "[a-zA-Z0-9_:]+")
                self._patterns.append((re.compile(pattern), f"the collector {cls.name}"))

    def check(self, spec: object, where: str) -> None:
        """Raises ValueError: it is no spec, or its name is another's."""
        if not isinstance(spec, MetricSpec | MetricPattern):
            raise _UnfitError(f"{where}: specs holds {spec!r}, which is no MetricSpec")
        if isinstance(spec, MetricPattern):
            if spec.pattern.count("{}") != 1 or spec.pattern.startswith("{}"):
                raise _UnfitError(
                    f"{where}: the pattern {spec.pattern!r} must begin with a word of its own and hold one {{}}"
                )
            spec.spec("x")  # raises where the rest of it makes no name
        name = spec.name if isinstance(spec, MetricSpec) else spec.pattern.replace("{}", "x")
        whose = self._of.get(name) or next((who for pattern, who in self._patterns if pattern.fullmatch(name)), None)
        if whose is not None:
            raise _UnfitError(f"{where}: the metric {name} is taken by {whose}; give it another name")


class _Held:
    """A package's collector, each answer of which is checked: one that breaks the contract fails alone, not the scrape."""

    def __init__(self, collector: Any, of: Installed) -> None:
        self.name, self.specs, self.may_block = of.name, of.specs, of.may_block
        self._collector = collector
        self._package = of.package
        self._known = frozenset(spec for spec in of.specs if isinstance(spec, MetricSpec))
        self._patterns = tuple(spec for spec in of.specs if isinstance(spec, MetricPattern))

    def collect(self) -> Iterator[Sample | Absence | Table]:
        """What it gives. Raises what it raises, and BongsuError where an answer does not fit the contract."""
        seen: set[tuple[str, tuple[str, ...]]] = set()
        try:
            for item in _several(self._collector):
                self._check(item, isinstance(item, Sample), seen)
                yield item
        except _UnfitError as problem:
            raise BongsuError(
                Message("the package {package} breaks the contract of collectors: {problem}",
                        package=self._package, problem=str(problem))
            ) from None  # fmt: skip
        except (Exception, GeneratorExit):
            raise
        except SystemExit:
            raise RuntimeError("it asked the program to end") from None
        except BaseException as error:  # as asyncio's CancelledError; it would end the thread that asks every collector
            raise RuntimeError(f"it raised {type(error).__name__}") from error

    def _check(self, item: Any, is_sample: bool, seen: set[tuple[str, tuple[str, ...]]]) -> None:
        if not is_sample and not isinstance(item, Absence):
            raise _UnfitError(f"collect() gave {item!r:.80}, which is neither Sample nor Absence")
        spec, labels = item.spec, item.labels
        if spec not in self._known and not any(pattern.made(spec) for pattern in self._patterns):
            raise _UnfitError(f"collect() gave {getattr(spec, 'name', spec)!r:.80}, which is not in its specs")
        wanted = len(spec.labels)
        if not isinstance(labels, tuple) or len(labels) != wanted or not all(isinstance(v, str) for v in labels):
            raise _UnfitError(f"{spec.name}: the label values {labels!r:.80} are not {wanted} texts in a tuple")
        if not is_sample:
            if not isinstance(item.why, Why) or not isinstance(item.reason, Message):
                raise _UnfitError(f"{spec.name}: an Absence needs a Why and a Message")
            return
        if not _is_number(item.value):
            raise _UnfitError(f"{spec.name}: the value {item.value!r:.80} is no number")
        if spec.kind is Kind.COUNTER and item.value < 0:
            raise _UnfitError(f"{spec.name}: the value {item.value!r:.80} is below 0, which no counter is")
        if (spec.name, labels) in seen:
            raise _UnfitError(f"{spec.name} came twice with the label values {labels!r:.80}")
        seen.add((spec.name, labels))


def _several(collector: Any) -> Iterator[Any]:
    """What it gives, one by one; what it prints meanwhile is not among the readings."""
    with aside():
        given = collector.collect()
        if not isinstance(given, Iterable):
            raise _UnfitError(f"collect() gave {given!r:.80}, not samples to go through; yield each")
        items = iter(given)
    try:
        while True:
            with aside():
                item = next(items, _END)
            if item is _END:
                return
            yield item
    finally:
        if isinstance(items, Generator):  # with what it does at its end
            with aside():
                items.close()


_END = object()


class _Failing:
    """A collector that could not be had: each time it is asked it says why."""

    specs: tuple[_Spec, ...] = ()
    may_block = False

    def __init__(self, of: Installed | Refused, reason: str) -> None:
        self.name = of.name
        self._package = of.package
        self._reason = reason

    def collect(self) -> Iterator[Sample]:
        """Raises BadInput, always."""
        raise BadInput(
            Message("the package {package} has a collector that cannot be used: {reason}; repair or uninstall the "
                    "package, or say --no-collector.{name}", package=self._package, reason=self._reason, name=self.name)
        )  # fmt: skip


def _is_number(value: object) -> bool:
    """Whether it is one that a float can hold; infinities and NaN are."""
    if isinstance(value, float):
        return True
    try:
        return isinstance(value, int) and math.isfinite(value)
    except OverflowError:
        return False


def _explain(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_.:-]", "_", name)


def _spare(name: str, taken: Iterable[str]) -> str:
    """The name as a flag may have it, unlike every other."""
    name, names = _plain(name), frozenset(taken)
    return next(one for one in (name, *(f"{name}.{n}" for n in range(2, len(names) + 3))) if one not in names)
