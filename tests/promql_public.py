"""PromQL that others wrote: public rules and dashboards, with a dashboard's variables filled in."""

from __future__ import annotations

import re
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+)|__from|__to)")
_LENGTHS = {"__rate_interval": "1m", "__interval": "30s", "__range": "30m", "interval": "5m", "resolution": "1m"}
_TARGET = {"instance": "n1:9100", "node": "n1:9100", "job": "node", "mountpoint": "/", "device": "vda"}
# How such a dashboard asks for a metric of each kind; METRIC has its own selector, OTHER is another metric of the board.
_OF_COUNTER = (
    'rate(METRIC{instance="$node",job="$job"}[$__rate_interval])',
    'irate(METRIC{instance="$node",job="$job"}[$__rate_interval]) * 8',
    'sum by(instance) (irate(METRIC{instance="$node",job="$job"}[$__rate_interval]))',
    'increase(METRIC{instance="$node",job="$job"}[$__interval])',
)
_OF_GAUGE = (
    'METRIC{instance="$node",job="$job"}',
    'sum(METRIC{instance="$node",job="$job"}) by (instance)',
    'avg_over_time(METRIC{instance="$node",job="$job"}[$__range])',
    '100 - ((METRIC{instance="$node",job="$job"} * 100) / OTHER{instance="$node",job="$job"})',
)
_COMPOSED = (
    'sum(irate(node_cpu_seconds_total{mode="system",instance="$node",job="$job"}[$__rate_interval])) / scalar(count(count(node_cpu_seconds_total{instance="$node",job="$job"}) by (cpu)))',
    '100 * (1 - avg(rate(node_cpu_seconds_total{mode="idle", instance="$node"}[$__rate_interval])))',
    'sum by(instance) (irate(node_cpu_guest_seconds_total{instance="$node",job="$job", mode="user"}[$__rate_interval])) / on(instance) group_left sum by (instance)((irate(node_cpu_seconds_total{instance="$node",job="$job"}[$__rate_interval])))',
    'scalar(node_load1{instance="$node",job="$job"}) * 100 / count(count(node_cpu_seconds_total{instance="$node",job="$job"}) by (cpu))',
    '(1 - (node_memory_MemAvailable_bytes{instance="$node", job="$job"} / node_memory_MemTotal_bytes{instance="$node", job="$job"})) * 100',
    '((node_memory_SwapTotal_bytes{instance="$node",job="$job"} - node_memory_SwapFree_bytes{instance="$node",job="$job"}) / (node_memory_SwapTotal_bytes{instance="$node",job="$job"})) * 100',
    '100 - ((node_filesystem_avail_bytes{instance="$node",job="$job",mountpoint="/",fstype!="rootfs"} * 100) / node_filesystem_size_bytes{instance="$node",job="$job",mountpoint="/",fstype!="rootfs"})',
    'node_time_seconds{instance="$node",job="$job"} - node_boot_time_seconds{instance="$node",job="$job"}',
    'count(count(node_cpu_seconds_total{instance="$node",job="$job"}) by (cpu))',
    'irate(node_disk_read_time_seconds_total{instance="$node",job="$job"}[$__rate_interval]) / irate(node_disk_reads_completed_total{instance="$node",job="$job"}[$__rate_interval])',
    'irate(node_disk_io_time_seconds_total{instance="$node",job="$job",device=~"$diskdevices"} [$__rate_interval])',
    'node_hwmon_temp_celsius{instance="$node",job="$job"} * on(chip) group_left(chip_name) node_hwmon_chip_names{instance="$node",job="$job"}',
    'node_systemd_units{instance="$node",job="$job",state="activating"}',
)


def collections() -> dict[str, list[str]]:
    """The expressions of each public collection as they stand, and those in the manner of dashboard 1860."""
    found = {
        path.stem: path.read_text().splitlines() for path in sorted((FIXTURES / "promql" / "public").glob("*.txt"))
    }
    return {**found, "as dashboard 1860": _as_1860()}


def filled_in(expression: str) -> str:
    """The expression with values for Grafana's variables, as a dashboard sends it."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or ""
        before = expression[: match.start()].rstrip("( |")
        if before.endswith(('="', "='")):
            return _TARGET.get(name, "x")
        if before.endswith(('~"', "~'")) or (before.endswith("^") or re.search(r"=~\s*\"[^\"]*$", before)):
            return ".*" if name == "cluster" else ".+"
        return _LENGTHS.get(name, "5")

    return _VARIABLE.sub(value, expression)


def _as_1860() -> list[str]:
    names = [
        line for line in (FIXTURES / "dashboard_1860.txt").read_text().splitlines() if line and not line.startswith("#")
    ]
    found = list(_COMPOSED)
    for number, name in enumerate(names):
        counts = name.endswith("_total") or name.startswith(("node_netstat_", "node_vmstat_"))
        found += [
            form.replace("METRIC", name).replace("OTHER", names[(number + 1) % len(names)])
            for form in (_OF_COUNTER if counts else _OF_GAUGE)
        ]
    return found
