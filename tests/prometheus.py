"""Runs a real Prometheus, fed by remote write with the very samples that our store is given, and asks both the same."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import struct
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from bongsu.store.series import Series
from node_exporter import free_port

# What scripts/newer_prometheus.sh unpacks; Debian 12's own is 2.42, whose ranges are closed on the left.
NEWER = Path(__file__).parent.parent / ".cache" / "prometheus" / "usr" / "bin" / "prometheus"
INSTALLED = "/usr/bin/prometheus"
_SLICE_MS = 600_000  # so much of all series in one request: samples come in about the order of their times
_LITERAL = 65_536


class Answer(NamedTuple):
    """The HTTP status and the decoded body."""

    status: int
    body: dict[str, Any]


def program() -> str:
    """The newest Prometheus there is: the one unpacked from a newer suite, else the installed one."""
    return str(NEWER) if NEWER.exists() else INSTALLED


def version(path: str | None = None) -> tuple[int, int]:
    """Major and minor version of the program.

    Raises:
        FileNotFoundError: it is not installed.
    """
    shown = subprocess.run([path or program(), "--version"], capture_output=True, text=True, check=True)
    # "prometheus, version 3.5.3+ds1 (branch: …": 2.x printed it to stderr at times
    major, minor = (shown.stdout + shown.stderr).split("version ", 1)[1].split(".")[:2]
    return int(major), int(minor)


class Prometheus:
    """A server on a free loopback port with an empty data directory of its own; use it in a ``with`` block.

    It scrapes nothing. Samples of any past time are taken, in any order; of the future up to ten minutes.

    Raises:
        FileNotFoundError: Prometheus is not installed.
        AssertionError: it did not come up; with what it said.
    """

    def __init__(self, *, flags: Sequence[str] = ()) -> None:
        self.program = program()
        self.version = version(self.program)
        self.port = free_port()
        self._flags = flags
        self._cleanup = contextlib.ExitStack()
        self._connection: http.client.HTTPConnection | None = None
        self.pid = 0

    @property
    def left_open(self) -> bool:
        """Ranges leave out a sample at their very start, as from 3.0 on."""
        return self.version >= (3, 0)

    def __enter__(self) -> Self:
        folder = Path(tempfile.mkdtemp(prefix="prometheus-"))
        self._cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        config = folder / "prometheus.yml"
        # Two years, so that no sample of the fixtures is too old in whatever order it comes.
        config.write_text("storage: {tsdb: {out_of_order_time_window: 104w}}\n")
        log = self._cleanup.enter_context((folder / "log").open("wb"))
        argv = [
            self.program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
            "--storage.tsdb.retention.time=100y", "--query.lookback-delta=5m", *self._flags,
        ]  # fmt: skip
        environment = {"PATH": os.environ["PATH"], "TZ": "UTC"}
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, cwd=folder)
        self._cleanup.callback(process.wait)
        self._cleanup.callback(process.kill)
        self.pid = process.pid
        end = time.monotonic() + 120  # for a machine that is busy with other things
        while time.monotonic() < end:
            try:
                if self._exchange("GET", "/-/ready")[0] == http.HTTPStatus.OK:
                    return self
            except (OSError, http.client.HTTPException):
                pass
            if process.poll() is not None:
                break
            time.sleep(0.05)
        said = (folder / "log").read_text(errors="replace")
        self._cleanup.close()
        raise AssertionError(f"{self.program} did not come up: {said[-2000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
        self._cleanup.close()

    def write(self, series: Iterable[Series]) -> None:
        """Stores the samples, stale marks and other NaNs with their exact bits."""
        everything = list(series)
        starts = sorted({int(t) // _SLICE_MS * _SLICE_MS for one in everything for t in one.times})
        for start in starts:
            request = b"".join(_timeseries(one, start, start + _SLICE_MS) for one in everything)
            status, said = self._exchange(
                "POST", "/api/v1/write", _snappy(request),
                {
                    "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
                    "X-Prometheus-Remote-Write-Version": "0.1.0",
                },
            )  # fmt: skip
            assert status == http.HTTPStatus.NO_CONTENT, said.decode(errors="replace")

    def get(self, path: str, **parameters: str | Sequence[str]) -> Answer:
        """The answer to a GET of ``/api/v1/…``; a parameter given as a sequence is repeated."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        status, body = self._exchange("GET", f"{path}?{query}" if query else path)
        return Answer(status, json.loads(body))

    def query(self, text: str, at_ms: int) -> Answer:
        """An instant query at Unix milliseconds."""
        return self._ask("query", {"query": text, "time": seconds(at_ms)})

    def query_range(self, text: str, start_ms: int, end_ms: int, step_ms: int) -> Answer:
        """A range query; all three in (Unix) milliseconds."""
        times = {"start": seconds(start_ms), "end": seconds(end_ms), "step": seconds(step_ms)}
        return self._ask("query_range", {"query": text, **times})

    def _ask(self, what: str, form: Mapping[str, str]) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, body = self._exchange("POST", f"/api/v1/{what}", urllib.parse.urlencode(form).encode(), kind)
        return Answer(status, json.loads(body))

    def _exchange(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            self._connection.request(method, path, body or None, dict(headers or {}))
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            raise


def seconds(milliseconds: int) -> str:
    """Milliseconds as the API takes times: decimal seconds, exact."""
    sign, rest = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    return f"{sign}{rest // 1000}.{rest % 1000:03d}"


# Remote write 1.0: a snappy block that holds a protobuf message. Field numbers are those of prompb's WriteRequest:
# timeseries=1 {labels=1 {name=1, value=2}, samples=2 {value=1 (double), timestamp=2 (int64)}}.


def _timeseries(series: Series, start: int, end: int) -> bytes:
    first, last = np.searchsorted(series.times, [start, end])
    if first == last:
        return b""
    message = bytearray()
    for name, value in series.labels:
        message += _field(0x0A, _field(0x0A, name.encode()) + _field(0x12, value.encode()))
    bits = np.ascontiguousarray(series.values[first:last]).view("<u8").tolist()
    for t, value_bits in zip(series.times[first:last].tolist(), bits, strict=True):
        message += _field(0x12, b"\x09" + struct.pack("<Q", value_bits) + b"\x10" + _varint(t))
    return _field(0x0A, bytes(message))


def _field(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    number &= 0xFFFF_FFFF_FFFF_FFFF  # negative numbers as two's complement
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _snappy(content: bytes) -> bytes:
    """The snappy block format, all of it literals: valid, though nothing is saved."""
    return _varint(len(content)) + b"".join(_literals(content))


def _literals(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _LITERAL):
        piece = content[start : start + _LITERAL]
        yield bytes((61 << 2,)) + struct.pack("<H", len(piece) - 1)  # tag 61: the length follows in two bytes
        yield piece
