"""Reading /proc/PID."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.sources.procfs import process as source
from bongsu.sources.procfs.process import Process, Processes
from bongsu.sources.root import Root


@contextmanager
def program(*argv: str | bytes, executable: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(argv, executable=executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def one(pid: int, *, arguments: bool = False) -> Process:
    (found,) = [p for p in Processes(Root("/proc"), arguments=arguments).scan() if p.pid == pid]
    return found


STAT = (
    b"%d (%b) S 1 7 7 0 -1 4194304 98 0 0 0 250 50 30 4 20 0 3 0 500 3133440 360 18446744073709551615 "
    b"1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


def captured(root: Path, pid: int, comm: bytes = b"demo", io: bytes | None = None, exe: str = "/usr/bin/demo") -> Path:
    """Writes a process as a captured tree holds it."""
    (root / "stat").write_bytes(b"cpu 1 2 3 4\nbtime 1700000000\n")
    folder = root / str(pid)
    folder.mkdir()
    (folder / "stat").write_bytes(STAT % (pid, comm))
    (folder / "statm").write_bytes(b"765 360 300 5 0 100 0\n")
    (folder / "status").write_bytes(b"Name:\tdemo\nUid:\t1\t1234\t1\t1\nGid:\t0\t0\t0\t0\n")
    (folder / "io").write_bytes(
        b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n"
        if io is None else io
    )  # fmt: skip
    (folder / "cmdline").write_bytes(b"demo\0--x\0")
    if exe:
        (folder / "exe").symlink_to(exe)
    return folder


def test_a_captured_process(tmp_path: Path) -> None:
    """Every field comes from where the kernel documents it, in base units."""
    captured(tmp_path, 42)
    (found,) = Processes(Root(str(tmp_path)), arguments=True).scan()
    page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    assert found == Process(
        42, 500, 1_700_000_000 + 500 / tick, 1, 1234, "demo", "demo", False, "S", 3, 300, 34, 360 * page, 3133440,
        4096, 8192, b"demo\0--x\0", 50, 4,
    )  # fmt: skip


@pytest.mark.parametrize(
    "comm",
    [b"tmux: server", b"a) R 1 (b", b")", b"(", b"", b"\n", b"x\ny) Z", b"\xff\xfe", b"\x1b[31m", b'"\\', b"((()))"],
)
def test_any_name(tmp_path: Path, comm: bytes) -> None:
    """A name may hold spaces, brackets, line ends, escapes and bytes that are not UTF-8; nothing slips."""
    captured(tmp_path, 7, comm, exe="")
    (found,) = Processes(Root(str(tmp_path))).scan()
    assert found.comm.encode("utf-8", "surrogateescape") == comm
    assert (found.state, found.ppid, found.cpu_ticks, found.threads) == ("S", 1, 300, 3)


@pytest.mark.parametrize(
    ("comm", "exe", "arguments", "name"),
    [
        (b"prometheus-node", b"/usr/bin/prometheus-node-exporter", b"", b"prometheus-node-exporter"),
        (b"prometheus-node", b"", b"/usr/bin/prometheus-node-exporter\0-x\0", b"prometheus-node-exporter"),
        (b"prometheus-node", b"", b"/bin/true\0", b"prometheus-node"),
        (b"worker", b"", b"/usr/bin/worker-but-renamed\0", b"worker"),
        (b"python3", b"/usr/bin/python3.11", b"", b"python3.11"),
        (b"old", b"/opt/x/old (deleted)", b"", b"old"),
        (b"secret", b"/memfd:x1y2 (deleted)", b"", b"secret"),
        (b"zombie", b"", b"", b"zombie"),
    ],
)
def test_program_name(comm: bytes, exe: bytes, arguments: bytes, name: bytes) -> None:
    """The link names the program; the first argument is believed only where it completes a cut name."""
    assert source.program_name(comm, exe, arguments) == name


def test_our_own_process_is_read_as_psutil_reads_it() -> None:
    """Start, CPU, memory, threads, user, parent and IO of this process agree with a second opinion."""
    me = psutil.Process()

    def look() -> tuple[int, float, int]:
        times = me.cpu_times()
        return me.memory_info().rss, times.user + times.system, me.io_counters().read_bytes

    before, mine, after = look(), one(os.getpid()), look()
    assert (mine.ppid, mine.uid, mine.threads) == (os.getppid(), os.geteuid(), me.num_threads())
    assert abs(mine.start_time - me.create_time()) < 1.0
    assert min(before[0], after[0]) - 8 * 2**20 < mine.resident_bytes < max(before[0], after[0]) + 8 * 2**20
    assert before[1] - 0.02 <= mine.cpu_ticks / source.TICKS_PER_SECOND <= after[1] + 0.02
    assert mine.read_bytes is not None
    assert before[2] <= mine.read_bytes <= after[2]
    assert mine.executable == os.path.basename(os.path.realpath(sys.executable))


def test_a_name_set_by_the_process_itself(tmp_path: Path) -> None:
    """A live process that renames itself with rubbish is read right, and keeps its program's name."""
    code = "import sys; open('/proc/self/comm','wb').write(b'a) \\x1b\\xff\\n('); print(flush=True); sys.stdin.read()"
    with program(sys.executable, "-c", code) as child:
        assert child.stdout
        child.stdout.readline()
        found = one(child.pid, arguments=True)
        assert found.comm.encode("utf-8", "surrogateescape") == b"a) \x1b\xff\n("
        assert found.executable == os.path.basename(os.path.realpath(sys.executable))
        assert found.arguments
        assert found.arguments.startswith(sys.executable.encode() + b"\0-c\0")


def test_exec_is_noticed() -> None:
    """A process that becomes another program between two scans has the new program's name."""
    processes = Processes(Root("/proc"))
    with program("/bin/sh", "-c", "read x; exec sleep 100") as child:
        first = next(p for p in processes.scan() if p.pid == child.pid)
        assert child.stdin
        child.stdin.write(b"\n")
        child.stdin.flush()
        until = time.monotonic() + 60
        while True:
            second = next(p for p in processes.scan() if p.pid == child.pid)
            if second.executable == "sleep" or time.monotonic() > until:
                break
            time.sleep(0.02)
        assert first.executable == os.path.basename(os.path.realpath("/bin/sh"))
        assert second.executable == "sleep"
        assert (first.pid, first.start_ticks) == (second.pid, second.start_ticks)


def test_a_zombie_is_a_process() -> None:
    """A zombie is read, with its state and without memory."""
    with program("/bin/true") as child:
        until = time.monotonic() + 60
        while (found := one(child.pid)).state != "Z" and time.monotonic() < until:
            time.sleep(0.01)
        assert (found.state, found.resident_bytes) == ("Z", 0)
        assert found.executable == "true"


def test_what_vanishes_is_left_out(tmp_path: Path) -> None:
    """A process that ends while it is read is no error and no half row."""
    captured(tmp_path, 5)
    folder = captured(tmp_path, 6)
    (folder / "statm").unlink()
    processes = Processes(Root(str(tmp_path)))
    assert [p.pid for p in processes.scan()] == [5]
    assert (processes.refused, processes.unreadable) == (0, 0)


def test_nonsense_costs_one_process_only(tmp_path: Path) -> None:
    """Truncated and binary files are counted, and the other processes are read."""
    captured(tmp_path, 5)
    for pid, name, text in ((6, "stat", b"6 (x) S 1"), (7, "statm", b"\x00\xff"), (8, "io", b"x"), (9, "stat", b"")):
        (captured(tmp_path, pid) / name).write_bytes(text)
    (tmp_path / "11x").mkdir()
    (tmp_path / "²").mkdir()
    processes = Processes(Root(str(tmp_path)))
    assert [p.pid for p in processes.scan()] == [5]
    assert processes.unreadable == 4


@given(st.binary(max_size=400))
def test_stat_parser_takes_any_bytes(data: bytes) -> None:
    """Whatever the file holds, the parser gives a reading or says that it makes no sense."""
    with suppress(ValueError):
        source.parse_stat(data)
    with suppress(ValueError):
        source.parse_io(data)
    with suppress(ValueError):
        source.parse_uid(data)


@given(st.binary(max_size=15).filter(lambda b: b"\0" not in b))
def test_stat_parser_with_any_name(comm: bytes) -> None:
    """No name, however it is made, moves the fields after it."""
    stat = source.parse_stat(STAT % (1, comm))
    assert (stat.comm, stat.state, stat.ppid, stat.cpu_ticks, stat.start_ticks) == (comm, "S", 1, 300, 500)


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_io_is_unknown_not_zero() -> None:
    """Without permission IO is None; the rest is still read, and the program's name is completed from its arguments."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            p = one(os.getppid())
            answer = f"{p.read_bytes} {p.write_bytes} {p.uid} {p.resident_bytes > 0} {p.cpu_ticks >= 0}"
        except BaseException as error:  # noqa: BLE001  all that goes wrong must reach the parent
            answer = repr(error)
        os.write(write_end, answer.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write_end)
    with os.fdopen(read_end) as answers:
        assert answers.read() == "None None 0 True True"


def test_scans_hold_no_descriptors() -> None:
    """However many processes there are, a scan needs a handful of descriptors and leaves none open."""
    processes = Processes(Root("/proc"))
    before = len(os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 5, hard))
    try:
        assert len(processes.scan()) > 5
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(os.listdir("/proc/self/fd")) <= before


def test_ended_processes_are_forgotten() -> None:
    """What is remembered of a process goes with it."""
    processes = Processes(Root("/proc"))
    with program("sleep", "100") as child:
        processes.scan()
        assert child.pid in {pid for pid, _ in processes._known}
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        processes.scan()
        assert child.pid not in {pid for pid, _ in processes._known}
