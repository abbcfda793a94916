"""Timing of what can be suspended: a generator or a coroutine is timed while it runs, step by step.

A coroutine that sleeps beside one that computes is charged with its own steps alone; the wall time of its whole
await is counted apart.
"""

from __future__ import annotations

from bongsu.emit.ledger import LOCAL, Row, Spec, State, after, clock, enter, read

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Life:
    """One generator, coroutine or asynchronous generator, from its first step to its end."""

    __slots__ = ("_began", "_due", "_nested", "_row", "_spec", "_task", "_total", "_waited_since")

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._row: Row | None = None
        self._task: str | None = None
        self._total = 0.0
        self._waited_since: float | None = None
        self._due: tuple[State, float, float] | None = None

    def step(self, resume: Callable[..., Any], *values: Any) -> Any:
        """Run it until it is suspended or ends; what it raises is raised."""
        state = LOCAL.state
        spec = self._spec
        outer_table = state.table
        row = self._row
        if row is None:
            row = outer_table.row(spec)
        else:
            if outer_table.task is not self._task:
                state.turn(state.under(self._task))
            if row.state is not state:  # it goes on in another thread
                row = state.under(row.task).row(spec)
        outer = state.top
        start = clock()
        if start > state.due or spec.exact:
            start = enter(state, row, start)
        if self._row is None:
            self._nested = row.depth > 0  # a recursive await: its wall time is in the outer one's
            self._row = row
            self._began = start
            row.stepped = True
            row.live += 1
            row.begun += start
        if self._waited_since is None:
            self._waited_since = start
        off = state.off
        child = state.child
        row.depth += 1
        state.top = row
        state.child = 0.0
        try:
            return resume(*values)
        finally:
            mine = state.child
            state.child = child
            state.top = outer
            row.depth -= 1
            self._task = state.table.task  # `task` within it stays with it
            state.turn(outer_table)
            end = clock()
            if end > state.due or spec.exact or (outer is None and end > state.soon):
                read(state, row, end)
                self._due = state, start, end
            wall = end - start
            row.own += wall - mine
            state.child += wall
            if not row.depth:
                row.active += wall
                row.off += state.off - off

    def pause(self) -> None:
        """Nobody waits for it until the next step: what it took is wall time."""
        if self._row is not None and self._waited_since is not None:
            wall = clock() - self._waited_since
            self._waited_since = None
            if not self._nested:
                self._total += wall
                self._row.wall += wall
                self._row.own -= wall  # its steps alone are its own time

    def settle(self) -> None:
        """Write what is due, now that all of the last step is in its account."""
        due, self._due = self._due, None
        if due is not None:
            after(*due)

    def end(self, *, error: bool = False) -> None:
        """It has returned, raised or was closed."""
        row = self._row
        if row is None:
            return
        self.pause()
        self._row = None
        row.live -= 1
        row.begun -= self._began
        row.count += 1
        row.errors += error
        if not self._nested:
            row.minimum = min(row.minimum, self._total)
            row.maximum = max(row.maximum, self._total)


class Steps:
    """Stands for a generator or coroutine, to whoever drives it."""

    __slots__ = ("_inner", "_life", "_whole")

    def __init__(self, spec: Spec, inner: Any, *, whole: bool) -> None:
        """``whole``: its wall time is that of the whole await, not of the steps."""
        self._life = Life(spec)
        self._inner = inner
        self._whole = whole

    def __iter__(self) -> Steps:
        return self

    __await__ = __iter__

    def __next__(self) -> Any:
        return self._step(self._inner.send, None)

    def send(self, value: Any) -> Any:
        """As the generator's."""
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        """As the generator's."""
        return self._step(self._inner.throw, *error)

    def close(self) -> None:
        """As the generator's."""
        try:
            self._life.step(self._inner.close)
        except BaseException:
            self._life.end(error=True)
            raise
        else:
            self._life.end()
        finally:
            self._life.settle()

    def _step(self, resume: Callable[..., Any], *values: Any) -> Any:
        life = self._life
        try:
            result = life.step(resume, *values)
        except StopIteration:
            life.end()
            raise
        except BaseException:
            life.end(error=True)
            raise
        else:
            if not self._whole:
                life.pause()
            return result
        finally:
            life.settle()


class Awaited:
    """One `asend`, `athrow` or `aclose` of an asynchronous generator, whose life is longer."""

    __slots__ = ("_inner", "_life")

    def __init__(self, life: Life, inner: Any) -> None:
        self._life = life
        self._inner = inner

    def __await__(self) -> Awaited:
        return self

    __iter__ = __await__

    def __next__(self) -> Any:
        return self._life.step(self._inner.send, None)

    def send(self, value: Any) -> Any:
        """As the awaitable's."""
        return self._life.step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        """As the awaitable's."""
        return self._life.step(self._inner.throw, *error)

    def close(self) -> None:
        """As the awaitable's."""
        self._life.step(self._inner.close)


def drive(spec: Spec, generator: Any) -> Steps:
    """A generator, timed."""
    return Steps(spec, generator, whole=False)


def attend(spec: Spec, coroutine: Any) -> Steps:
    """A coroutine, timed."""
    return Steps(spec, coroutine, whole=True)
