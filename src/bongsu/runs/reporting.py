"""Makes the report of a run from its folder, keeps its summary there, and puts it right after a crash."""

from __future__ import annotations

import calendar
import contextlib
import functools
import itertools
import json
import os
import pwd
import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.run import SCHEMA, Event, Metadata, RunReport, Summary
from bongsu.records import functions, run_folder, segment
from bongsu.records.run_finding import Found
from bongsu.records.run_folder import ENDED, LOST, METADATA, RECORD, RUNNING, SUMMARY, NewerSchema
from bongsu.records.run_list import NEWER, UNREADABLE, RunRow
from bongsu.records.run_reading import Record, read_record
from bongsu.runs import export_json
from bongsu.runs.summary import report


class Recovered(NamedTuple):
    """What became of a run: its state, whether its summary was made anew, and a line on what is known and what is lost."""

    id: str
    state: str
    changed: bool
    text: Message


def opened(found: Found) -> RunReport:
    """The report of what was found. The summary of a lost run is made on the way.

    Raises:
        BadInput: it cannot be read, or a newer version wrote it.
        OSError: it may not be read.
    """
    if found.exported:
        return export_json.read(found.path)
    made = read_run(found.path)
    if made.metadata.state == LOST:
        with contextlib.suppress(OSError):  # another user's, or a full disk: the report is there all the same
            keep(found.path, made)
    return made


def read_run(folder: str, state: str | None = None) -> RunReport:
    """The report of the run in a folder, from its records.

    Args:
        folder: of the run.
        state: of the run, where the caller knows it, as the monitor does that holds the record.

    Raises:
        BadInput: there is nothing that can be read, or a newer version wrote it.
        OSError: it may not be read.
    """
    metadata = run_folder.read_metadata(folder)
    record = read_record(folder, metadata.schema if metadata else "", user_of)
    if metadata is None:
        if record.until_seconds is None:
            raise BadInput(
                Message("{folder}: nothing of this run can be read: {metadata} is missing or torn, and {record} holds "
                        "no whole line", folder=folder, metadata=METADATA, record=RECORD)
            )  # fmt: skip
        text = f"{METADATA} is missing or torn: host, user and options of this run are not known"
        lost = Event(at_seconds=0.0, what="torn", text=text)
        record = msgspec.structs.replace(record, events=(lost, *record.events))
        metadata = _guessed(folder, record)
    if state is None:
        state = run_folder.state(folder, ended=record.end is not None, interval_seconds=metadata.interval_seconds)
    metadata = msgspec.structs.replace(metadata, state=state)
    return made_of(metadata, record, functions.read(folder))


def made_of(metadata: Metadata, record: Record, timed: functions.Functions) -> RunReport:
    """The report of a run of which this was read."""
    events = (*record.events, *_of_functions(timed))
    return report(metadata, msgspec.structs.replace(record, events=events), timed.stats)


def conclude(folder: str) -> RunReport:
    """Sum up a run that is over, and keep that. Raises OSError, BadInput."""
    made = read_run(folder, ENDED)
    keep(folder, made)
    return made


def recover(folder: str) -> Recovered:
    """Make the summary of a run anew from what is there; one that goes on is left alone, a second time changes nothing.

    Raises:
        BadInput: nothing of it can be read, or a newer version wrote it.
        OSError: it cannot be read, or its summary cannot be written.
    """
    made = read_run(folder)
    known, name = made.metadata, os.path.basename(folder)
    if known.state == RUNNING:
        return Recovered(name, RUNNING, False, Message("goes on; left alone"))
    changed = keep(folder, made)
    torn = [event.text for event in made.events if event.what == "torn"]
    samples = "1 sample" if len(made.samples) == 1 else f"{len(made.samples)} samples"
    if known.state == ENDED:
        text = Message("whole, {samples}", samples=samples)
        if torn:
            text = Message("{samples}; {torn}", samples=samples, torn="; ".join(torn))
        return Recovered(name, ENDED, changed, text)
    return Recovered(
        name, known.state, changed,
        Message(
            "{samples}, the last word {until:.6g} s after the start; of what its recorder saw, at most {lost:.6g} s "
            "are lost{torn}",
            samples=samples, until=made.summary.wall_seconds or 0.0,
            lost=known.interval_seconds + (made.monitor.late_seconds or 0.0), torn="".join(f"; {text}" for text in torn),
        ),
    )  # fmt: skip


def summarized(folder: str) -> dict[str, Any] | None:
    """The summary that is kept in a folder; None if there is none, or what it was made of has changed since."""
    try:
        with segment.plain(os.path.join(folder, SUMMARY)) as file:
            kept = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(kept, dict) or kept.get("schema") != SCHEMA or kept.get("of") != _sizes(folder):
        return None
    return kept


def keep(folder: str, made: RunReport) -> bool:
    """Write the summary unless it stands there so already; whether it was written. Raises OSError."""
    kept = export_json.document(made, export_json.SUMMED_UP)
    kept["of"] = _sizes(folder)
    if summarized(folder) == json.loads(json.dumps(kept)):
        return False
    run_folder.write_whole(os.path.join(folder, SUMMARY), json.dumps(kept, allow_nan=False).encode("ascii"))
    return True


def _of_functions(timed: functions.Functions) -> Iterator[Event]:
    """What a reader should know of the functions that were timed, or not."""
    for name in timed.missing:
        yield Event(at_seconds=0.0, what="missing", text=f"--functions {name}: no process had this function")
    if timed.newer:
        segments = "1 segment of functions is" if timed.newer == 1 else f"{timed.newer} segments of functions are"
        yield Event(at_seconds=0.0, what="newer", text=f"{segments} of a newer schema")
    if timed.damaged:
        lines = (
            "1 line of timed functions is" if timed.damaged == 1 else f"{timed.damaged} lines of timed functions are"
        )
        text = f"{lines} torn or damaged and left out"
        yield Event(at_seconds=0.0, what="torn", text=text)
    yield from _of_too_many_names(timed)
    if timed.faults:
        times = "once" if timed.faults == 1 else f"{timed.faults} times"
        yield Event(at_seconds=0.0, what="error", text=f"timing of functions failed {times} in the program")


def _of_too_many_names(timed: functions.Functions) -> Iterator[Event]:
    """What is in the rows of all further names: a program that makes names as it goes has no end of them."""
    spans = sum(
        stat.count + stat.running for name, stat in timed.stats.items()
        if stat.kind == "span" and name.removesuffix(f" [{stat.task}]") == functions.OTHER_SPANS
    )  # fmt: skip
    calls = sum(stat.count + stat.running for stat in timed.stats.values() if stat.task == functions.OTHER_TASKS)
    for count, what, row in ((spans, "spans", functions.OTHER_SPANS), (calls, "calls in tasks", functions.OTHER_TASKS)):
        if count:
            text = f"{count} {what} have no row of their own: their process had too many names, and they are among the {row}"
            yield Event(at_seconds=0.0, what="left out", text=text)


def _sizes(folder: str) -> dict[str, int]:
    """What a summary is made of: segments only grow."""
    with os.scandir(folder) as entries:
        return {
            entry.name: entry.stat(follow_symlinks=False).st_size
            for entry in sorted(entries, key=lambda entry: entry.name)
            if entry.name == METADATA or entry.name.endswith(".seg")
        }


def _guessed(folder: str, record: Record) -> Metadata:
    """What the record alone says of a run: its id has the time of its start, its first process the command."""
    name = os.path.basename(os.path.abspath(folder))
    started = 0.0
    with contextlib.suppress(ValueError):
        started = float(calendar.timegm(time.strptime(name[:15], "%Y%m%d-%H%M%S")))
    first = next((row for row in record.processes if row.index == 0), None)
    times = [point.at_seconds for point in record.points]
    steps = [after - at for at, after in itertools.pairwise(times)]
    return Metadata(
        id=name, command=(first.command,) if first and first.command else (), directory="", host="",
        user=first.user if first else "", started=started, zone="", version="", name=name[16:-5],
        interval_seconds=round(statistics.median(steps), 3) if steps else 0.0, pid=first.pid if first else None,
    )  # fmt: skip


@functools.cache
def user_of(uid: int) -> str:
    """The name of a user id; the number where nobody has it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def row(folder: str) -> RunRow:
    """One line on a run, for a list; from its summary where that is kept, else from its records."""
    name = os.path.basename(folder)
    try:
        kept = summarized(folder)
        if kept is None or kept["metadata"]["state"] != ENDED:
            made = opened(Found(folder))
            known, cost = made.metadata, made.summary
        else:
            known, cost = msgspec.convert((kept["metadata"], kept["summary"]), tuple[Metadata, Summary])
    except NewerSchema:
        return RunRow(id=name, name=name[16:-5], state=NEWER)
    except (BadInput, OSError, KeyError, TypeError, msgspec.ValidationError):
        return RunRow(id=name, name=name[16:-5], state=UNREADABLE)
    return row_of(name, known, cost)


def row_of(name: str, known: Metadata, cost: Summary) -> RunRow:
    """The line on a run of which this is known."""
    memory = cost.memory
    return RunRow(
        id=name, name=known.name, command=known.command, started=known.started, wall_seconds=cost.wall_seconds,
        cpu_seconds=cost.cpu.total_seconds, cpu_source=cost.cpu.source,
        peak_memory_bytes=memory.peak_rss_bytes if memory.peak_pss_bytes is None else memory.peak_pss_bytes,
        exit_code=known.exit_code, signal=known.signal, state=known.state, tags=known.tags, message=known.message,
        experiment=known.experiment, host=known.host, user=known.user,
        owner=known.owner,
    )  # fmt: skip
