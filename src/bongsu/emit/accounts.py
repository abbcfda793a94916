"""The rows of all threads, merged into what is known of each function in this process."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.emit.ledger import LEDGER, NEVER, SLACK, Row, State


class Key(NamedTuple):
    """What the accounts of threads are merged by."""

    name: str
    kind: str
    task: str | None


class Account(NamedTuple):
    """A function's numbers as they are written: cumulative, in seconds."""

    count: int = 0  # type: ignore[assignment]  # a tuple's `count` is not asked of it
    running: int = 0
    errors: int = 0
    wall: float = 0.0
    cpu: float | None = 0.0
    self_wall: float | None = 0.0
    self_cpu: float | None = 0.0
    minimum: float = NEVER
    maximum: float = 0.0
    cpu_error: float = 0.0
    running_wall: float = 0.0  # so far, of the calls in progress
    active: float | None = None  # wall time in which it ran, of what can be suspended

    def __add__(self, other: Account) -> Account:  # type: ignore[override]  # accounts add up, they are not joined
        return Account(
            self.count + other.count, self.running + other.running, self.errors + other.errors,
            self.wall + other.wall, _both(self.cpu, other.cpu), _both(self.self_wall, other.self_wall),
            _both(self.self_cpu, other.self_cpu), min(self.minimum, other.minimum), max(self.maximum, other.maximum),
            self.cpu_error + other.cpu_error, self.running_wall + other.running_wall,
            (self.active or 0.0) + (other.active or 0.0) if self.active is not None or other.active is not None else None,
        )  # fmt: skip


def _both(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


class Accounts:
    """All threads of this process together: those that live, and what those that ended left."""

    def __init__(self) -> None:
        self._retired: dict[Key, Account] = {}

    def at(self, now: float) -> dict[Key, Account]:
        """What is known. One caller at a time."""
        for leaving in tuple(LEDGER.left):
            state = leaving.state
            if state in LEDGER.states and not state.gone:
                retired = dict(self._retired)
                _add(retired, state, now)
                self._retired = retired
                state.gone = True  # at once: a signal handler that raises can come only between calls
        for leaving in tuple(LEDGER.left):
            state = leaving.state
            if state.gone and state in LEDGER.states:
                LEDGER.states.remove(state)
            LEDGER.left.remove(leaving)
        total = dict(self._retired)
        for state in tuple(LEDGER.states):
            if not state.gone and _add(total, state, now):
                state.soon = 0.0
        return total


def _add(total: dict[Key, Account], state: State, now: float) -> int:
    running = 0
    error = state.error - state.error_seen
    state.error_seen += error
    for table in tuple(state.tables.values()):
        for row in tuple(table.rows.values()):
            spec = row.spec
            key = Key(spec.name, spec.kind, row.task)
            seen = (row.count, row.wall + row.own)
            if seen != row.seen or row.depth:
                row.error += error
                row.seen = seen
            account = _account(row, now)
            running += account.running
            before = total.get(key)
            total[key] = account if before is None else before + account
    return running


def _account(row: Row, now: float) -> Account:
    entered = row.depth > 0
    active = row.active if row.stepped else row.wall
    error = row.error
    if row.spec.exact:
        error = 0.0
    elif not row.stepped:
        error = min(error, (row.count + entered) * SLACK)
    self_wall = row.wall + row.own
    running, so_far = int(entered), now - row.start if entered else 0.0
    if row.stepped:
        running, so_far = row.live, max(0.0, row.live * now - row.begun)
    unknown = row.cpu_unknown
    return Account(
        int(row.count), running, row.errors, row.wall,
        None if unknown else max(0.0, active - row.off), None if unknown else max(0.0, self_wall),
        None if unknown else max(0.0, self_wall - row.self_off), row.minimum, row.maximum,
        min(error, active), max(0.0, so_far), row.active if row.stepped else None,
    )  # fmt: skip
