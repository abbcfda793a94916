"""Times functions that the program knows nothing of, named from the outside: `MODULE:FUNCTION`, as the module is executed.

A module's functions are timed once its code has run; those of the main program, whose code runs until the end, as
soon as the line after their definition is reached.
"""

from __future__ import annotations

import os
import sys

from bongsu.emit import main_module
from bongsu.emit.ledger import LEDGER
from bongsu.emit.start import FUNCTIONS, journal
from bongsu.emit.timing import SWITCH, timed_as

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


class Asked:
    """What is to be timed, by module; what of it was found."""

    def __init__(self, asked: Sequence[str]) -> None:
        self._names: dict[str, list[str]] = {}
        self._asked = [one for one in asked if one]
        for one in self._asked:
            module, _, name = one.partition(":")
            self._names.setdefault(module, []).append(name)

    def of(self, *modules: str) -> list[tuple[str, str]]:
        """What was asked of modules, as (module, name)."""
        return [(module, name) for module in modules for name in self._names.get(module, ())]

    def modules(self) -> frozenset[str]:
        """Those that functions were asked of."""
        return frozenset(self._names)

    def names(self, module: str) -> tuple[str, ...]:
        """What was asked of a module."""
        return tuple(self._names.get(module, ()))

    def unseen(self) -> list[str]:
        """What was asked for and not found in this process."""
        return [one for one in self._asked if one not in journal().found]

    def in_main(self, namespace: dict[str, Any], names: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Time functions of the main module, as (module, name) that was asked; those that are not there yet."""
        return [(module, name) for module, name in names if self.time(module, namespace, [name], final=False)]

    def time(self, module: str, namespace: dict[str, Any], names: Sequence[str], *, final: bool = True) -> list[str]:
        """Have functions of a module time themselves; those that are not (yet) there."""
        missing = []
        for name in names:
            found = _everything(namespace) if name == "*" else _one(namespace, name)
            if found:
                note(f"{module}:{name}", found=True)
            else:
                missing.append(name)
        if final:
            for name in missing:
                note(f"{module}:{name}", found=False)
        return missing


def note(asked: str, *, found: bool) -> None:
    """Say in the segment that what was asked for is timed, or is not there."""
    known = journal()
    if asked not in (known.found if found else known.missing):
        (known.found if found else known.missing).append(asked)


def _one(namespace: dict[str, Any], path: str) -> bool:
    """Time one function; a path with a dot leads into classes."""
    *owners, name = path.split(".")
    owner: Any = None
    for part in owners:
        owner = namespace.get(part) if owner is None else getattr(owner, part, None)
        if owner is None:
            return False
    have = namespace if owner is None else vars(owner)
    if name not in have:
        return False
    before = have[name]
    after = timed_as(before, None)
    if after is not before:
        if owner is None:
            namespace[name] = after
        else:
            setattr(owner, name, after)
    return True


def _everything(namespace: dict[str, Any]) -> bool:
    """Time the module's own functions, those that it defines itself."""
    own = namespace.get("__name__")
    names = [
        name
        for name, value in tuple(namespace.items())
        if callable(value) and not isinstance(value, type) and getattr(value, "__module__", None) == own
        and hasattr(value, "__qualname__")
    ]  # fmt: skip
    for name in names:
        _one(namespace, name)
    return bool(names)


class _Loader:
    """Executes a module as its own loader does, then times what was asked of it."""

    def __init__(self, inner: Any, asked: Asked) -> None:
        self._inner, self._asked = inner, asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._inner.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._inner
        module.__loader__ = self._inner
        self._inner.exec_module(module)
        try:
            self._asked.time(module.__name__, module.__dict__, self._asked.names(module.__name__))
        except Exception:  # noqa: BLE001  a program does not fail for want of a timing
            LEDGER.faults += 1


class _Finder:
    """Stands first among the finders, and wraps the loader of a module that functions were asked of."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._modules = asked.modules()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._modules:
            return None
        for finder in tuple(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module") and not isinstance(spec.loader, _Loader):
                    spec.loader = _Loader(spec.loader, self._asked)  # type: ignore[assignment]  # it has what a loader has
                return spec
        return None


def begin() -> None:
    """Begin, in a process that is started with BONGSU_RUN_FUNCTIONS."""
    text = os.environ.get(FUNCTIONS, "")
    if not text or not SWITCH.on:
        return
    asked = Asked(text.split("\n"))
    journal().unseen = asked.unseen
    sys.meta_path.insert(0, _Finder(asked))
    main_module.watch(asked.in_main, asked.of)
