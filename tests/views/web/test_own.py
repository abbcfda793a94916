"""What the Health page is told of Bongsu itself: its cost, its history, and which series a process is part of."""

from __future__ import annotations

from pathlib import Path

import pytest

from bongsu.collectors import agent, exporter
from bongsu.model import health
from bongsu.model.batch import Table
from bongsu.model.message import Message
from bongsu.store.recent import Recent
from bongsu.store.writing.writer import Writer
from bongsu.views.rates import Rates
from bongsu.views.web import own
from bongsu.views.web.live import COLUMNS, Live
from live_page import BOARD, HOSTILE, process
from readings import batch, one, part


def test_the_cost_is_the_share_of_a_core_now_and_since_the_start() -> None:
    """CPU comes from the counter's gain; what no collector told is None, never zero."""
    rates = Rates()
    for at, used in ((10, 1.0), (12, 1.5)):
        newest = batch(at, part({(exporter.CPU_SECONDS, ()): used, (exporter.START_TIME, ()): 1002.0,
                                 (agent.MISSED, ()): 0}, at, collector="exporter"))  # fmt: skip
        rates.take(newest)
    found = own.cost(newest, rates)
    assert found["cpu"] == pytest.approx(0.25)
    assert found["cpu_mean"] == pytest.approx(0.15)
    assert found["missed"] == 0
    assert found["resident"] is None
    assert own.cost(None, Rates())["cpu_mean"] is None


def test_the_history_says_its_size_limits_and_times(tmp_path: Path) -> None:
    """As the writer has them, in bytes and Unix seconds; limits are those that were set last."""
    path = str(tmp_path / "history.db")
    writer = Writer(path, labels={}, max_bytes=64 * 2**20, threaded=False)
    try:
        said = own.kept(lambda: own.Kept(writer.facts(), writer.limits))
        assert said is not None
        assert (said["last_commit"], said["newest"], said["pending_batches"]) == (None, None, 0)
        assert [(t["name"], t["oldest"]) for t in said["tiers"]] == [("raw", None), ("1m", None)]
        writer.write(one(5, {(agent.MISSED, ()): 1}))
        writer.configure(raw_seconds=3600, minutes_seconds=7200, max_bytes=2**30, commit_every=2)
        said = own.kept(lambda: own.Kept(writer.facts(), writer.limits))
        assert said is not None
        assert (said["pending_batches"], said["series"], said["newest"]) == (1, 2, 1005.0)
        assert (said["most_bytes"], said["commit_every"]) == (2**30, 2)
        assert [t["keeps"] for t in said["tiers"]] == [3600, 7200]
        writer.flush()
        said = own.kept(lambda: own.Kept(writer.facts(), writer.limits))
        assert said is not None
        assert said["file_bytes"] > 0
        assert said["commit_age"] < 60
        assert said["path"] == path
    finally:
        writer.close()
    assert own.kept(None) is None


def test_health_carries_problem_cost_and_history() -> None:
    """Without a history it is null, which is not an empty one."""
    live = Live(Recent(BOARD.queries), [BOARD], trouble=lambda: Message("the disk is {state}", state="full"))
    said = live.health()
    assert said["problems"] == ["the disk is full"]
    assert said["store"] is None
    assert set(said["cost"].values()) == {None}


def test_a_sink_that_fails_is_a_problem() -> None:
    """With its name and its words, safe to show; what the history has said of itself is not told twice."""
    full = Message("the disk is {state}", state="full")
    live = Live(Recent(BOARD.queries), [BOARD], trouble=lambda: full)
    rows = (health.SinkFailure("textfile", Message("{path}: no", path="/a\x1b")), health.SinkFailure("store", full))
    live.write(batch(1, part({}, 1, tables=(Table(health.SINK_FAILURES_TABLE, rows),))))
    assert live.health()["problems"] == ["the disk is full", "textfile gets no readings: /a\\x1b: no"]
    live.write(batch(2, part({}, 2)))
    assert live.health()["problems"] == ["the disk is full"]


@pytest.mark.parametrize(
    ("row", "group"),
    [
        (process(1, "train.py"), None),
        (process(1, HOSTILE), ["alice", HOSTILE, "program"]),
        (process(1, "kworker/3:1H", user="root", kernel=True), ["root", "kworker", "kernel"]),
        (process(1, "caf\udce9"), []),
    ],
)
def test_a_process_names_the_series_it_is_part_of(row: object, group: list[str] | None) -> None:
    """As the store has the names, where what is shown is not that; empty where no question can name it."""
    live = Live(Recent(BOARD.queries), [BOARD])
    live.write(batch(1, part({}, 1, tables=(Table("processes", (row,)),))))  # type: ignore[arg-type]  # a ProcessRow
    (shown,) = live.processes()["rows"]
    assert shown[COLUMNS.index("group")] == group
