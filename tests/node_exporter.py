"""Runs Debian's node_exporter on a tree and compares what it says with what our collectors say."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

from bongsu.model.batch import Sample
from bongsu.model.contract import Collector
from bongsu.model.errors import NoData
from bongsu.model.metric import Kind

PROGRAM = "/usr/bin/prometheus-node-exporter"
_LONG = 100.0  # s; for a machine that is busy with other things
_LOWEST_PORT = 11_000
_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")  # ports that the kernel gives
_DRAW = SystemRandom()
_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_TYPES = {Kind.GAUGE: "gauge", Kind.COUNTER: "counter", Kind.UNTYPED: "untyped", Kind.INFO: "gauge"}
# Debian's build also excludes loopback and all below /run, /mnt and /media; ours are upstream's defaults.
_UPSTREAM = {
    "--collector.netdev.device-": "--collector.netdev.device-exclude=",
    "--collector.filesystem.mount-points-": "--collector.filesystem.mount-points-exclude="
    "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
}
_UNESCAPE = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

T = TypeVar("T")
Key = tuple[str, tuple[tuple[str, str], ...]]  # metric name, sorted (label, value) pairs without empty values


@dataclass(frozen=True)
class Exposed:
    """Values by (name, labels), and types by name."""

    values: dict[Key, float]
    types: dict[str, str]


def parse(text: str) -> Exposed:
    """Reads the text format, strictly enough for node_exporter's own output. Empty labels are no labels."""
    values: dict[Key, float] = {}
    types: dict[str, str] = {}
    for line in text.split("\n"):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            types[name] = kind
        elif line and not line.startswith("#"):
            match = _SAMPLE.match(line)
            assert match, f"not a sample: {line!r}"
            labels = tuple(
                sorted(
                    (k, re.sub(r'\\[\\"n]', lambda m: _UNESCAPE[m[0]], v))
                    for k, v in _LABEL.findall(match[2] or "") if v
                )
            )  # fmt: skip
            values[match[1], labels] = float(match[3])
    return Exposed(values, types)


def free_port() -> int:
    """A port that nothing listens on, and that nobody is given before it is used.

    It lies below those that the kernel gives to who asks for any port or connects from one, and is drawn, so that
    tests that run beside each other do not take the same.
    """
    first = int(_GIVEN.read_text().split()[0])
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", _DRAW.randrange(_LOWEST_PORT, first) if first > 2 * _LOWEST_PORT else 0))
            except OSError:
                continue  # taken
            return int(probe.getsockname()[1])


def at_rest(difference: Callable[[], T]) -> T:
    """The first look that finds no difference, else the last: what others change meanwhile differs in some looks, not in all."""
    until = time.monotonic() + _LONG
    while (found := difference()) and time.monotonic() < until:
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def serving(collectors: Iterable[str], flags: Sequence[str] = ()) -> Iterator[Callable[[], Exposed]]:
    """A running node_exporter with only these of its collectors; call what it gives to scrape it."""
    port = free_port()
    argv = [
        PROGRAM, f"--web.listen-address=127.0.0.1:{port}", "--collector.disable-defaults",
        "--web.disable-exporter-metrics", *(f"--collector.{name}" for name in collectors), *flags,
        *(flag for option, flag in _UPSTREAM.items() if not any(f.startswith(option) for f in flags)),
    ]  # fmt: skip
    with subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={"PATH": os.environ["PATH"]}
    ) as process:

        def scrape_once() -> Exposed:
            until = time.monotonic() + _LONG
            while time.monotonic() < until:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_LONG) as answer:
                        return parse(answer.read().decode())
                except OSError:
                    if process.poll() is not None:
                        assert process.stderr
                        raise AssertionError(process.stderr.read().decode()) from None
                    time.sleep(0.02)
            raise AssertionError(f"node_exporter did not answer within {_LONG:g} s")

        try:
            yield scrape_once
        finally:
            process.send_signal(signal.SIGKILL)


def scrape(collectors: Iterable[str], flags: Sequence[str] = ()) -> Exposed:
    """What node_exporter says with only these of its collectors, without its own go_*, process_* and promhttp_*."""
    with serving(collectors, flags) as scrape_once:
        return scrape_once()


def ours(collectors: Iterable[Collector]) -> Exposed:
    """What our collectors say, in the same form."""
    values: dict[Key, float] = {}
    types: dict[str, str] = {}
    for collector in collectors:
        try:
            for item in collector.collect():
                if isinstance(item, Sample):
                    spec = item.spec
                    assert len(spec.labels) == len(item.labels), f"{spec.name}: {spec.labels} against {item.labels}"
                    pairs = zip(spec.labels, item.labels, strict=True)
                    labels = tuple(sorted((k, _printable(v)) for k, v in pairs if v))
                    assert (spec.name, labels) not in values, f"{spec.name}{labels} twice"
                    values[spec.name, labels] = float(item.value)
                    types[spec.name] = _TYPES[spec.kind]
        except NoData:
            pass
    return Exposed(values, types)


def _printable(value: str) -> str:
    """Bytes that are not UTF-8 as the text format carries them: U+FFFD."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def differences(
    theirs: Exposed, mine: Exposed, *, tolerance: float = 0.0, only: str = "", extra: str = ""
) -> list[str]:
    """What differs, a line each: empty means equal.

    ``tolerance`` is relative plus absolute, for live machines. ``only`` restricts the comparison to
    metric names that match; ``extra`` is a regular expression of metric names that only we have.
    """
    found = []
    scraping = re.compile(r"node_scrape_collector_|node_exporter_build_info|promhttp_")
    for key, value in theirs.values.items():
        if scraping.match(key[0]) or (only and not re.match(only, key[0])):
            continue
        if key not in mine.values:
            found.append(f"missing: {key[0]}{dict(key[1])} {value}")
            continue
        own = mine.values[key]
        same = own == value or (math.isnan(own) and math.isnan(value))
        if not same and not abs(own - value) <= tolerance * (1 + abs(value)):
            found.append(f"value: {key[0]}{dict(key[1])} theirs {value!r} ours {own!r}")
        if mine.types[key[0]] != theirs.types.get(key[0], "untyped"):
            found.append(f"type: {key[0]} theirs {theirs.types.get(key[0])} ours {mine.types[key[0]]}")
    for key in mine.values.keys() - theirs.values.keys():
        if (only and not re.match(only, key[0])) or (extra and re.fullmatch(extra, key[0])):
            continue
        found.append(f"extra: {key[0]}{dict(key[1])} {mine.values[key]}")
    return sorted(set(found))
