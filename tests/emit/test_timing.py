"""What `timed` and `span` count, in real processes."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from bongsu.emit import span, task, timed
from bongsu.emit.ledger import OTHER_TASKS
from bongsu.emit.timing import MOST, OTHER_SPANS
from bongsu.records import functions
from bongsu.records.run_reading import Record
from bongsu.runs import reporting
from programs import SOURCES, Program
from run_records import metadata

# A loop that ends by the clock ends late where its CPU was taken away in its last turn: it says what it did use.
BURN = """
import atexit, collections, time
burnt = collections.Counter()
atexit.register(lambda: print(*(f"{name}={seconds!r}" for name, seconds in burnt.items())))
def burn(seconds, name=""):
    begin = time.thread_time()
    while (now := time.thread_time()) < begin + seconds:
        pass
    burnt[name] += now - begin
"""


def burnt(said: str) -> dict[str, float]:
    """What a program says at its end to have burnt, by name, in s of CPU time."""
    return {name: float(seconds) for name, seconds in (word.split("=") for word in said.splitlines()[-1].split())}


def test_when_nothing_is_recorded_the_function_itself_is_returned() -> None:
    """Off, a decorated function is what it was, to the last byte of its code, and a span is one shared nothing."""

    def plain(a: int, *, b: int = 2) -> int:
        return a + b

    code = plain.__code__
    assert timed(plain) is plain
    assert timed(name="other", exact=True)(plain) is plain
    assert plain.__code__ is code
    assert span("one") is span("two") is task("three")
    with span("one") as nothing:
        assert nothing is None


def test_a_call_is_counted_and_timed(tmp_path: Path) -> None:
    """Count, total, least, most, own time and errors, wall and CPU, of nested functions and a span."""
    program = Program(tmp_path, BURN + """
from bongsu.emit import timed, span
@timed
def inner(seconds):
    burn(seconds, "inner")
    if seconds > 0.035:
        raise ValueError
@timed(name="outside")
def outer():
    for seconds in (0.02, 0.03, 0.04):
        try:
            inner(seconds)
        except ValueError:
            pass
    with span("sleep"):
        time.sleep(0.1)
    burn(0.05, "outer")
outer()
""")  # fmt: skip
    used = burnt(program.run())
    stats = program.functions().stats
    inner, outer, sleep = stats["inner"], stats["outside"], stats["sleep"]
    assert (inner.count, inner.errors, outer.count, sleep.count, sleep.kind) == (3, 1, 1, 1, "span")
    for one in stats.values():
        assert None not in (one.cpu_time, one.self_time, one.self_cpu_time, one.min_time, one.max_time)
    assert inner.cpu_time == pytest.approx(used["inner"], abs=0.002)
    assert inner.min_time is not None
    assert inner.max_time is not None
    assert 0.0199 <= inner.min_time < inner.max_time <= inner.total_time
    assert outer.cpu_time == pytest.approx(used["inner"] + used["outer"], abs=0.004)
    assert outer.self_cpu_time == pytest.approx(used["outer"], abs=0.004)
    assert sum(one.self_time or 0.0 for one in stats.values()) <= outer.total_time + 0.002, (
        "less where we were kept waiting"
    )
    assert outer.cpu_time == pytest.approx(sum(one.self_cpu_time or 0.0 for one in stats.values()), abs=0.002)
    assert sleep.total_time >= 0.0999
    assert sleep.cpu_time is not None
    assert sleep.cpu_time < 0.01
    assert all(one.cpu_error <= 0.001 for one in stats.values())


def test_recursion_is_counted_at_each_call_and_timed_at_the_outermost(tmp_path: Path) -> None:
    """A function that calls itself, directly or by way of another, is not timed twice."""
    program = Program(tmp_path, BURN + """
from bongsu.emit import timed
@timed
def direct(n):
    burn(0.002, "direct")
    return n and direct(n - 1)
@timed
def even(n):
    burn(0.002, "even" if n < 9 else "first")
    return n and odd(n - 1)
@timed
def odd(n):
    burn(0.002, "odd")
    return n and even(n - 1)
direct(9)
even(9)
""")  # fmt: skip
    used = burnt(program.run())
    stats = program.functions().stats
    assert [stats[name].count for name in ("direct", "even", "odd")] == [10, 5, 5]
    assert stats["direct"].cpu_time == pytest.approx(used["direct"], abs=0.004)
    assert stats["direct"].self_cpu_time == pytest.approx(used["direct"], abs=0.004)
    assert stats["even"].cpu_time == pytest.approx(used["first"] + used["even"] + used["odd"], abs=0.004)
    assert stats["even"].self_cpu_time == pytest.approx(used["first"] + used["even"], abs=0.003)
    assert stats["odd"].cpu_time == pytest.approx(used["even"] + used["odd"], abs=0.004)
    assert stats["odd"].self_cpu_time == pytest.approx(used["odd"], abs=0.003)


def test_a_generator_is_timed_while_it_runs(tmp_path: Path) -> None:
    """What passes while a generator is suspended is not its own; values, exceptions and closing go through."""
    program = Program(tmp_path, BURN + """
from bongsu.emit import timed
@timed
def numbers():
    burn(0.01)
    try:
        got = yield 1
    except KeyError:
        got = "key"
    burn(0.01)
    try:
        yield got
    finally:
        burn(0.01)
    return "end"
@timed
def around():
    return (yield from numbers())
began = time.perf_counter()
one = numbers(); print(next(one)); time.sleep(2); print(one.send("sent")); one.close()
two = numbers(); next(two); print(two.throw(KeyError())); print(list(two))
print(list(around()))
print(time.perf_counter() - began)
""")  # fmt: skip
    said = program.run()
    *told, elapsed, _ = said.splitlines()
    assert told == ["1", "sent", "key", "[]", "[1, None]"]
    stats = program.functions().stats
    assert (stats["numbers"].count, stats["numbers"].errors, stats["numbers"].running) == (3, 0, 0)
    assert stats["numbers"].cpu_time == pytest.approx(burnt(said)[""], abs=0.006)
    assert stats["numbers"].total_time < float(elapsed) - 2
    assert (stats["around"].count, stats["around"].errors) == (1, 0)
    assert stats["around"].self_cpu_time == pytest.approx(0, abs=0.005)


def test_a_coroutine_is_charged_with_its_own_steps_alone(tmp_path: Path) -> None:
    """A sleeper beside one that computes is charged less than a hundredth of the other's CPU time; its wall time is its await."""
    program = Program(tmp_path, BURN + """
import asyncio
from bongsu.emit import span, timed
@timed
async def sleeper():
    async with span("wait"):
        for _ in range(10):
            await asyncio.sleep(0.02)
@timed
async def hog():
    for _ in range(40):
        burn(0.01, "hog")
        await asyncio.sleep(0)
@timed
async def ticks(n):
    for i in range(n):
        await asyncio.sleep(0.001)
        got = yield i
        burn(0.001, "ticks")
async def main():
    await asyncio.gather(sleeper(), hog())
    print([i async for i in ticks(3)])
    some = ticks(3); await some.asend(None); await some.aclose()
asyncio.run(main())
""")  # fmt: skip
    said = program.run()
    assert said.startswith("[0, 1, 2]\n")
    stats = program.functions().stats
    sleeper, hog = stats["sleeper"], stats["hog"]
    assert hog.cpu_time == pytest.approx(burnt(said)["hog"], rel=0.01)
    assert sleeper.cpu_time is not None
    assert sleeper.cpu_time < 0.004
    assert sleeper.total_time >= 0.2
    assert stats["wait"].cpu_time is stats["wait"].self_time is None  # amid others it cannot be told
    assert stats["wait"].total_time >= 0.199
    assert (stats["ticks"].count, stats["ticks"].errors, stats["ticks"].running) == (2, 0, 0)


def test_a_task_within_a_coroutine_stays_with_it(tmp_path: Path) -> None:
    """What coroutines call is charged to the task that each is in, however their steps take turns."""
    program = Program(tmp_path, """
import asyncio
from bongsu.emit import task, timed
@timed
def work(): pass
@timed
async def some(name):
    with task(name):
        for _ in range(3):
            work()
            await asyncio.sleep(0)
    work()
async def main(): await asyncio.gather(some("a"), some("b"))
asyncio.run(main())
""")  # fmt: skip
    program.run()
    counts = {name: one.count for name, one in program.functions().stats.items()}
    assert counts == {"some": 2, "work [a]": 3, "work [b]": 3, "work": 2}


def test_spans_of_coroutines_that_take_turns_claim_no_cpu_time(tmp_path: Path) -> None:
    """What began within one another and ended crosswise has wall time alone; a call after that is the outermost again."""
    program = Program(tmp_path, """
import asyncio
from bongsu.emit import ledger, span, timed
async def some(name, turns):
    with span(name):
        for _ in range(turns): await asyncio.sleep(0.01)
async def main(): await asyncio.gather(some("first", 1), some("second", 9))
asyncio.run(main())
print(ledger.LOCAL.state.top)
with span("orderly"): pass
""")  # fmt: skip
    assert program.run() == "None\n"
    stats = program.functions().stats
    known = {name: (one.cpu_time is not None, one.self_time is not None) for name, one in stats.items()}
    assert known == {"first": (False, False), "second": (False, False), "orderly": (True, True)}
    assert stats["second"].total_time >= 0.0899


def test_what_ends_by_an_exception_is_an_error(tmp_path: Path) -> None:
    """Of functions, each call of a recursion, generators, coroutines and spans; leaving early is none."""
    program = Program(tmp_path, """
import asyncio
from bongsu.emit import span, timed
@timed
def down(n):
    if n: down(n - 1)
    raise KeyError
@timed
def numbers():
    yield 1
    raise KeyError
@timed
async def waits():
    await asyncio.sleep(0)
    raise KeyError
def block():
    with span("block"): raise KeyError
async def around():
    async with span("around"): raise KeyError
for one in (lambda: down(2), lambda: list(numbers()), lambda: asyncio.run(waits()), block, lambda: asyncio.run(around())):
    try: one()
    except KeyError: pass
early = numbers(); next(early); early.close()
for _ in range(2):
    with span("block"): break
""")  # fmt: skip
    program.run()
    errors = {name: (one.count, one.errors) for name, one in program.functions().stats.items()}
    assert errors == {"down": (3, 3), "numbers": (2, 1), "waits": (1, 1), "block": (2, 1), "around": (1, 1)}


def test_threads_are_added_up(tmp_path: Path) -> None:
    """Each thread has its own account, also when it has ended; a task is the thread's own."""
    program = Program(tmp_path, BURN + """
import threading
from bongsu.emit import task, timed
@timed
def work(name=""):
    burn(0.002, name)
def some(name):
    with task(name):
        for _ in range(5):
            work(name)
for _ in range(3):
    threads = [threading.Thread(target=some, args=(f"t{n}",)) for n in range(4)]
    for one in threads: one.start()
    for one in threads: one.join()
work()
""")  # fmt: skip
    used = burnt(program.run())
    stats = program.functions().stats
    assert {name: one.count for name, one in stats.items()} == {"work": 1, **{f"work [t{n}]": 15 for n in range(4)}}
    for one in stats.values():
        assert one.cpu_time == pytest.approx(used[one.task or ""], rel=0.1, abs=0.001)


def test_methods_of_every_kind_stay_what_they_are(tmp_path: Path) -> None:
    """Signatures, names, kinds, defaults, attributes, `super()`, pickles: a timed function is the same function."""
    program = Program(tmp_path, """
import functools, inspect, pickle
from bongsu.emit import timed
class Base:
    def hello(self): return "base"
class Some(Base):
    @timed
    def hello(self, more="!"): return super().hello() + more
    @timed
    @classmethod
    def make(cls): return cls()
    @staticmethod
    @timed
    def both(a, /, b, *rest, c=3, **others): return a, b, rest, c, others
    @timed
    @property
    def value(self): return 7
@timed
def plain(a, b=2):
    "Says what it does."
    plain.calls = getattr(plain, "calls", 0) + 1
    return a + b
cached = timed(functools.lru_cache(lambda x: x))
some = Some.make()
print(some.hello(), some.hello(more="?"), type(some).__name__, some.value, Some.both(1, 2, 3, c=4, d=5))
print(inspect.signature(Some.both), inspect.signature(plain), plain.__name__, plain.__doc__, plain(1), plain(b=1, a=1), plain.calls)
print(pickle.loads(pickle.dumps(plain)) is plain, cached(1), cached(1), cached.cache_info().hits)
try:
    plain()
except TypeError as error:
    print(error)
""")  # fmt: skip
    lines = program.run().split("\n")
    assert lines[0] == "base! base? Some 7 (1, 2, (3,), 4, {'d': 5})"
    assert lines[1] == "(a, /, b, *rest, c=3, **others) (a, b=2) plain Says what it does. 3 2 2"
    assert lines[2] == "True 1 1 1"
    assert lines[3] == "plain() missing 1 required positional argument: 'a'"
    counts = {name: one.count for name, one in program.functions().stats.items()}
    assert counts == {"Some.hello": 2, "Some.make": 1, "Some.both": 1, "Some.value": 1, "plain": 2, "<lambda>": 2}


@pytest.mark.parametrize("mode", ["on", "exact"])
def test_a_parameter_may_have_any_name(tmp_path: Path, mode: str) -> None:
    """Also one that the code which times has for a variable of its own: each arrives as it was given, or as its default."""
    names = ["state", "row", "error", "outer", "start", "off", "child", "depth", "mine", "end", "wall", "cpu", "idle"]
    names += ["life", "inner", "resume", "failed", "value", "sent", "timed"]
    program = Program(tmp_path, """
import asyncio
from bongsu.emit import patching, timed
@timed
def plain(*, {only}): return [{passed}]
@timed
def given({passed}): return [{passed}]
@timed
def generator(*, {only}): yield [{passed}]
@timed
async def coroutine(*, {only}): return [{passed}]
@timed
async def both(*, {only}): yield [{passed}]
async def first(): return [one async for one in both()][0]
names, places = "{passed}".split(", "), list(range({count}))
print(plain() == places, plain(**dict(zip(names, places[::-1]))) == places[::-1])
print(given(*places) == places, given(**dict(zip(names, places))) == places)
print(next(generator()) == places, asyncio.run(coroutine()) == places, asyncio.run(first()) == places)
its_own = {{name for code in patching._codes.values() for name in code.co_varnames if not name.startswith("_bongsu_")}}
print(sorted(its_own - set(names)))
""".format(passed=", ".join(names), only=", ".join(f"{name}={at}" for at, name in enumerate(names)), count=len(names)))  # fmt: skip
    said = program.run(env=program.environment(BONGSU_EMIT=mode)).split()
    assert said == [*["True"] * 7, "[]"]


def test_the_source_of_a_timed_function_is_its_own(tmp_path: Path) -> None:
    """For compilers and notebooks that read it; what wraps another function still leads to that."""
    program = Program(tmp_path, """
import functools, inspect
from bongsu.emit import patching, timed
@timed
def plain(*, start=1):
    return start  # its own
def outer(function):
    @timed
    @functools.wraps(function)
    def around(*args): return function(*args)
    return around
inner = lambda x: x
around = outer(inner)
print(inspect.getsource(plain).split("\\n")[2].strip(), inspect.unwrap(around) is inner, inspect.signature(plain), sep="|")
patching.stop(plain)
print(plain.__dict__, plain())
""")  # fmt: skip
    assert program.run().split("\n") == ["return start  # its own|True|(*, start=1)", "{} 1", ""]


def test_who_reads_a_timed_functions_signature_finds_its_annotations(tmp_path: Path) -> None:
    """A web framework or a command line that is made of annotations is the same one while it is recorded."""
    program = Program(tmp_path, """
import inspect, typing
from bongsu.emit import timed
@timed
def plain(a: int, *rest: str, b: "float" = 2.0) -> bool: return True
@timed
async def coroutine(a: int) -> bool: return True
print(inspect.signature(plain), inspect.signature(coroutine), typing.get_type_hints(inspect.unwrap(plain))["b"], sep="|")
""")  # fmt: skip
    said = program.run()
    assert said.replace("'", "") == "(a: int, *rest: str, b: float = 2.0) -> bool|(a: int) -> bool|<class float>\n"


def test_names_without_end_share_a_row(tmp_path: Path) -> None:
    """A span or task that is named anew at each step takes no room after the first thousand; nothing is uncounted."""
    program = Program(tmp_path, """
import gc
from bongsu.emit import span, task, timed
from bongsu.emit.ledger import LEDGER
@timed
def work(): pass
def step(number):
    with span(f"step {number}"): pass
    with span("whole", task=f"part {number % 7}"): pass
    with task(f"epoch {number}"): work()
for number in range(2000): step(number)
LEDGER.write(); gc.collect(); before = len(gc.get_objects())  # what was written last is kept
for number in range(2000, 5000): step(number)
step(7)
LEDGER.write(); gc.collect(); print(len(gc.get_objects()) - before)
""")  # fmt: skip
    assert int(program.run()) < 100
    made = program.functions()
    spans = {name: stat for name, stat in made.stats.items() if name.startswith(("step", "other spans"))}
    assert len(spans) == MOST, "step 0 ... step 998, and the others; another name is whole's"
    assert (spans["step 7"].count, spans["other spans"].count) == (2, 5001 - MOST)
    assert sum(stat.count for name, stat in made.stats.items() if name.startswith("whole [part")) == 5001
    tasks = {stat.task: stat.count for name, stat in made.stats.items() if name.startswith("work")}
    assert len(tasks) == MOST - 7 + 1
    assert (tasks["epoch 7"], sum(tasks.values())) == (2, 5001)
    assert (functions.OTHER_SPANS, functions.OTHER_TASKS) == (OTHER_SPANS, OTHER_TASKS)
    said = [event.text for event in reporting.made_of(metadata(), Record(), made).events]
    assert (
        f"{5001 - MOST} spans have no row of their own: their process had too many names, and they are among the other spans"
        in said
    )
    assert any(text.startswith(f"{tasks['other tasks']} calls in tasks have no row of their own") for text in said)


def test_a_function_that_is_made_at_each_call_takes_no_room(tmp_path: Path) -> None:
    """Decorated functions that are dropped are forgotten; their counts are not."""
    program = Program(tmp_path, """
import gc
from bongsu.emit import timed
from bongsu.emit.ledger import LEDGER
def make():
    @timed
    def made(): return 1
    return made()
for _ in range(200): make()
LEDGER.write(); gc.collect(); before = len(gc.get_objects())  # what was written last is kept
for _ in range(2000): make()
LEDGER.write(); gc.collect(); print(len(gc.get_objects()) - before)
""")  # fmt: skip
    assert int(program.run()) < 100
    assert program.functions().stats["make.<locals>.made"].count == 2200


@pytest.mark.parametrize("mode", ["", "exact"])
def test_the_stated_error_of_the_cpu_clock_holds(tmp_path: Path, mode: str) -> None:
    """Short calls that wait beside short calls that compute: each account is right within the error that it states.

    The truth lies between what is read within the function and what is read around the call.
    """
    program = Program(tmp_path, """
import time
from bongsu.emit import timed
within, around = {"wait": 0.0, "compute": 0.0}, {"wait": 0.0, "compute": 0.0}
def wait():
    before = time.thread_time(); time.sleep(0.000005); within["wait"] += time.thread_time() - before
def compute():
    before = time.thread_time(); sum(range(100)); within["compute"] += time.thread_time() - before
timed_wait, timed_compute = timed(wait), timed(compute)
def call(name, function):
    before = time.thread_time(); function(); around[name] += time.thread_time() - before
for _ in range(2000):
    for _ in range(3): call("compute", timed_compute)
    call("wait", timed_wait)
for name in within: print(name, within[name], around[name])
""")  # fmt: skip
    for line in program.run(env=program.environment(BONGSU_EMIT=mode)).splitlines():
        name, least, most = line.split()
        stat = program.functions().stats[name]
        assert stat.cpu_time is not None
        assert float(least) - stat.cpu_error - 1e-4 <= stat.cpu_time <= float(most) + stat.cpu_error
        assert (stat.cpu_error == 0.0) == (mode == "exact")


def test_it_takes_nothing_but_the_standard_library_and_little_of_it() -> None:
    """Importing it loads no other room of Bongsu, and nothing that takes long."""
    code = "import sys; before = set(sys.modules); import bongsu.emit; print(*sorted(set(sys.modules) - before))"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BONGSU_")}
    shown = subprocess.run(
        [sys.executable, "-S", "-c", code], env={**environment, "PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=True
    ).stdout.split()  # fmt: skip
    ours = {name for name in shown if name.startswith("bongsu")}
    assert ours <= {"bongsu", "bongsu.emit"} | {name for name in ours if name.startswith("bongsu.emit.")}
    assert not {"json", "re", "inspect", "typing", "subprocess", "asyncio", "multiprocessing"} & set(shown)
    assert pickle.loads(pickle.dumps(timed)) is timed
    assert inspect.getdoc(timed)
