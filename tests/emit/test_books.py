"""What is written down of calls that are too short for any clock to be trusted, by a clock that says what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from programs import Program


@pytest.mark.parametrize("exact", [False, True])
def test_the_books_of_short_calls_add_up(tmp_path: Path, exact: bool) -> None:
    """Total, own, least and most time, to the last digit, of nested calls and recursion by way of another function."""
    program = Program(tmp_path, f"""
from bongsu.emit import ledger, patching, timed
now = -2.0 ** 20  # before any time at which more than the books is due
class Wall:
    def __call__(self): return now
class CPU:
    def __call__(self): return now / 2
patching._ALWAYS.update(CLOCK=Wall(), CPU=CPU(), LAG=[0.0])
ledger.LOCAL.state.mark_wall, ledger.LOCAL.state.mark_cpu = now, now / 2
def spend(seconds):
    global now
    now += seconds
@timed(exact={exact})
def leaf(seconds, error=None):
    spend(seconds)
    if error: raise error
@timed(exact={exact})
def middle(n):
    spend(1)
    leaf(2)
    for _ in range(2 * n): other(n - 1)
    spend(4)
@timed(exact={exact})
def other(n):
    spend(8)
    middle(n)
leaf(4); leaf(16); leaf(1)
try: leaf(4, ValueError())
except ValueError: pass
spend(64)
middle(0); middle(1); middle(0)
""")  # fmt: skip
    program.run()
    functions = program.functions()
    books = {
        name: (one.count, one.errors, one.total_time, one.self_time, one.min_time, one.max_time)
        for name, one in functions.stats.items()
    }
    inner = 5 + 2  # of `middle(0)`
    assert books == {
        "leaf": (9, 1, 25 + 5 * 2, 25 + 5 * 2, 1, 16),
        "middle": (5, 0, 3 * inner + 2 * (8 + inner), 5 * 5, inner, inner + 2 * (8 + inner)),
        "other": (2, 0, 2 * (8 + inner), 2 * 8, 8 + inner, 8 + inner),
    }
    share = 0.5 if exact else 1.0  # the CPU clock is not read otherwise
    for one in functions.stats.values():
        assert one.cpu_time == one.total_time * share
        assert one.self_time is not None
        assert one.self_cpu_time == one.self_time * share
        assert one.cpu_error == 0.0
