"""Reads the record of a run, whatever happened to its end: samples, processes, events, and what the last lines say."""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from bongsu.model.message import Message
from bongsu.model.run import Event, Point, ProcessRow, Survivor, Use
from bongsu.records import segment
from bongsu.records.run_folder import RECORD, check_schema

_Row = TypeVar("_Row")


class Born(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A process was seen for the first time."""

    at_seconds: float
    process: int
    pid: int | None = None
    start_seconds: float | None = None
    parent: int | None = None
    uid: int | None = None
    executable: str | None = None
    command: str | None = None


class Became(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A process became another program."""

    at_seconds: float
    process: int
    executable: str | None = None
    command: str | None = None


class UseOf(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One process at one time."""

    at_seconds: float
    process: int
    cpu_seconds: float | None = None
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    threads: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    unseen_cpu_seconds: float | None = None


class Exited(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A process ended."""

    at_seconds: float
    process: int
    exit_code: int | None = None
    signal: str | None = None
    cpu_seconds: float | None = None
    known_by: str | None = None
    unseen_cpu_seconds: float | None = None
    peak_rss_bytes: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None


class Brief(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A process that no reading came across, from its fork to its end."""

    at_seconds: float
    process: int
    pid: int | None = None
    start_seconds: float | None = None
    parent: int | None = None
    executable: str | None = None


class Many(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """More of them, of one program."""

    at_seconds: float
    process: int
    executable: str | None = None
    processes: int | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    lived_seconds: float | None = None


class Own(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the monitor had used by then."""

    at_seconds: float
    cpu_seconds: float | None = None
    rss_bytes: int | None = None
    samples: int | None = None
    missed: int | None = None
    late_seconds: float | None = None
    cpu_source: str | None = None
    started: float | None = None
    counted_by: str | None = None


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The first process ended."""

    at_seconds: float
    exit_code: int | None = None
    signal: str | None = None
    cpu_source: str | None = None
    sources: dict[str, float | None] | None = None
    user_cpu_seconds: float | None = None
    system_cpu_seconds: float | None = None
    maxrss_bytes: int | None = None
    cgroup_peak_bytes: int | None = None
    survivors: list[tuple[int, str | None, float | None]] | None = None


#: The kinds of records of schema 1 and what each is read as; the fields stand in the order of its columns.
KINDS: dict[str, type[msgspec.Struct]] = {
    "sample": Point,
    "born": Born,
    "became": Became,
    "use": UseOf,
    "exited": Exited,
    "brief": Brief,
    "many": Many,
    "event": Event,
    "monitor": Own,
    "end": End,
}


_LONGEST_NAME = 15  # bytes of a name, as the kernel keeps it
_SHOWN = frozenset({"sample", "event", "monitor", "end"})  # kinds whose rows are handed on as they are


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's record holds. ``until_seconds`` is the time of its last word, ``damaged`` counts torn lines."""

    points: tuple[Point, ...] = ()
    processes: tuple[ProcessRow, ...] = ()
    events: tuple[Event, ...] = ()
    own: Own | None = None
    end: End | None = None
    until_seconds: float | None = None
    damaged: int = 0

    @property
    def survivors(self) -> tuple[Survivor, ...]:
        """The processes that lived on."""
        rows = (self.end.survivors or ()) if self.end else ()
        return tuple(Survivor(pid=pid, command=command or "", cpu_seconds=used) for pid, command, used in rows)


def read_record(folder: str, schema: str, user_of: Callable[[int], str] = str) -> Record:
    """The record of a run; an empty one where there is none yet.

    Args:
        folder: of the run.
        schema: that its metadata names; "" where those are lost, which is read as the newest one.
        user_of: the name of a user id.

    Raises:
        BadInput: the record is of a newer schema.
        OSError: it may not be read.
    """
    path = os.path.join(folder, RECORD)
    check_schema(schema, path)
    try:
        with segment.plain(path) as file:
            data = file.read()
    except FileNotFoundError:
        return Record()
    reader = _READERS.get(schema, read_1)
    return reader(data, user_of)


def read_1(data: bytes, user_of: Callable[[int], str] = str) -> Record:
    """The bytes of a record of schema 1."""
    damaged = 0
    names: dict[str, tuple[str, ...]] = {kind: kept.__struct_fields__ for kind, kept in KINDS.items()}
    found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    starts = {b'["' + kind.encode() + b'"': kind for kind in (*KINDS, "columns")}
    waiting: dict[str, list[bytes]] = {kind: [] for kind in KINDS}

    def take() -> int:
        lost = 0
        for kind, texts in waiting.items():
            rows, bad = _rows(kind, names[kind], texts)
            found[kind] += rows
            lost += bad
            texts.clear()
        return lost

    for text in segment.texts(data):
        if text is None:
            damaged += 1
            continue
        kind = starts.get(text[: text.find(b'"', 2) + 1])
        if kind == "columns":
            damaged += take()
            names |= _columns(text)
        elif kind is not None:
            waiting[kind].append(text)
        elif text[:2] != b'["':
            damaged += 1
    damaged += take()
    return _record(found, damaged, user_of)


def _columns(text: bytes) -> dict[str, tuple[str, ...]]:
    try:
        said = msgspec.json.decode(text, type=tuple[str, dict[str, tuple[str, ...]]])[1]
    except msgspec.MsgspecError:
        return {}
    return {kind: columns for kind, columns in said.items() if kind in KINDS}


@functools.lru_cache(maxsize=64)
def _row_type(kind: str, columns: tuple[str, ...]) -> tuple[Any, bool] | None:
    """A row as it stands in the file, and whether it is complete; None if something without which it says nothing is missing."""
    known = {field.name: field for field in msgspec.structs.fields(KINDS[kind])}
    if not {name for name, field in known.items() if field.required} <= set(columns):
        return None
    fields: list[Any] = []
    for place, name in enumerate(columns):
        if name not in known or name in columns[:place]:
            fields.append((f"unknown_{place}", Any, None))
        else:
            fields.append((name, known[name].type) if known[name].required else (name, known[name].type, None))
    row = msgspec.defstruct(kind, fields, array_like=True, tag=kind, kw_only=True, gc=False)
    return row, known.keys() <= set(columns)


def _rows(kind: str, columns: tuple[str, ...], texts: list[bytes]) -> tuple[list[Any], int]:
    """The rows of one kind, and how many cannot be understood."""
    made = _row_type(kind, columns) if texts else None
    if made is None:
        return [], len(texts)
    row, complete = made
    wanted = None if complete and kind not in _SHOWN else KINDS[kind]  # else the row has all that is asked of it
    try:
        many: list[Any] = msgspec.json.decode(b"[" + b",".join(texts) + b"]", type=list.__class_getitem__(row))
        return (many if wanted is None else msgspec.convert(many, list[wanted], from_attributes=True)), 0  # type: ignore[valid-type]  # one of KINDS
    except msgspec.MsgspecError:  # texts that are not UTF-8, or something that is no such row
        pass
    rows: list[Any] = []
    for text in texts:
        try:
            one = msgspec.convert(segment.decoded(text), row)
            rows.append(one if wanted is None else msgspec.convert(one, wanted, from_attributes=True))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
    return rows, len(texts) - len(rows)


def _record(found: dict[str, list[Any]], damaged: int, user_of: Callable[[int], str]) -> Record:
    until = max((row.at_seconds for rows in found.values() for row in rows[-1:]), default=None)
    events = list(found["event"])
    if damaged:
        events.append(Event(at_seconds=until or 0.0, what="torn", text=left_out(damaged)))
    return Record(
        points=tuple(found["sample"]), processes=_processes(found, user_of), events=tuple(events),
        own=_last(found["monitor"]), end=_last(found["end"]), until_seconds=until, damaged=damaged,
    )  # fmt: skip


def left_out(damaged: int) -> str:
    """How many lines of the record nobody can read, in words."""
    if damaged == 1:
        return str(Message("1 line of the record is torn or damaged and left out"))
    return str(Message("{count} lines of the record are torn or damaged and left out", count=damaged))


def _last(rows: list[_Row]) -> _Row | None:
    return rows[-1] if rows else None


def _by_process(rows: Iterable[Any]) -> dict[int, list[Any]]:
    kept: dict[int, list[Any]] = {}
    for row in rows:
        kept.setdefault(row.process, []).append(row)
    return kept


def _processes(found: dict[str, list[Any]], user_of: Callable[[int], str]) -> tuple[ProcessRow, ...]:
    """Each process of the record; one whose birth was on a torn line is known by its number only."""
    born = {row.process: row for row in reversed(found["born"])}
    became = _by_process(found["became"])
    uses = _by_process(found["use"])
    exited = {row.process: row for row in found["exited"]}
    names: dict[int, str] = {}
    known = _programs([*found["born"], *found["became"]])
    rows = [_passed(row, known) for row in found["brief"]]
    rows += [_many(row, known) for row in {row.process: row for row in found["many"]}.values()]
    for index in sorted(born.keys() | became.keys() | uses.keys() | exited.keys()):
        birth: Born | None = born.get(index)
        used: list[UseOf] = uses.get(index, [])
        end: Exited | None = exited.get(index)
        first = birth or (used[0] if used else end) or became[index][0]
        texts = [text for text in (birth, *became.get(index, ())) if text is not None]
        executable = _latest(texts, None, "executable") or ""
        uid = birth.uid if birth else None
        if uid is not None and uid not in names:
            names[uid] = user_of(uid)
        rows.append(
            ProcessRow(
                index=index,
                pid=(birth.pid if birth else None) or 0,
                start_seconds=birth.start_seconds if birth and birth.start_seconds is not None else first.at_seconds,
                parent=birth.parent if birth else None,
                command=_latest(texts, None, "command") or "",
                executable=known.get(executable, executable),
                user=names[uid] if uid is not None else "",
                end_seconds=end.at_seconds if end else None,
                exit_code=end.exit_code if end else None,
                signal=(end.signal if end else None) or "",
                known_by=(end.known_by if end else None) or "",
                cpu_seconds=_latest(used, end, "cpu_seconds"),
                unseen_cpu_seconds=_latest(used, end, "unseen_cpu_seconds"),
                peak_rss_bytes=_most(used, "rss_bytes", end.peak_rss_bytes if end else None),
                peak_pss_bytes=_most(used, "pss_bytes"),
                threads=_most(used, "threads"),
                read_bytes=_latest(used, end, "read_bytes"),
                write_bytes=_latest(used, end, "write_bytes"),
                uses=tuple(msgspec.convert(used, list[Use], from_attributes=True)),
            )
        )
    rows.sort(key=operator.attrgetter("index"))
    return tuple(rows)


def _programs(rows: Iterable[Any]) -> dict[str, str]:
    """The programs of processes that readings came across, by the name that they were executed by, as far as the kernel keeps it.

    So that those of whom it told nothing else (proc_pid_comm(5)) stand with them. A name of several programs is left out.
    """
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.executable and row.executable.startswith("/") and row.command:
            name = row.command.partition(" ")[0].rpartition("/")[2]
            found.setdefault(name[:_LONGEST_NAME], set()).add(row.executable)
    return {name: paths.pop() for name, paths in found.items() if len(paths) == 1}


def _passed(row: Brief, programs: dict[str, str]) -> ProcessRow:
    return ProcessRow(
        index=row.process, pid=row.pid or 0, start_seconds=row.at_seconds if row.start_seconds is None else row.start_seconds,
        parent=row.parent, executable=programs.get(row.executable or "", row.executable or ""), end_seconds=row.at_seconds,
        known_by="event",
    )  # fmt: skip


def _many(row: Many, programs: dict[str, str]) -> ProcessRow:
    end = row.at_seconds if row.end_seconds is None else row.end_seconds
    return ProcessRow(
        index=row.process, pid=0, start_seconds=end if row.start_seconds is None else row.start_seconds,
        executable=programs.get(row.executable or "", row.executable or ""), end_seconds=end, known_by="event", count=row.processes or 1,
        lived_seconds=row.lived_seconds,
    )  # fmt: skip


def _latest(rows: list[Any], end: Any, name: str) -> Any:
    """The last word on something: of the end, else of the last row that knows it."""
    last = getattr(end, name, None)
    return (
        last if last is not None else next((v for row in reversed(rows) if (v := getattr(row, name)) is not None), None)
    )


def _most(rows: list[Any], name: str, last: int | None = None) -> int | None:
    """The largest value that any row knows, or ``last`` where that is larger."""
    values = [value for value in map(operator.attrgetter(name), rows) if value is not None]
    return max(values if last is None else [*values, last], default=None)


_READERS: dict[str, Callable[[bytes, Callable[[int], str]], Record]] = {"bongsu-run/1": read_1}
