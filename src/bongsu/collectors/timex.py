"""How the kernel steers its clock, and whether anything keeps it right."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources import timex
from bongsu.sources.root import Machine


def _gauge(name: str, text: str, unit: str = "") -> MetricSpec:
    return MetricSpec(name, Kind.GAUGE, text, (), unit, Vocabulary.NODE_EXPORTER)


def _counter(name: str, text: str) -> MetricSpec:
    return MetricSpec(name, Kind.COUNTER, text, vocabulary=Vocabulary.NODE_EXPORTER)


SYNC_STATUS = _gauge("node_timex_sync_status", "1 if something keeps the clock right, 0 if nothing does.")
OFFSET = _gauge("node_timex_offset_seconds", "How far the clock still has to be moved.", "seconds")
FREQUENCY = _gauge(
    "node_timex_frequency_adjustment_ratio", "How much faster or slower than its own pace the clock is made to run.",
    "ratio",
)  # fmt: skip
MAX_ERROR = _gauge("node_timex_maxerror_seconds", "The most by which the clock may be wrong.", "seconds")
ESTIMATED_ERROR = _gauge("node_timex_estimated_error_seconds", "By how much the clock is thought wrong.", "seconds")
STATUS = _gauge("node_timex_status", "The STA_ bits of adjtimex(2), as a number.")
TIME_CONSTANT = _gauge("node_timex_loop_time_constant", "How slowly the clock follows corrections.")
TICK = _gauge("node_timex_tick_seconds", "Time between two ticks of the clock.", "seconds")
PPS_FREQUENCY = _gauge("node_timex_pps_frequency_hertz", "Correction learned from a pulse per second.", "hertz")
PPS_JITTER = _gauge("node_timex_pps_jitter_seconds", "How unevenly the pulses come.", "seconds")
PPS_SHIFT = _gauge("node_timex_pps_shift_seconds", "Logarithm (base 2) of the seconds over which pulses are averaged.")
PPS_STABILITY = _gauge("node_timex_pps_stability_hertz", "How much that correction wanders.", "hertz")
PPS_JITTERS = _counter("node_timex_pps_jitter_total", "Pulses that came too unevenly.")
PPS_CALIBRATIONS = _counter("node_timex_pps_calibration_total", "Times that the pulses were averaged.")
PPS_ERRORS = _counter("node_timex_pps_error_total", "Averages of pulses that failed.")
PPS_STABILITY_EXCEEDED = _counter(
    "node_timex_pps_stability_exceeded_total", "Times that the correction wandered too far."
)
TAI_OFFSET = _gauge("node_timex_tai_offset_seconds", "International Atomic Time minus UTC, if set.", "seconds")


class TimexCollector:
    """How the kernel steers its clock, and whether it is kept right (NTP, chrony)."""

    name = "timex"
    # In the order of timex.Timex.
    specs = (
        SYNC_STATUS, OFFSET, FREQUENCY, MAX_ERROR, ESTIMATED_ERROR, STATUS, TIME_CONSTANT, TICK, PPS_FREQUENCY,
        PPS_JITTER, PPS_SHIFT, PPS_STABILITY, PPS_JITTERS, PPS_CALIBRATIONS, PPS_ERRORS, PPS_STABILITY_EXCEEDED,
        TAI_OFFSET,
    )  # fmt: skip
    may_block = False
    on_by_default = True

    def __init__(self, machine: Machine) -> None:
        pass  # the clock is that of the kernel which runs us, whatever tree is read

    def collect(self) -> Iterator[Sample]:
        """A sample for each value of adjtimex(2)."""
        try:
            reading = timex.read()
        except PermissionError:
            raise NoData(
                Message("this process may not ask for the clock's state (adjtimex)"),
                Message("let the container's seccomp profile permit adjtimex"),
            ) from None
        for spec, value in zip(self.specs, reading, strict=True):
            yield Sample(spec, (), int(value) if spec is SYNC_STATUS else value)
