"""A run is found by what a person calls it, or the line says what to call it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.records.run_finding import find, ids
from run_records import make

OLD, MIDDLE, NEW = "20260101-000000-work-0001", "20260102-000000-work-0002", "20260102-000001-load-0003"


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Three runs and what is none."""
    for run, tags in ((OLD, ("a", "b")), (MIDDLE, ("a",)), (NEW, ())):
        make(tmp_path, run, tags=tags)
    (tmp_path / "index.json").write_text("")
    (tmp_path / "20260102-000001-file-0003").write_text("")
    (tmp_path / "20260102-000002-link-0003").symlink_to(tmp_path / OLD)
    (tmp_path / "other").mkdir()
    return str(tmp_path)


def test_newest_first(runs: str, tmp_path: Path) -> None:
    """Files, links and other folders are no runs; within one second what run.json says decides."""
    assert ids(runs) == [NEW, MIDDLE, OLD]
    make(tmp_path, "20260102-000001-zzzz-0001", started=1.0)
    make(tmp_path, "20260102-000001-aaaa-0001", started=2e9)
    assert ids(runs) == ["20260102-000001-aaaa-0001", NEW, "20260102-000001-zzzz-0001", MIDDLE, OLD]
    assert ids(str(tmp_path / "nowhere")) == []


@pytest.mark.parametrize(
    ("reference", "run"),
    [
        ("latest", NEW), ("latest~0", NEW), ("latest~2", OLD), (MIDDLE, MIDDLE), ("20260101", OLD), ("tag:a", MIDDLE),
        ("tag:b", OLD), ("20260102-000001", NEW),
    ],
)  # fmt: skip
def test_a_reference_names_one_run(runs: str, reference: str, run: str) -> None:
    """An id, the beginning of one, the latest and those before it, the newest with a tag."""
    assert find(reference, runs).path == os.path.join(runs, run)


def test_a_path_names_a_run_or_an_export(runs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a file in it, or the file of a report, wherever they lie."""
    folder = os.path.join(runs, OLD)
    assert find(folder, "/nowhere") == (folder, False)
    assert find(f"{folder}/", "/nowhere") == (folder, False)
    assert find(os.path.join(folder, "run.json"), "/nowhere") == (folder, False)
    (tmp_path / "report.json").write_text("{}")
    assert find(str(tmp_path / "report.json"), runs) == (str(tmp_path / "report.json"), True)
    monkeypatch.chdir(tmp_path)
    assert find("report.json", "/nowhere") == (str(tmp_path / "report.json"), True)
    monkeypatch.chdir(folder)
    assert find(".", "/nowhere").path == folder


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("20260102", rf"2 runs begin so: {NEW}, {MIDDLE}; give more"), ("latest~3", "only 3 runs"), ("tag:c", "no run in .* has the tag 'c'"),
        ("other", "not the folder of a run"), ("nosuch", "'nosuch': there is none in"), ("", "'': there is none"),
        ("/no/such", "/no/such: there is no such file"), ("latest~", "there is none"), ("../other", "no such file"),
    ],
)  # fmt: skip
def test_what_names_none_is_said(runs: str, monkeypatch: pytest.MonkeyPatch, reference: str, said: str) -> None:
    """One line with what was given and what can be."""
    monkeypatch.chdir(runs)
    with pytest.raises(BadInput, match=said):
        find(reference, runs)


def test_no_runs_at_all(tmp_path: Path) -> None:
    """The first use of the command gets the next step."""
    for reference in ("latest", "x"):
        with pytest.raises(BadInput, match="no runs here yet; record one with `bongsu run"):
            find(reference, str(tmp_path))
