"""Sees the main program's functions come into being, line by line, so that they can be timed before they are called.

Python offers no hook between the definition of a function in the main program and its first call. From 3.12 on the
lines of the main program alone are watched (PEP 669), which costs the rest nothing; before that every call is looked
at until all functions are there, which slows down the imports at the top of the program a little.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, FrameType
    from typing import Any

    Names = list[tuple[str, str]]  # (module, name) as they were asked for
    Patch = Callable[[dict[str, Any], Sequence[tuple[str, str]]], Names]  # times what is there, gives what is not

_MAIN = ("__main__", "__mp_main__")  # the latter in a worker of multiprocessing, which executes the program anew


class _Watch:
    """What is still to come in the main program, and the code that is watched."""

    def __init__(self, patch: Patch, asked_of: Callable[..., Names]) -> None:
        self._patch, self._asked_of = patch, asked_of
        self._missing: Names | None = None
        self.workers = "multiprocessing" in " ".join(getattr(sys, "orig_argv", ()))

    def is_main(self, name: object, code: CodeType) -> bool:
        """Whether this code is the main program's, beginning."""
        if code.co_name != "<module>" or name not in _MAIN or (self.workers and name == "__main__"):
            return False
        return name == "__mp_main__" or "runpy" not in code.co_filename

    def begin(self, namespace: dict[str, Any]) -> bool:
        """The main program begins: whether anything is asked of it, by any of its names."""
        spec = namespace.get("__spec__")
        program = sys.argv[0] if getattr(sys, "argv", None) else ""
        stem = os.path.splitext(os.path.basename(str(namespace.get("__file__") or program)))[0]
        named = spec.name if spec is not None else stem
        self._missing = self._asked_of(*dict.fromkeys(("__main__", stem, named)))
        return bool(self._missing)

    def line(self, namespace: dict[str, Any]) -> bool:
        """A line was reached: whether something is still to come."""
        waiting = self._missing or []
        everything = [one for one in waiting if one[1] == "*"]
        self._missing = self._patch(namespace, [one for one in waiting if one[1] != "*"])
        self._patch(namespace, everything)
        self._missing += everything  # more functions may come
        return bool(self._missing)


def watch(patch: Patch, asked_of: Callable[..., Names]) -> None:
    """Time functions of the main program as they come to be.

    Args:
        patch: times what is there of what it is given, and gives back what is not.
        asked_of: what is asked of modules of these names.
    """
    if "-c" in sys.argv[:1] and not asked_of("__main__") and "multiprocessing" not in " ".join(sys.orig_argv):
        return
    state = _Watch(patch, asked_of)
    if sys.version_info >= (3, 12):
        _by_monitoring(state)
    else:
        _by_tracing(state)


def _by_tracing(state: _Watch) -> None:
    if sys.gettrace() is not None:
        return  # a debugger's; it comes first

    def at_call(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ARG001  what Python passes
        if not state.is_main(frame.f_globals.get("__name__"), frame.f_code):
            return None
        if not state.begin(frame.f_globals):
            _untrace(at_call)
            return None
        return at_line

    def at_line(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ARG001  what Python passes
        if event == "return" or not state.line(frame.f_globals):
            _untrace(at_call)
            return None
        return at_line

    sys.settrace(at_call)


def _untrace(ours: object) -> None:
    if sys.gettrace() is ours:
        sys.settrace(None)


if sys.version_info >= (3, 12):

    def _by_monitoring(state: _Watch) -> None:
        monitoring = sys.monitoring
        events = monitoring.events
        tool = next((one for one in (4, 3) if monitoring.get_tool(one) is None), None)
        if tool is None:
            return
        monitoring.use_tool_id(tool, "bongsu")

        def stop() -> None:
            monitoring.set_events(tool, events.NO_EVENTS)
            monitoring.free_tool_id(tool)

        def at_start(code: CodeType, offset: int) -> Any:  # noqa: ARG001  what Python passes
            namespace = sys._getframe(1).f_globals  # noqa: SLF001  the frame whose code begins
            if state.is_main(namespace.get("__name__"), code):
                monitoring.set_events(tool, events.NO_EVENTS)
                if state.begin(namespace):
                    monitoring.set_local_events(tool, code, events.LINE)
                else:
                    stop()
            return monitoring.DISABLE

        def at_line(code: CodeType, number: int) -> Any:  # noqa: ARG001  what Python passes
            if not state.line(sys._getframe(1).f_globals):  # noqa: SLF001  the frame whose line it is
                monitoring.set_local_events(tool, code, events.NO_EVENTS)
                stop()

        monitoring.register_callback(tool, events.PY_START, at_start)
        monitoring.register_callback(tool, events.LINE, at_line)
        monitoring.set_events(tool, events.PY_START)
