"""A scrape of the same collectors: CPU time beside node_exporter's, in turns, in one run.

Both are scraped once a second, so that each scrape reads anew: within a second Bongsu answers a second scraper from what
it has just read, which would look like a speed that it does not have. Both are asked as Prometheus asks: OpenMetrics if
there is one (Bongsu has it, node_exporter not), and compressed.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack

from measure import BONGSU, cpu_seconds, fetch, free_port, running, spread, verdict

TEN = ["cpu", "diskstats", "filefd", "loadavg", "meminfo", "netdev", "netstat", "sockstat", "stat", "vmstat"]
SAME = [
    "arp", "bonding", "conntrack", "cpu", "cpufreq", "diskstats", "dmi", "edac", "entropy", "filefd", "filesystem", "hwmon",
    "loadavg", "mdadm", "meminfo", "netclass", "netdev", "netstat", "nfs", "nfsd", "nvme", "os", "powersupplyclass",
    "pressure", "rapl", "schedstat", "selinux", "sockstat", "softnet", "stat", "textfile", "thermal_zone", "time", "timex",
    "udp_queues", "uname", "vmstat",
]  # fmt: skip
PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
SCRAPES, ROUNDS = 30, 5
GOAL = 1.0


def main() -> None:
    """Print what a scrape costs each, and the ratio of medians."""
    with ExitStack() as stack:
        targets: dict[tuple[str, str], tuple[int, str]] = {}
        for title, collectors in (("ten collectors", TEN), ("all that both have", SAME)):
            flags = ["--collector.disable-defaults", *(f"--collector.{name}" for name in collectors)]
            port, other = free_port(), free_port()
            ours = [*BONGSU, "agent", "--port", str(port), "--interval", "3600", *flags]
            theirs = [
                "prometheus-node-exporter",
                f"--web.listen-address=127.0.0.1:{other}",
                "--web.disable-exporter-metrics",
            ]
            mine, his = stack.enter_context(running(ours)), stack.enter_context(running([*theirs, *flags]))
            targets[title, "bongsu"] = (mine.pid, f"http://127.0.0.1:{port}/metrics")
            targets[title, "node_exporter"] = (his.pid, f"http://127.0.0.1:{other}/metrics")
        samples = {
            key: sum(1 for line in fetch(url).split(b"\n") if line and line[:1] != b"#")
            for key, (_, url) in targets.items()
        }
        costs: dict[tuple[str, str], list[float]] = {key: [] for key in targets}
        for _ in range(ROUNDS):
            before = {key: cpu_seconds(pid) for key, (pid, _) in targets.items()}
            for _ in range(SCRAPES):
                for _, url in targets.values():
                    fetch(url, headers=PROMETHEUS)
                time.sleep(1)
            for key, (pid, _) in targets.items():
                costs[key].append((cpu_seconds(pid) - before[key]) / SCRAPES * 1000)
    for (title, name), cost in costs.items():
        print(f"{title}: {name}: {samples[title, name]} samples, {spread(cost)} ms CPU a scrape")
    for title in dict.fromkeys(title for title, _ in costs):
        # Sums, not medians: a round is few steps of the 10 ms in which the kernel reports CPU time.
        ratio = statistics.fmean(costs[title, "bongsu"]) / statistics.fmean(costs[title, "node_exporter"])
        print(f"{title}: {verdict(ratio, GOAL)}")


if __name__ == "__main__":
    main()
