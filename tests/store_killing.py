"""Kills the writer of one store again and again at random moments, and checks each time that nothing is lost.

Run as a script, since it forks: ``PATH KILLS SEED``. Prints one JSON object for each kill and ends with 1 at the first
fault. A child writes batches 10 simulated seconds apart as fast as it can, so that windows are sealed, minutes merged
and old readings let go all the time, and says through a pipe what it is doing and which batch is committed.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import json
import os
import random
import select
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from bongsu.model.batch import Batch
from bongsu.store.layout import file, minutes
from bongsu.store.layout.lock import Lock
from bongsu.store.layout.schema import MINUTE_MS
from bongsu.store.writing import compact
from bongsu.store.writing.writer import Writer
from readings import HEAT, WORK, Values, batch, part
from store_contents import STALE_BITS, TARGET, Key, Stored, samples

STEP = 10.0  # simulated seconds between two batches
RAW_SECONDS = 6 * 3600.0
MINUTES_SECONDS = 24 * 3600.0
SLACK = 2 * 7_200_000  # of raw samples so many ms more may be gone: they go by blocks
ENOUGH = 5000  # batches, so that all stages of a file's life were passed
STAGES = {"sealing", "waiting", "compacting"}  # in which it must have been killed
LATE_MERGED = 6 * 3_600_000  # the same of minutes


@functools.lru_cache(maxsize=10_000)
def made(number: int) -> Batch:
    """The batch of this number: what it must hold can be told from the number alone."""
    values: Values = {(HEAT, ("always",)): number / 7, (WORK, ("0", "x")): 3.0 * number}
    if number % 50 < 40:  # comes and goes
        values = {**values, (HEAT, (f"guest {number // 50 % 5}",)): -float(number)}
    at = number * STEP
    return batch(at, part(values, at), part({(HEAT, ("other",)): 1.5 * number}, at, collector="other"))


def write(path: str, first: int, say: int) -> None:
    """Write batches until killed."""
    numbers: list[tuple[int, int]] = []  # (seq, batch)

    def tell(step: str, seq: int) -> None:
        place = bisect.bisect_right(numbers, (seq, sys.maxsize)) - 1
        os.write(say, f"{step} {numbers[place][1] if place >= 0 else -1}\n".encode())

    writer = Writer(
        path, labels=TARGET, raw_seconds=RAW_SECONDS, minutes_seconds=MINUTES_SECONDS, commit_every=0.002, tell=tell
    )
    for number in range(first, sys.maxsize):
        writer.write(made(number))
        numbers.append((writer._seq, number))
        while len(writer.pending()) > 20:
            time.sleep(0.001)


def compacted(path: str, _first: int, say: int) -> None:
    """Compact as `bongsu store compact` does, until killed."""
    os.write(say, b"committed -1\n")
    with Lock(path), contextlib.closing(file.open_for_writing(path)) as connection:
        os.write(say, b"compacting -1\n")
        for word in compact.compact(connection):
            os.write(say, f"compacting: {word} -1\n".encode())
        os.write(say, b"waiting -1\n")
        time.sleep(300)


def killed(path: str, first: int, seconds: float, work: Callable[[str, int, int], None]) -> tuple[str, int]:
    """Let a child work, and kill it ``seconds`` after its first commit; what it was doing, and what it had committed."""
    hear, say = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(hear)
            work(path, first, say)
        finally:
            os._exit(3)
    os.close(say)
    step, committed = "opening", -1
    with os.fdopen(hear, "rb", buffering=0) as lines:
        text = b""
        end: float | None = None
        while end is None or time.monotonic() < end:
            left = 60.0 if end is None else max(0.0, end - time.monotonic())
            if not select.select([lines], [], [], left)[0]:
                break
            if not (piece := lines.read(65536)):
                break
            text += piece
            if end is None and b"committed" in text:
                end = time.monotonic() + seconds
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            raise AssertionError(f"the writer ended by itself: {text[-300:]!r}")
        while piece := lines.read(65536):
            text += piece
    for line in text[: text.rfind(b"\n") + 1].decode().splitlines():
        step, _, number = line.rpartition(" ")
        if step == "committed":
            committed = max(committed, int(number))
            step = "waiting"
    return step or "waiting", committed


def faults(path: str, found: Mapping[Key, list[Stored]], committed: int, ends: Iterable[int]) -> Iterator[str]:
    """What is wrong in the file. ``ends`` are the last batches of the earlier runs."""
    with contextlib.closing(file.open_for_reading(path)) as connection:
        (state,) = connection.execute("PRAGMA integrity_check").fetchone()
        if state != "ok":
            yield f"integrity_check: {state}"
    newest = newest_batch(found[HEAT.name, (("room", "always"),)])
    if newest < committed:
        yield f"batch {committed} was committed, the newest in the file is {newest}"
    marked = {round(made(last).time * 1000) + 1000 for last in ends if last < newest}  # by whoever wrote next
    horizon = made(newest).time * 1000 - RAW_SECONDS * 1000 + SLACK
    expected: dict[tuple[str, tuple[str, ...]], dict[int, float]] = {}
    for number in range(max(0, number_at(horizon)), newest + 1):
        one = made(number)
        for sample in one.samples:
            key = (sample.spec.name, sample.labels)
            expected.setdefault(key, {})[round(one.time * 1000)] = sample.value
        expected.setdefault(("up", ()), {})[round(one.time * 1000)] = 1.0
    for (name, labels), there in found.items():
        mine = expected.pop((name, tuple(value for _, value in labels)), {})
        times = [one.ts for one in there]
        if len(set(times)) != len(times):
            yield f"{name}{labels}: a sample stands twice"
        if wrong := [
            one for one in there if one.value is not None and one.ts >= horizon and mine.get(one.ts) != one.value
        ]:
            yield f"{name}{labels}: {len(wrong)} samples that were not written, as {wrong[0]}"
        have = {one.ts for one in there if one.value is not None}
        if lost := sorted(set(mine) - have):
            yield f"{name}{labels}: {len(lost)} samples lost, the first at {lost[0]}"
    yield from faults_of_minutes(path, newest, marked)
    if expected:
        yield f"series lost: {list(expected)}"
    marks = {one.ts for one in found["up", ()] if one.value is None}
    if unmarked := {mark for mark in marked - marks if mark > horizon}:
        yield f"ends of runs that are not marked: {sorted(unmarked)}"


def faults_of_minutes(path: str, newest: int, marks: set[int]) -> Iterator[str]:
    """What is wrong in the minutes of one series: each that is sealed must be there once, with its last sample."""
    with contextlib.closing(file.open_for_reading(path)) as connection:
        (number,) = connection.execute("SELECT id FROM series WHERE labels LIKE '%always%'").fetchone()
        found = minutes.read(connection, [number], 0, 1 << 60).get(number)
        (sealed,) = connection.execute("SELECT max(t1) FROM segment WHERE tier = 0").fetchone()
        (hot,) = connection.execute("SELECT min(ts) FROM hot").fetchone()
    if sealed is None:
        return
    if hot is not None:  # compacting seals windows that are not over
        sealed = min(sealed, (hot - 1) // MINUTE_MS * MINUTE_MS)
    oldest = round(made(newest).time * 1000 - MINUTES_SECONDS * 1000 + LATE_MERGED)
    last: dict[int, tuple[int, float | None]] = {}
    batches = (made(number) for number in range(max(0, number_at(oldest) - 60), newest + 1))
    written = [(round(one.time * 1000), one.parts[0].samples[0].value) for one in batches]
    for at, value in sorted([*written, *((mark, None) for mark in marks)]):
        last[-(-at // MINUTE_MS) * MINUTE_MS] = (at, value)
    expected = [(end, *one) for end, one in sorted(last.items()) if oldest < end <= sealed]
    there = []
    if found is not None:
        for end, at, value in zip(found.shape.ends.tolist(), found.shape.at.tolist(), found.last, strict=True):
            if oldest < end <= sealed:
                there.append((end, at, None if value.view("u8") == STALE_BITS else float(value)))
    if there != expected:
        wrong = sorted(set(there) ^ set(expected), key=lambda one: one[0])
        yield f"{len(wrong)} minutes are wrong, {len(expected)} expected, the first {wrong[:1]}"


def newest_batch(there: list[Stored]) -> int:
    """The number of the newest batch of a series that is in all."""
    return number_at(max(one.ts for one in there if one.value is not None))


def number_at(ts: float) -> int:
    """The number of the batch of this time, Unix ms."""
    return round((ts / 1000 - 1000) / STEP)


def main(path: str, kills: int, seed: int) -> int:
    """Kill so often, and on a slow machine until all stages of a file's life were passed; the exit status."""
    chance = random.Random(seed)
    first = 0
    ends: set[int] = set()
    passed: set[str] = set()
    for count in range(10 * kills):
        if count >= kills and first > ENOUGH and passed >= STAGES:
            break
        longer = 1 + count // kills
        if count % 5 == 4:
            step, committed = killed(path, first, longer * chance.random() * 0.03, compacted)
        else:
            step, committed = killed(path, first, longer * chance.random() * 0.2, write)
        passed.add(step.partition(":")[0])
        found = samples(path)
        wrong = list(faults(path, found, committed, ends))
        newest = newest_batch(found[HEAT.name, (("room", "always"),)])
        with contextlib.closing(sqlite3.connect(path)) as connection:
            segments = dict(connection.execute("SELECT tier, count(*) FROM segment GROUP BY tier").fetchall())
        line = (
            json.dumps({"kill": count, "while": step, "committed": committed, "newest": newest, "faults": wrong,
                        "segments": segments, "bytes": file.size(path)})
        )  # fmt: skip
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        if wrong:
            return 1
        if newest >= first:
            ends.add(newest)
            first = newest + 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
