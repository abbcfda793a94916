"""A day of samples in the store and in a real Prometheus: bytes on disk side by side, CPU time, memory, waits.

500 series at 1 Hz: 30 % utilisation with one decimal, 30 % whole-number counters, 15 % constants, 10 % memory in
pages, 5 % each of temperatures, CPU seconds and noisy floats. Ours goes through the writer as it is used, with the
default settings, in simulated time; Prometheus takes the same samples by remote write, a window of ten minutes a
request, which makes its log a little smaller than a day of scrapes would. `python benchmarks/store.py 2` takes 2 hours.
"""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bongsu.model.batch import Batch, Outcome, Part, Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.store.layout import segments
from bongsu.store.writing.writer import Writer
from measure import cpu_seconds, free_port, running, verdict

SERIES, WINDOW = 500, 600
MIB = 1 << 20
DISK_GOAL, CPU_GOAL_MS, HOLD_GOAL_MS, OPEN_GOAL_S = 0.35, 0.2, 50.0, 0.5
T0 = 1_760_000_400_000
SHARES = {"utilisation": 0.3, "counter": 0.3, "constant": 0.15, "memory": 0.1, "temperature": 0.05, "cpu": 0.05,
          "noise": 0.05}  # fmt: skip
NEWER = Path(__file__).parent.parent / ".cache/prometheus/usr/bin/prometheus"


class Mix:
    """The samples, window by window; the same for the same seed."""

    def __init__(self, series: int = SERIES) -> None:
        self.kinds = [kind for kind, share in SHARES.items() for _ in range(round(share * series))]
        self._random = random = np.random.default_rng(7)
        count = len(self.kinds)
        self._level = random.uniform(5, 95, count)
        self._width = random.uniform(1, 10, count)
        self._rate = 10 ** random.uniform(0, 5, count)
        self._sum = random.integers(0, 10**9, count).astype(float)
        self.names = self._names()

    def window(self) -> NDArray[np.float64]:
        """The next ten minutes: a row for each series."""
        random, values = self._random, np.empty((len(self.kinds), WINDOW))
        for row, kind in enumerate(self.kinds):
            level, width = self._level[row], self._width[row]
            if kind == "utilisation":
                values[row] = np.round(np.clip(random.normal(level, width, WINDOW), 0, 100), 1)
            elif kind == "noise":
                values[row] = random.normal(level, width, WINDOW)
            elif kind == "constant":
                values[row] = self._sum[row]
            else:
                if kind == "counter":
                    steps = random.poisson(self._rate[row], WINDOW).astype(float)
                elif kind == "memory":
                    steps = np.trunc(random.normal(0, 200, WINDOW))
                elif kind == "temperature":
                    steps = random.normal(0, 0.3, WINDOW)
                else:
                    steps = random.integers(0, 100, WINDOW).astype(float)
                sums = self._sum[row] + np.cumsum(steps)
                self._sum[row] = sums[-1]
                if kind == "temperature":
                    sums = np.round(40 + np.abs(sums - 1e6) % 40)
                values[row] = sums * 4096 if kind == "memory" else sums / 100 if kind == "cpu" else sums
        return values

    def _names(self) -> list[tuple[MetricSpec, tuple[str, ...]]]:
        """A metric and its label for each series; ten series a metric."""
        specs: dict[tuple[str, int], MetricSpec] = {}
        found: list[tuple[MetricSpec, tuple[str, ...]]] = []
        for row, kind in enumerate(self.kinds):
            counter = kind in {"counter", "cpu"}
            key = (kind, row // 10)
            if key not in specs:
                specs[key] = MetricSpec(
                    f"bench_{kind}_{row // 10}" + ("_total" if counter else ""),
                    Kind.COUNTER if counter else Kind.GAUGE, "A reading.", ("device",),
                    vocabulary=Vocabulary.FILE,
                )  # fmt: skip
            found.append((specs[key], (f"device{row % 10}",)))
        return found


def batches(mix: Mix, start: int, values: NDArray[np.float64]) -> Iterator[Batch]:
    """A window's values as a sampler would deliver them."""
    specs, labels = [spec for spec, _ in mix.names], [label for _, label in mix.names]
    for i, row in enumerate(values.T.tolist()):
        ts = (start + (i + 1) * 1000) / 1000
        samples = tuple(map(Sample, specs, labels, row))
        yield Batch(ts, ts, (Part("bench", ts, ts, samples, (), (), Outcome("bench", 0.0, 0.0)),))


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def ours(hours: float, folder: str) -> dict[str, Any]:
    """Store it; to be run in a process of its own, whose memory is measured."""
    mix = Mix()
    writer = Writer(f"{folder}/history.db", labels={"job": "bongsu", "instance": "bench"}, threaded=False)
    values = mix.window()
    cpu = rss = 0.0
    written = 0
    for number in range(round(hours * 6)):
        start = T0 + number * WINDOW * 1000
        for i, batch in enumerate(batches(mix, start, values)):
            before = time.process_time()
            writer.write(batch)
            if i % 5 == 4:  # as the thread does each 5 s
                writer.flush()
            cpu += time.process_time() - before
            written += len(mix.names)
        values = mix.window()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        rss = max(rss, pages * os.sysconf("SC_PAGE_SIZE"))
    before = time.process_time()
    writer.flush(T0 + round(hours * 3_600_000) + 10_000)  # the last window
    cpu += time.process_time() - before
    facts = writer.facts()
    left = {"file": facts.file_bytes, "log": facts.wal_bytes, "samples": written, "cpu": cpu, "rss": rss}
    writer.close()
    return left


def in_own_process(*arguments: str) -> dict[str, Any]:
    """What a part of this file gives when run alone."""
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes((*encoded, number))


def _field(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + _varint(len(content)) + content


def remote_write(mix: Mix, start: int, values: NDArray[np.float64]) -> bytes:
    """A window as a remote-write request: protobuf in snappy's block format, not compressed.

    Every sample takes 18 bytes: `12 10 09`, the value, `10`, and the time as a varint of six bytes.
    """
    times = start + 1000 * np.arange(1, WINDOW + 1)
    record = np.zeros((WINDOW, 18), np.uint8)
    record[:, [0, 1, 2, 11]] = 0x12, 0x10, 0x09, 0x10
    for byte in range(6):
        record[:, 12 + byte] = times >> 7 * byte & 127 | (128 if byte < 5 else 0)
    message = bytearray()
    for (spec, labels), row in zip(mix.names, values, strict=True):
        record[:, 3:11] = row.astype("<f8").view(np.uint8).reshape(-1, 8)
        names = {"__name__": spec.name, "device": labels[0], "instance": "bench", "job": "bongsu"}
        head = b"".join(
            _field(0x0A, _field(0x0A, name.encode()) + _field(0x12, value.encode())) for name, value in names.items()
        )
        message += _field(0x0A, head + record.tobytes())
    pieces = [bytes(message[i : i + 65_536]) for i in range(0, len(message), 65_536)]
    return _varint(len(message)) + b"".join(b"\xf4" + (len(p) - 1).to_bytes(2, "little") + p for p in pieces)


def theirs(hours: float, folder: Path) -> dict[str, float]:
    """Bytes of Prometheus' files, and its CPU time for taking the samples."""
    program = str(NEWER) if NEWER.exists() else "prometheus"
    port, mix = free_port(), Mix()
    (folder / "prometheus.yml").write_text("global: {}\n")
    argv = [
        program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--web.enable-admin-api",
        "--storage.tsdb.retention.time=100y", "--log.level=error",
    ]  # fmt: skip
    with running(argv, cwd=folder) as process:
        for _ in range(300):
            try:
                if _post(port, "/-/ready", b"", "GET")[0] == http.HTTPStatus.OK:
                    break
            except OSError:
                time.sleep(0.1)
        before = cpu_seconds(process.pid)
        for number in range(round(hours * 6)):
            status, said = _post(port, "/api/v1/write", remote_write(mix, T0 + number * WINDOW * 1000, mix.window()))
            assert status == http.HTTPStatus.NO_CONTENT, said
        data, steady = folder / "data", 0
        last = -1
        while steady < 10:  # it compacts on its own
            time.sleep(1)
            now = size(data)
            steady = steady + 1 if now == last else 0
            last = now
        cpu = cpu_seconds(process.pid) - before
        log = size(data / "wal") + size(data / "chunks_head")
        blocks = sum(size(block) for block in data.iterdir() if (block / "meta.json").exists())
        status, said = _post(port, "/api/v1/admin/tsdb/snapshot", b"")
        assert status == http.HTTPStatus.OK, said
        snapshot = size(data / "snapshots" / json.loads(said)["data"]["name"])
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        version = (shown.stdout + shown.stderr).split("version ", 1)[1].split(",")[0].split("+")[0]
    print(f"Prometheus {version}")
    return {"live": last, "log": log, "blocks": blocks, "snapshot": snapshot, "cpu": cpu}


def _post(port: int, path: str, body: bytes, method: str = "POST") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    headers = {
        "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }  # fmt: skip
    try:
        connection.request(method, path, body or None, headers if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def waits(folder: str) -> dict[str, Any]:
    """How long a batch waits to be taken while the thread seals 5 000 series, and how long the file is locked."""
    mix = Mix(5000)
    held: list[float] = []
    plain = segments.transaction

    @contextmanager
    def timed(connection: sqlite3.Connection) -> Iterator[None]:
        with plain(connection):
            began = time.perf_counter()
            yield
        held.append(time.perf_counter() - began)

    segments.transaction = timed
    writer = Writer(f"{folder}/history.db", labels={"job": "bongsu"}, commit_every=0.2)
    taking: list[float] = []
    rounds: list[tuple[float, float]] = []
    for number in range(6):
        taken = list(batches(mix, T0 + number * WINDOW * 1000, mix.window()))
        held.clear()
        mine = []
        for i, batch in enumerate(taken):
            before = time.perf_counter()
            writer.write(batch)
            mine.append(time.perf_counter() - before)
            if number and i < 100:
                time.sleep(0.02)  # the window before is being sealed now
            elif i % 25 == 24:
                time.sleep(0.1)
        if number:  # the first one names all series, and nothing is sealed meanwhile
            taking += mine
            rounds.append((max(mine) * 1000, max(held) * 1000))
    writer.close()
    return {"median": statistics.median(taking) * 1000, "rounds": rounds}


def opening(folder: str) -> dict[str, Any]:
    """Build a store of 2 GiB out of one window written again and again, and open it."""
    path = f"{folder}/history.db"
    mix = Mix()
    writer = Writer(path, labels={"job": "bongsu"}, threaded=False, max_bytes=3 << 30)
    for batch in batches(mix, T0, mix.window()):
        writer.write(batch)
    writer.flush(T0 + WINDOW * 1000 + 10_000)
    connection = writer._disk.connection  # noqa: SLF001  the file is made larger behind its back
    (number,) = connection.execute("SELECT max(id) FROM segment").fetchone()
    row = connection.execute("SELECT tier, times, series FROM segment WHERE id = ?", (number,)).fetchone()
    chunks = connection.execute("SELECT id & 4294967295, data FROM chunk WHERE id >> 32 = ?", (number,)).fetchall()
    written = 0
    while written < 2 << 30:
        connection.execute("BEGIN")
        for _ in range(50):
            number += 1
            end = T0 - number * WINDOW * 1000
            span = (end - WINDOW * 1000, end)
            prepared = segments.Prepared(row[0], *span, span[0] + 1000, end, row[1], row[2], chunks)
            segments.insert(connection, prepared)
        connection.execute("COMMIT")
        written = int(connection.execute("PRAGMA page_count").fetchone()[0]) * 4096
    writer.close()
    took = []
    for _ in range(3):
        before = time.perf_counter()
        writer = Writer(path, labels={"job": "bongsu"}, threaded=False, max_bytes=3 << 30)
        took.append(time.perf_counter() - before)
        writer.close()
    return {"bytes": written, "seconds": took, "segments": number}


def main() -> None:
    """Print the sizes and costs, and the ratios."""
    if len(sys.argv) > 2:
        part, folder = sys.argv[1:3]
        made = {"ours": lambda: ours(float(sys.argv[3]), folder), "waits": lambda: waits(folder),
                "opening": lambda: opening(folder)}[part]()  # fmt: skip
        print(json.dumps(made))
        return
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 24.0
    with tempfile.TemporaryDirectory(prefix="bench-store-") as folder:
        mine = in_own_process("ours", folder, str(hours))
    count = mine["samples"]
    with tempfile.TemporaryDirectory(prefix="bench-prometheus-") as folder:
        other = theirs(hours, Path(folder))
    whole = mine["file"] + mine["log"]
    print(f"{hours:g} h of {SERIES} series at 1 Hz, {count / 1e6:.1f} M samples")
    print(f"bongsu: file {mine['file'] / MIB:.1f} MiB, log {mine['log'] / MIB:.1f} MiB, minutes included: "
          f"{whole / count:.2f} bytes a sample")  # fmt: skip
    print(f"prometheus: data directory {other['live'] / MIB:.1f} MiB: {other['live'] / count:.2f} bytes a sample "
          f"(blocks {other['blocks'] / MIB:.1f}, log and head {other['log'] / MIB:.1f}); "
          f"snapshot, all of it as blocks, {other['snapshot'] / MIB:.1f} MiB: {other['snapshot'] / count:.2f}")  # fmt: skip
    if hours >= 24:
        print(f"beside its data directory: {verdict(whole / other['live'], DISK_GOAL)}")
    print(f"beside its data directory {whole / other['live']:.2f}, beside its snapshot {whole / other['snapshot']:.2f}")
    cost = mine["cpu"] / count * 500 * 1000
    print(f"CPU for 500 samples, everything included: {cost:.3f} ms, goal ≤ {CPU_GOAL_MS}: "
          f"{'met' if cost <= CPU_GOAL_MS else 'NOT MET'}; prometheus, by remote write: "
          f"{other['cpu'] / count * 500 * 1000:.3f} ms")  # fmt: skip
    print(f"memory of the process that stores: {mine['rss'] / MIB:.0f} MiB")
    with tempfile.TemporaryDirectory(prefix="bench-store-") as folder:
        waited = in_own_process("waits", folder)
    worst, held = min(one for one, _ in waited["rounds"]), min(two for _, two in waited["rounds"])
    print(f"while 5 000 series are sealed: a batch is taken in {waited['median']:.2f} ms, at most {worst:.1f}; the file is "
          f"locked for at most {held:.1f} ms, goal ≤ {HOLD_GOAL_MS:g}: {'met' if max(worst, held) <= HOLD_GOAL_MS else 'NOT MET'} "
          f"(the quietest of {len(waited['rounds'])} windows; the worst {max(map(max, waited['rounds'])):.0f})")  # fmt: skip
    if hours >= 24:
        with tempfile.TemporaryDirectory(prefix="bench-store-") as folder:
            opened = in_own_process("opening", folder)
        took = max(opened["seconds"])
        print(f"opening a store of {opened['bytes'] / (1 << 30):.1f} GiB ({opened['segments']} segments): {took:.3f} s, "
              f"goal ≤ {OPEN_GOAL_S}: {'met' if took <= OPEN_GOAL_S else 'NOT MET'}")  # fmt: skip


if __name__ == "__main__":
    main()
