"""Programs of many processes, and those that are killed."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bongsu.records.functions import Functions
from programs import Program

POOL = """
import multiprocessing, sys
from bongsu.emit import timed
@timed
def work(n):
    return n * 2
@timed
def main():
    pool = multiprocessing.get_context(sys.argv[1]).Pool(2)
    print(sum(pool.map(work, range(50), chunksize=5)))
    pool.close()
    pool.join()
if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_each_worker_of_a_pool_writes_its_own(tmp_path: Path, method: str) -> None:
    """All calls of all workers are there, however they were started; the parent's call is not counted again in them."""
    program = Program(tmp_path, POOL)
    assert program.run(str(program.path), method) == "2450\n"
    functions = program.functions()
    assert functions.stats["work"].count == 50
    assert functions.stats["main"].count == 1
    assert functions.stats["main"].processes == 1
    assert functions.running == []
    assert functions.faults == 0


def test_a_child_after_fork_counts_from_zero(tmp_path: Path) -> None:
    """What the parent had counted is not in the child, in the middle of calls and threads as it may be."""
    program = Program(tmp_path, """
import os, threading
from bongsu.emit import timed
@timed
def work(): pass
@timed
def main():
    for _ in range(5): work()
    child = os.fork()
    for _ in range(3): work()
    if child: os.waitpid(child, 0)
thread = threading.Thread(target=work); thread.start(); thread.join()
main()
""")  # fmt: skip
    program.run()
    stats = program.functions().stats
    assert (stats["work"].count, stats["work"].processes) == (1 + 5 + 3 + 3, 2)
    assert stats["main"].count == 1


def _until(program: Program, condition: object, seconds: float = 60) -> Functions:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = program.functions()
        if condition(found):  # type: ignore[operator]  # a callable
            return found
        time.sleep(0.05)
    raise AssertionError(program.functions())


def test_a_kill_loses_next_to_nothing(tmp_path: Path) -> None:
    """A process that is killed leaves what it did until then, and what it was in the middle of."""
    program = Program(tmp_path, """
import time
from bongsu.emit import timed
@timed
def short(): pass
@timed
def long():
    print("in", flush=True)
    time.sleep(3600)
for _ in range(1000): short()
time.sleep(0.1)
short()
long()
""")  # fmt: skip
    process = program.start()
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    _until(program, lambda found: found.running)
    process.kill()
    process.communicate()
    found = program.functions()
    assert found.stats["short"].count == 1001
    assert [(one.name, one.calls, one.pid) for one in found.running] == [("long", 1, process.pid)]
    assert (found.stats["long"].count, found.stats["long"].running) == (0, 1)


def test_a_long_call_does_not_keep_what_is_done_within_it(tmp_path: Path) -> None:
    """While the outermost call goes on, the file is told what began and what ended in it, once an interval has passed."""
    program = Program(tmp_path, """
import sys, time
from bongsu.emit import ledger, timed
def interval():
    until = ledger.LEDGER.write_at
    while ledger.clock() <= until: time.sleep(0.01)
@timed
def ends(wait):
    if wait: interval()
@timed
def begins(long):
    if long: print("begun", flush=True); time.sleep(3600)
@timed
def outer():
    begins(False); ends(False); ends(True)
    print("ended", flush=True)
    sys.stdin.readline()
    interval(); begins(True)
outer()
""")  # fmt: skip
    process = program.start(stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ended\n"
    assert program.functions().stats["ends"].count == 2
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "begun\n"
    assert {one.name for one in program.functions().running} == {"outer", "begins"}
    process.kill()
    process.communicate()


def test_a_file_that_grew_is_made_small_and_keeps_all(tmp_path: Path) -> None:
    """A program that runs for weeks leaves a small file, with the functions in it that it called but once."""
    program = Program(tmp_path, """
from bongsu.emit import ledger, segment, timed
segment.LARGEST = 4000
for n in range(5): timed(name=f"once{n}")(lambda: None)()
@timed
def often(): pass
for _ in range(200):
    often()
    ledger.LEDGER.write()
""")  # fmt: skip
    program.run()
    counts = {name: one.count for name, one in program.functions().stats.items()}
    assert counts == {"often": 200, **{f"once{n}": 1 for n in range(5)}}
    (file,) = program.run_folder.iterdir()
    assert file.stat().st_size < 8000


def test_a_process_that_has_nothing_to_do_is_not_said_to_run(tmp_path: Path) -> None:
    """A call that ended soon after the file said that it runs is known to have ended, although no call follows."""
    program = Program(tmp_path, """
import time
from bongsu.emit import timed
@timed
def short(): pass
short()
print("idle", flush=True)
time.sleep(3600)
""")  # fmt: skip
    process = program.start()
    assert process.stdout is not None
    assert process.stdout.readline() == "idle\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found = program.functions()
    assert found.running == []
    assert found.stats["short"].count == 1


def test_exec_begins_anew_in_the_same_file(tmp_path: Path) -> None:
    """A program that becomes another one keeps its process id: what both did is added up."""
    program = Program(tmp_path, """
import os, sys
from bongsu.emit import timed
@timed
def work(): pass
work(); work()
if len(sys.argv) == 1:
    os.execv(sys.executable, [sys.executable, sys.argv[0], "again"])
""")  # fmt: skip
    program.run()
    assert len(list(program.run_folder.iterdir())) == 1
    found = program.functions()
    assert 2 < found.stats["work"].count <= 4  # exec runs nothing of ours: the last moments are lost
    assert found.processes == 1


def test_a_profiler_that_is_still_on_at_the_end_meets_nothing_of_ours(tmp_path: Path) -> None:
    """Nothing of ours runs as the interpreter is torn down, where a profiler that is written in C fails."""
    pytest.importorskip("yappi")
    program = Program(tmp_path, """
import yappi
from bongsu.emit import timed
@timed
def work(): pass
yappi.start()
work()
""")  # fmt: skip
    assert program.run() == ""
    assert program.functions().stats["work"].count == 1


def test_a_folder_that_cannot_be_written_harms_nobody(tmp_path: Path) -> None:
    """The program goes on without a word when there is nowhere to write."""
    program = Program(tmp_path, "from bongsu.emit import timed\nprint(timed(lambda: 7)())\n")
    program.run_folder.rmdir()
    assert program.run() == "7\n"


ASKED = """
import mod, sys
from mod import first as alias
def work(n): return n
class Some:
    def method(self): return 1
    @classmethod
    def made(cls): return cls()
def main():
    Some.made().method(); alias(); mod.second(); work(1)
    import multiprocessing
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(work, (5,)))
        pool.close(); pool.join()
if __name__ == "__main__":
    main()
"""
MOD = """
from os.path import join
def first(): return 1
def second(): return first()
"""
PYTHONS = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")))


@pytest.mark.parametrize(
    ("python", "way"),
    [(None, "script"), (None, "module"), *((python, "script") for python in PYTHONS)],
    ids=lambda it: "ours" if it is None else it.split("/")[-3] if "/" in it else it,
)
def test_functions_are_timed_without_touching_the_source(tmp_path: Path, python: str | None, way: str) -> None:
    """Functions of the main program, of modules, methods and all of a module; what is not there is said to be missing."""
    name = python.split("/")[-3] if python else "3.11.0"
    old = tuple(map(int, name.split(".")[:2])) < (3, 9)
    program = Program(tmp_path, ASKED, mod=MOD)
    asked = ("app:main", "__main__:work", "app:Some.method", "app:Some.made", "mod:*", "mod:nothing", "nowhere:none")
    arguments = ["-m", "app"] if way == "module" else ["app.py"]
    environment = program.environment(*asked, bongsu=python is None)
    kwargs = {} if python is None else {"python": python}
    assert program.run(*arguments, env=environment, **kwargs) == "5\n"
    found = program.functions()
    if old:
        assert found.stats == {}  # not timed, and not harmed
        return
    counts = {name: one.count for name, one in found.stats.items()}
    assert counts == {"main": 1, "work": 2, "Some.method": 1, "Some.made": 1, "mod.first": 2, "mod.second": 1}
    assert found.missing == ["mod:nothing", "nowhere:none"]
    assert found.faults == 0


def test_the_users_own_sitecustomize_is_read_too(tmp_path: Path) -> None:
    """Ours stands before it, and hands on; nothing of ours is left in the path of the program."""
    program = Program(
        tmp_path, "import sys, sitecustomize; print(sitecustomize.mine, [p for p in sys.path if 'inject' in p])"
    )
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("mine = 'read'\n")
    environment = program.environment("app:x", PYTHONPATH="")
    inject = program.environment("app:x")["PYTHONPATH"].split(os.pathsep)[0]
    environment["PYTHONPATH"] = os.pathsep.join([inject, str(own)])
    assert program.run(env=environment) == "read []\n"
    assert shutil.which("python3")
