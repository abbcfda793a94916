"""What the page draws of a run's samples: panels over time, with the least and the most where a value stands for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from bongsu.boards.board import Unit
from bongsu.model.message import Message
from bongsu.model.run import Point, RunReport

Values = list[float | None]
Of = Callable[[Point], float | None]
_NONE = Message("it was not recorded in this run")


class _Line(NamedTuple):
    legend: Message
    of: Of
    adds_up: bool = False  # drawn as what is added per second
    ends_whole: bool = (
        False  # the last reading of a run has all that processes did which no reading met: that is no rate
    )


class _Panel(NamedTuple):
    name: str
    title: Message
    unit: Unit
    help: Message
    lines: tuple[_Line, ...]


_PANELS = (
    _Panel(
        "cpu", Message("CPU, in cores"), Unit.COUNT,
        Message("Of all its processes; what is known by name leaves out those that lived too short to be seen."),
        (
            _Line(Message("all"), lambda p: p.cpu_seconds, adds_up=True),
            _Line(Message("known by name"), lambda p: p.attributed_cpu_seconds, adds_up=True),
        ),
    ),
    _Panel(
        "memory", Message("Memory"), Unit.BYTES,
        Message("RSS counts shared pages once for each process, PSS divides them; PSS and USS are read less often."),
        (
            _Line(Message("RSS"), lambda p: p.rss_bytes), _Line(Message("PSS"), lambda p: p.pss_bytes),
            _Line(Message("USS"), lambda p: p.uss_bytes), _Line(Message("cgroup, heaps and stacks"), lambda p: p.cgroup_anon_bytes),
            _Line(Message("cgroup, with its page cache"), lambda p: p.cgroup_bytes),
        ),
    ),
    _Panel(
        "io", Message("Storage"), Unit.BYTES_PER_SECOND, Message("What went from and to storage."),
        (
            _Line(Message("reads"), lambda p: p.read_bytes, adds_up=True),
            _Line(Message("writes"), lambda p: p.write_bytes, adds_up=True),
        ),
    ),
    _Panel(
        "processes", Message("Processes"), Unit.COUNT, Message("Alive at each reading."),
        (_Line(Message("processes"), lambda p: p.processes), _Line(Message("threads"), lambda p: p.threads)),
    ),
    _Panel(
        "switches", Message("Context switches"), Unit.PER_SECOND,
        Message("Of processes that were seen. Voluntary: a thread waited for something. Involuntary: another one got its core."),
        (
            _Line(Message("voluntary"), lambda p: p.voluntary_switches, adds_up=True, ends_whole=True),
            _Line(Message("involuntary"), lambda p: p.involuntary_switches, adds_up=True, ends_whole=True),
        ),
    ),
)  # fmt: skip


def panels(report: RunReport, since: float, until: float, points: int) -> dict[str, Any]:
    """Panels of the run from one time to another, in seconds since its start: ``times`` (Unix s) and lines of values.

    At most about so many points; the first one outside at each side is there too, so that lines reach the edges.
    """
    begin = report.metadata.started
    samples = report.samples
    first = max(0, next((n for n, p in enumerate(samples) if p.at_seconds >= since), len(samples)) - 1)
    last = next((n for n, p in enumerate(samples) if p.at_seconds > until), len(samples) - 1) + 1
    shown = samples[first:last]
    parts = _parts([p.at_seconds for p in shown], points)
    times = [round(begin + shown[end - 1].at_seconds, 6) for _, end in parts]
    return {
        "times": times,
        "panels": [
            {
                "name": f"run-{panel.name}", "title": str(panel.title), "unit": panel.unit.value, "help": str(panel.help),
                "stacked": False, "top": None, "reason": str(_NONE),
                "series": [
                    {"key": str(place), "legend": str(line.legend), **_folded(values, first, parts)}
                    for place, line in enumerate(panel.lines)
                    for values in (_values(report, line),)
                    if any(value is not None for value in values)
                ],
            }
            for panel in _PANELS
        ],
    }  # fmt: skip


def _values(report: RunReport, line: _Line) -> Values:
    """One value for each sample; what adds up, as what was added per second since the one before that is known."""
    samples, interval = report.samples, report.metadata.interval_seconds
    known = [line.of(point) for point in samples]
    if not line.adds_up:
        return _held(known)
    if line.ends_whole and report.metadata.state == "ended" and len(known) > 1:
        known[-1] = None
    found: Values = [None] * len(known)
    places = [-1, *(n for n, value in enumerate(known) if value is not None)]
    for turn, (before, now) in enumerate(pairwise(places)):
        # The last reading may follow at once, with all that processes left behind: no rate of a thousandth of a second.
        if before >= 0 and samples[now].at_seconds - samples[before].at_seconds < interval / 2:
            before = places[turn - 1] if turn else -1  # noqa: PLW2901  the one before it
        value, past = known[now] or 0.0, (0.0 if before < 0 else known[before] or 0.0)
        seconds = samples[now].at_seconds - (0.0 if before < 0 else samples[before].at_seconds)
        rate = None if seconds <= 0 else max(0.0, value - past) / seconds  # fell: read from another place
        for place in range(places[turn] + 1, now + 1):
            found[place] = rate
    return found


def _held(known: Values) -> Values:
    """What is read less often than the rest holds until it is read again; nothing is said after its last reading."""
    last = next((n for n in reversed(range(len(known))) if known[n] is not None), -1)
    held: Values = []
    for place, value in enumerate(known):
        held.append(value if value is not None else held[-1] if held and place < last else None)
    return held


def _parts(times: Sequence[float], most: int) -> list[tuple[int, int]]:
    """Which samples each point stands for: one each, or all that lie in its part of the time."""
    if len(times) <= most:
        return [(n, n + 1) for n in range(len(times))]
    width = (times[-1] - times[0]) / most
    parts: list[tuple[int, int]] = []
    start, part = 0, 0
    for n, at in enumerate(times):
        place = min(most - 1, int((at - times[0]) / width)) if width > 0 else 0
        if place != part:
            parts.append((start, n))
            start, part = n, place
    parts.append((start, len(times)))
    return [(a, b) for a, b in parts if b > a]


def _folded(values: Values, first: int, parts: Sequence[tuple[int, int]]) -> dict[str, Values]:
    if all(end - start == 1 for start, end in parts):
        return {"values": [_brief(values[first + start]) for start, _ in parts]}
    means: Values = []
    lows: Values = []
    highs: Values = []
    for start, end in parts:
        known = [value for value in values[first + start : first + end] if value is not None]
        means.append(_brief(sum(known) / len(known)) if known else None)
        lows.append(_brief(min(known)) if known else None)
        highs.append(_brief(max(known)) if known else None)
    return {"values": means, "low": lows, "high": highs}


def _brief(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
