"""`timed`: a function whose calls are counted and timed, while a run is recorded."""

from __future__ import annotations

import os
import types
import weakref

from bongsu.emit import patching
from bongsu.emit.ledger import LEDGER, OTHER_TASKS, Spec, are_told_apart

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    F = TypeVar("F", bound=Callable[..., Any])

_MAIN = ("__main__", "__mp_main__")


class Switch:
    """Whether functions are timed, and what is to be when that changes."""

    def __init__(self, *, on: bool, exact: bool) -> None:
        self.on = on
        self.exact = exact
        self._decorated: weakref.WeakKeyDictionary[types.FunctionType, Spec] = weakref.WeakKeyDictionary()

    def add(self, function: types.FunctionType, spec: Spec) -> None:
        """A function that is to be timed while this is on."""
        self._decorated[function] = spec
        if self.on:
            patching.start(function, spec)

    def turn(self, *, on: bool) -> None:
        """Time all functions that were decorated so far and will be, or none."""
        self.on = on
        for function, spec in tuple(self._decorated.items()):
            if on:
                patching.start(function, spec)
            else:
                patching.stop(function)


def folder() -> str:
    """The run's folder that this process writes into; empty when none is recorded or it was told not to."""
    return "" if os.environ.get("BONGSU_EMIT") == "off" else os.environ.get("BONGSU_RUN_DIR", "")


MOST = 1000  # names of spans, and of tasks, that a process tells apart
OTHER_SPANS = "other spans"
TASKS: set[str] = set()
_spans: set[str] = set()
_specs: dict[tuple[str, str, str | None, bool], Spec] = {}
SWITCH = Switch(on=bool(folder()), exact=os.environ.get("BONGSU_EMIT") == "exact")


if TYPE_CHECKING:

    @overload
    def timed(function: F, /) -> F: ...
    @overload
    def timed(*, name: str | None = None, task: str | None = None, exact: bool = False) -> Callable[[F], F]: ...


def timed(function: Any = None, /, *, name: str | None = None, task: str | None = None, exact: bool = False) -> Any:
    """Count and time the calls of a function, method, generator or coroutine function, in wall and CPU seconds.

    Of calls within a call of the same function (recursion) each is counted and the outermost timed. A generator is
    timed while it runs, not while it is suspended; a coroutine's CPU time is that of its own steps, its wall time
    that of the whole await. When no run is recorded, the function is given back as it is.

    Args:
        function: what is timed; a static or class method, or a property, may be decorated from the outside too.
        name: in the report; the module and qualified name without it.
        task: what its calls are charged to, whatever `task` block they are made in.
        exact: read the CPU clock at each call. `BONGSU_EMIT=exact` does so for all.
    """
    if function is None:
        return lambda it: timed_as(it, name, task, exact=exact)
    return timed_as(function, name, task, exact=exact)


def timed_as(function: Any, name: str | None, task: str | None = None, *, exact: bool = False) -> Any:
    """The function that stands where this one stood: itself, where it is a Python function. Never raises."""
    try:
        if isinstance(function, (staticmethod, classmethod)):
            inner = timed_as(function.__func__, name, task, exact=exact)
            return function if inner is function.__func__ else type(function)(inner)
        if isinstance(function, property):
            for accessor in (function.fget, function.fset, function.fdel):
                if accessor is not None:
                    timed_as(accessor, name, task, exact=exact)
            return function
        spec = spec_of(name or name_of(function), "function", task, exact=exact)
        if isinstance(function, types.FunctionType):
            SWITCH.add(function, spec)
        elif SWITCH.on and callable(function) and not isinstance(function, type):
            return _stand_in(function, spec)
    except Exception:  # noqa: BLE001  a program does not fail for want of a timing
        LEDGER.faults += 1
    return function


def spec_of(name: str, kind: str, task: str | None, *, exact: bool = False) -> Spec:
    """One and the same for all functions of a name, so that one that is made anew at each call adds no row each time."""
    key = (name, kind, task, exact)
    spec = _specs.get(key)
    if spec is None:
        if kind == "span":  # a program may make their names as it goes
            name = told_apart(name, _spans, OTHER_SPANS)
            task = task and told_apart(task, TASKS, OTHER_TASKS)
            if task is not None and not are_told_apart(name, task):
                task = OTHER_TASKS
            key = (name, kind, task, exact)
            if key in _specs:
                return _specs[key]
        spec = _specs[key] = Spec(key[0], kind, key[2], exact or SWITCH.exact)
    return spec


def told_apart(name: str, known: set[str], other: str) -> str:
    """A name as it is told; of those after the first MOST the one that they share: each would take room for good."""
    if name in known:
        return name
    if len(known) >= MOST:
        return other
    known.add(name)
    return name


def name_of(function: Any) -> str:
    """What a function is called in a report: where it is from and its qualified name; the latter alone in the main module."""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None) or type(function).__qualname__
    module = getattr(function, "__module__", None)
    return str(name) if not module or module in _MAIN else f"{module}.{name}"


def _stand_in(function: Any, spec: Spec) -> Any:
    made: Any = patching.wrapped(function, spec)
    for attribute in (
        "__module__",
        "__name__",
        "__qualname__",
        "__doc__",
        "cache_info",
        "cache_clear",
        "cache_parameters",
    ):
        if hasattr(function, attribute):
            setattr(made, attribute, getattr(function, attribute))
    made.__wrapped__ = function
    return made
