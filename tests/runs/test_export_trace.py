"""The Trace Event JSON of a run: the fields that the format names, the numbers of the report, nothing invented."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import run_reports
from bongsu.model.run import RunReport
from bongsu.runs import export_trace

# What each kind of event must and may have (Trace Event Format, "Event Descriptions" and the section of each kind).
MUST = {
    "X": {"ph", "name", "cat", "ts", "dur", "pid", "tid", "args"},
    "C": {"ph", "name", "ts", "pid", "tid", "args"},
    "i": {"ph", "name", "cat", "ts", "pid", "tid", "s", "args"},
    "M": {"ph", "name", "pid", "tid", "args"},
}
NAMES = {"process_name": "name", "thread_name": "name", "process_sort_index": "sort_index"}


def made(report: RunReport) -> dict[str, Any]:
    """The document as a reader gets it."""
    document: dict[str, Any] = json.loads(export_trace.text(report))
    return document


def events(report: RunReport, kind: str) -> list[dict[str, Any]]:
    """Its events of a kind."""
    return [event for event in made(report)["traceEvents"] if event["ph"] == kind]


@pytest.mark.parametrize("make", run_reports.ALL, ids=lambda one: one.__name__)
def test_every_event_has_the_fields_of_its_kind(make: Callable[[], RunReport]) -> None:
    """Whole microseconds, numbers in counters, a scope at instants, known names of metadata."""
    document = made(make())
    assert document["displayTimeUnit"] in {"ms", "ns"}
    assert all(isinstance(value, str) for value in document["otherData"].values())
    for event in document["traceEvents"]:
        assert set(event) == MUST[event["ph"]], event
        assert isinstance(event["name"], str)
        assert event["name"]
        assert all(isinstance(event[key], int) for key in {"ts", "dur", "pid", "tid"} & event.keys())
        assert event.get("ts", 0) >= 0
        assert event.get("dur", 0) >= 0
        if event["ph"] == "C":
            assert event["args"]
            assert all(isinstance(value, int | float) for value in event["args"].values())
        if event["ph"] == "i":
            assert event["s"] in {"g", "p", "t"}
        if event["ph"] == "M":
            assert list(event["args"]) == [NAMES[event["name"]]]


def test_each_process_has_one_bar_on_a_row_of_its_own_name() -> None:
    """From its start to its end, with what is known of it."""
    report = run_reports.build()
    bars = events(report, "X")
    assert len(bars) == 3000
    one = next(bar for bar in bars if bar["args"]["pid"] == 100 + 1234)
    row = report.processes[1234]
    assert one["ts"] == round(row.start_seconds * 1e6)
    assert row.end_seconds is not None
    assert one["ts"] + one["dur"] == round(row.end_seconds * 1e6)
    assert one["args"]["exit_code"] == 1
    assert one["args"]["cpu_seconds"] == row.cpu_seconds
    names = {event["pid"]: event["args"]["name"] for event in events(report, "M") if event["name"] == "process_name"}
    assert names[100] == "make"
    assert Counter(names.values()) == {"make": 1, "cc1": 1000, "as": 1000, "sh": 999}


def test_a_number_given_twice_is_one_row_with_both_names() -> None:
    """Linux uses numbers again within a build of 32 768 processes; the bars follow one another on that row."""
    report = run_reports.sleeping()
    second = msgspec.structs.replace(
        report.processes[0], index=1, start_seconds=10.0, end_seconds=11.0, executable="true"
    )
    report = msgspec.structs.replace(report, processes=(*report.processes, second))
    assert [e["args"]["name"] for e in events(report, "M") if e["name"] == "process_name"] == ["sleep, then true"]
    assert [bar["tid"] for bar in events(report, "X")] == [100, 100]


def test_counters_hold_the_rate_until_the_next_sample_and_integrate_to_the_total() -> None:
    """The area under the CPU counter is the run's CPU time."""
    points = [e for e in events(run_reports.build(), "C") if e["name"] == "CPU (% of one)"]
    area = sum(a["args"]["busy"] / 100 * (b["ts"] - a["ts"]) / 1e6 for a, b in itertools.pairwise(points))
    assert area == pytest.approx(200.0)


def test_what_is_not_known_is_not_there() -> None:
    """No counter of zeros for what nobody read, no exit code for one that lives."""
    assert events(run_reports.unknown(), "C") == []
    (bar,) = events(run_reports.running(), "X")
    assert "exit_code" not in bar["args"]
    assert bar["args"]["end"] == "lived when the record ended"
    (bar,) = events(run_reports.attached(), "X")
    assert bar["ts"] == 0
    assert bar["args"]["began_before_seconds"] == 86400


def test_functions_and_events_are_in_it() -> None:
    """Functions stand with the first process, events as marks over all rows."""
    first = events(run_reports.training(), "X")[0]
    assert first["args"]["functions"]["load"]["calls"] == 9004
    marks = events(run_reports.training(), "i")
    assert [(mark["name"], mark["ts"], mark["s"]) for mark in marks] == [
        ("threshold", 1200_000_000, "g"),
        ("stop", 2400_000_000, "g"),
    ]


def test_bytes_that_are_not_text_become_text() -> None:
    """A reader of UTF-8 can read all of it."""
    text = export_trace.text(run_reports.hostile())
    assert text.isascii()
    assert "\\udc" not in text


def test_many_in_one_bar_are_counted_and_have_a_row_of_their_own() -> None:
    """No process number is made up for them that another could have."""
    first, many = events(run_reports.crowded(), "X")
    assert many["name"] == "true (50000 short processes)"
    assert (many["args"]["processes"], many["args"]["lived_seconds_in_sum"]) == (50_000, 40.0)
    assert "pid" not in many["args"]
    assert many["pid"] > 4_194_304
    assert "processes" not in first["args"]
