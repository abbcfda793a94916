"""The exported report: the document's shape, its schema, and what stands in it for ever."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import run_reports
from bongsu.model.errors import BadInput
from bongsu.model.run import RunReport
from bongsu.records import run_folder
from bongsu.runs import export_csv, export_json, reporting

GOLDEN = Path(__file__).parent.parent / "golden" / "run-1"
SCHEMA = Path(run_folder.__file__).parent / "report.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def test_the_schema_in_the_package_is_that_of_the_code() -> None:
    """It lies there for others to read; after a change write `json.dumps(export_json.schema(), indent=1)` there."""
    assert json.loads(SCHEMA.read_text()) == export_json.schema()


@pytest.mark.parametrize("make", run_reports.ALL, ids=lambda make: make.__name__)
def test_every_report_keeps_to_the_schema_and_comes_back(make: Any, tmp_path: Path) -> None:
    """Whatever is in a report, what is written is valid, and reading it gives the same document."""
    made: RunReport = make()
    text = export_json.text(made)
    assert text.isascii()
    document = json.loads(text)
    VALIDATOR.validate(document)
    (tmp_path / "report.json").write_text(text)
    again = export_json.read(str(tmp_path / "report.json"))
    assert export_json.document(again) == document


def test_the_schema_refuses_what_is_none() -> None:
    """A number in the wrong place is seen."""
    document = export_json.document(run_reports.build())
    document["summary"]["cpu"]["total_seconds"] = "much"
    assert not VALIDATOR.is_valid(document)
    assert not VALIDATOR.is_valid({"schema": "bongsu-run/1"})


def _holds(new: Any, old: Any, where: str = "") -> None:
    """All that the old document says, the new one says too."""
    if isinstance(old, dict):
        for key, value in old.items():
            assert key in new, f"{where}.{key} is gone"
            _holds(new[key], value, f"{where}.{key}")
    elif isinstance(old, list):
        assert len(new) == len(old), where
        for place, (one, other) in enumerate(zip(new, old, strict=True)):
            _holds(one, other, f"{where}[{place}]")
    else:
        assert new == old, where


def test_a_run_of_the_first_schema_is_read_for_ever() -> None:
    """The golden folder was written by schema 1: its report says all that the golden report says, under the same keys."""
    made = export_json.document(reporting.read_run(str(GOLDEN / "20260101-000000-work-0001")))
    _holds(made, json.loads((GOLDEN / "report.json").read_text()))


def test_a_report_of_the_first_schema_is_read_for_ever() -> None:
    """The same of the exported file."""
    made = export_json.document(export_json.read(str(GOLDEN / "report.json")))
    _holds(made, json.loads((GOLDEN / "report.json").read_text()))


def test_the_document_finds_its_keys() -> None:
    """metadata, summary with cpu, memory and children, function_stats, samples: spelled as the source document does."""
    document = json.loads((GOLDEN / "report.json").read_text())
    assert {"metadata", "summary", "function_stats", "samples"} <= document.keys()
    summary = document["summary"]
    assert {"avg_percent", "max_percent", "total_seconds", "source", "residual_seconds"} <= summary["cpu"].keys()
    assert {"avg_rss_mb", "max_rss_mb"} <= summary["memory"].keys()
    assert {"max_count", "avg_cpu_percent"} <= summary["children"].keys()
    assert {"count", "total_time", "cpu_time"} <= document["function_stats"]["load"].keys()
    assert {"exit_code", "command"} <= document["metadata"].keys()
    header = export_csv.text(export_json.read(str(GOLDEN / "report.json"))).splitlines()[0].split(",")
    assert header[:10] == [
        "timestamp", "elapsed_time", "cpu_percent", "cpu_time_total", "memory_rss_mb", "memory_vms_mb", "num_threads",
        "children_count", "children_cpu_percent", "children_memory_mb",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"), (" \n", "the file is empty"), ('{"schema": "bongsu-run/1", "met', "is cut off"),
        ("hello", "not JSON"), ('{"schema": "bongsu-run/1", "metadata": {"started": 1e999}}', "not JSON: 1e999 is not finite"), ("[" * 200_000, "not JSON"), ("[]", "another tool wrote this"), ('"x"', "another tool"),
        ('{"metadata": {}, "summary": {}}', "another tool"), ('{"execution_summary": {}, "command": "x"}', "another tool"),
        ('{"schema": "bongsu-run/1"}', "no report of a run"), ('{"schema": "bongsu-run/1", "metadata": 3}', "no report of a run"),
        ('{"schema": "bongsu-run/7"}', "bongsu-run/7, and bongsu .* reads none newer than bongsu-run/1"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_said(tmp_path: Path, text: str, said: str) -> None:
    """One line that names the file and what is the matter with it."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BadInput, match=said) as complaint:
        export_json.read(str(tmp_path / "x.json"))
    assert "x.json" in str(complaint.value)
    assert "\n" not in str(complaint.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write into one; it is refused, as a directory is."""
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name in ("pipe.json", "folder.json"):
        with pytest.raises(BadInput, match="this is not a file"):
            export_json.read(str(tmp_path / name))


def test_a_report_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    """Never half a report."""
    whole = export_json.text(run_reports.sleeping())
    for size in range(0, len(whole), 7):
        (tmp_path / "x.json").write_text(whole[:size])
        with pytest.raises(BadInput, match=r"cut off|empty"):
            export_json.read(str(tmp_path / "x.json"))
