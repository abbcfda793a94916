"""Runs every benchmark in turn and writes what they print to RESULTS.md, with the machine and the commands."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SUBJECTS = (
    "scrape",
    "exposition",
    "agent",
    "day",
    "startup",
    "process_scan",
    "owners",
    "owner_usage",
    "gpu",
    "gpu_library",
    "gpu_exporter",
    "store",
    "promql",
    "week",
    "page",
    "recorder",
    "recorder_day",
    "emit",
    "compare",
)


def _machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown CPU",
    )
    return (
        f"{os.cpu_count()} cores ({model}), Linux {platform.release().split('-')[0]}, Python {platform.python_version()}, "
        f"load at the start {os.getloadavg()[0]:.1f}"
    )


def main() -> int:
    """Run the named benchmarks, or all; 1 if one failed to run or missed its goal."""
    chosen = sys.argv[1:] or list(SUBJECTS)
    lines = [
        "# Results", "",
        "Written by `make bench`. Each benchmark runs beside its anchor in one run, on a shared machine: CPU time, medians (minimum to maximum). Compare ratios, not milliseconds.",
        "",
        f"{dt.datetime.now(tz=dt.UTC).date().isoformat()}, {_machine()}.", "",
    ]  # fmt: skip
    missed = False
    for subject in chosen:
        script = HERE / f"{subject}.py"
        summary = script.read_text().split('"""')[1].split("\n")[0]
        print(f"== {subject}: {summary}", flush=True)
        done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, flush=True)
        missed |= done.returncode != 0 or "NOT MET" in done.stdout
        lines += [
            f"## {subject}",
            "",
            summary,
            "",
            f"`python benchmarks/{subject}.py`",
            "",
            "```",
            done.stdout.rstrip(),
            "```",
            "",
        ]
    results = HERE / "RESULTS.md"
    if chosen == list(SUBJECTS):
        results.write_text("\n".join(lines))
    else:
        results.write_text(_with(results.read_text(), "\n".join(lines)))
    return int(missed)


def _with(before: str, some: str) -> str:
    """The results with some subjects measured anew; each of these says when."""
    when = next(line for line in some.splitlines() if line[:2].isdigit())
    for section in some.split("\n## ")[1:]:
        subject, _, text = section.partition("\n")
        new = f"\n## {subject}\n\nMeasured again: {when}\n{text.rstrip()}\n"
        start = before.find(f"\n## {subject}\n")
        if start < 0:
            before = before.rstrip() + "\n" + new
            continue
        end = before.find("\n## ", start + 1)
        before = before[:start] + new + (before[end:] if end >= 0 else "")
    return before


if __name__ == "__main__":
    sys.exit(main())
