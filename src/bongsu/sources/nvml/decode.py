"""What the child sends, as the structs of `reading`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from bongsu.model.batch import Why
from bongsu.sources.nvml import answers
from bongsu.sources.nvml.errors import ERRORS, WHY
from bongsu.sources.nvml.reading import Ended, Gap, Gpu, GpuProcess, Instance, Snapshot, Value, Xid
from bongsu.sources.nvml.values import DEVICE_VALUES, INSTANCE_VALUES, PROCESS_KINDS, Name

_NAMES = {number: name for name, number in ERRORS.items()} | answers.OURS
_OUR_WHY = {
    answers.NO_BINDING: Why.MISSING,
    answers.OTHER_BINDING: Why.MISSING,
    answers.NOT_THIS_MACHINE: Why.MISSING,
    answers.ONE_LOOK: Why.MISSING,
    answers.NO_NUMBER: Why.UNSUPPORTED,
}
_KINDS = tuple(tuple(name for name, bit in PROCESS_KINDS if bits & bit) for bits in range(8))


@functools.lru_cache(maxsize=1024)
def gap(code: int, call: str) -> Gap:
    """What NVML's number (or one of ours) means."""
    name = _NAMES.get(code) or f"NVML error {code}"
    return Gap(WHY.get(name) or _OUR_WHY.get(code, Why.FAILED), call, name)


def snapshot(look: Sequence[Any]) -> Snapshot:
    """The look that `child.look` gave."""
    when, driver, cuda, nvml, gpus, processes, gaps, ended, xids, seconds = look
    return Snapshot(
        time=when,
        driver_version=driver,
        cuda_version=cuda,
        nvml_version=nvml,
        gpus=tuple(map(_gpu, gpus)),
        processes=tuple(map(_process, processes)),
        processes_gaps=tuple((uuid, gap(*failed)) for uuid, failed in gaps),
        ended=tuple(map(_ended, ended)),
        xids=tuple(Xid(*row) for row in xids),
        library_seconds=seconds,
    )


def _number(sent: Any) -> float | Gap:
    return gap(*sent) if type(sent) is tuple else sent


def _values(names: tuple[Name, ...], sent: Sequence[Any]) -> tuple[Value, ...]:
    return tuple(
        Value(name, labels, gap(*number) if type(number) is tuple else number)
        for (name, labels), number in zip(names, sent, strict=True)
    )


def _gpu(sent: Sequence[Any]) -> Gpu:
    uuid, index, name, pci, minor, architecture, mig, values, instances, failed = sent
    return Gpu(
        uuid=uuid,
        index=index,
        name=name,
        pci_bus_id=pci,
        minor=minor,
        mig=mig,
        architecture=architecture,
        values=() if values is None else _values(DEVICE_VALUES, values),
        instances=tuple(map(_instance, instances)),
        failed=None if failed is None else gap(*failed),
    )


def _instance(sent: Sequence[Any]) -> Instance:
    uuid, gi, ci, profile, slices, total, used, values = sent
    return Instance(
        uuid=uuid,
        gpu_instance=gi,
        compute_instance=ci,
        profile=profile,
        slices=slices,
        memory_total_bytes=_number(total),
        memory_used_bytes=_number(used),
        values=_values(INSTANCE_VALUES, values),
    )


def _process(sent: Sequence[Any]) -> GpuProcess:
    uuid, pid, gi, ci, kinds, memory, sm, bandwidth, encoder, decoder = sent
    return GpuProcess(
        pid=pid,
        uuid=uuid,
        gpu_instance=gi,
        compute_instance=ci,
        kinds=_KINDS[kinds],
        memory_bytes=_number(memory),
        sm_ratio=_number(sm),
        memory_bandwidth_ratio=_number(bandwidth),
        encoder_ratio=_number(encoder),
        decoder_ratio=_number(decoder),
    )


def _ended(sent: Sequence[Any]) -> Ended:
    uuid, pid, start, seconds, most, share = sent
    return Ended(
        pid=pid, uuid=uuid, start_time=start, seconds=seconds, max_memory_bytes=_number(most), sm_ratio=_number(share)
    )
