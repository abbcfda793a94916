"""`bongsu up` with a week of this machine's readings, one a second: memory, and how long the page's charts take.

Ten minutes of real readings are made as fast as they can be, spread over ten minutes of simulated time, and stored
again for each ten minutes of a week, at its own time. No anchor keeps history in its own process; the goal is in megabytes.
"""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
import time
import urllib.parse
from pathlib import Path

import msgspec

from bongsu.cli import settings_file, wire
from bongsu.model.batch import Batch
from bongsu.store.layout import codec, minutes, segments
from bongsu.store.layout.buckets import Buckets
from bongsu.store.layout.packing import get_varint, put_varint
from bongsu.store.writing.writer import Writer
from measure import BONGSU, fetch, free_port, running, verdict

WINDOW, WINDOWS, POINTS = 600, 144, 900  # seconds; windows in a day
RSS_GOAL_MB = 80.0
RANGES = {"15 min": 900, "1 h": 3600, "24 h": 86400, "7 d": 604800, "30 d": 30 * 86400}
QUERY = "sum by (mode) (rate(node_cpu_seconds_total[5m]))"


def fill(path: str, *, days: int = 7, raw_days: int = 7) -> tuple[int, int]:
    """So many days of readings, of which minutes are kept; how many series there are, and the bytes that it all takes."""
    loaded = settings_file.load(None, {}, [])
    gatherer = wire.gatherer(loaded, wire.collectors(loaded, wire.machine(loaded)))
    writer = Writer(path, labels={"job": "bongsu", "instance": "week"}, threaded=False)
    end = int(time.time()) // WINDOW * WINDOW
    for second in range(1, WINDOW + 2):
        writer.write(_at(gatherer.gather(), end - WINDOW + second))
    gatherer.close()
    writer.flush(end * 1000 + 10_000)
    connection: sqlite3.Connection = writer._disk.connection  # noqa: SLF001  the file is filled behind its back
    number, times, series = connection.execute("SELECT id, times, series FROM segment WHERE tier = 0").fetchone()
    chunks = connection.execute("SELECT id & 4294967295, data FROM chunk WHERE id >> 32 = ?", (number,)).fetchall()
    buckets = minutes.decode(connection.execute("SELECT data FROM minutes").fetchone()[0])
    for back in range(days * WINDOWS, 0, -1):
        earlier = back * WINDOW * 1000
        t1 = end * 1000 - earlier
        t0 = t1 - WINDOW * 1000
        with segments.transaction(connection):
            raw = chunks if back <= raw_days * WINDOWS else []
            ids = series if raw else segments.encode_ids([])
            made = segments.insert(
                connection, segments.Prepared(0, t0, t1, t0 + 1000, t1, _moved(times, earlier), ids, raw)
            )
            row = minutes.encode([_minutes_moved(group, earlier) for group in buckets])
            connection.execute("INSERT INTO minutes VALUES(?, ?, ?, ?)", (made, t0, t1, row))
            if not raw:
                segments.remove(connection, made)
    while minutes.merge(connection, before_ms=end * 1000):
        pass
    writer.close()
    return len(chunks), Path(path).stat().st_size


def _moved(times: bytes, earlier: int) -> bytes:
    """The times of a raw segment, so many milliseconds earlier, as the store keeps them."""
    size, at = get_varint(times, 0)
    column, at = segments.taken(times, at)
    whole = bytearray()
    put_varint(whole, size)
    segments.append(whole, codec.encode_times(codec.decode_times(column, size) - earlier))
    return bytes(whole) + times[at:]


def _minutes_moved(group: Buckets, earlier: int) -> Buckets:
    shape = group.shape
    return group._replace(shape=shape._replace(ends=shape.ends - earlier, at=shape.at - earlier))


def _at(batch: Batch, second: float) -> Batch:
    parts = tuple(msgspec.structs.replace(part, time=second, monotonic=second) for part in batch.parts)
    return msgspec.structs.replace(batch, time=second, monotonic=second, parts=parts)


def rss_mb(pid: int) -> float:
    """Resident memory of the process, in 10^6 bytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


def main() -> None:
    """Print the memory at each stage, and the seconds that each range takes."""
    with tempfile.TemporaryDirectory() as folder:
        series, size = fill(f"{folder}/history.db")
        print(f"{series} series each second for 7 days: {size / 2**20:.0f} MiB, minutes included")
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        before = time.perf_counter()
        with running([*BONGSU, "up", "--no-token", "--quiet", "--port", str(port), "--data-dir", folder]) as process:
            fetch(f"{address}/api/status")
            print(f"first answer after {time.perf_counter() - before:.2f} s; {rss_mb(process.pid):.0f} MB (RSS)")
            time.sleep(15)
            for name, seconds in RANGES.items():
                took = []
                for _ in range(3):
                    before = time.perf_counter()
                    board = json.loads(fetch(f"{address}/api/board?seconds={seconds}&points={POINTS}"))
                    took.append(time.perf_counter() - before)
                lines = sum(len(panel["series"]) for panel in board["panels"])
                print(
                    f"the page's charts over {name}, {lines} lines: {took[0]:.2f} s, again {took[-1]:.2f} s; {rss_mb(process.pid):.0f} MB"
                )
            drawn = rss_mb(process.pid)
            now = time.time()
            query = urllib.parse.urlencode({"query": QUERY, "start": now - 86400, "end": now, "step": 120})
            before = time.perf_counter()
            fetch(f"{address}/api/v1/query_range?{query}")
            print(f"PromQL, {QUERY} over 24 h: {time.perf_counter() - before:.2f} s; {rss_mb(process.pid):.0f} MB")
            print(
                f"RSS after drawing every range: {drawn:.0f} MB, ratio to the goal of {RSS_GOAL_MB:g} MB: {verdict(drawn / RSS_GOAL_MB, 1.0)}"
            )


if __name__ == "__main__":
    main()
