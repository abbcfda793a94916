"""How busy the units of a GPU were between two looks (GPM of nvml.h; Hopper and newer), for a device or a GPU instance."""

from __future__ import annotations

import ctypes
import time
from typing import Any

from bongsu.sources.nvml import answers
from bongsu.sources.nvml.calls import Gap, Library, Number
from bongsu.sources.nvml.values import GPM, GPM_CALL

LEAST_SECONDS = 0.11  # between two samples: nvml.h asks for more than 100 ms
_MOST = 600.0  # s; a mean over longer says nothing about now
_SAMPLE = "nvmlGpmSampleGet"
_SAMPLE_OF_INSTANCE = "nvmlGpmMigSampleGet"

Key = tuple[Any, ...]  # a device, or a device and a GPU instance with what tells it from a later one of the same number


class _Kept:
    __slots__ = ("sample", "spare", "taken")

    def __init__(self, sample: Any, spare: Any) -> None:
        self.sample = sample  # of the look before
        self.spare = spare
        self.taken = 0.0  # monotonic s; 0: never


class Gpm:
    """Keeps one sample of each device and instance from look to look."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._kept: dict[Key, _Kept] = {}
        self._seen: set[Key] = set()
        self._refused: dict[int, Gap] = {}  # devices (by address) that have no GPM
        binding = library.binding
        self._request: Any = None  # an older binding knows no GPM
        if hasattr(binding, "c_nvmlGpmMetricsGet_t"):
            self._request = binding.c_nvmlGpmMetricsGet_t()
            self._request.version = 1
            self._request.numMetrics = len(GPM)
            for place, (_, number) in enumerate(GPM):
                self._request.metrics[place].metricId = number

    @property
    def in_use(self) -> bool:
        """Whether something has activity."""
        return bool(self._kept)

    def begin(self) -> None:
        """A look begins."""
        self._seen.clear()

    def end(self) -> None:
        """A look ended: samples of what was not there any more are let go."""
        for key in self._kept.keys() - self._seen:
            kept = self._kept.pop(key)
            for sample in (kept.sample, kept.spare):
                self._library("nvmlGpmSampleFree", sample)

    def read(self, device: Any, address: int, key: Key, instance: int | None = None) -> list[Number]:
        """The figures of `GPM` since the last look at ``key``, each 0 to 1 or why there is none."""
        refused = self._refused.get(address) or self._ask_support(device, address)
        if refused is not None:
            return [refused] * len(GPM)
        kept = self._kept.get(key)
        if kept is None:
            made = self._new()
            if not isinstance(made, _Kept):
                return [made] * len(GPM)
            kept = self._kept[key] = made
        self._seen.add(key)
        now = time.monotonic()
        if kept.taken and now - kept.taken < LEAST_SECONDS:
            return [(answers.ONE_LOOK, GPM_CALL)] * len(GPM)
        if instance is None:
            code, call = self._library(_SAMPLE, device, kept.spare), _SAMPLE
        else:
            code = self._library(_SAMPLE_OF_INSTANCE, device, ctypes.c_uint(instance), kept.spare)
            call = _SAMPLE_OF_INSTANCE
        if code:
            kept.taken = 0.0  # begin anew: a sample from before the failure may be of another instance
            return [(code, call)] * len(GPM)
        before, since = kept.sample, kept.taken
        kept.sample, kept.spare, kept.taken = kept.spare, before, now
        if not since or now - since > _MOST:
            return [(answers.ONE_LOOK, GPM_CALL)] * len(GPM)
        return self._between(before, kept.sample)

    def _between(self, before: Any, after: Any) -> list[Number]:
        request = self._request
        request.sample1 = before
        request.sample2 = after
        code = self._library(GPM_CALL, ctypes.byref(request))
        if code:
            return [(code, GPM_CALL)] * len(GPM)
        metrics = request.metrics
        numbers: list[Number] = []
        for place in range(len(GPM)):
            metric = metrics[place]
            failed = metric.nvmlReturn
            value = metric.value
            if failed:
                numbers.append((failed, GPM_CALL))
            elif 0.0 <= value <= 100.0:  # a NaN is neither
                numbers.append(value / 100.0)
            else:
                numbers.append((answers.NO_NUMBER, GPM_CALL))
        return numbers

    def _ask_support(self, device: Any, address: int) -> Gap | None:
        call = "nvmlGpmQueryDeviceSupport"
        if self._request is None:
            return (answers.FUNCTION_NOT_FOUND, call)
        if address in self._refused or any(key[0] == address for key in self._kept):
            return None
        support = self._library.binding.c_nvmlGpmSupport_t()
        support.version = 1
        code = self._library(call, device, ctypes.byref(support))
        if not code and support.isSupportedDevice:
            return None
        refused = (code or answers.NOT_SUPPORTED, call)
        if refused[0] in {answers.NOT_SUPPORTED, answers.FUNCTION_NOT_FOUND}:  # these do not change while we run
            self._refused[address] = refused
        return refused

    def _new(self) -> _Kept | Gap:
        samples: list[Any] = []
        for _ in range(2):
            sample = self._library.binding.c_nvmlGpmSample_t()
            code = self._library("nvmlGpmSampleAlloc", ctypes.byref(sample))
            if code:
                for made in samples:
                    self._library("nvmlGpmSampleFree", made)
                return (code, "nvmlGpmSampleAlloc")
            samples.append(sample)
        return _Kept(*samples)
