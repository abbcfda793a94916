"""Makes the folder of a run from what con-duct logged of it: only what its readings tell, the rest stays unknown."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
import re
import shutil
import signal
import statistics
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from bongsu import __version__
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.run import Metadata
from bongsu.records import run_folder
from bongsu.records.segment import NotPlain, Segment, plain
from bongsu.runs.columns import COLUMNS
from bongsu.runs.member import redacted
from bongsu.runs.reporting import conclude

SOURCE = "imported from con-duct (sampled)"
USAGE, INFO = "usage.jsonl", "info.json"
_OUTPUTS = ("stdout", "stderr")
_ELAPSED = re.compile(r"(?:(?:(\d{1,9})-)?(\d{1,9}):)?(\d{1,9}):(\d{1,9})")  # etime of ps(1): [[DD-]hh:]mm:ss
_LATEST = 253402300799.0  # the last second of the year 9999
_AT_ONCE_SECONDS = 0.1  # within which one reading gives its processes their times
_T = TypeVar("_T")


class _Summary(msgspec.Struct, frozen=True):
    start_time: Annotated[float, msgspec.Meta(ge=0, le=_LATEST)]  # Unix s
    wall_clock_time: Annotated[float, msgspec.Meta(ge=0, le=_LATEST)]  # s
    exit_code: int | None = None
    average_pcpu: float | None = None
    peak_pcpu: float | None = None


class _System(msgspec.Struct, frozen=True):
    memory_total: int | None = None
    hostname: str | None = None
    user: str | None = None
    os_name: str | None = None
    os_release: str | None = None
    processor: str | None = None


class _Info(msgspec.Struct, frozen=True):
    duct_version: str
    command: str
    execution_summary: _Summary | None
    system: _System = _System()
    working_directory: str | None = None
    message: str | None = None


class _Process(msgspec.Struct, frozen=True):
    rss: int  # bytes
    timestamp: dt.datetime  # when it was seen last
    etime: str
    cmd: str
    stat: dict[str, int] = {}


class _Totals(msgspec.Struct, frozen=True):
    rss: int | None = None
    vsz: int | None = None


class _Line(msgspec.Struct, frozen=True):
    """The highest of some readings; ``num_samples`` says of how many."""

    timestamp: dt.datetime
    num_samples: int
    processes: dict[int, _Process]
    totals: _Totals


class _Seen(msgspec.Struct):
    index: int
    start: float
    last: float
    command: str
    peak: int


def import_duct(prefix: str, directory: str) -> run_folder.Made:
    """Make a folder of its own for a run that con-duct (0.23) logged.

    Its CPU time is not known: the percentages of ps(1) are averages over a process's life, of those that were there
    when somebody looked, so they do not add up to seconds. They are kept as an event.

    Args:
        prefix: of its files, as con-duct's ``--output-prefix`` was, or the name of one of the two.
        directory: where runs lie.

    Raises:
        BadInput: a file is missing, broken or none of con-duct's; or no run can be kept there.
        OSError: a file may not be read, or the folder cannot be written.
    """
    prefix = prefix.removesuffix(USAGE).removesuffix(INFO)
    info = _decoded(prefix + INFO, _read(prefix + INFO), _Info)
    cost = info.execution_summary
    if cost is None:
        raise BadInput(
            Message("{path}: execution_summary is null: con-duct did not see the end; give a run that ended", path=prefix + INFO)
        )  # fmt: skip
    lines = [
        _decoded(f"{prefix + USAGE}, line {number}", text, _Line)
        for number, text in enumerate(_read(prefix + USAGE).splitlines(), 1)
        if text.strip()
    ]
    words = redacted("\0".join(info.command.split()).encode("utf-8", "replace")).split(" ")
    name = os.path.basename(words[0]) or "run"
    records = [
        ["columns", {kind: list(names) for kind, names in COLUMNS.items()}],
        *_records(lines, cost, prefix + USAGE),
        _record("event", 0.0, what="imported", text=_told(prefix, info.duct_version, cost, lines)),
        _record("end", cost.wall_clock_time, exit_code=cost.exit_code, signal=_signal(cost.exit_code), cpu_source=SOURCE),
    ]  # fmt: skip
    made = run_folder.create(directory, name, cost.start_time)
    try:
        run_folder.write_metadata(made.folder, _metadata(made.id, name, tuple(words), info, cost, lines))
        segment = Segment(os.path.join(made.folder, run_folder.RECORD))
        with contextlib.closing(segment):
            segment.append(*records)
            segment.sync()
        conclude(made.folder)
    except OSError:
        shutil.rmtree(made.folder, ignore_errors=True)
        raise
    return made


def _read(path: str) -> bytes:
    try:
        with plain(path) as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, NotPlain):
        raise BadInput(
            Message("{path}: there is no such file; give the PREFIX of con-duct's logs, as its -p was", path=path)
        ) from None


def _decoded(where: str, data: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(
            Message("{where}: this is nothing that con-duct 0.23 writes: {reason}", where=where, reason=str(error))
        ) from None


def _metadata(
    run: str, name: str, command: tuple[str, ...], info: _Info, cost: _Summary, lines: Sequence[_Line]
) -> Metadata:
    steps = [(after.timestamp - line.timestamp).total_seconds() for line, after in itertools.pairwise(lines)]
    system = info.system
    return Metadata(
        id=run, name=name, command=command, directory=info.working_directory or "", host=system.hostname or "",
        user=system.user or "", started=cost.start_time, zone=lines[0].timestamp.strftime("%z") if lines else "",
        interval_seconds=max(0.0, round(statistics.median(steps), 3)) if steps else 0.0, version=__version__,
        message=info.message or "", machine=system.processor or "", memory_bytes=system.memory_total,
        kernel=f"{system.os_name or ''} {system.os_release or ''}".strip(),
    )  # fmt: skip


def _records(lines: Sequence[_Line], cost: _Summary, where: str) -> Iterator[list[Any]]:
    """Samples and processes; the leader of the session is the command itself, if con-duct gave it one of its own."""
    known: dict[int, _Seen] = {}
    others = itertools.count(1)
    led = False
    for number, line in enumerate(lines, 1):
        at = max(0.0, _unix(line.timestamp, where, number) - cost.start_time)
        yield _record(
            "sample", at, rss_bytes=line.totals.rss, vms_bytes=line.totals.vsz,
            processes=len(line.processes) if line.num_samples == 1 else None,  # of several: all that any of them saw
        )  # fmt: skip
        for pid in [pid for pid in known if pid not in line.processes]:
            yield _gone(known.pop(pid))
        for pid, process in line.processes.items():
            last = max(0.0, _unix(process.timestamp, where, number) - cost.start_time)
            start = max(0.0, last - _elapsed(process.etime, where, number))
            command = redacted("\0".join(process.cmd.split()).encode("utf-8", "replace"))
            seen = known.get(pid)
            if seen is not None and start > seen.last + 1:  # etime is in whole seconds
                yield _gone(known.pop(pid))
                seen = None
            executable = command.partition(" ")[0]
            if seen is None:
                leads = not led and any("s" in state for state in process.stat)
                led = led or leads
                seen = known[pid] = _Seen(0 if leads else next(others), start, last, command, process.rss)
                yield _record(
                    "born", last, process=seen.index, pid=pid, start_seconds=start, executable=executable, command=command
                )  # fmt: skip
            elif command != seen.command:
                yield _record("became", last, process=seen.index, executable=executable, command=command)
            seen.last, seen.command, seen.peak = last, command, max(seen.peak, process.rss)
            yield _record("use", last, process=seen.index, rss_bytes=process.rss)
    latest = max((seen.last for seen in known.values()), default=0.0)
    for seen in known.values():
        if seen.index == 0:
            yield _record(
                "exited", cost.wall_clock_time, process=0, exit_code=cost.exit_code, signal=_signal(cost.exit_code),
                known_by="waited", peak_rss_bytes=seen.peak,
            )  # fmt: skip
        elif seen.last < latest - _AT_ONCE_SECONDS:  # the last reading did not see it; of others nobody knows the end
            yield _gone(seen)


def _gone(seen: _Seen) -> list[Any]:
    return _record("exited", seen.last, process=seen.index, known_by="vanished", peak_rss_bytes=seen.peak)


def _record(kind: str, at: float, **values: Any) -> list[Any]:
    known = {"at_seconds": round(at, 6), **values}
    return [kind, *(known.get(name) for name in COLUMNS[kind])]


def _unix(at: dt.datetime, where: str, line: int) -> float:
    if at.tzinfo is None:
        raise BadInput(Message("{where}, line {line}: a time without its zone; con-duct 0.23 writes it", where=where, line=line))  # fmt: skip
    return at.timestamp()


def _elapsed(text: str, where: str, line: int) -> float:
    found = _ELAPSED.fullmatch(text)
    if found is None:
        raise BadInput(Message("{where}, line {line}: etime {text!r} is no time of ps(1), as 01:02", where=where, line=line, text=text))  # fmt: skip
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _signal(exit_code: int | None) -> str:
    """The signal that con-duct's 128 + n stands for; a program that ended with such a code by itself looks the same."""
    try:
        return signal.Signals(exit_code - 128).name if exit_code is not None and exit_code > 128 else ""
    except ValueError:
        return ""


def _told(prefix: str, version: str, cost: _Summary, lines: Sequence[_Line]) -> str:
    """What has no place of its own in a report."""
    readings = max((line.num_samples for line in lines), default=0)
    text = f"from con-duct {version}; each sample is the highest of up to {readings} readings"
    if cost.average_pcpu is not None and cost.peak_pcpu is not None:
        text += (
            f"; CPU as ps(1) averages it over lives: {cost.average_pcpu:g} % on average, {cost.peak_pcpu:g} % at most"
        )
    kept = [os.path.abspath(prefix + name) for name in _OUTPUTS if os.path.exists(prefix + name)]
    return f"{text}; its output: {', '.join(kept)}" if kept else text
