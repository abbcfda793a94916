"""Limits of a run: how they are written, and when they are crossed."""

from __future__ import annotations

import pytest

from bongsu.cli import run_limits
from bongsu.model.errors import BadInput
from bongsu.runs import quantities
from bongsu.runs.columns import SAMPLE
from bongsu.runs.thresholds import END, KINDS, RUN, Guard, Threshold, shown


@pytest.mark.parametrize(
    ("text", "value"),
    [("8GiB", 8 * 1024**3), ("8 gib", 8 * 1024**3), ("1.5MB", 1_500_000), ("10", 10), ("7k", 7000), (".5GiB", 2**29),
     ("1e3", 1000), ("8GiB/s", None), ("-1", None), ("nan", None), ("inf", None), ("", None), ("8 apples", None), ("0x10", None),
     ("\u0661", None)],
)  # fmt: skip
def test_a_size_is_a_number_with_a_unit(text: str, value: float | None) -> None:
    """B, kB, … are powers of 1000, KiB, … of 1024; anything else is no size."""
    assert quantities.size(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("10m", 600), ("90", 90), ("0.5s", 0.5), ("500ms", 0.5), ("2h", 7200), ("1d", 86400), ("5x", None), ("1e99", 1e99), ("m", None)],
)  # fmt: skip
def test_a_duration_is_a_number_with_a_unit(text: str, value: float | None) -> None:
    """Seconds unless it says otherwise."""
    assert quantities.seconds(text) == value


def test_each_limit_is_of_something_that_is_recorded() -> None:
    """What can be limited stands in a sample."""
    assert {kind.column for kind in KINDS.values()} <= set(SAMPLE)


def test_limits_are_taken_apart() -> None:
    """A maximum ends the program, an alert does what was asked."""
    found = run_limits.limits([("rss", "8GiB")], ["cpu > 250%", "write>50MB/s"], "notify 'a b' $HOME")
    argv = ("notify", "a b", "$HOME")
    assert found == (
        Threshold("rss", 8 * 1024**3, END), Threshold("cpu", 250.0, RUN, argv), Threshold("write", 50e6, RUN, argv),
    )  # fmt: skip
    assert run_limits.limits([], ["wall>10m"], "end") == (Threshold("wall", 600.0, END),)


@pytest.mark.parametrize("text", ["rss", "rss<1", "rss>", "rss>x", "colour>1", "processes>1.5", ">3"])
def test_a_limit_that_is_not_understood_is_refused(text: str) -> None:
    """The line holds what was given and what may be."""
    with pytest.raises(BadInput) as raised:
        run_limits.limits([], [text], "warn")
    assert text.split(">", maxsplit=1)[0] in str(raised.value)


def test_a_crossing_is_told_once_until_it_was_kept_again() -> None:
    """Above, above, below, above: two crossings; exactly the limit is none; not known is none."""
    guard = Guard((Threshold("rss", 100.0),))
    told = [
        len(list(guard.crossed({"at_seconds": at, "rss_bytes": value})))
        for at, value in enumerate([100, 101, 150, None, 150, 100, 101])
    ]
    assert told == [0, 1, 0, 0, 0, 0, 1]


def test_a_rate_is_between_two_samples() -> None:
    """CPU as percent of one CPU, bytes a second; the first sample has no rate."""
    guard = Guard((Threshold("cpu", 150.0), Threshold("read", 1000.0)))
    assert not list(guard.crossed({"at_seconds": 1.0, "cpu_seconds": 50.0, "read_bytes": 10**9}))
    crossed = list(guard.crossed({"at_seconds": 3.0, "cpu_seconds": 54.0, "read_bytes": 10**9 + 1000}))
    assert [(one.threshold.what, one.value) for one in crossed] == [("cpu", 200.0)]
    assert not list(guard.crossed({"at_seconds": 3.0, "cpu_seconds": 99.0, "read_bytes": None}))


def test_a_value_is_said_with_its_unit() -> None:
    """As a person reads it."""
    assert shown("rss", 9 * 1024**3) == "9 GiB"
    assert shown("read", 2048.0) == "2 KiB/s"
    assert shown("cpu", 250.0) == "250 %"
    assert shown("wall", 90.0) == "90 s"
    assert shown("processes", 3.0) == "3"
    assert shown("pss", 5 * 1024**5) == "5120 TiB"
