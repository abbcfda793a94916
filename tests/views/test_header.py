"""The lines above the table of processes."""

from __future__ import annotations

import pytest

from bongsu.collectors import cpu, diskstats, loadavg, meminfo, netdev, pressure, stat, uname
from bongsu.model.batch import Batch, Outcome, Part, Sample
from bongsu.model.metric import MetricSpec
from bongsu.views.header import Readings, header, plain_header
from bongsu.views.rates import Rates

GIB = 2**30
INFO = tuple("gpu-1\x1b[2J" if name == "nodename" else name for name in uname.INFO.labels)


def batch(at: float, cores: int, busy: float) -> Batch:
    samples = [
        Sample(uname.INFO, INFO, 1), Sample(loadavg.LOAD1, (), 0.5), Sample(loadavg.LOAD5, (), 0.25),
        Sample(loadavg.LOAD15, (), 12.0), Sample(stat.BOOT_TIME, (), 1e9 - 3600.0), Sample(stat.PROCS_RUNNING, (), 3),
        Sample(stat.PROCS_BLOCKED, (), 1), Sample(pressure.CPU_WAITING, (), at * 0.125),
        Sample(pressure.IO_WAITING, (), 0.0),
    ]  # fmt: skip
    for field, value in (("MemTotal", 64), ("MemAvailable", 48), ("SwapTotal", 0), ("SwapFree", 0)):
        samples.append(Sample(meminfo.FIELD.spec(field), (), value * GIB))
    for core in range(cores):
        for mode, share in (("user", busy), ("idle", 0.9 - busy), ("iowait", 0.1)):
            samples.append(Sample(cpu.CPU_SECONDS, _labels(cpu.CPU_SECONDS, cpu=str(core), mode=mode), at * share))
    for device, step in (("eth0", 2048), ("veth1", 999_999)):
        samples.append(Sample(netdev.RECEIVE.spec("bytes"), (device,), at * step))
    for device, step in (("nvme0n1", 3 * 2**20), ("dm-0", 3 * 2**20)):
        samples.append(Sample(diskstats.READ_BYTES, (device,), at * step))
    return Batch(1e9, at, (Part("all", 1e9, at, tuple(samples), (), (), Outcome("all", 0.0, 0.0)),))


def _labels(spec: MetricSpec, **values: str) -> tuple[str, ...]:
    return tuple(values[name] for name in spec.labels)


def readings(cores: int = 2, busy: float = 0.5) -> Readings:
    rates = Rates()
    rates.take(batch(10.0, cores, busy))
    newest = batch(14.0, cores, busy)
    rates.take(newest)
    return Readings(newest, rates)


def lines(found: Readings, width: int, height: int, *, ascii_only: bool = False) -> list[str]:
    return [text.plain for text in header(found, width, height, ascii_only=ascii_only)]


def test_shows_what_was_read() -> None:
    """Name, load, CPU of each core, memory, pressure, network and disk rates, without layers counted twice."""
    first, bars, memory, flows = lines(readings(), 80, 24)
    assert first.startswith(r"gpu-1\x1b[2J  up 1 h  load 0.50 0.25 12.00  3 running, 1 blocked")
    assert bars.split()[0] == "cpu0"
    assert bars.count("50.0 %") == 2
    assert "16 GiB/64 GiB" in memory
    assert "none" in memory
    assert flows == "pressure cpu 12.5 % io 0 % mem -  net in 2K out - disk r 3M w -"


@pytest.mark.parametrize("cores", [9, 64, 192, 256])
def test_many_cores_are_folded(cores: int) -> None:
    """With many cores each has one character, and the table keeps most of the screen."""
    found = lines(readings(cores, 0.9), 80, 24)
    assert len(found) <= 8
    assert sum(line.count("▇") for line in found) == cores
    plain = lines(readings(cores, 0.9), 80, 24, ascii_only=True)
    assert sum(line.count("#") for line in plain if not line.startswith("mem")) == cores
    assert all(line.isascii() for line in plain)


@pytest.mark.parametrize(("width", "height"), [(40, 10), (20, 5), (80, 12), (200, 8)])
def test_a_small_terminal_has_two_lines(width: int, height: int) -> None:
    """Where there is little room two lines say what matters most, and fit."""
    found = lines(readings(), width, height)
    assert len(found) == 2
    assert all(len(line) <= width for line in found)
    assert "CPU 50.0 %" in found[1]


def test_what_is_not_known_is_a_dash() -> None:
    """Before anything was read, and where a collector is off, there is a dash and no number."""
    nothing = Readings(None, Rates())
    for text in ("\n".join(lines(nothing, 80, 24)), "\n".join(plain_header(nothing))):
        assert "load - - -" in text
        assert "0" not in text.replace(nothing.host(), "")
