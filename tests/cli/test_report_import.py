"""`bongsu report import-duct`, as a user calls it."""

from __future__ import annotations

from pathlib import Path

from cli.command import bongsu, complaint


def test_logs_name_the_file(tmp_path: Path) -> None:
    """One line, exit code 2, and no run."""
    env = {"BONGSU_RUNS_DIR": str(tmp_path / "runs")}
    (tmp_path / "x_info.json").write_text('{"some": "json"}')
    assert "x_info.json: this is nothing that con-duct" in complaint(
        "report", "import-duct", str(tmp_path / "x_"), env=env
    )
    assert not (tmp_path / "runs").exists()


def test_the_id_of_the_run_is_told(tmp_path: Path) -> None:
    """So that it can be shown."""
    env = {"BONGSU_RUNS_DIR": str(tmp_path / "runs")}
    (tmp_path / "x_info.json").write_text(
        '{"duct_version": "0.23.0", "command": "true", '
        '"execution_summary": {"exit_code": 0, "wall_clock_time": 0.5, "start_time": 1767225600.0}}'
    )
    (tmp_path / "x_usage.jsonl").write_text("")
    done = bongsu("report", "import-duct", str(tmp_path / "x_"), env=env)
    assert done.returncode == 0
    assert done.stdout.startswith("20260101-000000-true-")
    assert "exit code 0" in bongsu("report", done.stdout.strip(), env=env).stdout
