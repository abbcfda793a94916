"""`bongsu report compare` as a user sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bongsu.model.run import RunReport
from bongsu.runs.export_json import text
from cli.command import bongsu, complaint
from compared_runs import around
from run_records import make
from run_reports import build, metadata

STARTED = 1_767_225_600.0


def _report(label: str, at: int, wall: float, first: float, **known: Any) -> RunReport:
    ready = build(12)
    summary = msgspec.structs.replace(ready.summary, wall_seconds=wall)
    run = f"20260101-00{at:02d}00-{label}-{at:04x}"
    return msgspec.structs.replace(
        ready, summary=summary, metadata=metadata(("python", f"{label}.py"), **{"id": run, "started": STARTED + first + 60 * at, **known})
    )  # fmt: skip


def _exported(directory: Path, label: str, walls: Sequence[float], first: float = 0.0, **known: Any) -> str:
    """The group of these files, as a user writes it."""
    paths = []
    for at, wall in enumerate(walls):
        path = directory / f"{label}{at}.json"
        path.write_text(text(_report(label, at, wall, first, **known)))
        paths.append(str(path))
    return ",".join(paths)


def _tagged(directory: Path, tag: str, n: int, first: int) -> None:
    for at in range(n):
        make(
            directory, f"20260101-00{first:02d}{at:02d}-work-{at:04x}",
            tags=(tag, "all"), started=STARTED + 2 * at + first / 60, samples=3 + first % 7,
        )  # fmt: skip


def test_two_groups_of_reports(tmp_path: Path) -> None:
    """Exported reports by their paths: the verdict is on stdout, nothing on stderr, the exit code 0."""
    old, new = _exported(tmp_path, "old", around(2, 8, 1)), _exported(tmp_path, "new", around(1.8, 8, 2), 30.0)
    done = bongsu("report", "compare", old, new)
    assert (done.returncode, done.stderr) == (0, "")
    assert "B against A: faster, wall time times 0.9" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    told = json.loads(bongsu("report", "compare", "--json", new, old).stdout)
    assert told["rows"][0]["differences"][0]["verdict"] == "higher"
    assert [group["command"] for group in told["groups"]] == ["python new.py", "python old.py"]
    told = json.loads(bongsu("report", "compare", "--json", "--baseline", "B", old, new).stdout)
    assert (told["baseline"], told["groups"][1]["label"]) == ("B", "A")


def test_a_limit_decides_the_exit_code(tmp_path: Path) -> None:
    """1 and a line where the limit is passed, 0 where it is kept, 3 where so few runs cannot tell."""
    old, new = _exported(tmp_path, "old", around(2, 8, 1)), _exported(tmp_path, "new", around(2.4, 8, 2), 30.0)
    done = bongsu("report", "compare", "--fail-if", "slower>5%", old, new)
    assert done.returncode == 1
    assert done.stderr.startswith("bongsu: B has 1")
    assert "of the wall time of A: --fail-if 'slower>5%'" in done.stderr
    assert bongsu("report", "compare", "--fail-if", "wall > 50%", old, new).returncode == 0
    assert bongsu("report", "compare", "--fail-if", "slower>5%", new, old).returncode == 0
    assert bongsu("report", "compare", "--fail-if", "rss>1%", "--fail-if", "slower>5%", old, new).returncode == 1
    few = bongsu("report", "compare", "--fail-if", "slower>5%", old.split(",")[0], new)
    assert few.returncode == 3
    assert "make 4 a side" in few.stderr
    missing = bongsu("report", "compare", "--fail-if", "function:load>5%", old, new)
    assert missing.returncode == 3
    assert "no run has a value for load" in missing.stderr


def test_runs_by_tag_and_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag is all its runs under its own name; ids, beginnings and latest name one run each."""
    _tagged(tmp_path, "5", 4, 0)
    _tagged(tmp_path, "10", 4, 1)
    env = {"BONGSU_RUNS_DIR": str(tmp_path)}
    told = json.loads(bongsu("report", "compare", "--json", "--by", "tag", "5", "10", env=env).stdout)
    assert [(group["label"], len(group["runs"])) for group in told["groups"]] == [("5", 4), ("10", 4)]
    assert json.loads(bongsu("report", "compare", "--json", "tag:5", "tag:10", env=env).stdout) == told
    told = json.loads(
        bongsu("report", "compare", "--json", "latest~1,20260101-000000", "latest", "--runs-dir", str(tmp_path)).stdout
    )
    assert [group["runs"] for group in told["groups"]] == [
        ["20260101-000000-work-0000", "20260101-000102-work-0002"], ["20260101-000103-work-0003"]
    ]  # fmt: skip
    alone = bongsu("report", "compare", "tag:5", env=env)
    assert alone.returncode == 0
    assert "5 (4 runs)" in alone.stdout


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    """One line for each kind of bad input, with exit code 2 and nothing on stdout."""
    old, new = _exported(tmp_path, "old", [1.0]), _exported(tmp_path, "new", [2.0])
    runs = {"BONGSU_RUNS_DIR": str(tmp_path)}
    make(tmp_path, tags=("one",))
    (tmp_path / "cut.json").write_text('{"schema": "bongsu-run/1", "meta')
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "newer.json").write_text(json.dumps({"schema": "bongsu-run/99"}))
    (tmp_path / "other.json").write_text(json.dumps({"mean": 1}))
    for arguments, words in (
        ((old,), "one run alone cannot be compared"),
        ((old, old), "is in A and B: one run counts once"),
        ((old, f"{tmp_path}/cut.json"), "the file is cut off"),
        ((old, f"{tmp_path}/empty.json"), "the file is empty"),
        ((old, f"{tmp_path}/newer.json"), "bongsu-run/99"),
        ((old, f"{tmp_path}/other.json"), "other.json"),
        ((old, "nosuchrun"), "nosuchrun"),
        ((old, "tag:nosuchtag"), "no run in"),
        (("tag:one", "tag:one"), "the group one is given twice"),
        ((old, new, "--metric", "speed"), "there is no metric 'speed' of a run; there are: wall, cpu"),
        ((old, new, "--baseline", "C"), "--baseline C: there is no such group; there are A, B"),
        ((old, new, "--fail-if", "slower"), "give a limit such as 'slower>5%'"),
        ((old, new, "--fail-if", "speed>5%"), "there is no metric 'speed'"),
        ((), "missing argument"),
    ):
        assert words in complaint("report", "compare", *arguments, env=runs)


def test_two_runs_are_described(tmp_path: Path) -> None:
    """One run a side: the ratio, and that it is no more than a description."""
    done = bongsu("report", "compare", _exported(tmp_path, "old", [2.0]), _exported(tmp_path, "new", [1.0], 30.0))
    assert done.returncode == 0
    assert "wall time times 0.500, only described" in " ".join(done.stdout.split())


def test_it_loads_neither_scipy_nor_numpy() -> None:
    """What it is checked against is not what it runs on."""
    code = "import sys, bongsu.runs.compare, bongsu.views.comparison; print([m for m in ('scipy', 'numpy') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
