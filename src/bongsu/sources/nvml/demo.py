"""Plays a scenario as looks at GPUs, where there are none: for demonstrations, and marked as one."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator

import msgspec

from bongsu.model.message import Message
from bongsu.model.owner import Owner, OwnerKind
from bongsu.sources.nvml import answers, curve
from bongsu.sources.nvml.decode import gap
from bongsu.sources.nvml.played_device import MIB, PlayedDevice, fault, whole
from bongsu.sources.nvml.processes import UTILIZATION_CALL
from bongsu.sources.nvml.reading import Ended, Gap, Gpu, GpuProcess, Played, Snapshot, Xid
from bongsu.sources.nvml.scenario import Belongs, Process, Scenario, bus_id_of, minor_of, uuid_of

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.yaml")
_LIST = "nvmlDeviceGetComputeRunningProcesses"
_ACCOUNT = "nvmlDeviceGetAccountingStats"
_KINDS = ("compute", "graphics", "mps")


class DemoReader:
    """Reads as `reader.NvmlReader` does, from a scenario that began when this was made. Any thread may ask.

    Who asks again within ``same`` seconds gets the same look.
    """

    def __init__(self, scenario: Scenario, *, clock: Callable[[], float] = time.time, same: float = 0.5) -> None:
        self._scenario = scenario
        self._clock = clock
        self._same = same
        self._start = clock()
        self._lock = threading.Lock()
        self._last: Snapshot | None = None
        self._seen = 0.0  # s since the start; what ended until then has been told

    @property
    def pids(self) -> tuple[int, ...]:
        """No child asks a driver here."""
        return ()

    def read(self) -> Snapshot:
        """The look of this moment; while a call hangs, that of the moment before, with its age."""
        with self._lock:
            t = max(0.0, self._clock() - self._start)
            if self._last is None or not 0 <= t - (self._last.time - self._start) < self._same:
                self._last = self._look(t)
            return self._last

    def close(self) -> None:
        """There is nothing to close."""

    def _look(self, t: float) -> Snapshot:
        since = min((hang.after for hang in self._scenario.hangs if _at(hang.after, hang.until, t)), default=None)
        if since is None:
            return self._awake(t)
        finding = Message("NVIDIA's driver has not answered for {seconds} s", seconds=round(t - since))
        if since == 0:
            error = gap(answers.NO_ANSWER, "nvmlInit")
            return Snapshot(time=self._start + t, error=error, finding=finding, demo=True)
        before = self._awake(math.nextafter(since, 0.0))
        return msgspec.structs.replace(before, stale_seconds=t - since, finding=finding)

    def _awake(self, t: float) -> Snapshot:
        scenario = self._scenario
        when = self._start + t
        for call in ("nvmlInit_v2", "nvmlDeviceGetCount_v2"):
            if code := answers.FUNCTION_NOT_FOUND if call in scenario.missing else fault(scenario, call, None, t):
                return Snapshot(time=when, error=gap(code, call), demo=True)
        gpus: list[Gpu] = []
        processes: list[GpuProcess] = []
        gaps: list[tuple[str, Gap]] = []
        for index in range(len(scenario.devices)):
            played = PlayedDevice(scenario, index, t)
            gpu = _gpu(played)
            gpus.append(gpu)
            if gpu.failed is not None and gpu.failed.error == "NVML_ERROR_GPU_IS_LOST":
                gaps.append((gpu.uuid, gpu.failed))
            elif not gpu.asleep:
                listed = self._processes(played, gpu.uuid)
                if isinstance(listed, Gap):
                    gaps.append((gpu.uuid, listed))
                else:
                    processes += listed
        ended = tuple(self._ended(t))
        self._seen = max(self._seen, t)
        return Snapshot(
            time=when,
            driver_version=scenario.driver_version,
            cuda_version=scenario.cuda_version,
            nvml_version=scenario.nvml_version,
            gpus=tuple(gpus),
            processes=tuple(processes),
            processes_gaps=tuple(gaps),
            ended=ended,
            xids=tuple(self._xids(t)),
            demo=True,
        )

    def _processes(self, played: PlayedDevice, uuid: str) -> list[GpuProcess] | Gap:
        names = [name for name in (f"{_LIST}_v3", f"{_LIST}_v2", _LIST) if name not in self._scenario.missing]
        call = names[0] if names else _LIST
        if code := played.fault(call):
            return gap(code, call)
        code = answers.NOT_SUPPORTED if played.divided else played.fault(UTILIZATION_CALL)
        t = played.t
        found: list[GpuProcess] = []
        for place, use in played.uses():
            process = self._scenario.processes[place]
            used = whole(use.memory_mib, t, MIB)
            shares: tuple[float | Gap, ...] = (gap(code or answers.NO_NUMBER, UTILIZATION_CALL),) * 4
            if not code and use.sm is not None:
                curves = (use.sm, use.memory_bandwidth, use.encoder, use.decoder)
                shares = tuple((whole(shape, t) or 0) / 100.0 for shape in curves)
            sm, bandwidth, encoder, decoder = shares
            found.append(
                GpuProcess(
                    pid=process.pid,
                    uuid=uuid,
                    gpu_instance=use.gpu_instance,
                    compute_instance=use.compute_instance,
                    kinds=tuple(kind for kind in _KINDS if kind in use.kinds),
                    memory_bytes=gap(answers.NO_NUMBER, _LIST) if used is None else float(used),
                    sm_ratio=sm,
                    memory_bandwidth_ratio=bandwidth,
                    encoder_ratio=encoder,
                    decoder_ratio=decoder,
                    played=_played(process, self._start + process.after - process.age),
                )
            )
        return found

    def _ended(self, t: float) -> Iterator[Ended]:
        """Who ended since the last look, on devices whose accounting is on."""
        for process in self._scenario.processes:
            end = process.until
            if end is None or not self._seen < end <= t:
                continue
            for use in process.on:
                device = self._scenario.devices[use.gpu]
                if not device.accounting:
                    continue
                lived = end - process.after
                busy: float | Gap = gap(answers.NO_NUMBER, _ACCOUNT)
                if use.sm is not None:
                    total = curve.total(use.sm, end) - curve.total(use.sm, process.after)
                    busy = math.floor(total / lived) / 100.0
                most = None if use.memory_mib is None else math.floor(curve.bounds(use.memory_mib)[1] * MIB)
                yield Ended(
                    pid=process.pid,
                    uuid=uuid_of(device, use.gpu),
                    start_time=math.floor((self._start + process.after) * 1e6) / 1e6,
                    seconds=math.floor(lived * 1e3) / 1e3,
                    max_memory_bytes=gap(answers.NO_NUMBER, _ACCOUNT) if most is None else most,
                    sm_ratio=busy,
                )

    def _xids(self, t: float) -> Iterator[Xid]:
        """Errors since the start, as one who listened from then on counts them."""
        for index, device in enumerate(self._scenario.devices):
            times: dict[int, list[float]] = {}
            for each in device.xids:
                if 0 < each.at <= t:
                    times.setdefault(each.xid, []).append(each.at)
            for number, came in times.items():
                yield Xid(uuid_of(device, index), number, len(came), self._start + max(came))


def _at(after: float, until: float | None, t: float) -> bool:
    return after <= t and (until is None or t < until)


def _gpu(played: PlayedDevice) -> Gpu:
    device, index = played.device, played.index
    mig = None if device.mig is None or played.fault("nvmlDeviceGetMigMode") else device.mig.enabled
    gpu = Gpu(
        uuid=uuid_of(device, index),
        index=index,
        name=device.name,
        pci_bus_id=bus_id_of(device, index),
        minor=minor_of(device, index),
        architecture=device.architecture,
        held_by=() if device.held_by is None else (_owner(device.held_by),),
    )
    call = "nvmlDeviceGetHandleByIndex_v2"
    if code := played.fault(call):
        return msgspec.structs.replace(gpu, failed=gap(code, call))
    if device.asleep:
        return msgspec.structs.replace(gpu, asleep=True)
    values, failed = played.values()
    lost = failed is not None and failed.error == "NVML_ERROR_GPU_IS_LOST"
    return msgspec.structs.replace(
        gpu, mig=mig, values=values, instances=() if lost or not mig else played.instances(), failed=failed
    )


def _owner(belongs: Belongs, user: str = "") -> Owner:
    return Owner(
        OwnerKind(belongs.kind), belongs.id, belongs.name, belongs.namespace, belongs.container, belongs.step, user
    )


def _played(process: Process, start_time: float) -> Played:
    owner = Owner(OwnerKind.UNKNOWN, "", user=process.user)
    return Played(process.command, owner if process.owner is None else _owner(process.owner, process.user), start_time)
