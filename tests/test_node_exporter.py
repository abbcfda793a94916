"""This machine, read by node_exporter's default collectors and by ours: the same names, labels, types and values."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import node_exporter as ne
from bongsu.collectors import COLLECTORS
from bongsu.collectors.cpu import CpuCollector
from bongsu.collectors.left_out import LEFT_OUT
from bongsu.model import health
from bongsu.model.metric import Vocabulary
from bongsu.sources.root import Machine

ALSO = ["interrupts", "meminfo_numa", "processes", "tcpstat"]  # off by default there
FLAGS = ["--collector.cpu.info"]

# A series for each state in which some process is at the moment: whoever reads is running, when it reads.
COMES_AND_GOES = re.compile("node_processes(_threads)?_state")
# What moves between the two readings, a second apart, or is about the reader itself.
MOVING = (
    "node_(cpu|disk|network|netstat|vmstat|schedstat|softnet|pressure|memory|sockstat|load|context|intr|forks|interrupts|"
    "procs|processes|time_seconds|timex|filefd|filesystem|entropy|thermal|hwmon|cpu_scaling|tcp|udp|rapl|textfile|arp|nf)"
)

# A state is listed while a socket is in it, as the one that asks node_exporter is; and node_exporter counts a
# listener's backlog as queued bytes. Both are held together in tests/collectors/test_tcpstat.py.
ELSEWHERE = "node_tcp_connection_states"


def _default_collectors_there() -> set[str]:
    text = subprocess.run([ne.PROGRAM, "--help"], capture_output=True, text=True, check=False)
    words = " ".join((text.stdout + text.stderr).split())
    found = set()
    for part in words.split("--collector.")[1:]:
        name = part.split(" ", 1)[0]
        if "(default: enabled)" in part.split("--")[0]:
            found.add(name)
    return found


def _all_ours() -> ne.Exposed:
    machine = Machine.at()
    return ne.ours([CpuCollector(machine, info=True) if c is CpuCollector else c(machine) for c in COLLECTORS])


def test_every_default_collector_is_ours_or_left_out_with_a_reason() -> None:
    """Nothing that node_exporter collects by default is forgotten in silence."""
    names = {collector.name for collector in COLLECTORS}
    theirs = _default_collectors_there()
    assert len(theirs) > 30
    assert theirs - names - LEFT_OUT.keys() == set()
    assert LEFT_OUT.keys() - theirs == set(), "only defaults are listed as left out"


def test_this_machine_has_the_same_series() -> None:
    """Same names, labels and types; values equal where they stand still, and within a tenth where they move.

    What moved further, or appeared between the two readings, does so in one of many rounds, not in all.
    """
    shared = sorted({c.name for c in COLLECTORS} & (_default_collectors_there() | set(ALSO)))
    own = {
        spec.name
        for collector in COLLECTORS
        for spec in collector.specs
        if hasattr(spec, "name") and spec.vocabulary is not Vocabulary.NODE_EXPORTER
    }
    lasting: dict[str, str] | None = None
    with ne.serving(shared, FLAGS) as scrape:
        for _ in range(30):
            found = {
                line.split(" theirs ")[0].split("} ")[0]: line
                for line in ne.differences(scrape(), _all_ours())
                if not (line.startswith("value: ") and _moves(line))
                and not (line.startswith("extra: ") and _name(line) in own)
                and _name(line) != ELSEWHERE
                and not COMES_AND_GOES.fullmatch(_name(line))
            }
            lasting = found if lasting is None else {key: line for key, line in found.items() if key in lasting}
            if not lasting:
                return
    assert lasting == {}


def _name(line: str) -> str:
    return line.split(": ", 1)[1].split("{", 1)[0]


def _moves(line: str) -> bool:
    """Whether a value differs by no more than moving values may: a tenth, or a hundred of a small count."""
    match = re.search(r"theirs (\S+) ours (\S+)$", line)
    assert match
    there, here = float(match[1]), float(match[2])
    return re.match(MOVING, _name(line)) is not None and abs(there - here) <= max(0.1 * abs(there), 100)


@pytest.mark.parametrize("extra", [ALSO], ids=["with the collectors that the dashboard asks to turn on"])
def test_dashboard_1860_finds_here_what_it_finds_at_node_exporter(extra: list[str]) -> None:
    """Each metric name that the dashboard queries and node_exporter exports on this machine is exported by us."""
    lines = (Path(__file__).parent / "fixtures" / "dashboard_1860.txt").read_text().splitlines()
    queried = {line for line in lines if line and not line.startswith("#")}
    assert len(queried) == 206
    theirs = ne.scrape([*sorted(_default_collectors_there() - {"systemd"}), *extra], FLAGS)
    mine = _all_ours()
    served = {name for name, _ in mine.values} | {spec.name for spec in health.SPECS}
    expected = queried & {name for name, _ in theirs.values}
    assert len(expected) > 100
    assert sorted(expected - served) == []
