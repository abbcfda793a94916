"""`bongsu report recover` and `prune`, as a user calls them."""

from __future__ import annotations

import time
from pathlib import Path

from cli.command import bongsu, complaint
from run_records import grow_old, make, written


def test_recovery_of_all_and_of_one(tmp_path: Path) -> None:
    """A line for each run; what cannot be recovered is said, and the exit code is 1."""
    grow_old(make(tmp_path, "20260101-000000-work-0001"))
    grow_old(make(tmp_path, "20260102-000000-work-0002", end=False))
    goes_on = make(tmp_path, "20260103-000000-work-0003", end=False)
    (tmp_path / "20260104-000000-gone-0004").mkdir()
    env = {"BONGSU_RUNS_DIR": str(tmp_path)}
    with written(goes_on):
        done = bongsu("report", "recover", "--all", env=env)
    assert done.returncode == 1
    assert [line.split(": ")[:2] for line in done.stdout.splitlines()] == [
        ["20260103-000000-work-0003", "running"], ["20260102-000000-work-0002", "lost"], ["20260101-000000-work-0001", "ended"],
    ]  # fmt: skip
    assert "gone-0004: nothing of this run can be read" in done.stderr
    assert not (goes_on / "summary.json").exists()
    again = bongsu("report", "recover", "20260101", "20260102", env=env)
    assert (again.returncode, len(again.stdout.splitlines())) == (0, 2)
    assert "give the runs to recover, or --all" in complaint("report", "recover", env=env)


def test_pruning_asks_says_and_does(tmp_path: Path) -> None:
    """A dry run removes nothing; without a terminal --yes is needed; then just those go."""
    for day in (1, 2, 3):
        grow_old(make(tmp_path, f"2026010{day}-000000-work-000{day}", started=time.time() - (4 - day) * 86400))
    env = {"BONGSU_RUNS_DIR": str(tmp_path)}
    dry = bongsu("report", "prune", "--older-than", "36h", "--dry-run", env=env)
    assert [line.split()[0] for line in dry.stdout.splitlines()] == [
        "20260101-000000-work-0001",
        "20260102-000000-work-0002",
        "would",
    ]
    assert len(list(tmp_path.glob("2026*"))) == 3
    assert "--yes" in complaint_after(env, "--keep", "1")
    assert len(list(tmp_path.glob("2026*"))) == 3
    done = bongsu("report", "prune", "--keep", "1", "--yes", env=env)
    assert done.stdout == "removed 2 runs\n"
    assert [path.name for path in tmp_path.glob("2026*")] == ["20260103-000000-work-0003"]
    assert bongsu("report", "prune", "--keep", "1", "--yes", env=env).stdout == "nothing to remove\n"
    assert "say which runs" in complaint("report", "prune", "--yes", env=env)
    assert "no size" in complaint("report", "prune", "--max-bytes", "many", env=env)
    assert "no length of time" in complaint("report", "prune", "--older-than", "many", env=env)
    assert bongsu("report", "prune", "--max-bytes", "0", "-y", env=env).stdout == "removed 1 run\n"


def complaint_after(env: dict[str, str], *options: str) -> str:
    """The last line on stderr of a prune that fails."""
    done = bongsu("report", "prune", *options, env=env)
    assert done.returncode == 2
    return done.stderr.splitlines()[-1]
