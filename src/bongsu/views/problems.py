"""What is wrong with a machine, judged from its summary: sentences with a cure; pure."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.message import Message
from bongsu.model.summary import Problem, Summary
from bongsu.views.units import bytes_text, ratio_text, when_text

FULL = 0.95  # of a file system, or of its inodes
LITTLE_MEMORY = 0.05  # of all memory, available
STALLED = 0.2  # of the time, all tasks with work waiting
_NOT_KEPT = frozenset({"squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs"})  # full by nature


def problems(machine: Summary) -> Iterator[Problem]:
    """What is wrong, the worst kind first. Nothing is judged that is not known."""
    yield from _filesystems(machine)
    yield from _memory(machine)
    yield from _pressure(machine)
    yield from _temperatures(machine)
    yield from _gpus(machine)
    yield from _collectors(machine)


def _problem(subject: str, what: Message, cure: Message) -> Problem:
    return Problem(subject, str(what), str(cure))


def _filesystems(machine: Summary) -> Iterator[Problem]:
    for fs in machine.filesystems:
        where = fs.mountpoint
        if fs.stale_since is not None:
            yield _problem(
                "filesystem",
                Message("{where} has not answered since {when}", where=where, when=when_text(fs.stale_since)),
                Message("look at its server or disk; programs that touch it hang"),
            )
        elif fs.type not in _NOT_KEPT and not fs.read_only:
            if fs.used_ratio is not None and fs.used_ratio >= FULL:
                yield _problem(
                    "filesystem",
                    Message("{where} is {full} full, {left} left", where=where, full=ratio_text(fs.used_ratio),
                            left=bytes_text(fs.available_bytes)),
                    Message("free room: du -xh {where} | sort -h | tail shows what is large", where=where),
                )  # fmt: skip
            if fs.inodes_used_ratio is not None and fs.inodes_used_ratio >= FULL:
                yield _problem(
                    "filesystem",
                    Message(
                        "{where} has used {full} of its inodes", where=where, full=ratio_text(fs.inodes_used_ratio)
                    ),
                    Message("remove small files: no new file can be made although there is room"),
                )


def _memory(machine: Summary) -> Iterator[Problem]:
    memory = machine.memory
    if memory.used_ratio is not None and 1.0 - memory.used_ratio <= LITTLE_MEMORY:
        yield _problem(
            "memory",
            Message("only {left} of memory is available", left=bytes_text(memory.available_bytes)),
            Message("end or move what is large (see the processes by memory), before the kernel does"),
        )


def _pressure(machine: Summary) -> Iterator[Problem]:
    pressures = machine.pressure
    for share, subject in ((pressures.io_all_ratio, "io"), (pressures.memory_all_ratio, "memory")):
        if share is not None and share >= STALLED:
            yield _problem(
                "pressure",
                Message("for {share} of the time everything waited for {what}", share=ratio_text(share),
                        what="disks" if subject == "io" else "memory"),
                Message("see which processes read and write: bongsu top")
                if subject == "io" else Message("memory is too small for what runs; see the processes by memory"),
            )  # fmt: skip


def _temperatures(machine: Summary) -> Iterator[Problem]:
    for sensor in machine.temperatures:
        if sensor.critical is not None and sensor.critical > 0 and sensor.celsius >= sensor.critical:
            yield _problem(
                "temperature",
                Message("{sensor} has {celsius:.0f} °C, its limit is {limit:.0f} °C", sensor=sensor.sensor,
                        celsius=sensor.celsius, limit=sensor.critical),
                Message("look at fans, filters and room temperature"),
            )  # fmt: skip


def _gpus(machine: Summary) -> Iterator[Problem]:
    for gpu in machine.gpus:
        which = " ".join(filter(None, ("GPU", gpu.index, "" if gpu.index else gpu.uuid, gpu.name)))
        asked_for = not (gpu.index and gpu.uuid)  # by a setting; the driver knows of none
        if gpu.up is False or asked_for:
            yield _problem(
                "gpu",
                Message(
                    "{which} does not answer: {reason}", which=which, reason=gpu.reason or "its state is not known"
                ),
                Message("{cure}", cure=gpu.cure or "`nvidia-smi -q` may say more"),
            )
        elif gpu.celsius is not None and gpu.slowdown_celsius is not None and gpu.celsius >= gpu.slowdown_celsius:
            yield _problem(
                "temperature",
                Message("{which} has {celsius:.0f} °C, at {limit:.0f} °C it slows down", which=which,
                        celsius=gpu.celsius, limit=gpu.slowdown_celsius),
                Message("look at fans, filters and room temperature"),
            )  # fmt: skip
    answering = machine.gpus_answering
    if machine.gpus_expected is not None and answering is not None and answering < machine.gpus_expected:
        yield _problem(
            "gpu",
            Message("{answering} of {expected} GPUs answer", answering=answering, expected=machine.gpus_expected),
            Message("see `nvidia-smi -L`, `lspci -d 10de:` and dmesg for the others"),
        )


def _collectors(machine: Summary) -> Iterator[Problem]:
    for gap in machine.absent:
        if gap.failed:
            yield _problem(
                "collector",
                Message("{collector} could not be read: {reason}", collector=gap.collector, reason=gap.reason),
                Message("{cure}", cure=gap.cure or f"bongsu explain {gap.collector} says what it reads"),
            )
