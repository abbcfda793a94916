"""What con-duct logged becomes a run: what it read is there, what it did not stays unknown, foreign files are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bongsu.model.errors import BadInput
from bongsu.records.run_finding import Found
from bongsu.runs.import_duct import SOURCE, import_duct
from bongsu.runs.reporting import opened

MIB = 1024**2


def _process(second: int, etime: str, rss: int, cmd: str, stat: str = "S") -> dict[str, Any]:
    return {
        "pcpu": 50.0, "pmem": 0.1, "rss": rss, "vsz": 9 * MIB, "timestamp": f"2026-01-01T09:00:{second:02}.500000+09:00",
        "etime": etime, "stat": {stat: 1}, "cmd": cmd,
    }  # fmt: skip


def _logged(folder: Path, *, exit_code: int = 3) -> str:
    """Logs of a run of 10 s from midnight UTC: a child of the first line is gone in the second, its number used again in the third."""
    first = [_process(second, f"00:0{second}", 2 * MIB, "sh -c work", "Ss") for second in (1, 5, 9)]
    lines = [
        (1, {"100": first[0], "101": _process(1, "00:00", 5 * MIB, "curl --password hunter2hunter2 there")}),
        (5, {"100": first[1], "102": _process(5, "00:02", 7 * MIB, "cc a.c")}),
        (
            9,
            {
                "100": first[2],
                "102": _process(9, "00:01", 6 * MIB, "ld a.o"),
                "103": _process(8, "00:01", MIB, "rm a.o"),
            },
        ),
    ]
    usage = [
        {
            "timestamp": f"2026-01-01T09:00:0{second}.500000+09:00", "num_samples": 1 if second == 1 else 4,
            "processes": processes, "totals": {"pmem": 0.1, "pcpu": 50.0, "rss": second * MIB, "vsz": 20 * MIB}, "averages": {},
        }
        for second, processes in lines
    ]  # fmt: skip
    summary = {
        "exit_code": exit_code, "wall_clock_time": 10.0, "start_time": 1767225600.0, "end_time": 1767225610.0,
        "average_pcpu": 40.5, "peak_pcpu": 50.0,
    }  # fmt: skip
    info = {
        "command": "sh -c work", "duct_version": "0.23.0", "execution_summary": summary, "working_directory": "/srv",
        "system": {"memory_total": 8 * MIB, "hostname": "node1", "user": None, "os_name": "Linux", "os_release": "6.1"},
    }  # fmt: skip
    (folder / "x_usage.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in usage))
    (folder / "x_info.json").write_text(json.dumps(info))
    (folder / "x_stdout").write_text("")
    return str(folder / "x_")


def test_what_was_logged_is_there_and_nothing_else(tmp_path: Path) -> None:
    """Times, memory, processes and the exit code are con-duct's; CPU time, which it does not know, stays unknown."""
    made = import_duct(_logged(tmp_path), str(tmp_path / "runs"))
    report = opened(Found(made.folder))
    known, cost = report.metadata, report.summary
    assert (known.state, known.exit_code, known.host, known.user, known.zone) == ("ended", 3, "node1", "", "+0900")
    assert (known.started, known.ended, cost.wall_seconds, known.interval_seconds) == (
        1767225600.0,
        1767225610.0,
        10.0,
        4.0,
    )
    assert (cost.cpu.source, cost.cpu.total_seconds, cost.cpu.residual_seconds) == (SOURCE, None, None)
    assert [(point.at_seconds, point.rss_bytes) for point in report.samples] == [(n + 0.5, n * MIB) for n in (1, 5, 9)]
    assert [point.processes for point in report.samples] == [2, None, None]
    assert "40.5 % on average" in report.events[0].text
    assert str(tmp_path / "x_stdout") in report.events[0].text
    assert "x_stderr" not in report.events[0].text


def test_processes_come_and_go(tmp_path: Path) -> None:
    """The session's leader is the command; a number that came again is another process; only who is in the last reading lived on; secrets are masked."""
    report = opened(Found(import_duct(_logged(tmp_path), str(tmp_path / "runs")).folder))
    rows = [(row.index, row.pid, row.start_seconds, row.end_seconds, row.known_by) for row in report.processes]
    assert rows == [
        (0, 100, 0.5, 10.0, "waited"), (1, 101, 1.5, 1.5, "vanished"), (2, 102, 3.5, 5.5, "vanished"), (3, 102, 8.5, None, ""),
        (4, 103, 7.5, 8.5, "vanished"),
    ]  # fmt: skip
    assert [row.exit_code for row in report.processes] == [3, None, None, None, None]
    assert "hunter2" not in report.processes[1].command
    assert all(row.cpu_seconds is None for row in report.processes)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """What is not a file is none of con-duct's: one who opened a pipe would wait for its writer."""
    prefix = _logged(tmp_path)
    os.remove(f"{prefix}usage.jsonl")
    os.mkfifo(f"{prefix}usage.jsonl")
    with pytest.raises(BadInput, match="no such file"):
        import_duct(prefix, str(tmp_path / "runs"))


def test_a_signal_is_named(tmp_path: Path) -> None:
    """Con-duct writes 128 + the signal."""
    report = opened(Found(import_duct(_logged(tmp_path, exit_code=137), str(tmp_path / "runs")).folder))
    assert (report.metadata.exit_code, report.metadata.signal) == (137, "SIGKILL")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("x_info.json", None, "no such file"), ("x_usage.jsonl", None, "no such file"), ("x_info.json", "{}", "nothing that con-duct"),
        ("x_info.json", '{"duct_ver', "nothing that con-duct"), ("x_usage.jsonl", '{"timestamp": ', "line 1: this is nothing"),
        ("x_info.json", '{"duct_version": "0.23.0", "command": "x", "execution_summary": null}', "did not see the end"),
        ("x_usage.jsonl", b"\xff\xfe", "line 1: this is nothing"),
    ],
)  # fmt: skip
def test_what_is_broken_or_foreign_is_refused(tmp_path: Path, file: str, text: str | bytes | None, said: str) -> None:
    """One line that names the file, and no folder is left behind."""
    prefix = _logged(tmp_path)
    (tmp_path / file).unlink()
    if text is not None:
        (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput) as raised:
        import_duct(prefix, str(tmp_path / "runs"))
    assert said in str(raised.value)
    assert file in str(raised.value)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("x_info.json", '"start_time": 1767225600.0', '"start_time": 1e300'), ("x_info.json", '"wall_clock_time": 10.0', '"wall_clock_time": -1'),
        ("x_usage.jsonl", '"etime": "00:05"', f'"etime": "{"9" * 5000}:00"'),
    ],
)  # fmt: skip
def test_times_that_are_none_are_refused(tmp_path: Path, file: str, before: str, after: str) -> None:
    """A start beyond the calendar, a length below 0, an age that no process has: one line, and no folder."""
    prefix = _logged(tmp_path)
    text = (tmp_path / file).read_text()
    assert before in text
    (tmp_path / file).write_text(text.replace(before, after))
    with pytest.raises(BadInput, match=file.replace(".", "[.]")):
        import_duct(prefix, str(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_logs_that_con_duct_itself_made(tmp_path: Path) -> None:
    """The program as it is installed here writes what is read."""
    pytest.importorskip("con_duct", reason="con-duct is not installed")
    subprocess.run(
        [
            sys.executable, "-m", "con_duct.cli", "run", "--quiet", "--fail-time", "0", "--sample-interval", "0.2",
            "--report-interval", "0.4", "-p", f"{tmp_path}/y_", "--", "sh", "-c", "sleep 2; exit 3",
        ],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}, check=False, timeout=150,
        capture_output=True,
    )  # fmt: skip
    report = opened(Found(import_duct(f"{tmp_path}/y_usage.jsonl", str(tmp_path / "runs")).folder))
    assert report.metadata.exit_code == 3
    assert (report.summary.wall_seconds or 0) >= 2
    assert (report.summary.memory.peak_rss_bytes or 0) > 0
    assert any("sleep 2" in row.command for row in report.processes)
