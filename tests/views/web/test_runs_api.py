"""What the page is told of recorded runs: the list, one run, the file, and what is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from bongsu.model.errors import BadInput, NotKnown
from bongsu.model.message import Message
from bongsu.model.run import Point, RunReport
from bongsu.records.run_list import RunRow
from bongsu.runs import export_json
from bongsu.store.recent import Recent
from bongsu.views.web import app as app_module
from bongsu.views.web.access import Access
from bongsu.views.web.app import create_app
from bongsu.views.web.live import Live
from bongsu.views.web.runs import RunsApi
from live_page import BOARD
from run_reports import ALL, build, crowded, hostile, killed, running, sleeping, training
from shelf import Shelf


def visit(shelf: Shelf, access: Access | None = None) -> TestClient:
    """A client of a page that has these runs."""
    live = Live(Recent(BOARD.queries), [BOARD])
    return TestClient(
        create_app(live, access or Access(None), runs=RunsApi(shelf, export_json.text)), base_url="http://localhost"
    )


def named(report: RunReport, number: int) -> RunReport:
    """The same under another id."""
    meta = msgspec.structs.replace(report.metadata, id=f"20260101-00000{number}-sleep-0000")
    return msgspec.structs.replace(report, metadata=meta)


def objects(table: dict[str, object]) -> list[dict[str, object]]:
    """The rows with the names of their columns."""
    columns, rows = table["columns"], table["rows"]
    assert isinstance(columns, list)
    assert isinstance(rows, list)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_the_list_holds_each_run_once() -> None:
    """With its owner, what it cost, how it ended; unchanged it is not sent again."""
    visitor = visit(Shelf([build(), named(killed(), 1), named(running(), 2)]))
    told = visitor.get("/api/runs").json()
    first, second, third = objects(told)
    assert (first["name"], first["cpu"], first["wall"], first["owned"]) == ("make", 200.0, 60.0, "slurm/42")
    assert (second["exit"], second["signal"]) == (137, "SIGKILL")
    assert third["state"] == "running"
    again = visitor.get(f"/api/runs?tag={told['tag']}").json()
    assert again["same"] is True
    assert "rows" not in again


def test_a_run_has_charts_tables_and_the_residual_in_words() -> None:
    """Times are Unix seconds, lines are what was added per second or what was there; the source of the CPU time is named."""
    told = visit(Shelf([build()])).get("/api/run", params={"id": build().metadata.id}).json()
    assert told["times"][0] == build().metadata.started + 1
    cpu = next(panel for panel in told["panels"] if panel["name"] == "run-cpu")
    assert cpu["series"][0]["values"][0] == pytest.approx(200 / 60, rel=1e-5)
    tiles = {tile["name"]: tile for tile in told["tiles"]}
    assert any("residual" in line for line in tiles["cpu"]["said"])
    assert any("perf" in line for line in tiles["cpu"]["said"])
    assert told["processes"]["total"] == 3000
    assert len(told["processes"]["rows"]) == 1000
    groups = {group[0]: group for group in told["processes"]["groups"]}
    assert sum(group[1] for group in groups.values()) == 3000
    assert sum(group[2] for group in groups.values()) == 1
    assert max(groups["cc1"][7]) >= 4
    assert told["events"] == [[30.0, "gap", "1 sample was missed"]]


def test_a_last_reading_that_follows_at_once_is_no_peak() -> None:
    """What is read a moment after the reading before it is drawn over the stretch before, and lies within the run."""
    told = _drawn(tuple(Point(at_seconds=at, read_bytes=n) for at, n in ((1.0, 0), (2.0, 10), (2.00049, 110))))
    reads = next(panel for panel in told["panels"] if panel["name"] == "run-io")
    assert reads["series"][0]["values"] == [0.0, 10.0, pytest.approx(110, rel=0.01)]
    assert told["times"][-1] <= told["start"] + told["seconds"]


@pytest.mark.parametrize(("state", "last"), [("ended", None), ("running", 1000.0)])
def test_what_no_reading_met_is_no_rate_of_the_last_one(state: str, last: float | None) -> None:
    """The switches of processes that lived between readings are known at the end alone: a sum, drawn at no moment."""
    told = _drawn(
        tuple(Point(at_seconds=at, voluntary_switches=n) for at, n in ((1.0, 0), (2.0, 10), (3.0, 1010))), state
    )
    switches = next(panel for panel in told["panels"] if panel["name"] == "run-switches")
    assert switches["series"][0]["values"] == [0.0, 10.0, last]


def _drawn(samples: tuple[Point, ...], state: str = "ended") -> Any:
    report = sleeping()
    report = msgspec.structs.replace(
        report, samples=samples, metadata=msgspec.structs.replace(report.metadata, state=state),
        summary=msgspec.structs.replace(report.summary, wall_seconds=samples[-1].at_seconds - 0.00009),
    )  # fmt: skip
    return visit(Shelf([report])).get("/api/run", params={"id": report.metadata.id}).json()


def test_functions_are_told_with_their_error() -> None:
    """Most time first; what is not known stays so."""
    told = visit(Shelf([training()])).get("/api/run", params={"id": training().metadata.id}).json()
    rows = objects(told["functions"])
    assert [row["name"] for row in rows] == ["forward", "load", "checkpoint [epoch]"]
    assert rows[0]["cpuError"] == 1.2
    assert rows[2]["cpu"] is None
    assert told["survivors"] == [[222, "tensorboard --logdir runs", 4.5]]


def test_part_of_the_time_is_drawn_finer() -> None:
    """Few points for all of a long run, each with its least and most; the readings themselves for a part of it."""
    report = training()
    visitor = visit(Shelf([report]))
    whole = visitor.get("/api/run", params={"id": report.metadata.id, "points": 10}).json()
    assert len(whole["times"]) <= 10
    line = whole["panels"][0]["series"][0]
    assert all(low <= value <= high for low, value, high in zip(line["low"], line["values"], line["high"], strict=True))
    part = visitor.get(
        "/api/run", params={"id": report.metadata.id, "from": 600, "to": 900, "points": 10, "brief": 1}
    ).json()
    start = report.metadata.started
    assert [round(at - start) for at in part["times"]] == [540, 600, 660, 720, 780, 840, 900, 960]
    assert "low" not in part["panels"][0]["series"][0]
    assert "processes" not in part


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_whatever_is_known_makes_a_page(make: object) -> None:
    """Unknown is null, nothing is made up, no text can steer a terminal; the whole report is there as a file."""
    assert callable(make)
    report = make()
    visitor = visit(Shelf([report]))
    answer = visitor.get("/api/run", params={"id": report.metadata.id})
    assert answer.status_code == 200
    json.loads(answer.text, parse_constant=pytest.fail)
    assert not {"\x1b", "\u202e", "\u2028"} & set(json.loads(answer.text)["name"] + answer.text)
    assert visitor.get("/api/runs").status_code == 200
    file = visitor.get("/api/run/report", params={"id": report.metadata.id})
    assert file.headers["content-disposition"].startswith("attachment; ")
    assert file.json()["metadata"]["id"] == report.metadata.id


class Broken(Shelf):
    """A directory with what can go wrong in it."""

    def listed(self) -> Sequence[RunRow]:
        """Nobody may."""
        raise NotKnown(Message("/runs: permission denied"))

    def report(self, run: str) -> RunReport | None:
        """One that a newer version wrote, one that may not be read."""
        if run == "newer":
            raise BadInput(Message("run.json: its schema is bongsu-run/9"))
        if run == "closed":
            raise PermissionError(13, "Permission denied")
        return None


def test_what_is_wrong_is_said() -> None:
    """A run that is not there, of a newer version, or not to be read; a directory that may not be."""
    visitor = visit(Broken([]))
    assert visitor.get("/api/run?id=../../etc").status_code == 404
    assert visitor.get("/api/run").status_code == 404
    assert visitor.get("/api/run?id=newer").json()["error"] == "run.json: its schema is bongsu-run/9"
    assert "permission denied" in visitor.get("/api/run?id=closed").json()["error"]
    assert visitor.get("/api/runs").json()["problem"] == "/runs: permission denied"


@pytest.mark.parametrize("name", ["from", "to", "points"])
@pytest.mark.parametrize("value", ["x", "nan", "-1", "1e99", ""])
def test_nonsense_is_refused_by_name(name: str, value: str) -> None:
    """As the board's: what is asked and cannot be is said, not guessed."""
    answer = visit(Shelf([sleeping()])).get("/api/run", params={"id": sleeping().metadata.id, name: value})
    assert answer.status_code == 400
    assert f"{name}={value!r}" in answer.json()["error"]


def test_strangers_see_no_run() -> None:
    """The token, the name of the server and the fence are those of the rest."""
    visitor = visit(Shelf([hostile()]), Access("secret-token"))
    for path in ("/api/runs", "/api/run?id=x", "/api/run/report?id=x"):
        assert visitor.get(path).status_code == 403
        assert visitor.get(path, headers={"host": "evil.example"}).status_code == 403
        assert visitor.post(path).status_code == 405
        told = visitor.get(path, headers={"authorization": "Bearer secret-token"})
        assert told.status_code in {200, 404}
        assert told.headers["x-content-type-options"] == "nosniff"
        assert told.headers["cache-control"] == "no-store"


def test_a_page_without_runs_says_so() -> None:
    """Where nothing reads runs, there are none to ask for."""
    live = Live(Recent(BOARD.queries), [BOARD])
    visitor = TestClient(create_app(live, Access(None)), base_url="http://localhost")
    told = visitor.get("/api/runs").json()
    assert told["rows"] == []
    assert "--runs-dir" in told["problem"]
    assert visitor.get("/api/run?id=x").status_code == 404


def test_a_disk_that_hangs_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks about runs is told so after a while; the page goes on meanwhile."""
    go = threading.Event()

    class Hanging(Shelf):
        def listed(self) -> Sequence[RunRow]:
            go.wait(60)
            return super().listed()

    monkeypatch.setattr(app_module, "_RUNS_SECONDS", 0.2)
    visitor = visit(Hanging([sleeping()]))
    try:
        for _ in range(5):
            answer = visitor.get("/api/runs")
            assert answer.status_code == 503
            assert "does not answer" in answer.json()["error"] or "Too many" in answer.json()["error"]
            assert visitor.get("/api/status").status_code == 200
    finally:
        go.set()


def test_a_row_of_many_processes_counts_as_many() -> None:
    """In its row, in its group, in the total, and in how many lived at a time."""
    told = visit(Shelf([crowded()])).get("/api/run", params={"id": crowded().metadata.id}).json()["processes"]
    assert [row["count"] for row in objects(told)] == [1, 50_000]
    assert told["total"] == 50_001
    groups = {group[0]: group for group in told["groups"]}
    assert groups["true"][1] == 50_000
    assert max(groups["true"][7]) == 5
