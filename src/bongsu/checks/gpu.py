"""Whether the GPUs of a machine are healthy: there, answering, with sound memory, cool, not held back, and at work when busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bongsu.checks import xids
from bongsu.checks.contract import Check
from bongsu.checks.gpu_readings import SUBJECT, GpuReadings, OneGpu
from bongsu.collectors import gpu_values as specs
from bongsu.collectors.gpu_gaps import cure, reason
from bongsu.model.batch import Why
from bongsu.model.check import Evidence, Result, State
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.sources.nvml.answers import NO_BINDING, NOT_THIS_MACHINE, OTHER_BINDING, OURS
from bongsu.sources.nvml.reading import Gap

FRESH = 5.0  # s; ours: an older look says nothing of now, as for the collector gpu
HELD_BACK = 0.05  # of the time between the looks; ours: less is lost in what runs differ by anyway
_OURS = frozenset({OURS[NO_BINDING], OURS[OTHER_BINDING], OURS[NOT_THIS_MACHINE]})  # the fault is not the machine's
_LOGS = Message(
    "`dmesg | grep -i -e nvrm -e xid` may say why; a driver that hangs needs a reset of the GPU or a reboot"
)
_OTHERS = Message("see `nvidia-smi -L`, `lspci -d 10de:` and dmesg for the others")
_COOL = Message("look at fans, filters, room temperature and the GPUs beside it")
_RESET = Message("end what runs on it, then `nvidia-smi --gpu-reset -i GPU`, or reboot")
_EXCHANGE = Message("take it out of service: the board is to be exchanged")


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver as a whole."""

    name = "driver"
    about = "the driver is there and answers"
    needs = (specs.SOURCE_UP, specs.SOURCE_STALE)

    def judge(self, readings: GpuReadings) -> Iterator[Result]:
        """Missing on a machine that has GPUs, failing or hanging is failed; what we may not ask is not known."""
        now = readings.now
        if now.error is not None:
            found, helps = readings.nothing or (now.finding or reason(now.error), now.cure or cure(now.error))
            ours = _ours(now.error)
            none_here = readings.nothing is not None and helps is None and not readings.expected
            state = State.UNKNOWN if ours or none_here else State.FAILED
            yield _whole(self.name, readings, state, found, helps)
        elif now.stale_seconds > FRESH:
            found = now.finding or Message("the driver has not answered for {seconds:.0f} s", seconds=now.stale_seconds)
            yield _whole(self.name, readings, State.FAILED, found, now.cure or _LOGS)
        else:
            yield _whole(
                self.name, readings, State.OK, Message("answers: version {version}", version=now.driver_version or "?")
            )


@dataclass(frozen=True, slots=True)
class Present:
    """As many GPUs as there should be, each answering."""

    name = "present"
    about = "each GPU answers, and none is missing"
    needs = (specs.UP, specs.EXPECTED)

    def judge(self, readings: GpuReadings) -> Iterator[Result]:
        """A GPU that is lost, waits for a reset or went between the looks is failed, and so are fewer than expected."""
        now = readings.now
        expected = Evidence(specs.EXPECTED.name, (), readings.expected)
        if (because := _blind(readings)) is not None:
            if readings.expected and now.error is not None and not _ours(now.error):
                none = Message("none of {expected} GPUs answers", expected=readings.expected)
                yield _whole(self.name, readings, State.FAILED, none, _OTHERS, expected)
            else:
                yield _whole(self.name, readings, State.UNKNOWN, because)
            return
        for gpu in now.gpus:
            one = OneGpu(self.name, readings, gpu)
            if gpu.failed is not None:
                yield one.result(State.FAILED, reason(gpu.failed), cure(gpu.failed) or _LOGS)
            elif gpu.asleep:
                yield one.result(State.UNKNOWN, Message("suspended, and not woken to be read"))
            else:
                yield one.result(State.OK, Message("answers"))
        here = {gpu.uuid for gpu in now.gpus}
        for gpu in readings.before.gpus:
            if gpu.uuid not in here:
                yield OneGpu(self.name, readings, gpu).result(
                    State.FAILED, Message("the driver no longer lists this GPU"), _LOGS
                )
        answering = sum(gpu.failed is None for gpu in now.gpus)
        if answering < readings.expected:
            message = Message("{answering} of {expected} GPUs answer", answering=answering, expected=readings.expected)
            yield _whole(self.name, readings, State.FAILED, message, _OTHERS, expected)
        elif not now.gpus:
            yield _whole(
                self.name, readings, State.UNKNOWN, Message("NVIDIA's driver is here and lists no GPU"), _OTHERS
            )


@dataclass(frozen=True, slots=True)
class Xids:
    """Errors that the driver told of while we listened."""

    name = "xid"
    about = "the driver tells of no error (XID)"
    needs = (specs.XID_ERRORS, specs.XID_LAST)

    def judge(self, readings: GpuReadings) -> Iterator[Result]:
        """Each kind of error on each GPU. Hearing none in a moment's listening is no health: it is not known."""
        index = {gpu.uuid: str(gpu.index) for gpu in readings.now.gpus}
        for xid in readings.now.xids:
            meaning = xids.MEANINGS.get(xid.xid, xids.OTHER)
            yield Result(
                check=self.name, subject=SUBJECT, place=index.get(xid.uuid, "?"), uuid=xid.uuid, state=meaning.state,
                message=Message("XID {xid}, {count} times: {what}", xid=xid.xid, count=xid.count, what=meaning.what)
                if xid.count > 1 else Message("XID {xid}: {what}", xid=xid.xid, what=meaning.what),
                cure=meaning.cure, time=readings.now.time,
                evidence=(
                    Evidence(specs.XID_ERRORS.name, (str(xid.xid),), xid.count),
                    Evidence(specs.XID_LAST.name, (str(xid.xid),), xid.last_time),
                ),
            )  # fmt: skip
        if (because := _blind(readings)) is not None:
            yield _whole(self.name, readings, State.UNKNOWN, because)
        elif not readings.now.xids:
            yield _whole(
                self.name, readings, State.UNKNOWN, Message("none while this check listened; earlier ones are not known"),
                Message("`dmesg | grep -i xid` has them; a running `bongsu agent` counts them (gpu_xid_errors_total)"),
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class EachGpu:
    """A check that asks each GPU that answers the same thing."""

    name: str
    about: str
    needs: tuple[MetricSpec, ...]
    of: Callable[[OneGpu], Iterator[Result]]

    def judge(self, readings: GpuReadings) -> Iterator[Result]:
        """One result or more for each GPU."""
        if (because := _blind(readings)) is not None or not readings.now.gpus:
            yield _whole(self.name, readings, State.UNKNOWN, because or Message("no GPU is listed"))
            return
        for gpu in readings.now.gpus:
            one = OneGpu(self.name, readings, gpu)
            if gpu.failed is not None:
                yield one.result(State.UNKNOWN, Message("the GPU does not answer"))
            elif gpu.asleep:
                yield one.result(State.UNKNOWN, Message("suspended, and not woken to be read"))
            else:
                yield from self.of(one)


def _recovery(one: OneGpu) -> Iterator[Result]:
    wanted = one.figure(specs.RECOVERY_ACTION)
    if wanted is None or isinstance(wanted, Gap):
        yield one.unknown(wanted)
    elif wanted == 0:
        yield one.result(State.OK, Message("nothing to be done"))
    else:
        what = _ACTIONS.get(int(wanted), Message("action {number}, which we do not know", number=int(wanted)))
        yield one.result(
            State.FAILED, Message("the driver asks for it: {what}", what=what), _RECOVER.get(int(wanted), _RESET)
        )


# nvmlDeviceGpuRecoveryAction_t of nvml.h
_ACTIONS = {
    1: Message("reset the GPU"),
    2: Message("reboot the machine"),
    3: Message("end what uses it together with other GPUs"),
    4: Message("end what uses it together with other GPUs, then reset it"),
    5: Message("recover the IMEX domain"),
    6: Message("reset its PCIe bus"),
    7: Message("reboot the whole system"),
}
_REBOOT = Message("move its work elsewhere and reboot")
_RECOVER = {
    2: _REBOOT,
    3: Message("end the programs that use it and its peers, and look again"),
    5: Message("see the state of nvidia-imex on all machines of the domain"),
    6: _REBOOT,
    7: _REBOOT,
}


def _ecc(one: OneGpu) -> Iterator[Result]:
    fresh = one.figure(specs.ECC_ERRORS, "uncorrected", "volatile")
    ever = one.number(specs.ECC_ERRORS, "uncorrected", "aggregate")
    if one.number(specs.ECC_MODE) == 0:
        yield one.result(State.UNKNOWN, Message("ECC is off: memory errors are neither corrected nor counted"),
                         Message("`nvidia-smi -e 1` turns it on from the next reset"))  # fmt: skip
    elif fresh is None or isinstance(fresh, Gap):
        yield one.unknown(fresh)
    elif fresh > 0:
        yield one.result(
            State.FAILED,
            Message("uncorrected memory errors since the driver was loaded: {count:.0f}", count=fresh),
            Message("end what runs on it and reset it; if they come back, the board is to be exchanged"),
        )
    elif ever:
        yield one.result(
            State.OK, Message("no uncorrected error since the driver was loaded; in its life {count:.0f}", count=ever)
        )
    else:
        yield one.result(State.OK, Message("no uncorrected error since the driver was loaded"))


def _spare_memory(one: OneGpu) -> Iterator[Result]:
    failed, pending = one.figure(specs.ROW_REMAP_FAILED), one.figure(specs.ROW_REMAP_PENDING)
    retiring = one.figure(specs.RETIRED_PAGES_PENDING)  # what Volta and Turing have in its place
    if failed == 1:
        yield one.result(State.FAILED, Message("a row of memory could not be replaced"), _EXCHANGE)
    elif pending == 1:
        yield one.result(State.FAILED, Message("a row of memory waits to be replaced at the next reset"), _RESET)
    elif retiring == 1:
        yield one.result(State.FAILED, Message("pages of memory wait to be given up at the next restart"), _RESET)
    elif (failed == 0 and pending == 0) or retiring == 0:
        yield one.result(State.OK, Message("no memory waits to be replaced"))
    else:
        yield one.unknown(failed, pending, retiring)


def _temperature(one: OneGpu) -> Iterator[Result]:
    found = one.figure(specs.TEMPERATURE, "gpu")
    slowdown = one.figure(specs.TEMPERATURE_LIMIT, "slowdown")
    memory, memory_most = one.number(specs.TEMPERATURE, "memory"), one.number(specs.TEMPERATURE_LIMIT, "memory")
    most = one.number(specs.TEMPERATURE_LIMIT, "gpu")
    if isinstance(found, float | int) and isinstance(slowdown, float | int) and found >= slowdown:
        yield one.result(
            State.FAILED,
            Message("{celsius:.0f} °C: at {limit:.0f} °C it slows down", celsius=found, limit=slowdown),
            _COOL,
        )
    elif memory is not None and memory_most is not None and memory >= memory_most:
        yield one.result(
            State.WARNING,
            Message(
                "its memory has {celsius:.0f} °C, at most {limit:.0f} °C is allowed", celsius=memory, limit=memory_most
            ),
            _COOL,
        )
    elif isinstance(found, float | int) and most is not None and found >= most:
        yield one.result(
            State.WARNING,
            Message("{celsius:.0f} °C, at most {limit:.0f} °C is allowed at work", celsius=found, limit=most),
            _COOL,
        )
    elif isinstance(found, float | int) and isinstance(slowdown, float | int):
        yield one.result(State.OK, Message("below its limits"))
    else:
        yield one.unknown(found, slowdown)


def _throttle(one: OneGpu) -> Iterator[Result]:
    known = 0
    for kind, state, what, helps in _BRAKES:
        share = None
        if (gained := one.gained(specs.CLOCK_EVENT_SECONDS, kind)) is not None:
            share = gained / one.window
            known += 1
        if share is not None and share >= HELD_BACK:
            yield one.result(
                state, Message("{what} {percent:.0f} % of the time", what=what, percent=min(share, 1) * 100), helps
            )
            return
    if known == len(_BRAKES):
        yield one.result(State.OK, Message("not held back by heat or power supply"))
    else:
        yield one.unknown(*(one.figure(specs.CLOCK_EVENT_SECONDS, kind) for kind, *_ in _BRAKES))


_BRAKES = (
    (
        "hw_power_brake_slowdown", State.FAILED, Message("the power supply made it slow down"),
        Message("look at the power supplies and cables of the machine, and what the rack may draw"),
    ),
    ("hw_thermal_slowdown", State.FAILED, Message("the GPU halved its clocks for heat"), _COOL),
    ("sw_thermal_slowdown", State.WARNING, Message("the driver lowered the clocks for heat"), _COOL),
)  # fmt: skip


def _stuck(one: OneGpu) -> Iterator[Result]:
    busy = one.figure(specs.UTILIZATION)
    active = one.figure(specs.SM_ACTIVITY)
    if isinstance(busy, float | int) and busy < specs.BUSY:
        yield one.result(State.OK, Message("not stuck"))
    elif busy is None or isinstance(busy, Gap) or active is None or isinstance(active, Gap):
        yield one.unknown(busy, active)
    elif active <= specs.AT_REST:
        yield one.result(
            State.WARNING,
            Message(
                "busy but stuck: a kernel runs all the time, and its SMs have work {percent:.1f} % of it",
                percent=active * 100,
            ),
            Message("see whose it is: `bongsu top --gpu`; a kernel that waits for another rank or spins looks so"),
        )
    else:
        yield one.result(State.OK, Message("busy and at work"))


def _ours(error: Gap) -> bool:
    """Whether it is we who cannot ask, which says nothing of the GPUs."""
    return error.error in _OURS or error.why is Why.FORBIDDEN


def _blind(readings: GpuReadings) -> Message | None:
    """Why nothing can be said of any GPU."""
    if readings.now.error is not None:
        return Message("the GPUs cannot be asked")
    if readings.now.stale_seconds > FRESH:
        return Message("the driver hangs; its last answer is {seconds:.0f} s old", seconds=readings.now.stale_seconds)
    return None


def _whole(
    check: str, readings: GpuReadings, state: State, message: Message, helps: Message | None = None, *evidence: Evidence
) -> Result:
    """An answer about all GPUs together."""
    return Result(
        check=check,
        subject=SUBJECT,
        state=state,
        message=message,
        cure=helps,
        evidence=evidence,
        time=readings.now.time,
    )


CHECKS: tuple[Check[GpuReadings], ...] = (
    Driver(),
    Present(),
    EachGpu("recovery", "the driver asks for no reset", (specs.RECOVERY_ACTION,), _recovery),
    Xids(),
    EachGpu("ecc", "memory has no uncorrected errors", (specs.ECC_ERRORS, specs.ECC_MODE), _ecc),
    EachGpu(
        "remap", "no memory waits to be replaced, or cannot be",
        (specs.ROW_REMAP_FAILED, specs.ROW_REMAP_PENDING, specs.RETIRED_PAGES_PENDING), _spare_memory,
    ),
    EachGpu("temperature", "temperatures are below the device's own limits", (specs.TEMPERATURE, specs.TEMPERATURE_LIMIT), _temperature),
    EachGpu("throttle", "neither heat nor the power supply holds it back", (specs.CLOCK_EVENT_SECONDS,), _throttle),
    EachGpu("stuck", "what is busy is at work", (specs.UTILIZATION, specs.SM_ACTIVITY), _stuck),
)  # fmt: skip
