"""The GPUs of a machine: how busy, how full, how hot, what holds their clocks down, what they send, and their errors."""

from __future__ import annotations

from bongsu.boards.board import Line, Panel, Severity, State, Tile, Unit
from bongsu.collectors import gpu_values as gpu
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.query import Fold, Query

_GPUS = Message("GPUs")
_BY = ("gpu",)
_EACH = Message("GPU {gpu}")


def _last(spec: MetricSpec, **where: str) -> Query:
    return Query(spec, by=_BY, where=tuple(where.items()))


def _rate(spec: MetricSpec, **where: str) -> Query:
    return Query(spec, Fold.RATE, _BY, tuple(where.items()))


_WHY = (
    ("sw_power_cap", Message("limit of power")),
    ("sw_thermal_slowdown", Message("too hot")),
    ("hw_thermal_slowdown", Message("far too hot")),
    ("hw_power_brake_slowdown", Message("power brake of the machine")),
    ("sync_boost", Message("in step with a slower one")),
)


def _held(legend: Message, reason: str) -> Line:
    """The share of the time in which a reason held the clocks down."""
    return Line(legend, _rate(gpu.CLOCK_EVENT_SECONDS, reason=reason))


_BUSY = Line(_EACH, _last(gpu.UTILIZATION))
_FULL = Line(_EACH, _last(gpu.MEMORY_USED), over=(_last(gpu.MEMORY_TOTAL),), steady=True)
_HEAT = Line(
    _EACH, _last(gpu.TEMPERATURE, sensor="gpu"), over=(_last(gpu.TEMPERATURE_LIMIT, limit="slowdown"),), steady=True
)

TILE = Tile("gpu", Message("Busiest GPU"), Unit.RATIO, _BUSY, top=1.0, panel="gpu-utilization")
TILES = (
    Tile(
        "gpu-memory", Message("Fullest GPU memory"), Unit.RATIO, _FULL, top=1.0, if_any=True,
        states=(State(Severity.WARNING, Message("nearly full"), 0.95),),
    ),
    Tile(
        "gpu-heat", Message("Hottest GPU, of its limit"), Unit.RATIO, _HEAT, if_any=True,
        states=(
            State(Severity.WARNING, Message("about to slow down"), 0.95),
            State(Severity.CRITICAL, Message("so hot that it slows down"), 1.0),
        ),
    ),
    Tile(
        "gpu-power", Message("Power of all GPUs"), Unit.WATTS, Line(Message("of all"), Query(gpu.POWER)), if_any=True,
    ),
    Tile(
        "gpu-throttle", Message("GPU clocks held down"), Unit.RATIO, if_any=True, top=1.0,
        line=Line(
            Message("of the time: GPU {gpu}, {reason}"), Query(gpu.CLOCK_EVENT_SECONDS, Fold.RATE, ("gpu", "reason")),
            said=_WHY,
        ),
    ),
)  # fmt: skip

PANELS = (
    Panel(
        "gpu-utilization", Message("GPU use"), Unit.RATIO, top=1.0, section=_GPUS, lines=(_BUSY,),
        help=Message("Share of the time in which a kernel ran, however small it was; see the SMs for how much it used."),
    ),
    Panel(
        "gpu-activity", Message("SMs and tensor cores"), Unit.RATIO, top=1.0, section=_GPUS,
        help=Message("How much of the GPU works; a GPU in use whose SMs do nothing is stuck. Hopper and newer tell it."),
        lines=(
            Line(Message("GPU {gpu} SMs"), _last(gpu.SM_ACTIVITY)),
            Line(Message("GPU {gpu} tensor cores"), _last(gpu.TENSOR_ACTIVITY)),
        ),
    ),
    Panel(
        "gpu-memory", Message("GPU memory"), Unit.RATIO, top=1.0, section=_GPUS,
        help=Message("How full the memory of each GPU is, or of each instance of a divided one."),
        lines=(
            _FULL,
            Line(
                Message("GPU {gpu} instance {gpu_instance}"), Query(gpu.MIG_MEMORY_USED, by=("gpu", "gpu_instance")),
                over=(Query(gpu.MIG_MEMORY_TOTAL, by=("gpu", "gpu_instance")),), steady=True,
            ),
        ),
    ),
    Panel(
        "gpu-temperature", Message("GPU temperature"), Unit.CELSIUS, section=_GPUS,
        help=Message("Temperature of each die and its memory."),
        lines=(
            Line(_EACH, _last(gpu.TEMPERATURE, sensor="gpu")),
            Line(Message("GPU {gpu} memory"), _last(gpu.TEMPERATURE, sensor="memory")),
        ),
    ),
    Panel(
        "gpu-heat", Message("GPU temperature, of its limit"), Unit.RATIO, section=_GPUS, lines=(_HEAT,),
        help=Message("At 100 % the GPU slows itself down, as its own limit says."),
    ),
    Panel(
        "gpu-power", Message("GPU power"), Unit.WATTS, section=_GPUS, lines=(Line(_EACH, _last(gpu.POWER)),),
        help=Message("What each board draws; at its limit it lowers its clocks, as the chart of their reasons tells."),
    ),
    Panel(
        "gpu-clocks", Message("GPU clocks"), Unit.HERTZ, section=_GPUS,
        help=Message("Clock of the SMs; it falls while idle, when too hot, and at the limit of power."),
        lines=(Line(_EACH, _last(gpu.CLOCK, domain="sm")),),
    ),
    Panel(
        "gpu-throttle", Message("Why GPU clocks are held down"), Unit.RATIO, top=1.0, section=_GPUS,
        help=Message("Share of the time. The limit of power is usual under full load; heat and brake are trouble."),
        lines=(
            _held(Message("GPU {gpu}: limit of power"), "sw_power_cap"),
            _held(Message("GPU {gpu}: too hot"), "sw_thermal_slowdown"),
            _held(Message("GPU {gpu}: far too hot"), "hw_thermal_slowdown"),
            _held(Message("GPU {gpu}: power brake of the machine"), "hw_power_brake_slowdown"),
            _held(Message("GPU {gpu}: in step with a slower one"), "sync_boost"),
        ),
    ),
    Panel(
        "gpu-pcie", Message("GPU PCIe"), Unit.BYTES_PER_SECOND, section=_GPUS,
        help=Message("What each GPU sends to and receives from the machine."),
        lines=(
            Line(Message("GPU {gpu} sends"), _rate(gpu.PCIE_SENT)),
            Line(Message("GPU {gpu} receives"), _rate(gpu.PCIE_RECEIVED)),
        ),
    ),
    Panel(
        "gpu-nvlink", Message("GPU NVLink"), Unit.BYTES_PER_SECOND, section=_GPUS,
        help=Message("What each GPU sends to and receives from others over NVLink."),
        lines=(
            Line(Message("GPU {gpu} sends"), _rate(gpu.NVLINK_SENT)),
            Line(Message("GPU {gpu} receives"), _rate(gpu.NVLINK_RECEIVED)),
        ),
    ),
    Panel(
        "gpu-errors", Message("GPU errors"), Unit.PER_SECOND, section=_GPUS,
        help=Message("Memory errors, and errors that the driver told of by number (XID). An uncorrected one ends programs."),
        lines=(
            Line(
                Message("GPU {gpu} memory, uncorrected"),
                _rate(gpu.ECC_ERRORS, type="uncorrected", scope="volatile"),
            ),
            Line(
                Message("GPU {gpu} memory, corrected"), _rate(gpu.ECC_ERRORS, type="corrected", scope="volatile"),
            ),
            Line(Message("GPU {gpu} XID {xid}"), Query(gpu.XID_ERRORS, Fold.RATE, ("gpu", "xid"))),
        ),
    ),
    Panel(
        "gpu-video", Message("GPU video"), Unit.RATIO, top=1.0, section=_GPUS,
        help=Message("How busy the units are that encode and decode video."),
        lines=(
            Line(Message("GPU {gpu} encodes"), _last(gpu.ENCODER)),
            Line(Message("GPU {gpu} decodes"), _last(gpu.DECODER)),
        ),
    ),
)  # fmt: skip
