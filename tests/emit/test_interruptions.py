"""Calls and exceptions that come in the middle of our own work: from signal handlers and finalizers."""

from __future__ import annotations

from pathlib import Path

import pytest

from programs import Program


def test_a_signal_handler_and_a_finalizer_may_call_what_is_timed(tmp_path: Path) -> None:
    """In the middle of our own work a timed function is called, or an exception raised: nothing is lost, nothing hangs."""
    program = Program(tmp_path, """
import gc, signal
from bongsu.emit import timed
calls = {"work": 0, "handler": 0, "raised": 0, "dropped": 0}
armed = False
@timed
def work():
    calls["work"] += 1
@timed
def handler(number, frame):
    global armed
    calls["handler"] += 1
    if armed:
        armed = False
        raise TimeoutError
class Cycle:
    def __init__(self): self.me = self
    def __del__(self): drop()
@timed
def drop():
    calls["dropped"] += 1
def soon():  # once: a handler that interrupts the first line of a handler would leave it uncounted by itself alone
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
signal.signal(signal.SIGALRM, handler)
while calls["handler"] < 500:
    before = calls["handler"]
    soon()
    while calls["handler"] == before: work(); Cycle()
gc.collect()
gc.disable()
while calls["raised"] < 500:
    try:
        armed = True
        soon()
        while True: work()
    except TimeoutError:
        calls["raised"] += 1
print(calls["work"], calls["handler"], calls["raised"], calls["dropped"])
""")  # fmt: skip
    work, handler, raised, dropped = map(int, program.run().split())
    functions = program.functions()
    assert functions.faults == 0
    assert (handler, raised) == (1000, 500)  # none was swallowed, or the program would not have ended
    assert functions.stats["handler"].count == handler
    assert functions.stats["handler"].errors == raised
    assert 0 <= functions.stats["work"].count - work <= raised  # a call may be interrupted before its first line
    assert functions.stats["drop"].count == dropped
    assert functions.running == []
    assert functions.stats["work"].running == 0


KINDS = {
    "function": ("timed(name=name)(lambda: None)", "one()"),
    "exact": ("timed(name=name, exact=True)(lambda: None)", "one()"),
    "generator": ("timed(name=name)(lambda: (yield))", "list(one())"),
    "coroutine": ("timed(name=name)(fresh())", "list(one().__await__())"),
    "span": ("lambda: span(name)", "with one(): pass"),
    "task": ("timed(name=name)(lambda: None)", "with task(name): one()"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_at_any_line_of_ours_is_counted(tmp_path: Path, kind: str) -> None:
    """Whichever line of ours is interrupted by a call of the very function that is on its way: both calls are counted."""
    make, call = KINDS[kind]
    program = Program(tmp_path, f"""
import sys, types
from bongsu.emit import span, task, timed
OURS = tuple(f"/bongsu/emit/{{one}}.py" for one in ("ledger", "patching", "spans", "steps", "timing"))
def pause(): yield
def fresh():
    async def waits(): await types.coroutine(pause)()
    return waits
def watch(frame, event, arg):
    return step if frame.f_code.co_filename.endswith(OURS) else None
def step(frame, event, arg):
    global seen, calls
    seen += event == "line"
    if event == "line" and seen == at:
        sys.settrace(None)
        calls += 1
        {call}
        sys.settrace(watch)
    return step
at = 0
while True:
    at, seen, calls = at + 1, 0, 1
    name = f"n{{at}}"
    one = {make}
    sys.settrace(watch)
    {call}
    sys.settrace(None)
    print(name, calls)
    if seen < at: break
""")  # fmt: skip
    made = {name: int(calls) for name, calls in map(str.split, program.run().splitlines())}
    functions = program.functions()
    assert {key.partition(" ")[0]: one.count for key, one in functions.stats.items()} == made
    assert list(made.values()) == [2] * (len(made) - 1) + [1]
    assert len(made) > 20
    assert functions.faults == 0
    assert functions.running == []
    assert all(one.running == 0 for one in functions.stats.values())
