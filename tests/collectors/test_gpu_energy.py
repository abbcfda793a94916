"""Energy of a device, shared among its processes."""

from __future__ import annotations

import pytest

from bongsu.collectors.gpu_energy import IDLE, SM_SHARE, SOLE, UNKNOWN, Energy
from bongsu.collectors.gpu_member import Member, Unit
from bongsu.model.batch import Why
from bongsu.model.owner import Owner, OwnerKind
from bongsu.sources.nvml.reading import Gap
from gpu_looks import UNSUPPORTED, device, look, process, uuid

NOBODY = Owner(OwnerKind.UNKNOWN, "")
LOST = Gap(Why.LOST, "nvmlDeviceGetComputeRunningProcesses_v3", "NVML_ERROR_GPU_IS_LOST")


def member(pid: int, sm: float | Gap = 0.5, on: str = "0") -> Member:
    """A process on the first device, or on an instance of it."""
    return Member(process(pid, sm=sm), Unit(on, uuid(0), uuid(0), None), (pid, pid * 10), None, NOBODY, "")


class Meter:
    """The energy of one device, look after look."""

    def __init__(self) -> None:
        self.energy = Energy()

    def look(self, at: float, joules: float | Gap, *members: Member, listed: bool = True) -> None:
        gaps = () if listed else ((uuid(0), LOST),)
        self.energy.take(look((device(energy=joules),), at=at, processes_gaps=gaps), members)

    def of(self, pid: int) -> dict[str, float]:
        return self.energy.of_process.get((uuid(0), (pid, pid * 10)), {})

    def rest(self) -> tuple[float, float]:
        """Idle and unknown."""
        found = self.energy.unattributed[uuid(0)]
        return found[IDLE], found[UNKNOWN]


@pytest.fixture
def meter() -> Meter:
    """A device that nobody has looked at."""
    return Meter()


def test_the_only_process_has_all(meter: Meter) -> None:
    """What was used before the first look is nobody's; then all goes to the one process, though it computes half the time."""
    meter.look(1, 1000, member(1))
    assert meter.of(1) == {}
    meter.look(2, 1300, member(1))
    meter.look(3, 1400, member(1))
    assert meter.of(1) == {SOLE: 400}
    assert meter.rest() == (0, 0)


def test_several_share_by_what_they_compute(meter: Meter) -> None:
    """Each has its share of time, and the time in which no kernel ran is idle: nothing is lost or made."""
    meter.look(1, 0, member(1, 0.5), member(2, 0.3))
    meter.look(2, 1000, member(1, 0.5), member(2, 0.3))
    assert meter.of(1) == {SM_SHARE: 500}
    assert meter.of(2) == {SM_SHARE: pytest.approx(300)}
    assert sum(meter.rest()) == pytest.approx(200)
    meter.look(3, 2000, member(1, 0.9), member(2, 0.6))  # of different moments, so more than all
    assert meter.of(1)[SM_SHARE] == pytest.approx(500 + 600)
    assert meter.of(2)[SM_SHARE] == pytest.approx(300 + 400)
    assert sum(meter.rest()) == pytest.approx(200)


def test_a_process_on_two_instances_is_one(meter: Meter) -> None:
    """It is the only process of the device, so that all is its, though use is not told on MIG."""
    both = member(1, UNSUPPORTED, "0_1_0"), member(1, UNSUPPORTED, "0_2_0")
    meter.look(1, 0, *both)
    meter.look(2, 50, *both)
    assert meter.of(1) == {SOLE: 50}


def test_without_a_process_it_is_idle(meter: Meter) -> None:
    """A device with nobody on it uses energy too."""
    meter.look(1, 0)
    meter.look(2, 70)
    assert meter.rest() == (70, 0)


def test_what_nobody_can_say_is_unknown(meter: Meter) -> None:
    """Processes that came or went, use that is not told, processes that cannot be listed, a long time unseen."""
    meter.look(1, 0, member(1, 0.4))
    meter.look(2, 100, member(1, 0.4), member(2, 0.4))  # 2 came: it may have been there for a moment
    assert meter.of(1) == {SM_SHARE: 40}
    assert meter.of(2) == {}
    assert meter.rest() == (0, 60)
    meter.look(3, 200, member(1, UNSUPPORTED), member(2, UNSUPPORTED))
    assert meter.rest() == (0, 160)
    meter.look(4, 300, listed=False)
    assert meter.rest() == (0, 260)
    assert meter.of(1) == {SM_SHARE: 40}  # it may be there still
    meter.look(5, 400, member(1))
    assert meter.rest() == (0, 360)
    meter.look(1000, 500, member(1))
    assert meter.rest() == (0, 460)


def test_the_same_look_twice_counts_once(meter: Meter) -> None:
    """While the driver hangs the old look comes again: nothing is used in it."""
    meter.look(1, 0, member(1))
    meter.look(2, 100, member(1))
    meter.look(2, 100, member(1))
    assert meter.of(1) == {SOLE: 100}
    assert meter.energy.gains == []


def test_a_counter_that_begins_anew_takes_nothing_away(meter: Meter) -> None:
    """The driver counts from its loading: after a reload the counter is lower, and counting goes on from there."""
    meter.look(1, 1000, member(1))
    meter.look(2, 1100, member(1))
    meter.look(3, 5, member(1))
    meter.look(4, 25, member(1))
    assert meter.of(1) == {SOLE: 120}


def test_a_device_that_does_not_count(meter: Meter) -> None:
    """No energy of anybody, not zero."""
    meter.look(1, UNSUPPORTED, member(1))
    meter.look(2, UNSUPPORTED, member(1))
    assert meter.of(1) == {}
    assert meter.energy.unattributed == {}


def test_one_that_has_ended_is_forgotten(meter: Meter) -> None:
    """A later process of its number begins at nothing."""
    meter.look(1, 0, member(1))
    meter.look(2, 100, member(1))
    meter.look(3, 200)
    assert meter.energy.of_process == {}


def test_a_clock_that_is_set_back_stops_nothing(meter: Meter) -> None:
    """What was used across the step is unknown; from then on it is shared as ever, not once the old time has come again."""
    meter.look(5000, 0, member(1))
    meter.look(5002, 100, member(1))
    meter.look(1400, 250, member(1))
    assert (meter.of(1), meter.rest()) == ({SOLE: 100}, (0, 150))
    meter.look(1402, 260, member(1))
    assert (meter.of(1), meter.rest()) == ({SOLE: 110}, (0, 150))


def test_a_look_that_leaves_a_device_out_loses_nothing_of_it(meter: Meter) -> None:
    """After a reload with other devices, one last look of those of before comes between: all that was used is told."""
    both = member(1), Member(process(2, 1), Unit("1", uuid(1), uuid(1), None), (2, 20), None, NOBODY, "")
    other = (uuid(1), (2, 20))

    def look_at_both(at: float, joules: float) -> None:
        meter.energy.take(look((device(energy=joules), device(1, energy=joules)), at=at), both)

    look_at_both(1, 0)
    look_at_both(2, 100)
    meter.look(3, 130, both[0])
    assert meter.energy.of_process[other] == {SOLE: 100}
    look_at_both(3, 130)  # the same look, of which the other device was not counted yet
    assert meter.energy.of_process[other] == {SOLE: 130}
    meter.look(4, 150, both[0])
    look_at_both(5, 170)
    assert meter.energy.of_process[other] == {SOLE: 170}
    assert meter.of(1) == {SOLE: 170}


def test_a_counter_that_cannot_be_read_for_a_while_loses_nothing(meter: Meter) -> None:
    """What was used meanwhile is told as soon as it can be read again, and as nobody's: who was there was not followed."""
    meter.look(1, 0, member(1))
    meter.look(2, LOST, member(1))
    meter.look(3, 100, member(1))
    assert (meter.of(1), meter.rest()) == ({}, (0, 100))
    meter.look(4, 150, member(1))
    assert (meter.of(1), meter.rest()) == ({SOLE: 50}, (0, 100))
