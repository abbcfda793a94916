"""What the page is told of recorded runs: the list of them, one with its charts and tables, and one as a file."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from bongsu.model.errors import BadInput, BongsuError
from bongsu.model.message import Message
from bongsu.model.run import RunReport
from bongsu.records.run_list import NEWER, UNREADABLE, RunRow
from bongsu.sinks.http_message import Request, Response
from bongsu.views import run_report
from bongsu.views.owned import short
from bongsu.views.printable import printable
from bongsu.views.units import bytes_text, count_text, seconds_text
from bongsu.views.web import run_charts, run_rows
from bongsu.views.web.owners import key_of

LIST, ONE, FILE = "/api/runs", "/api/run", "/api/run/report"
PATHS = (LIST, ONE, FILE)
MOST_POINTS = 2000
_POINTS = 900
_MOST_EVENTS = 500
_LONGEST = 400  # characters of a command line
COLUMNS = (
    "id", "name", "command", "state", "exit", "signal", "tags", "message", "start", "wall", "cpu", "memory", "owner", "owned", "user",
    "host", "problem",
)  # fmt: skip


class Runs(Protocol):
    """Where runs are read. Each call may wait for a disk."""

    @property
    def directory(self) -> str:
        """Where they are."""
        ...

    def listed(self) -> Sequence[RunRow]:
        """All runs of this user, newest first. Raises BongsuError where the directory cannot be read."""
        ...

    def report(self, run: str) -> RunReport | None:
        """One of them; None if there is none of that id. Raises BongsuError where it cannot be read."""
        ...

    def members(self) -> Mapping[int, tuple[float, str]]:
        """The processes of runs that go on, as of the last look: pid → Unix time of its start, and the run. Never waits."""
        ...


class RunsApi:
    """Answers what the page asks about runs; called in threads that may wait."""

    def __init__(self, runs: Runs, export: Callable[[RunReport], str]) -> None:
        """``export`` writes a report as the file that one takes away."""
        self._runs = runs
        self._export = export

    def __call__(self, request: Request) -> Response:
        """The answer; whatever is wrong with a run is said in it."""
        asked = dict(parse_qsl(request.query, keep_blank_values=True))
        if request.path == LIST:
            return _json(listing(self._runs, asked.get("tag", "")))
        try:
            report = self._runs.report(asked.get("id", ""))
        except BongsuError as error:
            return _refusal(422, printable(error))
        except OSError as error:
            reason = (error.strerror or "").lower()
            return _refusal(422, str(Message("this run cannot be read: {reason}", reason=reason)))
        if report is None:
            return _refusal(404, str(Message("There is no run of this id here.")))
        if request.path == FILE:
            named = "".join(c if c.isalnum() and c.isascii() else "_" for c in report.metadata.id)
            return _json_text(
                self._export(report).encode(), ("Content-Disposition", f'attachment; filename="bongsu-{named}.json"')
            )
        try:
            return _json(one(report, asked))
        except BadInput as error:
            return _refusal(400, printable(error))


def without() -> dict[str, Any]:
    """The list where nothing is looked for."""
    problem = Message("no directory of runs is known: this user has no home directory; start it with --runs-dir DIR")
    told = {"columns": COLUMNS, "rows": [], "total": 0, "directory": "", "problem": str(problem)}
    return {**told, "tag": "", "time": None}


def listing(runs: Runs, known: str = "") -> dict[str, Any]:
    """Rows in the order of `COLUMNS`; without them where ``known`` is the tag of what they were."""
    problem, rows = None, list[list[Any]]()
    try:
        rows = [_row(row) for row in runs.listed()]
    except BongsuError as error:
        problem = printable(error)
    where = printable(runs.directory)
    told = {"columns": COLUMNS, "rows": rows, "total": len(rows), "directory": where, "problem": problem}
    tag = hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]
    same = known == tag
    return {"tag": tag, "time": round(time.time(), 3), **({"same": True} if same else told)}


def one(report: RunReport, asked: Mapping[str, str]) -> dict[str, Any]:
    """The page of a run. ``from`` and ``to`` (seconds since its start) choose the time, ``brief`` leaves tables out.

    Raises:
        BadInput: what is asked cannot be.
    """
    meta, use = report.metadata, report.summary
    length = max(_length(report), 0.001)
    since, until = _number(asked, "from", 0.0, 0.0, 1e10), _number(asked, "to", length, 0.0, 1e10)
    if until <= since:
        since, until = 0.0, length
    points = int(_number(asked, "points", _POINTS, 2, MOST_POINTS))
    told: dict[str, Any] = {
        "id": printable(meta.id), "name": run_report.name(meta), "state": meta.state, "said": run_report.state(report),
        "start": meta.started, "seconds": (math.floor(length * 1e4) + 1) / 1e4,  # no reading lies beyond it
        "interval": meta.interval_seconds,
        "command": run_report.command(meta)[:4000], "heading": run_report.heading(report)[1:],
        "owner": None if meta.owner is None else [short(meta.owner), key_of(meta.owner)],
        "tiles": _tiles(report), **run_charts.panels(report, since, until, points),
    }  # fmt: skip
    if "brief" not in asked:
        told |= {
            "processes": run_rows.processes(report, since, until), "functions": run_rows.functions(report.function_stats),
            "events": [
                [round(e.at_seconds, 3), printable(e.what), printable(e.text)] for e in report.events[:_MOST_EVENTS]
            ],
            "eventsTotal": len(report.events),
            "survivors": [[s.pid, printable(s.command), s.cpu_seconds] for s in use.survivors],
        }  # fmt: skip
    return told


def _length(report: RunReport) -> float:
    return max(report.summary.wall_seconds or 0.0, report.samples[-1].at_seconds if report.samples else 0.0)


_ELSEWHERE = {"CPU", "Memory", "Storage", "Children", "Lived on"}  # tiles and a table of their own


def _tiles(report: RunReport) -> list[dict[str, Any]]:
    """A number and what is to be known of it, from where it comes among it."""
    use = report.summary
    said = dict(run_report.facts(report))
    memory = use.memory
    peaks = [v for v in (memory.peak_pss_bytes, memory.peak_rss_bytes, memory.cgroup_peak_bytes) if v is not None]
    moved = [n for n in (use.io.read_bytes, use.io.write_bytes) if n is not None]
    tiles = [
        ("time", Message("Time"), seconds_text(use.wall_seconds), [run_report.state(report)]),
        ("cpu", Message("CPU"), seconds_text(use.cpu.total_seconds), said.get("CPU", [])),
        ("memory", Message("Memory"), bytes_text(peaks[0] if peaks else None), said.get("Memory", [])),
        ("storage", Message("Storage"), bytes_text(sum(moved)) if moved else bytes_text(None), said.get("Storage", [])),
        ("children", Message("Children"), count_text(use.children.started), said.get("Children", [])),
    ]
    return [
        *({"name": name, "title": str(title), "value": value, "said": lines} for name, title, value, lines in tiles),
        *({"name": "", "title": title, "value": "", "said": lines} for title, lines in said.items() if title not in _ELSEWHERE),
    ]  # fmt: skip


_PROBLEMS = {
    UNREADABLE: Message("nothing of this run can be read"),
    NEWER: Message("a newer version of bongsu wrote this run"),
}


def _row(row: RunRow) -> list[Any]:
    owner, problem = row.owner, _PROBLEMS.get(row.state)
    return [
        printable(row.id), printable(row.name or row.id), printable(" ".join(row.command))[:_LONGEST], row.state, row.exit_code,
        printable(row.signal), [printable(tag) for tag in row.tags], printable(row.message), row.started, row.wall_seconds,
        row.cpu_seconds, row.peak_memory_bytes, None if owner is None else short(owner), None if owner is None else key_of(owner),
        printable(row.user), printable(row.host), None if problem is None else str(problem),
    ]  # fmt: skip


def _number(asked: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    if name not in asked:
        return default
    try:
        value = float(asked[name])
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise BadInput(
            Message("{name}={text!r}: give a number from {least:g} to {most:g}",
                    name=name, text=asked[name], least=least, most=most)
        )  # fmt: skip
    return value


def _json(value: object) -> Response:
    return _json_text(msgspec.json.encode(value))


def _json_text(body: bytes, *headers: tuple[str, str], status: int = 200) -> Response:
    length = ("Content-Length", str(len(body)))
    return Response(status, (("Content-Type", "application/json"), *headers, length), body)


def _refusal(status: int, sentence: str) -> Response:
    return _json_text(msgspec.json.encode({"error": sentence, "cure": None}), status=status)
