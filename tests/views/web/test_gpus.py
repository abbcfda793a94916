"""What the page is told of GPUs: cards by index, rows by memory, nothing where nothing was read."""

from __future__ import annotations

import json

import msgspec

from bongsu.collectors.gpu import GpuCollector
from bongsu.collectors.gpu_process import GpuProcessCollector
from bongsu.model.batch import Batch, Outcome, Part, Sample, Table
from bongsu.sources.nvml.demo import SHIPPED, DemoReader
from bongsu.sources.nvml.scenario_file import load
from bongsu.sources.root import Machine
from bongsu.views.gpu_power import GpuPower
from bongsu.views.web.facts import facts
from bongsu.views.web.gpus import COLUMNS, gpus


def look() -> Batch:
    """The shipped demonstration, read once."""
    machine, reader = Machine.at(), DemoReader(load(SHIPPED))
    parts = []
    for collector in (GpuCollector(machine, reader), GpuProcessCollector(machine, reader)):
        items = list(collector.collect())
        samples = tuple(item for item in items if isinstance(item, Sample))
        tables = tuple(item for item in items if isinstance(item, Table))
        parts.append(Part(collector.name, 1.0, 1.0, samples, (), tables, Outcome(collector.name, 0.0, 0.0)))
    return Batch(1.0, 1.0, tuple(parts))


def test_it_is_told_of_each_gpu_its_slices_and_its_processes() -> None:
    """Cards stand by index with what is odd in words; rows by memory, with owner and share; it is plain JSON."""
    told = json.loads(msgspec.json.encode(gpus(look(), GpuPower())))
    assert [card["index"] for card in told["gpus"]] == [str(n) for n in range(8)]
    assert [card["trouble"] for card in told["gpus"]].index("busy but stuck") == 5
    assert [one["index"] for one in told["gpus"][7]["instances"]][:3] == ["7_1_0", "7_1_1", "7_7_0"]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in told["rows"]]
    assert told["total"] == len(rows) > 50
    assert [row["memory"] for row in rows] == sorted((row["memory"] for row in rows), reverse=True)
    [served] = [row for row in rows if row["command"] == "vllm"]
    assert (served["gpu"], served["owner"], served["user"]) == ("4", "pod inference/chat-serve-0", "10001")
    assert all(row["sm"] is None for row in rows if row["gpu"].startswith("7_"))
    assert "pod/6c1f7a52-0a7e-4b5e-9a66-0f3f5a1c7d10" in [row[0] for row in told["owners"]["rows"]]


def test_without_readings_there_is_nothing() -> None:
    """Before the first batch, and on a machine without GPUs, the lists are empty and the page loads no more."""
    for batch in (None, Batch(1.0, 1.0, ())):
        told = gpus(batch, GpuPower())
        assert told.pop("owners")["rows"] == []
        assert told == {"gpus": [], "columns": COLUMNS, "rows": [], "total": 0, "time": None}
        assert facts(batch)["gpus"] is False
    assert facts(look())["gpus"] is True
