"""The kernel's clock steering, beside node_exporter's."""

from __future__ import annotations

from typing import NoReturn

import pytest

import node_exporter as ne
from bongsu.collectors.timex import TimexCollector
from bongsu.model.errors import NoData
from bongsu.sources import timex
from bongsu.sources.root import Machine


def test_equals_node_exporter_on_this_machine() -> None:
    """All 17 values of the same kernel; what drifts while nothing keeps the clock, within a thousandth."""
    with ne.serving(["timex"]) as scrape:
        collector = TimexCollector(Machine.at())
        assert ne.at_rest(lambda: ne.differences(scrape(), ne.ours([collector]), tolerance=1e-3)) == []
    assert len(ne.ours([collector]).values) == 17


def test_units_follow_the_kernels_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offset and jitter are nano- or microseconds as STA_NANO says, frequencies are 16-bit fractions of a millionth."""

    def fake(status: int, state: int) -> timex.Timex:
        def answer(reference: object) -> int:
            asked = reference._obj  # type: ignore[attr-defined]  # what ctypes.byref holds
            asked.status, asked.offset, asked.jitter, asked.freq, asked.tick = status, -2500, 70, -65536 * 12, 10000
            asked.maxerror, asked.esterror, asked.tai, asked.stabil = 1500, 16_000_000, 37, 65536
            return state

        monkeypatch.setattr(timex, "_adjtimex", answer)
        return timex.read()

    nano, micro = fake(0x2001, 0), fake(0x0041, 5)
    assert (nano.synchronized, micro.synchronized) == (True, False)
    assert (nano.offset, micro.offset) == (-2.5e-6, -2.5e-3)
    assert (nano.pps_jitter, micro.pps_jitter) == (7e-8, 7e-5)
    assert nano.frequency_ratio == 1 - 12e-6
    assert (nano.tick, nano.max_error, nano.estimated_error, nano.tai_offset) == (0.01, 0.0015, 16.0, 37)
    assert nano.pps_stability == 1e-6


def test_a_container_that_forbids_it_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """EPERM is no failure of the machine; the user reads what to permit."""

    def refuse() -> NoReturn:
        raise PermissionError(1, "Operation not permitted", "adjtimex")

    monkeypatch.setattr(timex, "read", refuse)
    with pytest.raises(NoData, match="adjtimex") as caught:
        list(TimexCollector(Machine.at()).collect())
    assert "seccomp" in str(caught.value.cure)
