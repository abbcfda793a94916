"""`bongsu run -- make -j4` of a C project: thousands of short processes, counted one by one, and their CPU time whole."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.command import ARGV, environment

_FILES = 700
_MAKEFILE = """\
objects := $(patsubst %.c,%.o,$(wildcard *.c))
program: $(objects)
\tgcc $^ -o $@
%.o: %.c
\tgcc -O1 -c $< -o $@
"""
# Runs a command in a cgroup of its own below the one that it is in, where it may, and tells what the kernel says of both:
# the group's counter, and what was waited for with what this itself used.
_TRUTH = """
import json, os, resource, subprocess, sys
below = None
try:
    own = next(line.split(":", 2)[2].strip() for line in open("/proc/self/cgroup") if line.split(":")[1].split(",")[-1] == "cpuacct")
    above = "/sys/fs/cgroup/cpuacct" + own.rstrip("/")
    os.mkdir(above + "/truth")
    below = above + "/truth"
    open(below + "/cgroup.procs", "w").write(str(os.getpid()))
except (OSError, StopIteration):
    pass
code = subprocess.call(sys.argv[2:], stdout=subprocess.DEVNULL)
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
said = {"waited": sum(one.ru_utime + one.ru_stime for one in used), "group": None}
if below:
    said["group"] = int(open(below + "/cpuacct.usage").read()) / 1e9
    open(above + "/cgroup.procs", "w").write(str(os.getpid()))
    os.rmdir(below)
json.dump(said, open(sys.argv[1], "w"))
sys.exit(code)
"""


def _project(folder: Path) -> None:
    """Sources of a program: each file has a function, and the first calls the others."""
    folder.mkdir()
    (folder / "Makefile").write_text(_MAKEFILE)
    for number in range(1, _FILES):
        (folder / f"f{number}.c").write_text(f"int f{number}(int x) {{ return x + {number}; }}\n")
    numbers = range(1, _FILES)
    declared = "".join(f"int f{number}(int);\n" for number in numbers)
    summed = " + ".join(f"f{number}(0)" for number in numbers)
    (folder / "main.c").write_text(f"{declared}int main(void) {{ return {summed} == {sum(numbers)} ? 0 : 1; }}\n")


def _started_by_gcc(folder: Path, *words: str) -> int:
    """The programs that the compiler's driver says it would start."""
    said = subprocess.run(["gcc", "-###", *words], cwd=folder, check=True, capture_output=True, text=True).stderr
    return sum(line.startswith(" ") for line in said.splitlines())


@pytest.mark.timeout(900)
@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("make")), reason="needs the Debian packages gcc and make")
def test_a_build_is_counted_process_by_process(tmp_path: Path) -> None:
    """Started are as many as make and the compiler's driver start; CPU time is the kernel's own to 1 %; the report says so."""
    project, truth, runs = tmp_path / "project", tmp_path / "truth.json", tmp_path / "runs"
    _project(project)
    compiled = 1 + _started_by_gcc(project, "-O1", "-c", "f1.c", "-o", "f1.o")
    linked = (
        1 + _started_by_gcc(project, "main.c", "-o", "program") - (compiled - 1) + 1
    )  # its linker starts the real one
    processes = 1 + _FILES * compiled + linked
    assert processes > 2000
    done = subprocess.run(
        [*ARGV, "run", "--runs-dir", str(runs), "--", sys.executable, "-I", "-S", "-c", _TRUTH, str(truth), "make", "-j4"],
        cwd=project, capture_output=True, text=True, check=False, timeout=800, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    subprocess.run([project / "program"], check=True)
    shown = subprocess.run(
        [*ARGV, "report", "show", "--json", "--runs-dir", str(runs), "latest"], capture_output=True, text=True, check=True,
        env=environment(),
    )  # fmt: skip
    report = json.loads(shown.stdout)
    known = json.loads(truth.read_text())
    cpu, children = report["summary"]["cpu"], report["summary"]["children"]
    exact = next(known[way] for way in ("group", "waited") if known[way] is not None)
    if cpu["source"] != "sampled":
        assert cpu["total_seconds"] == pytest.approx(
            exact, rel=0.01, abs=0.05
        )  # 50 ms: the start and end of what counts
    least = "" if children["counted_by"] == "events" else "at least "
    assert re.search(rf"^  processes  {least}{children['started']:,} started", done.stderr, re.MULTILINE), done.stderr
    if any(event["what"] == "left out" for event in report["events"]):  # the machine was too busy, and it says so
        least = "at least "
    assert children["started"] <= processes
    if not least:
        assert children["started"] == children["exited"] == processes
        drawn = subprocess.run(
            [*ARGV, "report", "show", "--runs-dir", str(runs), "latest"], capture_output=True, text=True, check=True,
            env=environment(),
        ).stdout  # fmt: skip
        table = drawn[drawn.index("\nPrograms") : drawn.index("\nProcesses")]
        programs = {name: int(count) for name, count in re.findall(r"^(\S+) +(\d+) ", table, re.MULTILINE)}
        assert sum(programs.values()) == processes + 1  # and the one that all are children of
        assert 0.9 * _FILES < programs["cc1"] <= _FILES  # one that was read as it began may bear its parent's name
