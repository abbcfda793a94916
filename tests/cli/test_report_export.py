"""`bongsu report export` and the spellings of the source document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.command import bongsu, complaint, environment
from run_records import grow_old, make

GOLDEN = Path(__file__).parent.parent / "golden" / "run-1"


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    """Two runs, and the environment that says where they are."""
    grow_old(make(tmp_path, "20260101-000000-work-0001"))
    grow_old(make(tmp_path, "20260102-000000-load-0002", name="load"))
    return {"BONGSU_RUNS_DIR": str(tmp_path)}


def test_the_format_is_that_of_the_name(place: dict[str, str], tmp_path: Path) -> None:
    """.json and .csv; the latest run unless another is named; files are private and end in a newline."""
    report, table = tmp_path / "x.json", tmp_path / "x.csv"
    assert bongsu("report", "export", str(report), env=place).returncode == 0
    assert json.loads(report.read_text())["metadata"]["name"] == "load"
    assert report.read_text().endswith("}\n")
    assert report.stat().st_mode & 0o777 == 0o600
    assert bongsu("report", "export", "latest~1", str(table), "--what", "processes", env=place).returncode == 0
    assert table.read_text().startswith("index,pid,")
    assert bongsu("report", "export", "20260101", "-", "--format", "csv", env=place).stdout.startswith("timestamp,")
    assert json.loads(bongsu("report", "export", str(report), "-", env=place).stdout) == json.loads(report.read_text())


def test_the_documents_own_spellings(place: dict[str, str], tmp_path: Path) -> None:
    """view_performance_report [FILE], --list, --export, --top-functions, by that name and as `bongsu report`."""
    code = "from bongsu.cli.report import view_performance_report; view_performance_report()"

    def viewed(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=True, env=environment(**place)
        )  # fmt: skip
        return done.stdout

    assert viewed("--list") == bongsu("report", "--list", env=place).stdout
    assert viewed() == bongsu("report", "show", env=place).stdout
    assert "20260102-000000-load-0002" in viewed("--top-functions", "30")
    assert "load" in viewed(str(GOLDEN / "report.json"), "--top-functions", "1")
    viewed("--export", str(tmp_path / "data.csv"))
    assert (tmp_path / "data.csv").read_text().startswith("timestamp,elapsed_time,cpu_percent")
    viewed("--export", str(tmp_path / "old.json"), "latest~1")
    assert json.loads((tmp_path / "old.json").read_text())["metadata"]["id"] == "20260101-000000-work-0001"


def test_json_is_the_exported_document(place: dict[str, str]) -> None:
    """`show --json` prints what `export --format json` writes."""
    assert bongsu("report", "show", "--json", env=place).stdout == bongsu("report", "export", "-", env=place).stdout


def test_bad_input_is_one_line(place: dict[str, str], tmp_path: Path) -> None:
    """What cannot be read or written, exit code 2; what stood at the target is untouched."""
    (tmp_path / "torn.json").write_text('{"schema": "bongsu-run/1", "met')
    assert "is cut off" in complaint("report", "show", str(tmp_path / "torn.json"), env=place)
    (tmp_path / "newer.json").write_text('{"schema": "bongsu-run/2"}')
    assert "bongsu-run/2" in complaint("report", "show", str(tmp_path / "newer.json"), env=place)
    assert "tells no format" in complaint("report", "export", str(tmp_path / "x.txt"), env=place)
    assert "there is no directory" in complaint("report", "export", str(tmp_path / "no" / "x.csv"), env=place)
    assert "is a directory" in complaint("report", "export", str(tmp_path), "--format", "csv", env=place)
    assert "--what is for CSV" in complaint(
        "report", "export", str(tmp_path / "x.json"), "--what", "samples", env=place
    )
    assert "give the file to write" in complaint("report", "export", env=place)
    assert "there is none in" in complaint("report", "export", "nosuch", "-", env=place)
    assert "no command 'nosuch'" in complaint("report", "nosuch", env=place)
    assert "no runs here yet" in complaint("report", "--runs-dir", str(tmp_path / "none"))
