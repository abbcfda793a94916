"""The page of one machine: worked out from two batches, judged, and drawn safely at any width."""

from __future__ import annotations

import io
import json
import math

import msgspec
import pytest
from rich.console import Console

from bongsu.collectors import cpu, diskstats, filesystem, hwmon, loadavg, meminfo, netdev, pressure, stat, uname
from bongsu.model.batch import Batch, Outcome, Part, Sample, Table
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.mount import MountRow
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.process import ProcessRow
from bongsu.model.summary import Summary
from bongsu.model.usage import DeviceUse, From, OwnerRow, Usage
from bongsu.views.json_text import json_text
from bongsu.views.printable import printable
from bongsu.views.rates import Rates
from bongsu.views.status import draw
from bongsu.views.summary import summary

HOSTILE = "\x1b]0;x\x07[red]a\nb\u202e\udcff"


def _mount(where: str, size: int, free: int, avail: int | None = None, **more: object) -> MountRow:
    fields = {"fstype": "ext4", "files": 100, "files_free": 50, "read_only": False, **more}
    return MountRow(
        str(fields.pop("device", f"/dev/{where}")), where, size_bytes=size, free_bytes=free,
        avail_bytes=free if avail is None else avail, **fields,  # type: ignore[arg-type]  # the fields of a row
    )  # fmt: skip


def _row(pid: int, executable: str, cpu_seconds: float, resident: int) -> ProcessRow:
    return ProcessRow(pid, 1, "root", 0, executable, "S", 1.0, 1, 1, cpu_seconds, resident, 0, None, None)


MIB = 1024**2
JOB = Owner(OwnerKind.SLURM, "42", "train", user="alice")


def _owners(k: float) -> Table:
    """A job at its limits, a service, one of each other kind, and one that has ended; ``k`` seconds after the first look."""
    job = Usage(
        3, 50.0, From.CGROUP, 100 + 2 * k, cpu_periods=int(100 + 10 * k), cpu_throttled_periods=int(5 * k),
        cpu_limit_cores=2.0, memory_from=From.CGROUP, memory_bytes=1000 * MIB, working_set_bytes=950 * MIB,
        memory_limit_bytes=1000 * MIB, oom_kills=1, io_from=From.CGROUP, io=(DeviceUse("sda", int(MIB * k), 0),),
        tasks=95, tasks_limit=100,
    )  # fmt: skip
    others = (
        Owner(OwnerKind.POD, "uid", "trainer-0", "ml", user="bob"), Owner(OwnerKind.CONTAINER, "c" * 64, "web", runtime="docker"),
        Owner(OwnerKind.UNIT, "ollama.service", user="ollama"), Owner(OwnerKind.USER, "7", HOSTILE, user=HOSTILE),
        Owner(OwnerKind.UNKNOWN, "", "kernel"),
    )  # fmt: skip
    small = [
        OwnerRow(
            owner, Usage(1, 50.0, From.PROCESSES, 1 + 0.01 * k, memory_from=From.PROCESSES, memory_bytes=(9 - n) * MIB)
        )
        for n, owner in enumerate(others)
    ]
    gone = OwnerRow(Owner(OwnerKind.SLURM, "41"), job, ended=True)
    return Table("owners", (OwnerRow(JOB, job), gone, *small))


def _batch(
    at: float, samples: list[tuple[MetricSpec, tuple[str, ...], float]], *tables: Table, errors: tuple[str, ...] = ()
) -> Batch:
    outcomes = [Outcome("all", 0.0, 0.0), *(Outcome(name, 0.0, 0.0, error=Message("no")) for name in errors)]
    made = tuple(Sample(*sample) for sample in samples)
    parts = [Part("all", at, at, made, (), tables, outcomes[0])]
    parts += [Part(o.collector, at, at, (), (), (), o) for o in outcomes[1:]]
    return Batch(at, at, tuple(parts))


def _machine(*, n: float = 1.0, mounts: tuple[MountRow, ...] = (), more: tuple[object, ...] = ()) -> Summary:
    """A machine whose counters are ``n`` times a second's worth at the second of two moments 2 s apart."""
    batches = []
    for at in (100.0, 102.0):
        k = (at - 100.0) * n
        samples: list[tuple[MetricSpec, tuple[str, ...], float]] = [
            (cpu.CPU_SECONDS, ("0", "user"), 10 + 0.5 * k), (cpu.CPU_SECONDS, ("0", "idle"), 10 + 0.4 * k),
            (cpu.CPU_SECONDS, ("0", "iowait"), 10 + 0.1 * k),
            (loadavg.LOAD1, (), 1.5), (loadavg.LOAD5, (), 1.0), (loadavg.LOAD15, (), 0.5),
            (meminfo.FIELD.spec("MemTotal"), (), 1000.0), (meminfo.FIELD.spec("MemAvailable"), (), 250.0),
            (meminfo.FIELD.spec("SwapTotal"), (), 0.0), (meminfo.FIELD.spec("SwapFree"), (), 0.0),
            (pressure.IO_STALLED, (), 0.5 * k), (pressure.IO_WAITING, (), 0.6 * k),
            (diskstats.READ_BYTES, ("sda",), 100 * k), (diskstats.WRITTEN_BYTES, ("sda",), 0.0),
            (diskstats.READS, ("sda",), 10 * k), (diskstats.READ_SECONDS, ("sda",), 0.02 * k),
            (diskstats.WRITES, ("sda",), 0.0), (diskstats.WRITE_SECONDS, ("sda",), 0.0),
            (diskstats.IO_SECONDS, ("sda",), 0.25 * k),
            (netdev.RECEIVE.spec("bytes"), ("lo",), 5 * k), (netdev.RECEIVE.spec("bytes"), ("eth0",), 50 * k),
            (netdev.TRANSMIT.spec("bytes"), ("eth0",), 0.0), (netdev.RECEIVE.spec("drop"), ("eth0",), 3 * k),
            (stat.BOOT_TIME, (), 40.0), (uname.INFO, ("Linux", "6.1", "#1", "x86_64", "node1", "(none)"), 1),
            (hwmon.TEMPERATURE, ("c", "temp1"), 91.0), (hwmon.CELSIUS.spec("temp_crit"), ("c", "temp1"), 90.0),
            (hwmon.TEMPERATURE, ("c", "temp2"), math.nan),
        ]  # fmt: skip
        rows = Table("processes", (_row(1, "init", 1.0, 10), _row(2, HOSTILE, 5 + k, 5)))
        batches.append(
            _batch(at, samples, rows, _owners(k), Table("mounts", mounts), errors=("broken",) if more else ())
        )
    rates = Rates()
    rates.take(batches[0])
    rates.take(batches[1])
    return summary(batches[1], rates, 2.0)


def test_shares_and_rates_are_of_the_window() -> None:
    """Busy is what is neither idle nor waiting for disk; rates and latencies are over the window; loopback is left out."""
    machine = _machine()
    assert machine.cpu.busy_ratio == pytest.approx(0.5)
    assert machine.cpu.modes["iowait"] == pytest.approx(0.1)
    assert machine.cpu.cores == 1
    assert machine.memory.used_ratio == pytest.approx(0.75)
    assert machine.host.name == "node1"
    assert machine.host.uptime_seconds == pytest.approx(62.0)
    (disk,) = machine.disks
    assert disk.read_bytes_per_second == pytest.approx(100)
    assert disk.read_latency_seconds == pytest.approx(0.002)
    assert disk.write_latency_seconds is None, "nothing was written: no latency, not zero"
    assert disk.busy_ratio == pytest.approx(0.25)
    (interface,) = machine.network
    assert interface.device == "eth0"
    assert interface.errors_per_second == pytest.approx(3.0)
    assert [p.pid for p in machine.top_cpu] == [2]
    assert machine.top_cpu[0].cores == pytest.approx(1.0)
    assert [p.pid for p in machine.top_memory] == [1, 2]
    assert [t.celsius for t in machine.temperatures] == [91.0]


def test_what_is_not_known_is_none() -> None:
    """Without readings every number is None, and nothing is judged."""
    empty = _batch(100.0, [])
    machine = summary(empty, Rates(), 1.0)
    assert machine.cpu.busy_ratio is None
    assert machine.cpu.load is None
    assert machine.cpu.cores is None
    assert machine.memory.used_ratio is None
    assert machine.processes is None
    assert machine.problems == ()
    assert _drawn(machine)


def test_what_this_machine_lacks_is_said_with_its_cure() -> None:
    """The line of a collector that finds nothing names what to install, where that helps; it is no problem."""
    said = Outcome("gpu", 0.0, 0.0, None, Message("no GPU driver"), Message("pip install 'bongsu[gpu]'"))
    empty = _batch(100.0, [])
    machine = summary(
        msgspec.structs.replace(empty, parts=(*empty.parts, Part("gpu", 100.0, 100.0, (), (), (), said))),
        Rates(), 1.0,
    )  # fmt: skip
    assert "No gpu: no GPU driver; pip install 'bongsu[gpu]'" in _drawn(machine)
    assert machine.problems == ()


def test_counters_that_went_backwards_have_no_rate() -> None:
    """After a reset there is no rate rather than a negative one."""
    machine = _machine(n=-1.0)
    assert machine.cpu.busy_ratio is None
    assert machine.disks[0].read_bytes_per_second is None


def test_problems_are_named_with_a_cure() -> None:
    """Full and dead file systems, stalls, heat and failed collectors are problems; full images and read-only ones not."""
    machine = _machine(
        mounts=(
            _mount("/", 1000, 40), _mount("/few", 1000, 900, files_free=2), _mount("/gone", 1000, 900, stale_since=50.0),
            _mount("/snap", 1000, 0, fstype="squashfs"), _mount("/cd", 1000, 0, read_only=True), _mount("/ok", 1000, 60),
        ),
        more=(1,),
    )  # fmt: skip
    said = [problem.text for problem in machine.problems]
    assert [problem.subject for problem in machine.problems] == [
        "filesystem", "filesystem", "filesystem", "pressure", "temperature", "collector",
    ]  # fmt: skip
    assert any(text.startswith(("/ is 96.0 % full", "/ is 96 % full")) for text in said)
    assert any("/few has used 98" in text for text in said)
    assert any("/gone has not answered since" in text for text in said)
    assert "broken could not be read: no" in said
    assert all(problem.cure for problem in machine.problems)


def test_one_file_system_mounted_twice_is_one_row() -> None:
    """Bind mounts of a device are shown once, by the shortest path; file systems without size are no store."""
    machine = _machine(
        mounts=(
            _mount("/a/long/path", 1000, 500, device="/dev/sda1"), _mount("/a", 1000, 500, device="/dev/sda1"),
            _mount("/sys/x", 0, 0), _mount("/t1", 10, 5, device="tmpfs"), _mount("/t2", 10, 5, device="tmpfs"),
        )
    )  # fmt: skip
    assert [fs.mountpoint for fs in machine.filesystems] == ["/a", "/t1", "/t2"]


def test_a_file_system_is_as_full_as_df_says() -> None:
    """Used over used plus what users can still fill: room kept for root is not free to them."""
    machine = _machine(mounts=(_mount("/", 1000, 200, 100),))
    assert machine.filesystems[0].used_ratio == pytest.approx(800 / 900)


def _drawn(machine: Summary, width: int = 80, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(
        io.BytesIO(), encoding=encoding, errors="strict" if encoding == "utf-8" else "backslashreplace"
    )
    draw(machine, Console(file=file, width=width, highlight=False, markup=False, emoji=False))
    file.flush()
    raw = file.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode(encoding)


def test_owners_are_those_that_have_a_process() -> None:
    """All of them, by CPU and then by memory, with rates over the window; one that has ended is not among them."""
    owners = _machine().owners
    assert owners is not None
    assert [use.id for use in owners] == ["42", "uid", "c" * 64, "ollama.service", "7", ""]
    job = owners[0]
    assert (job.kind, job.name, job.user, job.processes, job.cpu_from) == ("slurm", "train", "alice", 3, "cgroup")
    assert job.cores == pytest.approx(2.0)
    assert job.cpu_throttled_ratio == pytest.approx(0.5)
    assert job.read_bytes_per_second == pytest.approx(MIB)
    assert (job.held_bytes, job.memory_limit_bytes, job.tasks_limit) == (950 * MIB, 1000 * MIB, 100)
    assert owners[1].read_bytes_per_second is None, "nobody told its IO: no zero"
    assert summary(_batch(1.0, []), Rates(), 1.0).owners is None, "owners were not read"


def test_who_uses_the_machine_and_who_is_near_a_limit() -> None:
    """The five that use most, each with its limit, and in words who is near one; it is no problem of the machine."""
    text = _drawn(_machine(), 120)
    line = next(line for line in text.splitlines() if line.startswith("job 42 train"))
    assert line.split()[3:] == ["alice", "200", "%", "200", "%", "950", "MiB", "1000", "MiB", "1", "MiB/s", "0", "B/s"]
    for name in ("pod ml/trainer-0", "docker web", "ollama.service"):
        assert name in text
    assert "kernel" not in text.split("Who uses")[1].split("\n\n")[0]
    assert "and 1 more; the others use less" in text
    assert "job 42 holds 950 MiB of the 1000 MiB of memory that it may" in text
    assert "job 42 was stopped by its CPU limit of 2 cores in 50.0 % of its periods" in text
    assert "job 42 has 95 of the 100 processes and threads that it may" in text
    assert not [problem for problem in _machine().problems if "42" in problem.text]


@pytest.mark.parametrize("width", [30, 45, 60, 80])
def test_owners_give_way_to_their_numbers(width: int) -> None:
    """Where it is narrow IO goes first, then users, then limits; CPU and memory stay whole."""
    text = _drawn(_machine(), width)
    line = next(line for line in text.splitlines() if line.startswith("job"))
    assert "200 %" in line
    assert "950 MiB" in line
    assert ("1000 MiB" in line) is (width >= 45)
    assert ("MiB/s" in line) is (width >= 80)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_is_drawn_within_the_width_and_without_steering(width: int) -> None:
    """No line is wider than the terminal, and no name from the machine reaches it as an escape sequence or markup."""
    machine = _machine(mounts=(_mount(f"/{HOSTILE}" + "x" * 100, 1000, 20, device=HOSTILE, fstype=HOSTILE),))
    text = _drawn(machine, width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[red]" in text or width < 60


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80])
def test_names_give_way_to_numbers(width: int) -> None:
    """However narrow the terminal is, numbers are whole; long paths, types and names of programs are cut."""
    tib = 1024**4
    machine = _machine(
        mounts=(
            _mount("/var/lib/containers/storage/overlay/" + "x" * 60, 1023 * tib, 1000 * tib, avail=950 * tib),
            _mount("/mnt/" + "y" * 60, 7168, 3584, fstype="fuse.a-very-long-name", stale_since=1.0),
        )
    )  # fmt: skip
    row = msgspec.structs.replace(machine.top_cpu[0], pid=4194303, user="u" * 40, executable="e" * 40, cores=63.999)
    row = msgspec.structs.replace(row, resident_bytes=1023 * 1024**3)
    disk = msgspec.structs.replace(machine.disks[0], device="d" * 40, read_bytes_per_second=1023e6, busy_ratio=0.999)
    machine = msgspec.structs.replace(machine, top_cpu=(row,) * 3, top_memory=(row,) * 3, disks=(disk,))
    text = _drawn(machine, width)
    for whole in ("1023 TiB", "950 TiB", "7 KiB", "3.5 KiB", "6400 %", "1023 GiB", "976 MiB/s", "99.9 %", "4194303"):
        assert whole in text, (whole, text)
    assert "x" * 60 not in text
    assert width < 40 or max(map(len, text.splitlines())) <= width


def test_a_wide_terminal_shows_names_whole() -> None:
    """Where there is room no name is cut."""
    assert "/" + "x" * 60 in _drawn(_machine(mounts=(_mount("/" + "x" * 60, 1000, 500),)), 200)


def test_it_is_drawn_in_ascii_where_nothing_else_can_be_shown() -> None:
    """Bars, dots, degrees and microseconds are ASCII on a terminal that has only that."""
    machine = _machine(mounts=(_mount("/" + "x" * 100, 1000, 500),))
    disk = msgspec.structs.replace(machine.disks[0], read_latency_seconds=2.5e-5)
    text = _drawn(msgspec.structs.replace(machine, disks=(disk,)), encoding="ascii")
    assert "######" in text
    assert "xxx..." in text
    assert "25 us" in text
    assert "91 of 90 C" in text
    assert "\\x" not in text.replace(r"\x1b", "").replace(r"\x07", "").replace(r"\xff", "")
    assert r"\u2026" not in text


def test_json_is_ascii_and_what_is_no_unicode_is_replaced() -> None:
    """Hostile names become plain JSON that any parser reads; NaN is refused rather than written wrongly."""
    text = json_text({"a": HOSTILE, "b": ("é", {"\udcff": 1.5})})
    assert text.isascii()
    assert json.loads(text) == {"a": "\x1b]0;x\x07[red]a\nb\u202e\ufffd", "b": ["é", {"\ufffd": 1.5}]}
    assert json.loads(json_text(_machine()))["top_cpu"][0]["executable"].endswith("\ufffd")
    with pytest.raises(ValueError, match="JSON"):
        json_text(math.nan)


def test_printable_writes_out_what_steers_a_terminal() -> None:
    """Control characters, direction marks and bytes that are not UTF-8 are written out; all other text stays."""
    assert printable(HOSTILE) == r"\x1b]0;x\x07[red]a\nb\u202e\xff"
    assert printable("한국어 é €") == "한국어 é €"
    assert printable("\x9b1m\x7f\ud800") == r"\x9b1m\x7f\ud800"
    assert printable(filesystem.SIZE.name) == "node_filesystem_size_bytes"
