"""`bongsu report list`: a thousand runs at once, and what is asked of them."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest

from cli.command import bongsu, complaint
from run_records import grow_old, make


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    """Three runs, and the environment that says where they are."""
    grow_old(make(tmp_path, "20260101-000000-work-0001", tags=("a",)))
    grow_old(make(tmp_path, "20260102-000000-load-0002", name="load", command=("/bin/load",)))
    grow_old(make(tmp_path, "20260103-000000-work-0003", samples=2, end=False))
    return {"BONGSU_RUNS_DIR": str(tmp_path)}


def listed(place: dict[str, str], *options: str) -> list[str]:
    """The last figures of the ids."""
    done = bongsu("report", "list", "--json", *options, env=place)
    assert done.returncode == 0, done.stderr
    return [row["id"][-1] for row in json.loads(done.stdout)]


def test_runs_are_listed_sorted_and_filtered(place: dict[str, str]) -> None:
    """As the options say, alone and together; before or after the command's name."""
    assert listed(place) == ["3", "2", "1"]
    assert listed(place, "--sort", "wall", "--reverse") == ["3", "1", "2"]
    assert listed(place, "--name", "lo*") == ["2"]
    assert listed(place, "--tag", "a") == ["1"]
    assert listed(place, "--failed", "--limit", "1") == ["3"]
    assert listed(place, "--since", "2026-01-01") == ["3", "2", "1"]
    assert listed(place, "--running") == []
    there = place["BONGSU_RUNS_DIR"]
    assert bongsu("report", "--runs-dir", there, "list").stdout == bongsu("report", "list", "--runs-dir", there).stdout


def test_people_see_a_table(place: dict[str, str]) -> None:
    """One line each; an empty answer is said on stderr."""
    done = bongsu("report", "list", env=place)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == [
        "20260103-000000-work-0003", "20260102-000000-load-0002", "20260101-000000-work-0001",
    ]  # fmt: skip
    assert "lost" in done.stdout
    assert bongsu("report", "--list", env=place).stdout == done.stdout
    none = bongsu("report", "list", "--running", env=place)
    assert (none.stdout, none.returncode) == ("", 0)
    assert "none of the 3 runs" in none.stderr
    empty = bongsu("report", "list", "--runs-dir", os.path.join(place["BONGSU_RUNS_DIR"], "none"))
    assert "no runs in" in empty.stderr


def test_bad_input_is_one_line(place: dict[str, str]) -> None:
    """A sort that is none, a time that is none, a number that is none."""
    assert "'size' is not one of" in complaint("report", "list", "--sort", "size", env=place)
    assert "--since 'soon'" in complaint("report", "list", "--since", "soon", env=place)
    assert "0 is not in the range" in complaint("report", "list", "--limit", "0", env=place)
    assert "stands alone" in complaint("report", "--list", "show", env=place)


def test_a_thousand_runs_are_listed_from_the_index(tmp_path: Path) -> None:
    """With it a list costs less than half the CPU time that reading the folders takes, the interpreter's start included."""
    one = make(tmp_path, samples=1)
    files = {path.name: path.read_bytes() for path in one.iterdir()}
    for number in range(1, 1000):
        folder = tmp_path / f"20260101-{number // 3600:02}{number // 60 % 60:02}{number % 60:02}-work-{number:04x}"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
    for folder in tmp_path.iterdir():
        grow_old(folder)
    used = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = bongsu("report", "list", env={"BONGSU_RUNS_DIR": str(tmp_path)})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert len(done.stdout.splitlines()) == 1001
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(used[1:]) < used[0] / 2, used
