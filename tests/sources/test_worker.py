"""The killable child: answers, deadlines, what is left behind and what is never left behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bongsu.sources.worker import Failed, NotAsked, Silent, Worker

Make = Callable[..., Worker]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes workers and closes them at the end."""
    made: list[Worker] = []

    def worker(service: str, **options: object) -> Worker:
        made.append(Worker(f"worker_service:{service}", **options))  # type: ignore[arg-type] # each test knows them
        return made[-1]

    yield worker
    for each in made:
        each.close()


def alive(pid: int) -> bool:
    """Whether the process lives (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 90.0) -> bool:
    """Whether the condition came true within that time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def descriptors() -> int:
    """How many files this process has open, now that those whom nobody knows any more are closed."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_answers_each_item_in_order(make: Make) -> None:
    """Answers stand in the order of the items; one that fails does not take the next along."""
    worker = make("double", patience=30.0)
    assert worker.ask([1, 0, 3, -1, 5]) == [
        2, Failed(13, "Permission denied"), 6, Failed(0, "ValueError: negative"), 10,
    ]  # fmt: skip
    assert worker.ask([]) == []
    assert worker.ask([7, 7]) == [14, 14]
    assert len(worker.pids) == 1


def test_one_child_serves_all_requests(make: Make) -> None:
    """A request costs no new process and no new descriptor."""
    worker = make("double", patience=30.0)
    worker.ask([1])
    pids, fds = worker.pids, descriptors()
    for _ in range(50):
        worker.ask([1, 2])
    assert worker.pids == pids
    assert descriptors() == fds


def test_a_stuck_item_keeps_its_child_and_only_it(make: Make, tmp_path: Path) -> None:
    """What hangs is asked once, however often one asks; the others are answered each time, in time."""
    stuck = tmp_path / "stuck"
    stuck.touch()
    patience = 2.0
    worker = make("until_gone", patience=patience)
    worker.ask([b"/nowhere"])
    items = [b"/nowhere/1", bytes(stuck), b"/nowhere/2"]
    seconds, children, began = [], set(), time.time()
    for _ in range(20):
        started = time.monotonic()
        first, second, third = worker.ask(items)
        seconds.append(time.monotonic() - started)
        children.add(worker.pids)
        assert (first, third) == (items[0], items[2])
        assert isinstance(second, Silent)
        assert began - 1 < second.since < time.time() + 1
    assert seconds[0] >= patience
    assert sum(seconds[1:]) < len(seconds[1:]) * patience / 4, "once known to hang, it costs nobody any time"
    assert len(children) == 1
    assert len(next(iter(children))) == 2
    stuck.unlink()
    assert wait_until(lambda: worker.ask(items) == items), "it comes back by itself"
    assert wait_until(lambda: len(worker.ask(items)) == 3 and len(worker.pids) == 1), "and needs no child of its own"


def test_a_late_answer_is_given_by_the_next_question(make: Make) -> None:
    """What answers too late for one question is the answer to the next, with no second wait."""
    worker = make("nap", patience=1.0)
    assert isinstance(worker.ask([3.0])[0], Silent)
    seconds = []

    def answered() -> bool:
        started = time.monotonic()
        (answer,) = worker.ask([3.0])
        seconds.append(time.monotonic() - started)
        return bool(answer == 3.0)

    assert wait_until(answered), "asked anew it would be silent each time"
    assert sum(seconds) < len(seconds) * 0.5, "nobody waited for it again"


def test_a_child_that_starts_slowly_is_not_waited_for_blindly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late a child begins, from then on each item has the patience and no more."""
    (tmp_path / "slow_to_load.py").write_text(
        "import time\ntime.sleep(0.5)\ndef nap(seconds):\n    time.sleep(seconds)\n    return seconds\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    worker = Worker("slow_to_load:nap", patience=0.1)
    assert isinstance(worker.ask([4.0])[0], Silent)
    worker.close()
    worker = Worker("slow_to_load:nap", patience=30.0)
    assert worker.ask([0.0]) == [0.0]
    worker.close()


def test_many_slow_items_end_at_the_deadline(make: Make) -> None:
    """Items that are each within the patience, but too many, do not hold the asker: some are not asked."""
    worker = make("nap", patience=2.0)
    worker.ask([0.0])
    items = [1.2 + i / 1000 for i in range(10)]
    started = time.monotonic()
    answers = worker.ask(items)
    assert time.monotonic() - started < 8.0, "twice the patience, where all of them take 12 s"
    assert answers[:2] == items[:2]
    assert answers[-1] == NotAsked()


def test_no_more_children_than_allowed(make: Make, tmp_path: Path) -> None:
    """With ``most`` children hanging only what answered before is asked, and it is said of the others."""
    stuck = [bytes(tmp_path / f"stuck{i}") for i in range(4)]
    for path in stuck:
        Path(os.fsdecode(path)).touch()
    worker = make("until_gone", patience=1.0, most=2)
    worker.ask([b"/nowhere"])
    for _ in range(5):
        answers = worker.ask([b"/nowhere", *stuck, b"/new"])
        assert answers[0] == b"/nowhere"
    assert [type(answer) for answer in answers[1:]] == [Silent, Silent, NotAsked, NotAsked, NotAsked]
    assert len(worker.pids) == 3
    Path(os.fsdecode(stuck[0])).unlink()
    assert wait_until(lambda: worker.ask([*stuck, b"/new"])[0] == stuck[0])
    assert len(worker.pids) <= 3


def test_items_that_share_their_fate(make: Make, tmp_path: Path) -> None:
    """With ``most`` 0 one item that hangs speaks for all, and there is one child."""
    stuck = tmp_path / "stuck"
    stuck.touch()
    worker = make("until_gone", patience=1.0, most=0)
    assert worker.ask([b"/nowhere"]) == [b"/nowhere"]
    for _ in range(5):
        assert [type(answer) for answer in worker.ask([bytes(stuck), b"/nowhere"])] == [Silent, NotAsked]
        assert worker.ask([b"/nowhere"]) == [NotAsked()]
    assert len(worker.pids) == 1
    stuck.unlink()
    assert wait_until(lambda: worker.ask([b"/nowhere"]) == [b"/nowhere"])


def test_a_child_that_dies_fails_its_item_and_is_replaced(make: Make) -> None:
    """A crash in a service is an answer in words; the other items and the next request are served."""
    worker = make("die", patience=30.0)
    answers = worker.ask([1, 13, 2])
    assert (answers[0], answers[2]) == (1, 2)
    assert answers[1] == Failed(0, "the child that asked ended: killed by signal 11")
    assert worker.ask([4]) == [4]
    os.kill(worker.pids[0], signal.SIGKILL)
    assert wait_until(lambda: worker.ask([5]) == [5])


def test_a_service_that_cannot_be_loaded_is_named(make: Make) -> None:
    """A module that is not there is a failed answer, not a dead child."""
    worker = make("no_such_function", patience=30.0)
    assert "no_such_function" in worker.ask([1])[0].text
    missing = Worker("no_such_module:function", patience=30.0)
    assert "no_such_module" in missing.ask([1])[0].text
    missing.close()


def test_the_standard_streams_of_the_child_are_nowhere(make: Make) -> None:
    """A library that prints or reads disturbs neither the answers nor our own output."""
    worker = make("chatter", patience=30.0)
    assert worker.ask(["a", "b"]) == ["a", "b"]


def test_the_child_inherits_nothing(make: Make) -> None:
    """The child has its four descriptors and /dev/null, and a process group of its own."""
    with open("/dev/null") as leak:
        os.set_inheritable(leak.fileno(), True)
        fds, group = make("about", patience=30.0).ask(["fds", "group"])
    assert len(fds) == 3 + 4 + 1, "one more while it lists the folder"
    assert group != os.getpgid(0)


def test_large_questions_and_answers(make: Make) -> None:
    """Requests and answers longer than a pipe get through."""
    worker = make("about", patience=30.0)
    items = ["x" * 10 + str(i) for i in range(40)]
    assert worker.ask(items) == [item * 100_000 for item in items]
    many = make("double", patience=30.0)
    assert many.ask(list(range(1, 60_000))) == list(range(2, 120_000, 2))


def test_kill_ends_what_hangs_at_once(make: Make) -> None:
    """With ``kill`` a child that hangs is ended at its deadline, and the item may then be asked again."""
    worker = make("nap", patience=1.0, kill=True)
    assert isinstance(worker.ask([60.0])[0], Silent)
    pid = worker.pids[0]
    assert wait_until(lambda: not alive(pid))
    assert worker.ask([0.0]) == [0.0]
    assert isinstance(worker.ask([60.0])[0], Silent)
    assert pid not in worker.pids


def test_what_hangs_can_be_killed_when_the_caller_has_waited_enough(make: Make) -> None:
    """Those that hang are ended on demand, and when they have, their item goes to a new child; an idle one is left alone."""
    worker = make("nap", patience=1.0)
    worker.ask([0.0])
    worker.kill_hung()
    (pid,) = worker.pids
    assert alive(pid)
    assert isinstance(worker.ask([60.0])[0], Silent)
    worker.kill_hung()
    assert wait_until(lambda: not alive(pid))
    worker.ask([60.0])
    assert pid not in worker.pids


def test_close_leaves_no_process_and_no_descriptor(make: Make) -> None:
    """After close no child lives, hung or idle, and all descriptors are given back."""
    before = descriptors()
    worker = make("nap", patience=1.0)
    worker.ask([0.0])
    worker.ask([60.0, 0.01])
    pids = worker.pids
    assert len(pids) == 2
    worker.close()
    assert wait_until(lambda: not any(alive(pid) for pid in pids))
    assert descriptors() == before
    assert worker.ask([0.02]) == [0.02], "it can be used again"


def test_no_zombie_stays_behind(make: Make) -> None:
    """A child that is let go is reaped, not only ended."""
    worker = make("nap", patience=0.5)
    worker.ask([0.0])
    idle = worker.pids
    worker.rest()
    worker.ask([2.0, 0.01])
    hung = worker.pids
    assert wait_until(lambda: worker.ask([2.0]) == [2.0] and len(worker.pids) == 1)

    def gone() -> bool:
        worker.close()  # what the kernel had not yet let go of at one time is reaped at the next
        return not any(os.path.exists(f"/proc/{pid}") for pid in {*idle, *hung})

    assert wait_until(gone)


def test_rest_gives_the_memory_back(make: Make) -> None:
    """An idle child ends on request, and the next question starts another."""
    worker = make("double", patience=30.0)
    worker.ask([1])
    pid = worker.pids[0]
    worker.rest()
    assert wait_until(lambda: not alive(pid))
    assert worker.ask([2]) == [4]


def run_parent(body: str) -> subprocess.Popen[str]:
    """A process that uses a worker, with the tests' modules at hand."""
    script = "import os, signal, sys, time\nfrom bongsu.sources.worker import Worker, Silent\n" + textwrap.dedent(body)
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def test_children_die_with_their_parent() -> None:
    """Idle or hung, the children end when the parent is killed without warning."""
    with run_parent("""
        w = Worker("worker_service:nap", patience=0.2)
        w.ask([60.0, 0.0])
        print(*w.pids, flush=True)
        time.sleep(60)
    """) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        parent.kill()
        assert wait_until(lambda: not any(alive(pid) for pid in pids))


def test_children_outlive_the_thread_that_started_them() -> None:
    """The end of one thread of the parent does not end the child."""
    with run_parent("""
        import threading
        w = Worker("worker_service:double", patience=30.0)
        thread = threading.Thread(target=w.ask, args=([1],)); thread.start(); thread.join()
        time.sleep(0.2)
        before = w.pids
        print(w.ask([2]) == [4] and w.pids == before, flush=True)
        w.close()
    """) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "True\n"


def test_interrupt_of_the_group_spares_the_child() -> None:
    """A Ctrl-C goes to the parent; its child still answers while the parent ends as it sees fit."""
    with run_parent("""
        w = Worker("worker_service:double", patience=30.0)
        w.ask([1])
        heard = []
        signal.signal(signal.SIGINT, lambda *_: heard.append(1))
        before = w.pids
        print("ready", flush=True)
        while not heard: time.sleep(0.01)
        print(w.ask([2]) == [4] and w.pids == before, flush=True)
        w.close()
    """) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "ready\n"
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.stdout.readline() == "True\n"


def test_works_without_standard_streams_and_with_few_descriptors(tmp_path: Path) -> None:
    """A daemon that closed 0, 1 and 2 under ``ulimit -n 64`` has a working child."""
    answer = tmp_path / "answer"
    with run_parent(f"""
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        for fd in (0, 1, 2): os.close(fd)
        w = Worker("worker_service:double", patience=30.0)
        given = [w.ask([i]) for i in range(1, 200)]
        w.close()
        open({str(answer)!r}, "w").write(str(given == [[2 * i] for i in range(1, 200)]))
    """) as parent:
        assert parent.wait(150) == 0
    assert answer.read_text() == "True"


def test_no_descriptors_left_is_an_answer_in_words() -> None:
    """When no child can be started the answer says so, and nothing leaks."""
    with run_parent("""
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
        kept = []
        try:
            while True: kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError: os.close(kept.pop())
        w = Worker("worker_service:double")
        first = w.ask([1])[0]
        for fd in kept: os.close(fd)
        print(first.text, "|", w.ask([1]), flush=True)
        w.close()
    """) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "no child could be started: Too many open files | [2]\n"


def test_many_rounds_of_hanging_leak_nothing(make: Make, tmp_path: Path) -> None:
    """A mount that hangs and comes back a hundred times costs no process and no descriptor."""
    stuck = tmp_path / "stuck"
    worker = make("until_gone", patience=0.1)
    assert wait_until(lambda: worker.ask([b"/nowhere"]) == [b"/nowhere"] and len(worker.pids) == 1)
    before = descriptors()
    for _ in range(30):
        stuck.touch()
        assert isinstance(worker.ask([bytes(stuck)])[0], Silent)
        stuck.unlink()
        assert wait_until(lambda: worker.ask([bytes(stuck)]) == [bytes(stuck)])
    assert wait_until(lambda: worker.ask([b"/nowhere"]) == [b"/nowhere"] and len(worker.pids) == 1)
    assert wait_until(lambda: descriptors() == before)
