"""What is known of each timed function in this process: rows of each thread, kept without a lock and merged when written.

Times are seconds of `perf_counter` (CLOCK_MONOTONIC) and `thread_time` (CLOCK_THREAD_CPUTIME_ID). The CPU clock
costs as much as all the rest of a timed call, so it is read only when SLACK has passed since it was last read in
this thread. What lies between two readings and was not CPU time (the thread waited, or another one ran) is known
exactly; it is charged to the function in which the reading fell, which is wrong by at most SLACK each time. That is
the error that is stated.
"""

from __future__ import annotations

import threading
from time import perf_counter, thread_time
from weakref import ref

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable

clock = perf_counter
SLACK = 3e-5
NEVER = float("inf")
NEW = (-1.0, 0.0)
FEW = 64
IDLE = 1e-3  # without a timed call, and what was done before is written
TORN = -1e-6
MOST_PAIRS = 10_000  # of a name and a task that a process tells apart; about 1 kB each, here and in the file
OTHER_TASKS = "other tasks"
_pairs: set[tuple[str, str]] = set()
_PACKAGE = __name__.rpartition(".")[0]


class Spec:
    """Something that is timed: its name in the report, what it is, the task that it is charged to, if it is fixed."""

    __slots__ = ("exact", "kind", "name", "task")

    def __init__(self, name: str, kind: str = "function", task: str | None = None, exact: bool = False) -> None:
        self.name, self.kind, self.task, self.exact = name, kind, task, exact


class Row:
    """The account of one function in one thread under one task."""

    __slots__ = (
        "active", "begun", "count", "cpu_unknown", "depth", "error", "errors", "live", "maximum", "minimum",
        "off", "own", "seen", "self_off", "spec", "start", "state", "stepped", "task", "wall",
    )  # fmt: skip

    def __init__(self, spec: Spec, task: str | None, state: State) -> None:
        self.spec, self.task, self.state = spec, task, state
        self.count = 0.0  # calls that have ended; a float adds up quicker than a large int
        self.errors = 0  # those that did by an exception
        self.depth = 0  # entries on this thread's stack
        self.live = 0  # generators and coroutines that began and have not ended
        self.start = 0.0  # of the outermost call
        self.begun = 0.0  # sum of when those that live began
        self.wall = 0.0  # outermost calls only
        self.active = 0.0  # of `wall`, what generators and coroutines ran
        self.off = 0.0  # of that, not CPU time
        self.own = 0.0  # wall time without the timed calls within, less `wall`
        self.self_off = 0.0
        self.minimum, self.maximum = NEVER, 0.0
        self.error = 0.0  # of the thread, while this was active
        self.seen = NEW  # its count and own time when it was last written
        self.stepped = self.cpu_unknown = False


class Table:
    """The rows of one thread under one task."""

    __slots__ = ("rows", "state", "task")

    def __init__(self, task: str | None, state: State) -> None:
        self.task, self.state = task, state
        self.rows: dict[Spec, Row] = {}

    def row(self, spec: Spec) -> Row:
        """A row, which is there from now on.

        A signal handler or a finalizer may come here for the same one meanwhile: what it counted stays.
        """
        found = self.rows.get(spec)
        if found is None:
            if self.task is not None and spec.task is None and not are_told_apart(spec.name, self.task):
                return self.state.under(OTHER_TASKS).row(spec)
            LEDGER.rows += 1
            made = Row(spec, self.task if spec.task is None else spec.task, self.state)
            found = self.rows.setdefault(spec, made)
            self.state.due = 0.0
        return found


def are_told_apart(name: str, task: str) -> bool:
    """Whether these two have a row of their own. Each takes room for good, and their product may be a million."""
    pair = (name, task)
    if pair in _pairs or task == OTHER_TASKS:
        return True
    if len(_pairs) >= MOST_PAIRS:
        return False
    _pairs.add(pair)
    return True


class State:
    """Where a thread is: the row on top of its stack, and its clocks."""

    __slots__ = (
        "child",
        "due",
        "error",
        "error_seen",
        "gone",
        "leaving",
        "mark_cpu",
        "mark_wall",
        "off",
        "rows",
        "soon",
        "table",
        "tables",
        "top",
    )

    def __init__(self) -> None:
        self.top: Row | None = None
        self.child = 0.0  # wall time of what the function on top called
        self.off = 0.0  # time since the thread's first call in which it did not run
        self.error = 0.0  # how much of that may be charged to the wrong function
        self.error_seen = 0.0  # that, when it was last written
        self.leaving: Leaving  # of its thread
        self.gone = False  # its thread has ended, and its rows are in the accounts of those
        self.due = 0.0  # from here on the CPU clock is read at the next event
        self.soon = NEVER  # 0 when the file says that a call of this thread is running
        self.mark_wall, self.mark_cpu = clock(), thread_time()  # when the CPU clock was last read, and what it said
        self.table = Table(None, self)
        self.rows = self.table.rows  # always those of the table
        self.tables: dict[str | None, Table] = {None: self.table}  # by task

    def under(self, task: str | None) -> Table:
        """The rows of a task."""
        table = self.tables.get(task)
        return self.tables.setdefault(task, Table(task, self)) if table is None else table

    def turn(self, table: Table) -> None:
        """What is called from now on is charged to another task."""
        self.table, self.rows = table, table.rows


class _Alive:
    """Dies with the thread whose local variables hold it."""

    __slots__ = ("__weakref__",)


class Leaving(ref[_Alive]):
    """Gets into the ledger when its thread has ended, without a line of Python run: a profiler may be gone by then."""

    __slots__ = ("state",)

    state: State


class Local(threading.local):
    """The state of the thread that asks."""

    def __init__(self) -> None:
        state = self.state = State()
        self.alive = _Alive()
        state.leaving = Leaving(self.alive, LEDGER.left.append)
        state.leaving.state = state
        LEDGER.states.append(state)

    def __reduce__(self) -> str:
        return "LOCAL"  # it is the same thing wherever a function that holds it is unpickled


class Ledger:
    """The threads of this process, what those that ended left, and when it is to be written."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.left: list[Leaving] = []  # of threads that have ended
        self.write: Callable[[], None] | None = None  # hand what is known to the file
        self.write_at = 0.0  # at any event from here on
        self.soon_at = 0.0  # when the outermost call of a thread has ended
        self.faults = 0  # errors of our own
        self.rows = 0  # that were made

    def forget(self) -> None:
        """Count from zero; calls in progress belong to what was."""
        self.rows = 0
        for state in (*self.states, *(one.state for one in self.left)):
            for table in tuple(state.tables.values()):
                table.rows.clear()

    def begin_anew(self) -> None:
        """In a child after fork: nothing is known yet, and calls in progress belong to the process that began them."""
        self.states, self.left = [], []
        self.write_at = self.soon_at = 0.0
        self.faults = self.rows = 0
        LOCAL.__init__()  # type: ignore[misc]  # its own thread is the one that lives on


def _charge(state: State, now: float, cpu: float, row: Row | None) -> None:
    """The CPU clock was read: what was not CPU time since the last reading is charged to the row."""
    off = now - state.mark_wall - cpu + state.mark_cpu
    state.mark_wall, state.mark_cpu, state.due = now, cpu, now + SLACK
    if off < TORN:
        return  # the thread was interrupted between its two clocks, and this is what was charged too much
    state.off += off
    if row is not None:
        row.self_off += off
    if off > 0.0:
        state.error += min(off, SLACK)


def _read_now(state: State, row: Row | None) -> float:
    cpu = thread_time()
    now = clock()  # after the other: an interruption before both is the time of what was before
    _charge(state, now, cpu, row)
    return now


def _read_since(state: State, end: float, row: Row) -> None:
    _charge(state, end, thread_time() - LAG[0], row)


def measure_lag() -> None:
    """How much CPU time lies between the reading at a beginning and one at an end that follows at once."""
    state, row = State(), Row(Spec("lag"), None, State())
    lags = []
    LAG[0] = 0.0
    for _ in range(20):
        end = _read_now(state, row)
        before = state.mark_cpu
        _read_since(state, end, row)
        lags.append(state.mark_cpu - before)
    LAG[0] = min(lags)


LAG = [0.0]


def enter(state: State, row: Row, start: float) -> float:
    """What is due when a call begins; when it begins after that."""
    try:
        cpu = thread_time()  # as `_read_now`, without the time that its call takes
        begin = clock()
        since = begin - state.mark_wall
        off = since - cpu + state.mark_cpu
        state.mark_wall, state.mark_cpu, state.due = begin, cpu, begin + SLACK
        top = state.top
        if off >= TORN:
            state.off += off
            if top is not None:
                top.self_off += off
            if off > 0.0:
                state.error += min(off, SLACK)
        if (
            start > LEDGER.write_at
            or (top is None and since > IDLE and start > LEDGER.soon_at)
            or (row.seen is NEW and LEDGER.rows < FEW)  # it may be the last that is heard of this process
        ) and LEDGER.write is not None:
            if not row.depth:
                row.start = start
            row.depth += 1  # the file is to say that it is running
            try:
                LEDGER.write()
            finally:
                row.depth -= 1
            begin = _not_theirs(state, begin)
        return begin
    except Exception as error:
        if not ours(error):
            raise
        return start


def leave(state: State, row: Row, start: float, end: float, off: float, mine: float) -> None:
    """What is due when a call has ended: its account, with the CPU clock read, and what is to be written.

    Args:
        state: of the thread.
        row: of the function.
        start: when the call began.
        end: when it ended.
        off: what `state.off` was when it began.
        mine: wall time of the timed calls within.
    """
    try:
        _read_since(state, end, row)
        wall = end - start
        state.child += wall
        if row.depth:
            row.own += wall - mine
        else:
            row.own -= mine
            row.wall += wall
            row.off += state.off - off
            row.minimum = min(row.minimum, wall)
            row.maximum = max(row.maximum, wall)
        after(state, start, end)
    except Exception as error:
        if not ours(error):
            raise


def read(state: State, row: Row, end: float) -> None:
    """The CPU clock, when a step of the row has ended."""
    try:
        _read_since(state, end, row)
    except Exception as error:
        if not ours(error):
            raise


def after(state: State, start: float, end: float) -> None:
    """Write what is due once a call that began and ended then is in its account."""
    try:
        if LEDGER.write is not None and (
            end > LEDGER.write_at
            or (state.top is None and (end > LEDGER.soon_at or state.soon == 0.0 or end - start > 0.05))
        ):
            state.soon = NEVER
            LEDGER.write()
            _not_theirs(state, end)
    except Exception as error:
        if not ours(error):
            raise


def _not_theirs(state: State, since: float) -> float:
    now = _read_now(state, None)
    state.child += now - since  # the time that writing took is no function's own
    return now


def ours(error: BaseException) -> bool:
    """Whether an error is a fault of ours, which is counted, or came through us: from a signal handler of the program."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    if where == _PACKAGE or where.startswith((_PACKAGE + ".", "json.")):
        LEDGER.faults += 1
        return True
    return False


LEDGER: Ledger = Ledger()
LOCAL = Local()
