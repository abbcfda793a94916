"""GPUs in `bongsu top`: their lines, the table of processes on them, what is odd, and what may not be signalled."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from bongsu.collectors import gpu_process, gpu_values
from bongsu.model.batch import Absence, Batch, Outcome, Part, Sample, Table, Why
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.process import ProcessRow
from bongsu.model.summary import GpuInstance, GpuUse
from bongsu.sources.nvml.scenario import Device, Scenario, Use
from bongsu.sources.nvml.scenario import Process as PlayedProcess
from bongsu.views import gpu_entries, gpu_processes
from bongsu.views.gpu_entries import OnGpu, entries
from bongsu.views.gpu_lines import gpu_lines
from bongsu.views.gpu_past import GpuPast
from bongsu.views.gpu_uses import gpu_uses
from bongsu.views.listing import Listing
from bongsu.views.processes import Order
from bongsu.views.rates import ProcessRates
from bongsu.views.ruled import Sort
from bongsu.views.top_help import KEYS
from cli.command import ARGV, bongsu
from fake_nvml.machine import FakeNvml
from views.test_top import Terminal, has

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\n\r[red]x[/red]\udcff\u202e"
JOB = Owner(OwnerKind.SLURM, "42", "train", user="ada")
WELL = GpuUse(
    "0", "GPU-a", "H100", up=True, reason="", cure="", busy_ratio=0.5, memory_used_bytes=2.0**35,
    memory_total_bytes=2.0**36, celsius=60.0, slowdown_celsius=90.0, power_watts=300.0, power_limit_watts=700.0,
    clock_hertz=1.8e9, held_down=(),
)  # fmt: skip


def on_gpu(pid: int, gpu: str = "0", start: int | None = None, **known: object) -> GpuProcessRow:
    row = GpuProcessRow(
        pid=pid, start_ticks=start, start_time=None if start is None else 1000.0 - start, user="ada", owner=JOB,
        command="train", gpu=gpu, uuid=f"GPU-{gpu}", memory_bytes=1 << 30, sm_ratio=0.5,
    )  # fmt: skip
    return msgspec.structs.replace(row, **known)


def batch(*rows: GpuProcessRow) -> Batch:
    outcome = Outcome("gpu_process", 0.0, 0.0)
    return Batch(1000.0, 1.0, (Part("gpu_process", 1000.0, 1.0, (), (), (Table("gpu_processes", rows),), outcome),))


def seen(pid: int, start: int, uid: int = 7) -> ProcessRow:
    return ProcessRow(pid, 1, "ada", uid, "train", "S", 0.0, start, 1, 0.0, 0, 0, 0, 0)


def pids(*rows: GpuProcessRow, order: Order = Order(), all_of_it: tuple[ProcessRow, ...] = ()) -> list[int]:  # noqa: B008  it is frozen
    return [one.row.pid for one in arranged(*rows, order=order, all_of_it=all_of_it)]


def arranged(*rows: GpuProcessRow, order: Order = Order(), all_of_it: tuple[ProcessRow, ...] = ()) -> list[OnGpu]:  # noqa: B008  it is frozen
    return gpu_processes.arrange(entries(batch(*rows), all_of_it), all_of_it, order, 1000.0)


def test_the_order_is_that_of_the_key() -> None:
    """By SM time, by memory, by GPU, by pid, by user; what is not known stands last where the largest stand first."""
    rows = (
        on_gpu(1, "2", sm_ratio=None, memory_bytes=9), on_gpu(2, "10", sm_ratio=0.9, memory_bytes=None),
        on_gpu(3, "0_11_0", sm_ratio=0.1, memory_bytes=5), on_gpu(4, "0_2_0", sm_ratio=0.0, memory_bytes=7),
    )  # fmt: skip
    assert pids(*rows) == [2, 3, 4, 1]
    assert pids(*rows, order=Order(Sort.MEMORY)) == [1, 4, 3, 2]
    assert pids(*rows, order=Order(Sort.THREADS)) == [4, 3, 1, 2]
    assert pids(*rows, order=Order(Sort.THREADS, turned=True)) == [2, 1, 3, 4]
    assert pids(*rows, order=Order(Sort.CPU, tree=True)) == [4, 3, 1, 2]


def test_filters_find_owners_and_gpus() -> None:
    """All words must be there: of the GPU, the pid, the user, the command, the owner."""
    other = on_gpu(2, "1", owner=Owner(OwnerKind.POD, "u", "chat", "prod"), command="vllm", user="bob")
    assert pids(on_gpu(1), other, order=Order(words="job 42")) == [1]
    assert pids(on_gpu(1), other, order=Order(words="gpu1 VLLM prod")) == [2]
    assert pids(on_gpu(1), other, order=Order(user="bob")) == [2]
    assert pids(on_gpu(1), other, order=Order(words="vllm train")) == []


def test_only_mine_goes_by_the_number_of_the_user_where_the_process_is_seen() -> None:
    """A process that is seen is mine by its uid; of one that is not, the name decides; nobody's is never mine."""
    me = pwd.getpwuid(os.getuid()).pw_name
    rows = (on_gpu(1, start=5), on_gpu(2, user=me), on_gpu(3, user=""), on_gpu(4, start=6))
    mine = Order(uid=os.getuid())
    assert sorted(pids(*rows, order=mine, all_of_it=(seen(1, 5, os.getuid()), seen(4, 6, os.getuid() + 1)))) == [1, 2]


def test_a_process_is_joined_by_number_and_start() -> None:
    """Another process of the same number is not the one on the GPU: nothing may be sent to it."""
    found = arranged(on_gpu(1, start=5), on_gpu(2, start=None), all_of_it=(seen(1, 6), seen(2, 0)))
    assert [one.process for one in found] == [None, None]
    [joined] = arranged(on_gpu(1, start=5), all_of_it=(seen(1, 5),))
    assert joined.process is not None
    assert joined.age == 5.0


@pytest.mark.parametrize(
    ("width", "shown"),
    [(110, "busy but stuck +2"), (190, "busy but stuck, far too hot, limit of power"), (80, "busy but stuck")],
)
def test_what_is_odd_is_told_in_whole_words(width: int, shown: str) -> None:
    """Of three things those that fit, the worst first, and how many more; a pipe has room for all."""
    odd = msgspec.structs.replace(WELL, stuck=True, held_down=("far too hot", "limit of power"))
    (line,) = gpu_lines((odd,), width, 9, ascii_only=False)
    assert line.plain.endswith(f"  {shown}")
    (line,) = gpu_lines((odd,), width, 9, ascii_only=False, whole=True)
    assert line.plain.endswith("  busy but stuck, far too hot, limit of power")


@pytest.mark.parametrize(
    ("kinds", "shown"), [(("compute",), "C"), (("graphics",), "G"), (("compute", "graphics"), "C+G"), (("mps",), "M")]
)
def test_kinds_are_the_letters_that_nvidia_smi_has(kinds: tuple[str, ...], shown: str) -> None:
    """Words would be cut: a process that both computes and draws is not one that only computes."""
    (one,) = entries(batch(on_gpu(5, kinds=kinds)), ())
    place = gpu_processes.heading(110, Order()).plain.index("KIND")
    assert gpu_processes.line(one, 110).plain[place : place + 4].rstrip() == shown


def test_what_a_process_takes_of_the_machine_stands_with_it() -> None:
    """Cores and memory of the process of that number and start; of one that is not seen here a dash, never 0."""
    here = msgspec.structs.replace(seen(5, 50), resident_bytes=3 << 30)
    rates = {here.identity: ProcessRates(1.5, None, None)}
    found = {one.row.pid: one for one in entries(batch(on_gpu(5, start=50), on_gpu(6, start=60)), (here,), None, rates)}
    known, unknown = (gpu_entries.document(found[pid]) for pid in (5, 6))
    assert (known["cores"], known["resident_bytes"]) == (1.5, 3 << 30)
    assert (unknown["cores"], unknown["resident_bytes"]) == (None, None)
    title = gpu_processes.heading(130, Order()).plain
    drawn = [gpu_processes.line(found[pid], 130).plain for pid in (5, 6)]
    for name, words in (("CPU %", ["150", "-"]), ("HOST", ["3G", "-"])):
        end = title.index(name) + len(name)
        assert [line[:end].split()[-1] for line in drawn] == words, name
    assert "HOST" not in gpu_processes.heading(129, Order()).plain


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_lines_fit_and_cannot_steer(width: int) -> None:
    """Whatever a process, user or owner is called, a line is one line of printable characters of that width."""
    row = on_gpu(1, command=EVIL, user=EVIL, owner=Owner(OwnerKind.UNIT, EVIL, user=EVIL))
    [entry] = arranged(row)
    for text in (gpu_processes.line(entry, width), gpu_processes.heading(width, Order())):
        assert text.cell_len == width
        assert text.plain.isprintable()


def test_a_gpu_that_is_busy_but_stuck_says_so() -> None:
    """Stuck, hot, lost and held down are words; where there is no room for all, one line still names who is stuck."""
    stuck = msgspec.structs.replace(WELL, index="1", stuck=True, busy_ratio=1.0, sm_ratio=0.0)
    lost = msgspec.structs.replace(WELL, index="2", up=False, reason="the GPU is lost", busy_ratio=None)
    held = msgspec.structs.replace(WELL, index="3", held_down=("too hot",))
    lines = [text.plain for text in gpu_lines((WELL, stuck, lost, held), 100, 4, ascii_only=True)]
    assert [("stuck" in line, "lost" in line, "too hot" in line) for line in lines] == [
        (False, False, False), (True, False, False), (False, True, False), (False, False, True),
    ]  # fmt: skip
    [together] = gpu_lines((WELL, stuck, lost, held), 100, 3, ascii_only=True)
    assert "1 busy but stuck; 2 does not answer" in together.plain
    assert gpu_lines((), 100, 3, ascii_only=True) == []


@pytest.mark.parametrize(
    ("busy", "active", "stuck"),
    [
        (1.0, 0.0, True),
        (0.99, 0.01, True),
        (1.0, 0.3, False),
        (0.9, 0.0, False),
        (1.0, None, False),
        (None, 0.0, False),
    ],
)
def test_stuck_is_busy_all_the_time_with_idle_sms(busy: float | None, active: float | None, stuck: bool) -> None:
    """Both must be known: a GPU that does not tell what its SMs do is never called stuck."""
    at: tuple[str, ...] = ("0", "GPU-a")
    now: dict[MetricSpec, dict[tuple[str, ...], float]] = {gpu_values.UP: {at: 1.0}}
    now |= {
        spec: {at: value}
        for spec, value in ((gpu_values.UTILIZATION, busy), (gpu_values.SM_ACTIVITY, active))
        if value is not None
    }
    [use] = gpu_uses(Batch(1.0, 1.0, ()), now)
    assert use.stuck is stuck


def looked(at: float, **busy: float) -> Batch:
    samples = tuple(Sample(gpu_values.UTILIZATION, ("0", uuid), value) for uuid, value in busy.items())
    return Batch(at, at, (Part("gpu", at, at, samples, (), (), Outcome("gpu", 0.0, 0.0)),))


def test_a_graph_shows_what_was_seen_and_no_more() -> None:
    """One character a look, the newest last; a blank where it was not told, the lowest step where nothing ran."""
    past = GpuPast()
    for look in (looked(1, a=0.0), looked(1, a=1.0), looked(2, b=1.0), looked(3, a=0.5), looked(4, a=1.0)):
        past.take(look)
    assert past.graph("a", 6, ascii_only=False) == "  ▁ ▅█"
    assert past.graph("a", 2, ascii_only=True) == "=#"
    assert past.graph("c", 3, ascii_only=True) == "   "


@pytest.mark.parametrize("width", [100, 119, 120, 140, 200])
def test_lines_with_a_graph_fit(width: int) -> None:
    """From 120 columns on there is one, and memory stands in one place, also of a divided GPU; nothing is cut."""
    past = GpuPast()
    past.take(looked(1, **{"GPU-a": 1.0}))
    instance = GpuInstance("1_1_0", "MIG-a", "1", "1g", 1.0, 2.0**30, 2.0**31)
    gpus = (WELL, msgspec.structs.replace(WELL, index="1", uuid="GPU-b", busy_ratio=None, instances=(instance,)))
    lines = [text.plain for text in gpu_lines(gpus, width, 9, ascii_only=True, past=past)]
    assert bool(re.search(r"50\.0 % +#  ####", lines[0])) is (width >= 120)
    assert all(len(line) <= width for line in lines)
    assert lines[0].index("32G/64G") == lines[1].index("32G/64G")
    assert lines == [text.plain for text in gpu_lines(gpus, width, 9, ascii_only=True)] or width >= 120


@contextmanager
def top(*arguments: str, columns: int = 120, lines: int = 40, **environment: str) -> Iterator[Terminal]:
    terminal = Terminal([*ARGV, "top", *arguments], columns, lines, errors_too=False, **environment)
    try:
        yield terminal
    finally:
        terminal.close()


def test_g_shows_who_is_on_which_gpu_and_escape_goes_back() -> None:
    """Lines of GPUs stand in the header with the word DEMO; G shows their processes; a made-up one takes no signal."""
    with top("--demo") as terminal:
        terminal.wait_for(has("DEMO ", "gpu5", "busy but stuck", "divided in 7", "PROGRAM"))
        terminal.press("G")
        terminal.wait_for(has("job 48213", "COMMAND", "pod inference/chat"))
        terminal.press("k")
        terminal.wait_for(has("can be seen from here: it takes no signal"))
        terminal.press("/vllm\r")
        terminal.wait_for(lambda text: "305100" in text and "411002" not in text)
        terminal.press("\x1b")
        terminal.wait_for(has("411002"))
        terminal.press("\x1b")
        terminal.wait_for(has("PROGRAM"))
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_restored()


def test_the_page_of_keys_fits_on_a_small_terminal() -> None:
    """80 columns and 24 lines, of which one says how to leave: no key is cut off."""
    assert len(KEYS) <= 23
    assert max(map(len, KEYS)) <= 80


def test_owners_on_gpus_are_opened_and_left_step_by_step() -> None:
    """Enter shows the processes of one, Esc its line again, then all on GPUs, then all; G keeps groups as groups."""
    with top("--demo", "--gpu", "--by", "owner") as terminal:
        terminal.wait_for(has("job 48213 llm-pretrain", "job 48391 eval-sweep", "GPUS", "0-3"))
        terminal.press("/inference\r")
        terminal.wait_for(lambda text: "pod inference/chat" in text and "job 48213" not in text)
        terminal.press("\r")
        terminal.wait_for(has("COMMAND", "305100", "pod inference/chat-serve-0: 12 shown, Esc goes back"))
        terminal.press("\x1b")
        terminal.wait_for(has("GPUS", "/inference: 1 shown"))
        terminal.press("\x1b")
        terminal.wait_for(has("GPUS", "job 48213"))
        terminal.press("G")
        terminal.wait_for(has("READ/s", "OWNER"))
        terminal.press("G")
        terminal.wait_for(has("GPUS", "job 48213"))
        terminal.press("g")
        terminal.wait_for(lambda text: re.search(r"GPUS.* ON +USER", text))
        terminal.press("\x1b")
        terminal.wait_for(has("COMMAND", "210000"))
        terminal.press("\x1b")
        terminal.wait_for(has("PROGRAM"))
        terminal.press("q")
        assert terminal.ended() == 0


def test_a_process_on_a_gpu_is_signalled_only_after_yes() -> None:
    """A process that is seen here is asked about by name before it gets a signal, also from the table of GPUs."""
    victim = subprocess.Popen(["sleep", "1000"])
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from bongsu.collectors.process import ProcessCollector
from bongsu.model.batch import Outcome, Part
from bongsu.pipeline import Gatherer
from bongsu.sources.root import Machine
from bongsu.views.top import run_top
from views.test_top_gpu import batch, on_gpu
import msgspec
gatherer = Gatherer([ProcessCollector(Machine.at())])
def gather(*, owners):
    found = gatherer.gather()
    [row] = [row for row in found.table("processes").rows if row.pid == {victim.pid}] or [None]
    rows = () if row is None else (on_gpu(row.pid, start=row.start_ticks, command="sleep"),)
    return msgspec.structs.replace(found, parts=(*found.parts, *batch(*rows).parts))
sys.exit(run_top(gather, interval=0.2, on_gpus=True))
"""
    terminal = Terminal([sys.executable, "-c", program], 100, 30)
    try:
        terminal.wait_for(has(str(victim.pid), "job 42"))
        terminal.press("k")
        terminal.wait_for(has(f"SIGTERM to {victim.pid}"))
        terminal.press("n")
        terminal.wait_for(has("Nothing was signalled"))
        assert victim.poll() is None
        terminal.press("k")
        terminal.wait_for(has(f"SIGTERM to {victim.pid}"))
        terminal.press("y")
        assert victim.wait(30) == -15
    finally:
        terminal.close()
        victim.kill()
        victim.wait()


def test_a_pipe_gets_the_table_or_the_reason() -> None:
    """`top --gpu` in a pipe: lines of GPUs, then the table; on a machine without a driver the reason in its place."""
    text = bongsu("top", "--gpu", "--demo").stdout
    assert text.index("gpu0 ") < text.index("COMMAND") < text.index("job 48213")
    assert (
        bongsu("top", "--gpu", "--collector.disable-defaults")
        .stdout.rstrip()
        .endswith("the collector `gpu_process` is off: there are no processes on GPUs to show")
    )


def test_a_list_that_is_not_whole_says_so() -> None:
    """A GPU whose processes the driver may not tell has no empty table: why stands with it, and is no line of the screen's."""
    told, part = batch(on_gpu(5)), batch(on_gpu(5)).parts[0]
    refused = Absence(
        gpu_process.COUNT, ("7", "GPU-7"), Why.FORBIDDEN, Message("not\x1b[2J allowed"), Message("be root")
    )
    listing = Listing(Order(), on_gpus=True)
    listing.take(told)
    assert listing.lacking == ""
    listing.take(Batch(1000.0, 1.0, (msgspec.structs.replace(part, absences=(refused,)),)))
    assert len(listing) == 1
    assert listing.lacking.startswith("processes on GPU 7 cannot be listed: not")
    assert listing.lacking.endswith("allowed; be root")
    assert "\x1b" not in listing.lacking


def test_json_has_gpus_and_their_processes() -> None:
    """`top --json` tells GPUs, instances and processes with owners in base units, and that they are made up."""
    told = json.loads(bongsu("top", "--demo", "--json", "--filter", "vllm").stdout)
    assert told["demo"] is True
    assert [gpu["index"] for gpu in told["gpus"]] == [str(n) for n in range(8)]
    assert [gpu["stuck"] for gpu in told["gpus"]].index(True) == 5
    instances = ["7_1_0", "7_1_1", "7_7_0", "7_8_0", "7_9_0", "7_11_0", "7_12_0"]
    assert [one["index"] for one in told["gpus"][7]["instances"]] == instances
    [one] = told["gpu_processes"]
    assert (one["gpu"], one["owner"]["kind"], one["owner"]["namespace"]) == ("4", "pod", "inference")
    assert one["memory_bytes"] == 61000 * 2**20
    assert 12 * 86400 <= one["age_seconds"] < 12 * 86400 + 600
    assert told["time"] - one["start_time"] == pytest.approx(one["age_seconds"])


LAUNCHER = """
import os, signal, subprocess, sys, time
children = [subprocess.Popen(["sleep", "1000"]) for _ in range(2)]
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
print(*(child.pid for child in children), flush=True)
try:
    while True:
        time.sleep(0.1)
        for child in children:
            if child.returncode is None and child.poll() is not None:
                print("ended", child.pid, child.returncode, flush=True)
finally:
    for child in children:
        child.kill()
        child.wait()
"""


def test_real_processes_on_a_played_driver_are_drawn_and_signalled(fake_nvml: Callable[..., FakeNvml]) -> None:
    """Bars of use and memory, the tree with its launcher, owners, the visible GPUs only, and a signal after yes, in a terminal."""
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    try:
        first, second = map(int, launcher.stdout.readline().split())
        scenario = Scenario(
            devices=(Device(utilization=75.0, memory_mib=80000), Device(utilization=10.0, memory_mib=80000)),
            processes=(
                PlayedProcess(pid=first, on=(Use(gpu=0, memory_mib=40000, sm=60),)),
                PlayedProcess(pid=second, on=(Use(gpu=1, memory_mib=2000, sm=10),)),
            ),
        )  # fmt: skip
        library = fake_nvml(scenario).environment["LD_LIBRARY_PATH"]
        with top(
            "--gpu", "--interval", "0.3", columns=140, LD_LIBRARY_PATH=library, CUDA_VISIBLE_DEVICES="1"
        ) as terminal:
            text = terminal.wait_for(has("COMMAND", str(first), str(second), "75.0 %", "10.0 %"), 60.0)
            bars = {line[:4]: line.count("█") for line in text.splitlines() if line.startswith("gpu")}
            assert bars["gpu0"] > 3 * bars["gpu1"] > 0
            terminal.wait_for(lambda text: re.search(r"^gpu0 .*75\.0 % .*▆▆▆", text, re.MULTILINE))
            terminal.press("T")
            text = terminal.wait_for(has("└─sleep"))
            tree = [line.split() for line in text.splitlines() if "sleep" in line or str(launcher.pid) in line]
            assert [(line[0], int(line[1])) for line in tree] == [
                ("0", launcher.pid), ("0", first), ("1", launcher.pid), ("1", second),
            ]  # fmt: skip
            terminal.press("V")
            terminal.wait_for(
                lambda text: str(first) not in text and "gpu0" not in text and "CUDA_VISIBLE_DEVICES=1" in text
            )
            terminal.press("o")
            terminal.wait_for(has("GPUS", "OWNER"))
            terminal.press("k")
            terminal.wait_for(has("Enter shows those of this line"))
            terminal.press("\r")
            terminal.wait_for(has(str(second), "└─sleep", "Esc goes back"))
            terminal.press("\x1b[B")
            terminal.press("k")
            terminal.wait_for(has(f"SIGTERM to {second} sleep"))
            terminal.press("n")
            terminal.wait_for(has("Nothing was signalled"))
            os.kill(second, 0)
            terminal.press("k")
            terminal.wait_for(has(f"SIGTERM to {second} sleep"))
            terminal.press("y")
            terminal.wait_for(has(f"SIGTERM sent to {second}"))
            assert launcher.stdout.readline().split() == ["ended", str(second), "-15"]
            terminal.press("q")
            assert terminal.ended() == 0
    finally:
        launcher.terminate()
        launcher.wait()
        launcher.stdout.close()
