"""Runs the page on a free port over made-up readings, for tests that connect to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from bongsu.boards.board import Board, Kind, Line, Panel, Tile, Unit
from bongsu.model.batch import Absence, Batch, Table, Why
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.process import ProcessRow
from bongsu.model.query import Fold, Query
from bongsu.runs import export_json
from bongsu.sinks import http_message
from bongsu.sinks.web_tls import ServerTls
from bongsu.store.recent import Recent
from bongsu.views.web.access import Access
from bongsu.views.web.app import create_app
from bongsu.views.web.drawing import Past
from bongsu.views.web.live import Live
from bongsu.views.web.own import Store
from bongsu.views.web.runs import Runs, RunsApi
from bongsu.views.web.server import WebServer, listen
from bongsu.views.web.workers import Answer
from readings import HEAT, TASKS, WORK, part

TOKEN = "correct-horse"
HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\n\"'&\u202eevil"
BOARD = Board(
    "test", Message("Test"),
    (
        Tile("work", Message("Work"), Unit.RATIO, Line(Message("done"), Query(WORK, Fold.RATE)), top=1.0),
        Tile("heat", Message("Heat"), Unit.CELSIUS, Line(Message("{room}"), Query(HEAT, by=("room",)))),
    ),
    (
        Panel("work", Message("Work"), Unit.RATIO,
              (Line(Message("{kind}"), Query(WORK, Fold.RATE, ("kind",))),), Message("What is done."), kind=Kind.STACK),
        Panel("heat", Message("Heat"), Unit.CELSIUS,
              (Line(Message("{room}"), Query(HEAT, by=("room",))),), Message("How hot it is."), most=3),
        Panel("none", Message("Nothing"), Unit.COUNT,
              (Line(Message("tasks"), Query(TASKS, Fold.RATE)),), Message("Never read.")),
    ),
)  # fmt: skip


def process(pid: int, name: str, **other: object) -> ProcessRow:
    """A process as a row."""
    values: dict[str, object] = {
        "pid": pid, "ppid": 1, "user": "alice", "uid": 1000, "executable": name, "state": "S", "start_time": 900.0 + pid,
        "start_ticks": pid, "threads": 1, "cpu_seconds": 0.0, "resident_bytes": pid * 1024**2, "virtual_bytes": 2**30,
        "read_bytes": None, "write_bytes": 0,
    }  # fmt: skip
    return ProcessRow(**{**values, **other})  # type: ignore[arg-type]  # named as the row's fields are


def readings(tick: int, rooms: tuple[str, ...] = ("attic", HOSTILE)) -> Batch:
    """What a machine might give at a tick: gauges, counters, processes, a failure and an absence."""
    at, now = time.monotonic(), time.time()
    rows = (
        process(7, HOSTILE, user=HOSTILE, cpu_seconds=tick * 0.5),
        process(8, "train.py", cpu_seconds=tick * 0.25, state="R", threads=64, read_bytes=tick * 1000),
        *(process(100 + i, f"worker-{i}") for i in range(60)),
    )
    values: dict[tuple[MetricSpec, tuple[str, ...]], float] = {
        (WORK, ("0", "x")): tick * 0.25, (WORK, ("1", "y")): tick * 0.125,
        **{(HEAT, (room,)): 40.0 + i for i, room in enumerate(rooms)},
    }  # fmt: skip
    lost = Absence(HEAT, (HOSTILE,), Why.LOST, Message("{room} is gone", room=HOSTILE), Message("look for it"))
    parts = (
        part(values, 0, collector="rooms", tables=(Table("processes", rows),), absences=(lost,)),
        part({}, 0, collector="broken", error=Message("{name} broke", name="<b>it</b>")),
    )
    return Batch(now, at, tuple(msgspec.structs.replace(p, time=now, monotonic=at) for p in parts))


@dataclass
class Page:
    """A running server: feed it with `tick`."""

    live: Live
    recent: Recent
    server: WebServer
    make: Callable[[int], Batch] = readings
    ticks: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.port}"

    def tick(self, count: int = 1) -> None:
        """Deliver new batches at once."""
        for _ in range(count):
            batch = self.make(self.ticks)
            self.ticks += 1
            self.recent.write(batch)
            self.live.write(batch)

    def tick_on(self, seconds: float = 0.1) -> threading.Thread:
        """Deliver batches until the end, from a thread of its own."""

        def work() -> None:
            while not self._stop.wait(seconds):
                self.tick()

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def hold(self) -> None:
        """Deliver no more."""
        self._stop.set()


@contextmanager
def page(
    *,
    access: Access | None = None,
    port: int = 0,
    make: Callable[[int], Batch] = readings,
    tls: ServerTls | None = None,
    api: Answer | None = None,
    store: Store | None = None,
    past: Past | None = None,
    runs: Runs | None = None,
    trouble: Callable[[], Message | None] = lambda: None,
) -> Iterator[Page]:
    """A page that runs until the end of the block."""
    recent = Recent(BOARD.queries, interval=0.1, seconds=60)
    members = dict if runs is None else runs.members
    live = Live(
        recent,
        [BOARD],
        about={"rooms": "Rooms of the house."},
        trouble=trouble,
        store=store,
        past=past,
        members=members,
    )
    recorded = None if runs is None else RunsApi(runs, export_json.text)
    app = create_app(live, access or Access(TOKEN), metrics=metrics, api=api, runs=recorded)
    server = WebServer(app, live, listen("127.0.0.1", port), tls=tls)
    running = Page(live, recent, server, make)
    server.start()
    try:
        yield running
    finally:
        running.hold()
        server.stop()


def metrics(request: http_message.Request) -> http_message.Response:
    """Stands for the renderer of metrics."""
    body = b"up 1\n"
    return http_message.Response(
        200, (("Content-Type", "text/plain; version=0.0.4"), ("X-Query", request.query), ("Content-Length", "5")), body
    )
