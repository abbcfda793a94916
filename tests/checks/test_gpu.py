"""The checks of GPUs on looks made by hand: each fine, bad and not known, and what it rests on."""

from __future__ import annotations

import msgspec
import pytest

from bongsu.checks import xids
from bongsu.checks.contract import Check
from bongsu.checks.gpu import CHECKS
from bongsu.checks.gpu_readings import GpuReadings
from bongsu.checks.node import NODE
from bongsu.model.batch import Why
from bongsu.model.check import Evidence, Result, State
from bongsu.model.message import Message
from bongsu.sources.nvml.answers import NO_ANSWER, NO_BINDING, OURS
from bongsu.sources.nvml.reading import Gap, Gpu, Snapshot, Xid
from gpu_by_hand import LOST, TIME, UNSUPPORTED, UUIDS, Given, gpu, look

RESET = Gap(Why.LOST, "nvmlDeviceGetHandleByIndex_v2", "NVML_ERROR_RESET_REQUIRED")
FORBIDDEN = Gap(Why.FORBIDDEN, "nvmlInit", "NVML_ERROR_NO_PERMISSION")
BRAKES = {
    "hw_power_brake_slowdown": State.FAILED,
    "hw_thermal_slowdown": State.FAILED,
    "sw_thermal_slowdown": State.WARNING,
}
WELL: Given = {
    "gpu_recovery_action": 0.0, "gpu_ecc_mode": 1.0, "gpu_ecc_errors_total": 0.0, "gpu_row_remap_failed": 0.0,
    "gpu_row_remap_pending": 0.0, "gpu_retired_pages_pending": UNSUPPORTED, "gpu_clock_event_seconds_total": 7.0,
    ("gpu_temperature_celsius", "gpu"): 60.0, ("gpu_temperature_celsius", "memory"): 70.0,
    ("gpu_temperature_limit_celsius", "slowdown"): 92.0, ("gpu_temperature_limit_celsius", "memory"): 95.0,
    ("gpu_temperature_limit_celsius", "gpu"): 87.0, "gpu_utilization_ratio": 1.0, "gpu_sm_activity_ratio": 0.6,
}  # fmt: skip


def healthy(index: int = 0, given: Given | None = None) -> Gpu:
    return gpu(index, WELL | (given or {}))


def readings(
    *gpus: Gpu, before: tuple[Gpu, ...] | None = None, seconds: float = 1.0, expected: int = 0, **more: object
) -> GpuReadings:
    earlier = look(*((healthy(),) if before is None else before), time=TIME - seconds)
    return GpuReadings(before=earlier, now=look(*gpus, **more), expected=expected)


def named(name: str) -> Check[GpuReadings]:
    return next(check for check in CHECKS if check.name == name)


def judged(name: str, given: GpuReadings) -> list[Result]:
    return list(named(name).judge(given))


def one(name: str, **given: float | Gap) -> Result:
    """What a check says of a GPU with these figures; all others are well."""
    figures: Given = {tuple(key.split("__")): value for key, value in given.items()}
    plain: Given = {key[0] if len(key) == 1 else key: value for key, value in figures.items()}
    kept = {key: value for key, value in WELL.items() if key not in plain}
    (result,) = judged(name, readings(gpu(0, kept | plain)))
    return result


def state(name: str, **given: float | Gap) -> State:
    return one(name, **given).state


def test_a_well_gpu_is_well_in_all_but_what_nobody_can_know() -> None:
    """Each check answers ok for it, except that errors of before we listened are not known."""
    states = {check.name: {result.state for result in check.judge(readings(healthy(), expected=1))} for check in NODE}
    assert states.pop("xid") == {State.UNKNOWN}
    assert all(found == {State.OK} for found in states.values()), states


def test_every_check_is_told_apart_and_names_what_it_needs() -> None:
    """Names are unique, each says in a line what it asks, and the evidence holds only metrics that it needs."""
    assert len({check.name for check in NODE}) == len(NODE)
    for check in NODE:
        assert check.about
        for result in check.judge(readings(healthy(), expected=2, xids=(Xid(UUIDS[0], 79, 1, TIME),))):
            assert {item.metric for item in result.evidence} <= {spec.name for spec in check.needs}, check.name


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("recovery", "gpu_recovery_action"), ("ecc", "gpu_ecc_errors_total"), ("remap", "gpu_row_remap_failed"),
        ("temperature", "gpu_temperature_celsius__gpu"), ("throttle", "gpu_clock_event_seconds_total"),
        ("stuck", "gpu_utilization_ratio"), ("stuck", "gpu_sm_activity_ratio"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_not_known(name: str, figure: str) -> None:
    """A figure that the device does not give is no health: the answer is «not known», with the call that said so."""
    result = one(name, **{figure: UNSUPPORTED})
    assert result.state is State.UNKNOWN
    assert "NVML_ERROR_NOT_SUPPORTED" in str(result.message)


def test_recovery_says_what_the_driver_asks_for() -> None:
    """Every action but none is a failure, in words; one that we do not know keeps its number."""
    assert "reset the GPU" in str(one("recovery", gpu_recovery_action=1.0).message)
    reboot = one("recovery", gpu_recovery_action=2.0)
    assert reboot.state is State.FAILED
    assert "reboot" in str(reboot.cure)
    assert "42" in str(one("recovery", gpu_recovery_action=42.0).message)


def test_uncorrected_errors_count_since_the_driver_was_loaded() -> None:
    """New ones are a failure; old ones of the board's life are told and fine; corrected ones are nothing; without ECC nobody knows."""
    new = one("ecc", gpu_ecc_errors_total__uncorrected__volatile=2.0)
    assert new.state is State.FAILED
    assert Evidence("gpu_ecc_errors_total", ("uncorrected", "volatile"), 2.0) in new.evidence
    assert new.time == TIME
    old = one("ecc", gpu_ecc_errors_total__uncorrected__aggregate=5.0)
    assert (old.state, "5" in str(old.message)) == (State.OK, True)
    assert state("ecc", gpu_ecc_errors_total__corrected__volatile=900.0) is State.OK
    assert state("ecc", gpu_ecc_mode=0.0) is State.UNKNOWN


def test_memory_that_waits_to_be_replaced_is_a_failure() -> None:
    """Rows that wait or cannot be replaced, and before Ampere pages; an older GPU is fine without rows."""
    assert "exchanged" in str(one("remap", gpu_row_remap_failed=1.0, gpu_row_remap_pending=1.0).cure)
    assert state("remap", gpu_row_remap_pending=1.0) is State.FAILED
    old = {"gpu_row_remap_failed": UNSUPPORTED, "gpu_row_remap_pending": UNSUPPORTED}
    assert state("remap", **old, gpu_retired_pages_pending=1.0) is State.FAILED
    assert state("remap", **old, gpu_retired_pages_pending=0.0) is State.OK
    assert state("remap", gpu_row_remap_pending=UNSUPPORTED) is State.UNKNOWN


def test_temperatures_are_judged_by_the_devices_own_limits() -> None:
    """At the slowdown limit it fails, at the highest allowed at work, of die or memory, it warns; without a limit nobody knows."""
    assert state("temperature", gpu_temperature_celsius__gpu=91.0, gpu_temperature_limit_celsius__gpu=95.0) is State.OK
    assert state("temperature", gpu_temperature_celsius__gpu=92.0) is State.FAILED
    assert state("temperature", gpu_temperature_celsius__gpu=87.0) is State.WARNING
    assert state("temperature", gpu_temperature_celsius__memory=95.0) is State.WARNING
    assert state("temperature", gpu_temperature_limit_celsius__slowdown=UNSUPPORTED) is State.UNKNOWN


@pytest.mark.parametrize(("reason", "expected"), list(BRAKES.items()))
def test_being_held_back_is_told_by_the_time_counters(reason: str, expected: State) -> None:
    """A tenth of the time between the looks is told, a hundredth is not, and neither is what was before the first look."""
    for gained, wanted in ((0.2, expected), (0.02, State.OK), (0.0, State.OK)):
        now = healthy(given={("gpu_clock_event_seconds_total", reason): 7.0 + gained})
        (result,) = judged("throttle", readings(now, seconds=2.0))
        assert result.state is wanted, gained


def test_one_look_tells_no_share_of_time() -> None:
    """A GPU that was not there before, and a counter that began anew, give no answer."""
    (fresh,) = judged("throttle", readings(healthy(), before=()))
    (reset,) = judged("throttle", readings(healthy(given={"gpu_clock_event_seconds_total": 1.0})))
    assert fresh.state is reset.state is State.UNKNOWN


def test_the_power_budget_is_no_trouble() -> None:
    """A GPU at its power limit is one that works."""
    now = healthy(given={("gpu_clock_event_seconds_total", "sw_power_cap"): 8.0})
    assert judged("throttle", readings(now))[0].state is State.OK


def test_busy_without_work_is_stuck() -> None:
    """100 % utilisation with idle SMs warns; idle is no concern, even where SM activity is not told."""
    assert state("stuck", gpu_sm_activity_ratio=0.002) is State.WARNING
    assert state("stuck", gpu_sm_activity_ratio=0.01) is State.WARNING  # as `bongsu top` has it
    assert state("stuck", gpu_sm_activity_ratio=0.02) is State.OK
    assert state("stuck", gpu_utilization_ratio=0.0, gpu_sm_activity_ratio=0.0) is State.OK
    assert state("stuck", gpu_utilization_ratio=0.3, gpu_sm_activity_ratio=UNSUPPORTED) is State.OK


@pytest.mark.parametrize("gap", [LOST, RESET])
def test_a_gpu_that_does_not_answer_hides_no_other(gap: Gap) -> None:
    """It fails `present` with what helps; nothing else of it is known, and the other is judged."""
    given = readings(msgspec.structs.replace(healthy(0), failed=gap), healthy(1), before=(healthy(0), healthy(1)))
    lost, there = judged("present", given)
    assert (lost.state, lost.place, there.state, there.place) == (State.FAILED, "0", State.OK, "1")
    assert gap.error in str(lost.message)
    assert "reset" in str(lost.cure)
    for name in ("recovery", "ecc", "remap", "temperature", "throttle", "stuck"):
        assert [result.state for result in judged(name, given)] == [State.UNKNOWN, State.OK], name


def test_a_gpu_that_went_between_the_looks_is_missed() -> None:
    """The driver lists it no more: a failure with its index and UUID."""
    gone = judged("present", readings(healthy(0), before=(healthy(0), healthy(1))))[1]
    assert (gone.state, gone.place, gone.uuid) == (State.FAILED, "1", UUIDS[1])


def test_a_sleeping_gpu_is_not_judged() -> None:
    """A suspended GPU is there, counts as one, and how it is nobody knows."""
    given = readings(msgspec.structs.replace(healthy(), asleep=True), expected=1)
    assert {result.state for name in ("present", "ecc", "stuck") for result in judged(name, given)} == {State.UNKNOWN}


def test_fewer_than_expected_is_a_failure() -> None:
    """Those that answer are counted; more than expected is none, and no expectation is none."""
    lost = msgspec.structs.replace(healthy(1), failed=LOST)
    assert "1 of 2" in str(judged("present", readings(healthy(), lost, expected=2))[-1].message)
    for expected in (0, 1):
        assert all(r.state is State.OK for r in judged("present", readings(healthy(0), healthy(1), expected=expected)))


def test_an_xid_says_what_it_asks_for() -> None:
    """Known ones in words with their own state and cure, unknown ones with the way to their meaning; also of a lost GPU."""
    heard = (Xid(UUIDS[0], 79, 1, TIME), Xid(UUIDS[0], 31, 3, TIME), Xid("GPU-elsewhere", 4711, 1, TIME))
    given = readings(msgspec.structs.replace(healthy(), failed=LOST), xids=heard)
    bus, fault, strange = judged("xid", given)
    assert (bus.state, bus.place, "bus" in str(bus.message), "reboot" in str(bus.cure)) == (
        State.FAILED,
        "0",
        True,
        True,
    )
    assert (fault.state, "3 times" in str(fault.message)) == (State.WARNING, True)
    assert (strange.state, strange.place, "4711" in str(strange.message)) == (State.FAILED, "?", True)
    assert Evidence("gpu_xid_last_timestamp_seconds", ("79",), TIME) in bus.evidence
    assert all(str(meaning.what) and str(meaning.cure) for meaning in xids.MEANINGS.values())


def _without_driver(
    error: Gap, expected: int = 0, nothing: tuple[Message, Message | None] | None = None
) -> GpuReadings:
    none = Snapshot(time=TIME, error=error)
    return GpuReadings(before=none, now=none, expected=expected, nothing=nothing)


MISSING = Gap(Why.MISSING, "dlopen", "NVML_ERROR_LIBRARY_NOT_FOUND")
HAS_CARDS = (Message("no GPU driver for 8 NVIDIA"), Message("install it"))
NO_CARDS = (Message("no GPU here"), None)


@pytest.mark.parametrize(
    ("given", "driver", "present"),
    [
        (_without_driver(MISSING, nothing=HAS_CARDS), State.FAILED, State.UNKNOWN),
        (_without_driver(MISSING, nothing=NO_CARDS), State.UNKNOWN, State.UNKNOWN),
        (_without_driver(MISSING, nothing=NO_CARDS, expected=8), State.FAILED, State.FAILED),
        (_without_driver(Gap(Why.FAILED, "nvmlInit", OURS[NO_ANSWER])), State.FAILED, State.UNKNOWN),
        (_without_driver(FORBIDDEN, expected=8), State.UNKNOWN, State.UNKNOWN),
        (_without_driver(Gap(Why.MISSING, "import", OURS[NO_BINDING]), expected=8), State.UNKNOWN, State.UNKNOWN),
    ],
)
def test_a_driver_that_is_not_there_fails_and_what_we_may_not_ask_is_not_known(
    given: GpuReadings, driver: State, present: State
) -> None:
    """A missing or silent driver is the machine's fault where it has GPUs or should; our own lack of means never is."""
    (about_driver,) = judged("driver", given)
    (about_gpus,) = judged("present", given)
    assert (about_driver.state, about_gpus.state) == (driver, present)
    for name in ("recovery", "xid", "ecc", "remap", "temperature", "throttle", "stuck"):
        assert [result.state for result in judged(name, given)] == [State.UNKNOWN], name


def test_a_driver_that_hangs_fails_and_its_last_answer_is_not_taken_for_now() -> None:
    """The old look is well, and yet nothing but the driver is judged."""
    given = readings(healthy(), stale_seconds=60.0, finding=Message("hangs"))
    assert judged("driver", given)[0].state is State.FAILED
    for name in ("present", "recovery", "xid", "ecc", "remap", "temperature", "throttle", "stuck"):
        assert [result.state for result in judged(name, given)] == [State.UNKNOWN], name
    assert judged("driver", readings(healthy(), stale_seconds=0.5))[0].state is State.OK


def test_a_driver_without_gpus_is_not_fine() -> None:
    """A driver that lists none: nothing is known, and with an expectation it fails."""
    for check in CHECKS[1:]:
        assert State.OK not in {result.state for result in check.judge(readings(before=()))}, check.name
    assert judged("present", readings(before=(), expected=1))[0].state is State.FAILED
