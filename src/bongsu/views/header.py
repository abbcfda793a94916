"""The lines above the table of processes: the machine's name, load, CPU, memory, pressure, network and disks."""

from __future__ import annotations

import platform

from rich.text import Text

from bongsu.collectors import cpu, diskstats, loadavg, meminfo, netdev, pressure, stat, uname
from bongsu.collectors.demo import DEMO
from bongsu.model.batch import Batch
from bongsu.model.metric import MetricSpec
from bongsu.model.summary import GpuUse
from bongsu.views.gpu_lines import gpu_lines
from bongsu.views.gpu_past import GpuPast
from bongsu.views.gpu_uses import gpu_uses
from bongsu.views.gpu_visible import CudaEnvironment, Visible, visible
from bongsu.views.printable import printable
from bongsu.views.rates import Rates
from bongsu.views.units import UNKNOWN, bytes_text, ratio_text, seconds_text, short_bytes

_TABLE = 9  # lines that GPUs leave to the table and what stands around it
_MOST_BARS = 8  # cores that get a bar each; more are folded, a character each
_MOST_PLAIN_GPUS = 16
_STEPS = {False: " ▁▂▃▄▅▆▇█", True: " .:-=+*#@"}
_BAR = {False: ("█", "·"), True: ("#", ".")}
_IDLE = ("idle", "iowait")
# What passes through these passes through a device below them, too.
_LAYERED = ("dm-", "md", "lo", "veth", "docker", "br-", "virbr", "cni", "cali", "flannel", "vxlan", "bond", "tun", "wg")


class Readings:
    """The values of one batch that the header shows, found in one pass."""

    def __init__(
        self, batch: Batch | None, rates: Rates, only: CudaEnvironment | None = None, past: GpuPast | None = None
    ) -> None:
        """``only`` leaves out GPUs that it hides; None: all are shown. ``past`` is drawn where there is room."""
        self.batch = batch
        self.past = past
        self._only = only
        self.rates = rates
        self._values: dict[MetricSpec, dict[tuple[str, ...], float]] = {}
        for sample in batch.samples if batch else ():
            self._values.setdefault(sample.spec, {})[sample.labels] = sample.value

    def value(self, spec: MetricSpec) -> float | None:
        """The value of a metric without labels, or None."""
        return self._values.get(spec, {}).get(())

    def memory(self, field: str) -> float | None:
        """A field of meminfo in bytes, or None."""
        return self.value(meminfo.FIELD.spec(field))

    def host(self) -> str:
        """What the machine is called."""
        for labels in self._values.get(uname.INFO, {}):
            return labels[uname.INFO.labels.index("nodename")]
        return platform.node()

    def gpus(self) -> tuple[GpuUse, ...]:
        """The GPUs that are shown, by index."""
        found, shown = self._gpus(), self.visible()
        return found if shown is None else shown.of(found)

    def visible(self) -> Visible | None:
        """Which they are; None where all are shown."""
        return None if self._only is None else visible(self._only, self._gpus())

    def _gpus(self) -> tuple[GpuUse, ...]:
        return () if self.batch is None else gpu_uses(self.batch, self._values)

    def cores(self) -> dict[str, float]:
        """How busy each core is, as a ratio, in the order of their numbers."""
        times = self.rates.rates(cpu.CPU_SECONDS)
        at_core, at_mode = (cpu.CPU_SECONDS.labels.index(name) for name in ("cpu", "mode"))
        total: dict[str, float] = {}
        idle: dict[str, float] = {}
        for labels, rate in times.items():
            core = labels[at_core]
            total[core] = total.get(core, 0.0) + rate
            if labels[at_mode] in _IDLE:
                idle[core] = idle.get(core, 0.0) + rate
        # Over the time that was counted, since ticks and our clock never quite agree.
        return {
            core: max(0.0, 1.0 - idle.get(core, 0.0) / total[core])
            for core in sorted(total, key=lambda core: (len(core), core)) if total[core] > 0
        }  # fmt: skip


def header(readings: Readings, width: int, height: int, *, ascii_only: bool = False) -> list[Text]:
    """The lines that fit: all of them where there is room for a table below, else the two that matter most."""
    cores = readings.cores()
    lines = [_machine(readings, width)]
    if height < 16 or width < 60:
        lines.append(_short(readings, cores))
        return _fit(lines, width)
    if len(cores) <= _MOST_BARS and len(cores) <= max(2, (height - 12) // 2) * 2:
        lines += _bars(cores, width, ascii_only=ascii_only)
    else:
        lines += _folded(cores, width, ascii_only=ascii_only)
    lines.append(_memory(readings, width, ascii_only=ascii_only))
    lines.append(_flows(readings))
    room = height - len(lines) - _TABLE
    lines += gpu_lines(readings.gpus(), width, room, ascii_only=ascii_only, past=readings.past)
    return _fit(lines, width)


def plain_header(readings: Readings) -> list[str]:
    """The same in lines for a pipe."""
    lines = [_machine(readings, 100), _short(readings, readings.cores()), _flows(readings)]
    lines += gpu_lines(readings.gpus(), 100, _MOST_PLAIN_GPUS, ascii_only=True, whole=True)
    return [text.plain.rstrip() for text in lines]


def _machine(readings: Readings, width: int) -> Text:
    loads = [readings.value(spec) for spec in (loadavg.LOAD1, loadavg.LOAD5, loadavg.LOAD15)]
    load = " ".join(UNKNOWN if value is None else f"{value:.2f}" for value in loads)
    boot, batch = readings.value(stat.BOOT_TIME), readings.batch
    up = seconds_text(batch.time - boot) if boot is not None and batch is not None else UNKNOWN
    text = Text(printable(readings.host()), style="bold")
    if readings.value(DEMO) is not None:
        text = Text.assemble(("DEMO", "bold reverse"), " ", text)
    text.append(f"  up {up}" if width >= 60 else "", style="not bold")
    text.append("  load ", style="not bold dim")
    text.append(load, style="not bold")
    running, blocked = readings.value(stat.PROCS_RUNNING), readings.value(stat.PROCS_BLOCKED)
    if running is not None and width >= 72:
        text.append(f"  {running:.0f} running", style="not bold")
        if blocked:
            text.append(f", {blocked:.0f} blocked", style="not bold red")
    return text


def _short(readings: Readings, cores: dict[str, float]) -> Text:
    total, available = readings.memory("MemTotal"), readings.memory("MemAvailable")
    used = None if total is None or available is None else total - available
    text = Text("CPU ", style="dim")
    text.append(_busy(cores), style="not dim bold")
    text.append(f" of {len(cores)}" if cores else "", style="dim")
    text.append("  MEM ", style="dim")
    text.append(f"{short_bytes(used)}/{short_bytes(total)}", style="not dim bold")
    swap, free = readings.memory("SwapTotal"), readings.memory("SwapFree")
    if swap and free is not None:
        text.append("  SWAP ", style="dim")
        text.append(f"{short_bytes(swap - free)}/{short_bytes(swap)}", style="not dim")
    return text


def _busy(cores: dict[str, float]) -> str:
    return ratio_text(sum(cores.values()) / len(cores)) if cores else UNKNOWN


def _bars(cores: dict[str, float], width: int, *, ascii_only: bool) -> list[Text]:
    """Two cores on a line."""
    names = list(cores)
    half = width // 2
    lines = []
    for start in range(0, len(names), 2):
        line = Text()
        for name in names[start : start + 2]:
            line.append_text(_bar(f"cpu{printable(name)}", cores[name], half - 1, ratio_text(cores[name]), ascii_only))
            line.append(" ")
        lines.append(line)
    return lines or [Text("CPU  rates come with the second reading", style="dim")]


def _folded(cores: dict[str, float], width: int, *, ascii_only: bool) -> list[Text]:
    """One character for each core, as high as it is busy."""
    steps = _STEPS[ascii_only]
    line = Text("CPU ", style="dim")
    line.append(f"{_busy(cores)} ".rjust(8), style="not dim bold")
    room = width - line.cell_len
    lines = [line]
    for place, ratio in enumerate(cores.values()):
        if place and place % room == 0:
            lines.append(Text(" " * 12))
        step = min(len(steps) - 1, round(ratio * (len(steps) - 1)))
        lines[-1].append(steps[step], style=f"not dim {_heat(ratio)}")
    return lines


def _memory(readings: Readings, width: int, *, ascii_only: bool) -> Text:
    half = width // 2
    line = Text()
    for name, total, free in (
        ("mem", readings.memory("MemTotal"), readings.memory("MemAvailable")),
        ("swap", readings.memory("SwapTotal"), readings.memory("SwapFree")),
    ):
        if total is None or free is None:
            line.append(f"{name} {UNKNOWN}".ljust(half), style="dim")
            continue
        words = f"{bytes_text(total - free)}/{bytes_text(total)}" if total else "none"
        line.append_text(_bar(name, (total - free) / total if total else 0.0, half - 1, words, ascii_only))
        line.append(" ")
    return line


def _bar(name: str, ratio: float, width: int, words: str, ascii_only: bool) -> Text:
    full, empty = _BAR[ascii_only]
    room = max(4, width - 6 - max(8, len(words)) - 1)
    filled = min(room, round(ratio * room))
    text = Text(name[:5].ljust(6), style="dim")
    text.append(full * filled, style=f"not dim {_heat(ratio)}")
    text.append(empty * (room - filled))
    text.append(" " + words.rjust(max(8, width - 6 - room - 1)), style="not dim")
    return text


def _flows(readings: Readings) -> Text:
    rates = readings.rates
    text = Text()
    pressures = (("cpu", pressure.CPU_WAITING), ("io", pressure.IO_WAITING), ("mem", pressure.MEMORY_WAITING))
    text.append("pressure ", style="dim")
    for name, spec in pressures:
        ratio = rates.rate(spec)
        text.append(f"{name} ", style="dim")
        text.append(f"{ratio_text(ratio)} ", style=_heat(ratio * 3) if ratio else "")
    received, sent = netdev.RECEIVE.spec("bytes"), netdev.TRANSMIT.spec("bytes")
    for name, ins, outs, spec_in, spec_out in (
        ("net", "in", "out", received, sent),
        ("disk", "r", "w", diskstats.READ_BYTES, diskstats.WRITTEN_BYTES),
    ):
        text.append(f" {name} ", style="dim")
        text.append(f"{ins} {short_bytes(_through(rates, spec_in))} {outs} {short_bytes(_through(rates, spec_out))}")
    return text


def _through(rates: Rates, spec: MetricSpec) -> float | None:
    """The sum over devices that are not made of other ones."""
    found = [rate for labels, rate in rates.rates(spec).items() if not labels[0].startswith(_LAYERED)]
    return sum(found) if found else None


def _heat(ratio: float) -> str:
    return "green" if ratio < 0.6 else "yellow" if ratio < 0.9 else "red"


def _fit(lines: list[Text], width: int) -> list[Text]:
    for line in lines:
        line.truncate(width, overflow="crop")
        line.no_wrap = True
    return lines
