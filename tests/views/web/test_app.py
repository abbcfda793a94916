"""The page's addresses: what they answer, also to nonsense."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from starlette.testclient import TestClient

from bongsu.model.errors import NotKnown
from bongsu.model.message import Message
from bongsu.sinks import http_message
from bongsu.store.recent import Recent
from bongsu.views.web import app as app_module
from bongsu.views.web import static
from bongsu.views.web.access import Access
from bongsu.views.web.app import create_app
from bongsu.views.web.live import Live
from live_page import BOARD, HOSTILE, metrics, readings

SHOWN = "<img src=x onerror=alert(1)>\\x1b[31m\\n\"'&\\u202eevil"


def visit(ticks: int = 0, rooms: tuple[str, ...] = ("attic", HOSTILE)) -> TestClient:
    """A client of an open page that has read so many batches."""
    recent = Recent(BOARD.queries)
    live = Live(recent, [BOARD], about={"rooms": "Rooms of the house."})
    for tick in range(ticks):
        batch = readings(tick, rooms)
        recent.write(batch)
        live.write(batch)
    return TestClient(create_app(live, Access(None), metrics=metrics, version="1.2.3"), base_url="http://localhost")


def test_before_the_first_reading_nothing_is_made_up() -> None:
    """No zero stands for what was not read."""
    visitor = visit()
    board = visitor.get("/api/board").json()
    assert board["times"] == []
    assert [panel["series"] for panel in board["panels"]] == [[], [], []]
    assert [tile["value"] for tile in board["tiles"]] == [None, None]
    status = visitor.get("/api/status").json()
    assert status["ready"] is False
    assert status["collectors"] == []


def test_the_board_holds_each_panels_history() -> None:
    """Times, values, legends, units, help; NaN is null."""
    board = visit(3).get("/api/board?seconds=60&points=100").json()
    assert len(board["times"]) == 3
    work, heat, none = board["panels"]
    assert [line["legend"] for line in work["series"]] == ["x", "y"]
    assert work["series"][0]["values"][0] is None
    assert work["series"][0]["values"][1] > 0
    assert [line["legend"] for line in heat["series"]] == ["attic", SHOWN]
    assert heat["series"][1]["values"] == [41, 41, 41]
    assert none["series"] == []
    assert (work["unit"], work["stacked"], work["help"]) == ("ratio", True, "What is done.")
    assert board["tiles"][1]["value"] == 41
    assert board["tiles"][1]["legend"] == SHOWN


def test_too_many_lines_are_cut_and_that_is_said() -> None:
    """The highest are shown, and how many there are."""
    board = visit(2, tuple(f"room-{i}" for i in range(10))).get("/api/board").json()
    heat = board["panels"][1]
    assert [line["legend"] for line in heat["series"]] == ["room-7", "room-8", "room-9"]
    assert heat["note"] == "the 3 highest of 10 lines"


def test_status_tells_what_fails_and_why() -> None:
    """Each collector with its state, the error in words, what is absent and the cure."""
    status = visit(2).get("/api/status").json()
    rooms, broken = status["collectors"]
    assert (rooms["state"], rooms["about"]) == ("partly", "Rooms of the house.")
    assert rooms["absences"] == [
        {
            "why": "lost", "reason": f"{SHOWN} is gone", "cure": "look for it", "count": 1,
            "what": [f"bongsu_test_heat_celsius {SHOWN}"],
        }
    ]  # fmt: skip
    assert (broken["state"], broken["said"], broken["last_success"]) == ("failed", "<b>it</b> broke", None)
    assert status["version"] == "1.2.3"


def test_processes_have_rates_from_the_second_look() -> None:
    """A rate needs two looks; what may not be read is null, not 0."""
    rows = {row[0]: row for row in visit(1).get("/api/processes").json()["rows"]}
    assert rows[8][4] is None
    answer = visit(2).get("/api/processes").json()
    rows = {row[0]: dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]}
    assert rows[8]["cpu"] > 0
    assert rows[8]["read"] > 0
    assert rows[100]["read"] is None
    assert rows[100]["write"] == 0
    assert rows[7]["executable"] == SHOWN
    assert answer["total"] == 62


@pytest.mark.parametrize(
    "query",
    ["seconds=0", "seconds=-1", "seconds=1e9", "seconds=nan", "seconds=inf", "seconds=x", "points=0", "points=1e6"],
)
def test_absurd_windows_are_refused_in_words(query: str) -> None:
    """The answer names the parameter, what was given and what is allowed."""
    answer = visit(1).get(f"/api/board?{query}")
    assert answer.status_code == 400
    name, _, value = query.partition("=")
    assert answer.json()["error"].startswith(f"{name}='{value}': give a number from")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=x&to=5", "from='x': give a number from 0 to"),
        ("from=nan", "from='nan': give a number from 0 to"),
        ("from=-1&to=5", "from='-1': give a number from 0 to"),
        ("from=1&to=1e99", "to='1e99': give a number from 0 to"),
        ("from=2000&to=1000", "from=2000 to=1000: the end must be 1 second to 366 days later"),
        ("from=1700000000.25&to=1700000000.5", "from=1700000000.25 to=1700000000.5: the end must be 1 second to"),
        ("from=1", "from=1 to="),
        ("to=1000", "from is missing: give the Unix time"),
        ("from=1000&to=2000&seconds=5", "give either seconds, or from and to"),
    ],
)
def test_a_span_that_is_none_is_refused_in_words(query: str, said: str) -> None:
    """One line that names what was given, and what may be."""
    answer = visit(1).get(f"/api/board?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)
    assert "\n" not in answer.json()["error"]


def test_a_history_that_cannot_be_read_is_told_of() -> None:
    """503 with the reason, instead of a failure without words."""

    class Broken:
        def read(self, *_: object, **__: object) -> NoReturn:
            raise NotKnown(Message("the disk is gone"))

    live = Live(Recent(BOARD.queries), [BOARD], past=Broken())
    visitor = TestClient(create_app(live, Access(None)), base_url="http://localhost")
    answer = visitor.get("/api/board?from=1000&to=2000")
    assert (answer.status_code, answer.json()["error"]) == (503, "the disk is gone")


def test_an_unknown_board_names_those_that_are() -> None:
    """404, with the cure."""
    answer = visit(1).get("/api/board?name=<b>")
    assert answer.status_code == 404
    assert answer.json()["error"] == "there is no board '<b>'; there are: test"


@pytest.mark.parametrize(
    "path", ["/nowhere", "/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/"]
)
def test_an_unknown_address_is_a_page_in_words(path: str) -> None:
    """404, and no file outside the folder can be had."""
    answer = visit().get(path)
    assert answer.status_code == 404
    assert "There is no such page." in answer.text


def test_what_fails_inside_is_not_shown_outside(caplog: pytest.LogCaptureFixture) -> None:
    """A broken renderer gives 500 in words; the traceback goes to the log."""

    def broken(request: http_message.Request) -> http_message.Response:
        raise RuntimeError("secret detail")

    live = Live(Recent(BOARD.queries), [BOARD])
    app = create_app(live, Access(None), metrics=broken)
    visitor = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    answer = visitor.get("/metrics")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text
    assert "content-security-policy" in answer.headers


def test_metrics_are_handed_on_as_they_are() -> None:
    """Status, headers and body are the renderer's; HEAD too."""
    answer = visit().get("/metrics?collect[]=a&collect[]=b")
    assert answer.text == "up 1\n"
    assert answer.headers["x-query"] == "collect[]=a&collect[]=b"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4"
    assert visit().head("/metrics").status_code == 200


def asking(answer: Callable[[http_message.Request], http_message.Response]) -> TestClient:
    """A client of a page whose queries are answered so."""
    live = Live(Recent(BOARD.queries), [BOARD])
    return TestClient(create_app(live, Access(None), metrics=metrics, api=answer), base_url="http://localhost")


def test_queries_are_handed_on_as_they_are() -> None:
    """Path, URL and form go to who answers queries; what is too long is refused before."""
    seen: list[http_message.Request] = []

    def answer(request: http_message.Request) -> http_message.Response:
        seen.append(request)
        return http_message.plain(422, "no", ("X-Said", "so"))

    visitor = asking(answer)
    said = visitor.post("/api/v1/query_range?step=15", data={"query": "up{a='é'}"})
    assert (said.status_code, said.text, said.headers["x-said"]) == (422, "no\n", "so")
    assert (seen[0].method, seen[0].path, seen[0].query) == ("POST", "/api/v1/query_range", "step=15")
    assert seen[0].body == b"query=up%7Ba%3D%27%C3%A9%27%7D"
    assert seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
    visitor.get("/api/v1/label/U__a_2f_b%20c/values?start=1")
    assert (seen[1].path, seen[1].query, seen[1].body) == ("/api/v1/label/U__a_2f_b c/values", "start=1", b"")
    assert visitor.head("/api/v1/query?query=1").status_code == 422
    assert visitor.post("/api/v1/query", content=b"x" * (http_message.MOST_BODY + 1)).status_code == 413
    assert len(seen) == 3
    assert visit().get("/api/v1/query").status_code == 404


@pytest.mark.parametrize(("leaves", "code"), [(True, 400), (False, 408)])
def test_a_form_that_does_not_come_is_not_waited_for(
    leaves: bool, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is it a failure of ours when a client goes away in the middle."""
    monkeypatch.setattr(app_module, "_BODY_SECONDS", 0.05)
    sent: list[MutableMapping[str, Any]] = []
    pieces: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": b"que", "more_body": True}]

    async def receive() -> MutableMapping[str, Any]:
        if pieces:
            return pieces.pop()
        if not leaves:
            await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    live = Live(Recent(BOARD.queries), [BOARD])
    app = create_app(live, Access(None), api=lambda _request: http_message.plain(200, "done"))
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/query", "query_string": b"", "scheme": "http",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == code
    assert caplog.messages == []


def test_queries_hold_up_neither_the_page_nor_metrics() -> None:
    """Twenty run at a time; while they do, others wait and other addresses are answered."""
    go, running = threading.Event(), []

    def answer(_request: http_message.Request) -> http_message.Response:
        running.append(1)
        go.wait(60)
        return http_message.plain(200, "done")

    async def ask() -> None:
        app = create_app(Live(Recent(BOARD.queries), [BOARD]), Access(None), metrics=metrics, api=answer)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as visitor:
            queries = [asyncio.create_task(visitor.get("/api/v1/query?query=1")) for _ in range(60)]
            while len(running) < 20:  # noqa: ASYNC110  it is threads that are waited for
                await asyncio.sleep(0.005)
            assert (await visitor.get("/metrics")).status_code == 200
            assert (await visitor.get("/api/status")).status_code == 200
            assert len(running) == 20
            go.set()
            assert {(await query).status_code for query in queries} == {200}

    asyncio.run(ask())


def test_static_files_are_packed_and_remembered() -> None:
    """Packed where it is understood, 304 where it is known already, a type that a browser runs."""
    visitor = visit()
    answer = visitor.get("/static/page.js")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    again = visitor.get("/static/page.js", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    plain = visitor.get("/static/page.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text


def test_the_page_weighs_little() -> None:
    """What it loads at first is at most 80 kB packed, uPlot included; with all that is loaded on demand it is at most 100."""
    first, all_of_it = static.weights(static.load())
    assert first <= 80_000
    assert all_of_it <= 100_000


def test_the_page_holds_no_inline_code_and_nothing_from_elsewhere() -> None:
    """The content policy would refuse it; so would a machine without the internet."""
    folder = Path(static.FOLDER)
    html = (folder / "index.html").read_text()
    assert "style=" not in html
    assert " on" not in [part[:3] for part in html.split('"')]
    assert "<script>" not in html
    for path in [*folder.glob("*.js"), *folder.glob("*.css"), folder / "index.html"]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
        assert "innerHTML" not in text, path


def test_uplot_is_named_with_version_and_licence() -> None:
    """What is not ours says whose it is."""
    vendor = Path(static.FOLDER) / "vendor"
    assert (vendor / "uplot-1.6.32.min.js").read_text().startswith("/*! https://github.com/leeoniya/uPlot (v1.6.32) */")
    assert "The MIT License" in (vendor / "LICENSE.uplot").read_text()


def test_numbers_are_short_and_json_is_strict() -> None:
    """Six figures, and null for what is not a number: JSON has no NaN."""
    text = visit(3).get("/api/board").text
    json.loads(text, parse_constant=pytest.fail)
    values = json.loads(text)["panels"][0]["series"][0]["values"]
    assert all(v is None or math.isclose(v, float(f"{v:.6g}"), rel_tol=0) for v in values)
