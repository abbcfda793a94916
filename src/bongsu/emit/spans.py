"""`span` and `task`: a stretch of a program that is timed, and what the calls within are charged to."""

from __future__ import annotations

from bongsu.emit.ledger import LOCAL, OTHER_TASKS, Row, Spec, State, Table, after, clock, enter, read
from bongsu.emit.timing import SWITCH, TASKS, spec_of, told_apart

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from types import TracebackType


class Nothing:
    """What `span` and `task` are while no run is recorded."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        return None

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        return None


class Span:
    """One stretch; can be entered once at a time."""

    __slots__ = ("_child", "_off", "_outer", "_row", "_spec", "_start", "_state")

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def __enter__(self) -> None:
        state = self._state = LOCAL.state
        row = self._row = state.table.row(self._spec)
        start = clock()
        if start > state.due or self._spec.exact:
            start = enter(state, row, start)
        self._outer, self._child, self._off, self._start = state.top, state.child, state.off, start
        if not row.depth:
            row.start = start
        row.depth += 1
        state.top = row
        state.child = 0.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        state, row, start = self._state, self._row, self._start
        mine = state.child
        orderly = state.top is row and LOCAL.state is state
        if orderly:
            state.child = self._child
            outer = self._outer
            state.top = outer if outer is None or outer.depth else None  # it may have ended before this one
        row.depth -= 1
        row.count += 1
        row.errors += kind is not None and kind is not GeneratorExit
        end = clock()
        due = end > state.due or self._spec.exact or (self._outer is None and end > state.soon)
        if due:
            read(state, row, end)
        wall = end - start
        if orderly:
            row.own += wall - mine
            state.child += wall
        else:
            row.cpu_unknown = True  # it was suspended amid others: whose CPU time it was cannot be said
            if state.top is not None and state.top.spec.kind == "span":
                state.top.cpu_unknown = True  # nor of the one that began in it and has not ended
        if not row.depth:
            row.wall += wall
            row.own -= wall
            row.off += state.off - self._off
            row.minimum = min(row.minimum, wall)
            row.maximum = max(row.maximum, wall)
        if due:
            after(state, start, end)

    async def __aenter__(self) -> None:
        """Among other coroutines only the wall time can be told: a coroutine function that is `timed` has its CPU time too."""
        self._row = row = LOCAL.state.table.row(self._spec)
        self._start = clock()
        row.cpu_unknown = row.stepped = True
        row.live += 1
        row.begun += self._start

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        row: Row = self._row
        wall = clock() - self._start
        row.live -= 1
        row.begun -= self._start
        row.count += 1
        row.errors += kind is not None
        row.wall += wall
        row.own -= wall
        row.minimum = min(row.minimum, wall)
        row.maximum = max(row.maximum, wall)


class Task:
    """What the calls of this thread, or of the timed coroutine, are charged to."""

    __slots__ = ("_name", "_outer", "_state")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        state: State = LOCAL.state
        self._state = state
        self._outer: Table = state.table
        state.turn(state.under(self._name))

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._state.turn(self._outer)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        self.__exit__(kind, error, trace)


_NOTHING = Nothing()


def span(name: str, task: str | None = None) -> Span | Nothing:
    """A stretch of the program that is timed, for use as a context; `async with` around what awaits (wall time only)."""
    if not SWITCH.on:
        return _NOTHING
    return Span(spec_of(str(name), "span", None if task is None else str(task)))


def task(name: str) -> Task | Nothing:
    """What is called within is charged to a task."""
    return Task(told_apart(str(name), TASKS, OTHER_TASKS)) if SWITCH.on else _NOTHING
