"""`bongsu report show`, `timeline` and the forms of `export`, on a report that a file holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import run_reports
from bongsu.cli.main import run
from bongsu.model.run import RunReport
from bongsu.runs import export_json


@pytest.fixture
def training(tmp_path: Path) -> str:
    """The file of a training's report."""
    return kept(run_reports.training(), tmp_path)


def kept(report: RunReport, folder: Path) -> str:
    """The file of a report."""
    path = folder / "report.json"
    path.write_text(export_json.text(report))
    return str(path)


@pytest.fixture(autouse=True)
def _eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_a_report_is_shown(training: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Command, cost, functions, processes; no escape sequence where it is piped."""
    assert run(["report", "show", training]) == 0
    text = capsys.readouterr().out
    assert text.startswith("python train.py --epochs 3\n")
    assert "exact, from the run's own cgroup" in text
    assert "checkpoint [epoch]" in text
    assert "\x1b" not in text


def test_functions_are_as_many_and_sorted_as_asked(training: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The document's --top-functions, and our --sort."""
    assert run(["report", "show", training, "--top-functions", "1", "--sort", "cpu", "--processes", "2"]) == 0
    text = capsys.readouterr().out
    assert "and 2 more; sorted by cpu" in text
    assert "and 3 more" in text
    assert run(["report", "show", training, "--top-functions", "0"]) == 0
    assert "Functions" not in capsys.readouterr().out
    assert run(["report", "show", training, "--sort", "name"]) == 2
    assert "--sort" in capsys.readouterr().err


def test_programs_get_the_whole_report(training: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The keys that the source document names are there."""
    assert run(["report", "show", "--json", training]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["summary"]["cpu"]["total_seconds"] == 9000.0
    assert document["summary"]["cpu"]["source"] == "cgroup"
    assert document["metadata"]["exit_code"] == 0
    assert document["function_stats"]["load"]["count"] == 9004


def test_a_timeline_is_as_wide_as_asked(training: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the terminal, else by --width."""
    for words, width in (([], 80), (["--width", "120"], 120)):
        assert run(["report", "timeline", training, *words]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) == width
    assert run(["report", "timeline", training, "--width", "5"]) == 2
    assert "--width" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words", "begins"),
    [
        ("out.html", [], "<!doctype html>"), ("out.trace.json", [], '{"displayTimeUnit"'),
        ("out", ["--format", "html"], "<!doctype html>"), ("out.json", ["--format", "chrome-trace"], '{"displayTimeUnit"'),
        ("out.json", [], '{"schema"'),
    ],
)  # fmt: skip
def test_a_report_is_exported_as_a_page_or_a_trace(
    training: str, tmp_path: Path, name: str, words: list[str], begins: str
) -> None:
    """By the name of the file, else by --format."""
    file = tmp_path / name
    assert run(["report", "export", training, str(file), *words]) == 0
    assert file.read_text().startswith(begins)


def test_what_a_hostile_program_is_called_steers_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when the report came from elsewhere."""
    path = kept(run_reports.hostile(), tmp_path)
    assert run(["report", "show", path]) == 0
    assert run(["report", "timeline", path]) == 0
    assert not {"\x1b", "\u202e", "\x07"} & set(capsys.readouterr().out)
