"""Why a figure of a GPU is not there, in words and with what helps: NVML's names are for those who search the web."""

from __future__ import annotations

from bongsu.model.batch import Absence, Why
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.sources.nvml.reading import Gap

FRESH_SECONDS = 5.0  # a look that is older is no reading of now
ASLEEP = Message("the GPU is suspended, and not woken to be read")
_RESET = Message("end what runs on it, then `nvidia-smi --gpu-reset -i GPU`, or reboot")
_CURES = {
    "NVML_ERROR_LIBRARY_NOT_FOUND": Message(
        "on a plain machine install NVIDIA's driver; in Docker start with `--gpus all --pid host`; in a pod see gpu.access and "
        "gpu.runtimeClassName in the chart's values"
    ),
    "NVML_ERROR_NO_PERMISSION": Message(
        "run as root; in Docker start with `--gpus all --pid host`; in a pod see gpu.access in the chart's values, and gpu.mig "
        "for the instances of divided GPUs"
    ),
    "NVML_ERROR_GPU_IS_LOST": Message("`dmesg | grep -i -e nvrm -e xid` says why; reset the GPU, or reboot"),
    "NVML_ERROR_RESET_REQUIRED": _RESET,
    "NVML_ERROR_INSUFFICIENT_POWER": Message("look at the power cables of the board"),
    "NVML_ERROR_IRQ_ISSUE": Message("`dmesg | grep -i nvrm` says more; reboot"),
    "NVML_ERROR_CORRUPTED_INFOROM": Message("the board's own memory is damaged; ask who sold it"),
    "NVML_ERROR_FUNCTION_NOT_FOUND": Message("a newer driver may have it"),
    "NVML_ERROR_ARGUMENT_VERSION_MISMATCH": Message("a newer driver may have it"),
    "NVML_ERROR_DRIVER_NOT_LOADED": Message(
        "on a plain machine load it with `modprobe nvidia`, and dmesg says why if that fails; a container lacks the device "
        "files: start it in Docker with `--gpus all --pid host`; in a pod see gpu.access in the chart's values"
    ),
    "NVML_ERROR_LIB_RM_VERSION_MISMATCH": Message(
        "the driver was exchanged while its old module runs: end what uses GPUs and load the module again, or reboot"
    ),
    "NVML_ERROR_UNKNOWN": Message("dmesg may say more; a container that lost its devices must be started again"),
    "NVML_ERROR_MEMORY": Message("the machine is short of memory; see `bongsu status`"),
}


def cure(gap: Gap) -> Message | None:
    """What helps, where that is known."""
    return _CURES.get(gap.error)


def reason(gap: Gap) -> Message:
    """What happened, as a sentence."""
    if not gap.error.startswith("NVML_"):  # our own words, not a name of NVML's
        return Message("{what} ({call})", what=gap.error, call=gap.call)
    match gap.error:
        case "NVML_ERROR_LIBRARY_NOT_FOUND":
            return Message("NVIDIA's library is not here ({call}: {error})", call=gap.call, error=gap.error)
        case "NVML_ERROR_DRIVER_NOT_LOADED":
            return Message("NVIDIA's driver is not loaded ({call}: {error})", call=gap.call, error=gap.error)
    match gap.why:
        case Why.UNSUPPORTED:
            return Message("this GPU or its driver does not offer it ({call}: {error})", call=gap.call, error=gap.error)
        case Why.FORBIDDEN:
            return Message("the driver does not allow it ({call}: {error})", call=gap.call, error=gap.error)
        case Why.LOST:
            return Message("the GPU no longer answers ({call}: {error})", call=gap.call, error=gap.error)
        case Why.MISSING:
            return Message("there is none ({call}: {error})", call=gap.call, error=gap.error)
        case Why.FAILED:
            return Message("the driver failed ({call}: {error})", call=gap.call, error=gap.error)


def absence(spec: MetricSpec, labels: tuple[str, ...], gap: Gap) -> Absence:
    """The absence of one figure."""
    return Absence(spec, labels, gap.why, reason(gap), cure(gap))
