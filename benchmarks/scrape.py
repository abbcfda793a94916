"""A scrape of the same collectors: CPU time beside node_exporter's, in turns, in one run."""

from __future__ import annotations

import statistics

from measure import BONGSU, cpu_seconds, fetch, free_port, running, spread, verdict

TEN = ["cpu", "diskstats", "filefd", "loadavg", "meminfo", "netdev", "netstat", "sockstat", "stat", "vmstat"]
SAME = [
    "arp",
    "bonding",
    "conntrack",
    "cpu",
    "cpufreq",
    "diskstats",
    "dmi",
    "edac",
    "entropy",
    "filefd",
    "filesystem",
    "hwmon",
    "loadavg",
    "mdadm",
    "meminfo",
    "netclass",
    "netdev",
    "netstat",
    "nfs",
    "nfsd",
    "nvme",
    "os",
    "powersupplyclass",
    "pressure",
    "rapl",
    "schedstat",
    "selinux",
    "sockstat",
    "softnet",
    "stat",
    "textfile",
    "thermal_zone",
    "time",
    "timex",
    "udp_queues",
    "uname",
    "vmstat",
]
SCRAPES, ROUNDS = 100, 7
GOAL = 1.0


def compare(title: str, collectors: list[str]) -> float:
    """Print both sides; the ratio of medians."""
    port, other = free_port(), free_port()
    flags = ["--collector.disable-defaults", *(f"--collector.{name}" for name in collectors)]
    ours = [*BONGSU, "agent", "--host", "127.0.0.1", "--port", str(port), "--interval", "3600", *flags]
    theirs = [
        "prometheus-node-exporter",
        f"--web.listen-address=127.0.0.1:{other}",
        "--web.disable-exporter-metrics",
        *flags,
    ]
    costs: dict[str, list[float]] = {"bongsu": [], "node_exporter": []}
    samples: dict[str, int] = {}
    with running(ours) as mine, running(theirs) as his:
        targets = {
            "bongsu": (mine.pid, f"http://127.0.0.1:{port}/metrics"),
            "node_exporter": (his.pid, f"http://127.0.0.1:{other}/metrics"),
        }
        for name, (_, url) in targets.items():
            samples[name] = sum(1 for line in fetch(url).split(b"\n") if line and line[:1] != b"#")
        for _ in range(ROUNDS):
            for name, (pid, url) in targets.items():
                before = cpu_seconds(pid)
                for _ in range(SCRAPES):
                    fetch(url)
                costs[name].append((cpu_seconds(pid) - before) / SCRAPES * 1000)
    for name, cost in costs.items():
        print(f"{title}: {name}: {samples[name]} samples, {spread(cost)} ms CPU a scrape")
    ratio = statistics.median(costs["bongsu"]) / statistics.median(costs["node_exporter"])
    print(f"{title}: {verdict(ratio, GOAL)}")
    return ratio


if __name__ == "__main__":
    compare("ten collectors", TEN)
    compare("all that both have", SAME)
