"""Makes tests/fixtures/promql/hour.jsonl.gz from a folder of scrapes, as a Prometheus would have stored them; run once.

The folder holds NNN-TARGET-UNIXMS.gz: round, target (node, prom or bongsu), time of the scrape, and its text; an empty file
is a scrape that failed. Nothing of the machine where they were taken is kept: labels that tell where it is are replaced,
and only the metrics of ``KEPT`` are.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path

OUT = Path(__file__).parent.parent / "tests" / "fixtures" / "promql" / "hour.jsonl.gz"
TARGETS = {
    "node": {"job": "node", "instance": "n1:9100"},
    "bongsu": {"job": "node", "instance": "n2:9100"},
    "prom": {"job": "prometheus", "instance": "n1:9090"},
}
KEPT = {
    target: re.compile(pattern)
    for target, pattern in {
        "node": r"""node_(cpu_seconds|cpu_guest|load|context_sw|intr_total|forks|procs_|boot_time|time_seconds|entropy
            |filefd|filesystem|memory_(Mem|Cached|Buffers|SReclaimable|Swap|Slab|Dirty|Active_bytes|HugePages_Total)
            |disk_(read|write|io_|info)|network_(receive|transmit)_(bytes|packets|errs|drop)_?\w*total|network_(up|mtu)
            |pressure|vmstat|netstat_(Tcp|Udp_)|sockstat_(TCP|UDP_inuse|sockets)|nf_conntrack_entries|softnet|uname|time_zone
            |timex_(offset|sync|maxerror)|scrape_collector_success|textfile|exporter_build_info)
            |process_(cpu|resident|start|open_fds|max_fds)|go_(goroutines|gc_|threads|memstats_(alloc|heap_inuse))|promhttp""",
        "bongsu": r"""node_(cpu_seconds|load|procs_|boot_time|filesystem|memory_(Mem|Cached|Buffers|SReclaimable|Swap)
            |disk_(read|written|io_time|reads|writes)|network_(receive|transmit)_(bytes|packets)_total|network_up|uname
            |pressure|netstat_Tcp_|vmstat_pg|time_seconds)
            |process_(cpu|resident|start|open_fds|max_fds)|process_group_(cpu|processes|resident)|bongsu_agent|bongsu_build""",
        "prom": r"""prometheus_(http_|engine_query|ready|build|config|notifications|rule|target_scrapes?_(pool|sample)
            |tsdb_(head_(series|chunks|samples|max|min)|compactions|wal_(fsync|corr|trunc)|blocks_loaded|reloads|compaction_chunk_samples
            |storage_blocks)|sd_(discovered|failed))|process_(cpu|resident|start|open_fds|max_fds)
            |go_(goroutines|gc_|threads|memstats_(alloc|heap_inuse))|promhttp|net_conntrack_dialer""",
    }.items()
    for pattern in [re.sub(r"\s+", "", pattern)]
}  # fmt: skip
_EXECUTABLES = re.compile(
    r"bash|chromium|node|prometheus|prometheus-node-exporter|python3\.11|sleep|tail|make|dash|kworker|ksoftirqd|kswapd|migration"
)
_LEFT_OUT = re.compile(r"zone=|node_network_info")
_REPLACED = {
    "node_uname_info": {"nodename": "", "release": "6.12.0", "version": "#1 SMP", "domainname": "(none)"},
}
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_PLACES = re.compile(r"/(?!dev/vda$|$|api/v1/|metrics$|-/|graph$|[*]path)")  # a path that could be this machine's own

Key = tuple[tuple[str, str], ...]


def _kept(target: str, text: str) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for line in text.splitlines():
        if line.startswith("#") or not KEPT[target].match(line):
            continue
        match = _SAMPLE.match(line)
        if not match:
            raise SystemExit(f"not a sample: {line}")
        labels = dict(_LABEL.findall(match[2] or ""))
        if "executable" in labels and not _EXECUTABLES.fullmatch(labels["executable"]):
            continue
        if labels.get("fstype") == "tmpfs":
            labels |= {"device": "tmpfs", "mountpoint": "/scratch"}
        if match[1] in _REPLACED:
            labels |= _REPLACED[match[1]] | {"nodename": TARGETS[target]["instance"].partition(":")[0]}
        strange = [value for value in labels.values() if value != "/scratch" and _PLACES.match(value)]
        if strange:
            raise SystemExit(f"may tell of this machine: {line}")
        labels |= {"__name__": match[1], **TARGETS[target]}
        found[tuple(sorted((name, value) for name, value in labels.items() if value))] = float(match[3])
    return found


def main() -> None:
    """Write the fixture and say what is in it."""
    folder = Path(sys.argv[1])
    times: dict[str, list[int]] = {target: [] for target in TARGETS}
    columns: dict[str, dict[Key, dict[int, float | str]]] = {target: {} for target in TARGETS}
    before: dict[str, set[Key]] = {target: set() for target in TARGETS}
    for path in sorted(folder.glob("*-*-*.gz")):
        _, target, stamp = path.stem.split("-")
        try:
            text = gzip.decompress(path.read_bytes()).decode()
        except EOFError:
            continue  # the one being written
        place = len(times[target])
        times[target].append(int(stamp))
        found = _kept(target, text)
        now = set(found)
        # What a Prometheus writes of itself with each scrape.
        about = tuple(sorted(TARGETS[target].items()))
        found[(("__name__", "up"), *about)] = float(bool(text))
        found[(("__name__", "scrape_samples_scraped"), *about)] = float(
            sum(1 for line in text.splitlines() if line and line[0] != "#")
        )
        for key, value in found.items():
            columns[target].setdefault(key, {})[place] = value
        for key in before[target] - now:
            columns[target][key][place] = "stale"
        before[target] = now
    lines = [json.dumps({"times": times})]
    for target, series in columns.items():
        for key, column in sorted(series.items()):
            values = [_written(column.get(place)) for place in range(len(times[target]))]
            lines.append(json.dumps({"target": target, "labels": dict(key), "values": " ".join(_runs(values))}))
    packed = gzip.compress("\n".join(lines).encode() + b"\n", 9, mtime=0)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(packed)
    counts = {target: len(series) for target, series in columns.items()}
    print(f"{OUT}: {len(packed)} bytes, series {counts}, rounds { {t: len(v) for t, v in times.items()} }")


def _written(value: float | str | None) -> str:
    """The value as it stands in the fixture: - for no sample, s for a stale mark, else text that reads back exactly."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return "s"
    text = repr(value)
    return text.removesuffix(".0")


def _runs(values: list[str]) -> list[str]:
    """Repeats as VALUE*TIMES."""
    found: list[tuple[str, int]] = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1] = (value, found[-1][1] + 1)
        else:
            found.append((value, 1))
    return [value if times == 1 else f"{value}*{times}" for value, times in found]


if __name__ == "__main__":
    main()
