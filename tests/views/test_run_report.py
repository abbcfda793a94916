"""What a run cost, in words and tables: true, safe to print, and plain where it is piped."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

import run_reports
from bongsu.model.run import Event, ProcessRow, RunReport
from bongsu.views.run_html import content
from bongsu.views.run_report import clock_of, command, short, started, state
from bongsu.views.run_summary import By, draw

GOLDEN = Path(__file__).parent.parent / "golden" / "report"
Make = Callable[[], RunReport]


def drawn(report: RunReport, width: int = 80, encoding: str = "utf-8", **how: object) -> str:
    """The report as it is piped."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
    draw(report, Console(file=file, width=width, highlight=False, markup=False, emoji=False), **how)  # type: ignore[arg-type]  # named as there
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    "make", [run_reports.build, run_reports.training, run_reports.unknown], ids=lambda one: one.__name__
)
def test_a_report_is_drawn_as_the_golden_file_says(make: Make) -> None:
    """Both forms, word for word: who changes them sees it here."""
    report = make()
    lines = [line.rstrip() for line in f"{short(report)}\n\n{drawn(report)}".splitlines()]
    assert "\n".join(lines) + "\n" == (GOLDEN / f"{make.__name__}.txt").read_text()


@pytest.mark.parametrize("make", run_reports.ALL, ids=lambda one: one.__name__)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_nothing_printed_steers_a_terminal(make: Make, encoding: str) -> None:
    """Whatever a command is called: no escape sequence, no line of its own, and only characters that the terminal has."""
    report = make()
    text = drawn(report, encoding=encoding)
    text += short(report)
    assert not [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202e\u2028"]
    assert "\\u2" not in drawn(run_reports.build(), encoding="ascii"), "a bar or dots that ASCII does not have"


def test_what_is_not_known_is_never_drawn_as_zero() -> None:
    """Where nothing was read, no figure stands."""
    text = drawn(run_reports.unknown())
    facts = text[text.index("CPU") : text.index("Recording")]
    assert facts.count("not known") == 4
    assert not any(c.isdigit() for c in facts)
    assert "0 B" not in text
    assert short(run_reports.unknown()).count("not known") == 5


def test_the_short_report_has_four_to_six_lines() -> None:
    """It is the end of somebody else's output: small, and it says where the rest is."""
    for make in run_reports.ALL:
        lines = short(make()).splitlines()
        assert 4 <= len(lines) <= 6, make
        assert lines[-1].split()[:4] == ["report", "bongsu", "report", "show"]


def test_the_short_report_loads_no_terminal_library() -> None:
    """The monitor prints it: it starts in a bare interpreter and has no use for colour."""
    code = "import sys, bongsu.views.run_report; print([m for m in ('rich', 'click', 'numpy') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (run_reports.sleeping, "exit code 0"), (run_reports.killed, "ended by SIGKILL, exit code 137"),
        (run_reports.running, "running"), (run_reports.lost, "lost: its recorder ended before it did"),
        (run_reports.attached, "only its recording ended"), (run_reports.empty, "how it ended is not known"),
    ],
)  # fmt: skip
def test_how_it_ended_is_said(make: Make, said: str) -> None:
    """A code, a signal, running, lost and not known are five answers."""
    assert state(make()) == said


def test_the_residual_has_its_words_and_a_negative_one_others() -> None:
    """CPU time that nobody is charged with is told; if the processes add up to more than the total, that is."""
    report = run_reports.build()
    assert "residual: 26.5 s (13.3 %) short-lived, unseen by name" in drawn(report)
    cpu = msgspec.structs.replace(report.summary.cpu, residual_seconds=-1.5)
    more = msgspec.structs.replace(report, summary=msgspec.structs.replace(report.summary, cpu=cpu))
    assert "processes by name add up to 1.5 s more than that" in drawn(more)
    assert "add up" not in short(more)  # clocks that differ a little are for who looks closer
    cpu = msgspec.structs.replace(cpu, residual_seconds=None)
    none = msgspec.structs.replace(report, summary=msgspec.structs.replace(report.summary, cpu=cpu))
    assert "how much of it is charged to processes by name is not known" in drawn(none)


def test_of_a_process_that_ran_already_the_residual_may_be_its_own() -> None:
    """Its parent may let go of it before it is read once more: that is no short-lived process."""
    report = run_reports.build()
    meta = msgspec.structs.replace(report.metadata, attached=True)
    attached = msgspec.structs.replace(report, metadata=meta)
    assert "26.5 s (13.3 %) short-lived, unseen by name, or after the last reading of a process" in short(attached)
    gone = tuple(msgspec.structs.replace(point, processes=0) for point in report.samples)
    unread = short(msgspec.structs.replace(attached, samples=gone))
    assert "26.5 s (13.3 %) of what ended before it could be read" in unread
    assert "short-lived" not in unread


def test_who_may_not_all_have_been_seen_is_counted_as_at_least() -> None:
    """Where CPU time has no name there were more processes than were seen; where all of it has, the count is exact."""
    report = run_reports.build()
    assert "at least" in short(report)
    cpu = msgspec.structs.replace(report.summary.cpu, residual_seconds=0.0)
    whole = msgspec.structs.replace(report, summary=msgspec.structs.replace(report.summary, cpu=cpu))
    assert "at least" not in short(whole)
    children = msgspec.structs.replace(report.summary.children, counted_by="events")
    told = msgspec.structs.replace(report, summary=msgspec.structs.replace(report.summary, children=children))
    assert "at least" not in short(told), "the kernel told of each"


def test_a_process_whose_end_nobody_saw_lived_on_only_where_the_run_is_over() -> None:
    """In a run that goes on it is running; in one that was lost nobody knows."""
    report = run_reports.training()
    row = msgspec.structs.replace(report.processes[0], end_seconds=None, exit_code=None, signal="")
    for state_, said in (("running", " running "), ("ended", " lived on "), ("lost", " - ")):
        meta = msgspec.structs.replace(report.metadata, state=state_)
        text = drawn(msgspec.structs.replace(report, metadata=meta, processes=(row,)), width=120)
        (line,) = [line for line in text.splitlines() if line.startswith(f"{row.pid} ")]
        assert said in line


def test_many_survivors_are_not_all_told() -> None:
    """Ten say enough, and the beginning of a command tells which it is."""
    report = run_reports.training()
    left = tuple(
        msgspec.structs.replace(report.summary.survivors[0], pid=n, command="x" * 900) for n in range(5000, 5030)
    )
    text = drawn(msgspec.structs.replace(report, summary=msgspec.structs.replace(report.summary, survivors=left)))
    assert ("5009" in text, "5010" in text, "and 20 more" in text) == (True, False, True)
    assert "x" * 101 not in text.replace("\n", "").replace(" ", "")


def test_a_command_that_is_cut_says_so() -> None:
    """The beginning of a long command is no whole command: dots stand at its end, and in no place of a short one."""
    report = run_reports.training()
    left = tuple(
        msgspec.structs.replace(report.summary.survivors[0], pid=pid, command=command)
        for pid, command in ((5000, "x" * 900), (5001, "y" * 60))
    )
    report = msgspec.structs.replace(report, summary=msgspec.structs.replace(report.summary, survivors=left))
    assert f"5000 {'x' * 57}... (CPU" in short(report)
    assert f"5001 {'y' * 60} (CPU" in short(report)
    assert f"{'x' * 57}..." in drawn(report, 200)


def test_an_event_is_told_to_its_end() -> None:
    """Why something is not known stands at the end of a long line: it is continued, not cut."""
    why = "cgroup: no cgroup may be made in /sys/fs/cgroup/cpuacct, where this process is: Permission denied, the end"
    report = msgspec.structs.replace(run_reports.sleeping(), events=(Event(at_seconds=0.0, what="source", text=why),))
    lines = drawn(report, 60).split("Events\n")[1].splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert " ".join(line.strip() for line in lines) == f"0.0 s  source: {why}"
    assert [line[:9].strip() for line in lines] == ["0.0 s", *[""] * (len(lines) - 1)]


def test_functions_that_no_process_had_are_told_at_the_end() -> None:
    """A name that was misspelt is worth a line where one looks, for three of them."""
    events = tuple(
        Event(at_seconds=0.0, what="missing", text=f"--functions app:f{n}: no process had this") for n in range(5)
    )
    said = short(msgspec.structs.replace(run_reports.sleeping(), events=events))
    assert said.count("  functions  --functions app:f") == 3
    assert "             and 2 more\n" in said


def test_functions_are_sorted_as_asked_and_what_is_not_known_comes_last() -> None:
    """Total, self and CPU are three orders."""
    report = run_reports.training()
    stats = dict(report.function_stats)
    stats["load"] = msgspec.structs.replace(stats["load"], self_time=1750.0)
    stats["forward"] = msgspec.structs.replace(stats["forward"], cpu_time=1.0)
    report = msgspec.structs.replace(report, function_stats=stats)
    orders = {
        by: [line.split()[0] for line in drawn(report, by=by).split("Functions", 1)[1].splitlines()[1:4]] for by in By
    }
    assert orders == {
        By.TOTAL: ["forward", "load", "checkpoint"], By.SELF: ["load", "forward", "checkpoint"],
        By.CPU: ["load", "forward", "checkpoint"],
    }  # fmt: skip
    assert "and 2 more; sorted by total" in drawn(report, functions=1)


def test_tables_fit_eighty_columns_and_numbers_are_never_cut() -> None:
    """Names give way; a cut number would be another one."""
    for make in run_reports.ALL:
        report = make()
        tables = drawn(report).split("Recording")[1].splitlines()[2:]
        assert max((cell_len(line.rstrip()) for line in tables), default=0) <= 80, make
    assert "1,000" in drawn(run_reports.build(), width=40)


def test_a_task_is_named_once() -> None:
    """The functions of a report are told apart by their task already: it is drawn as it is called there."""
    forward = run_reports.training().function_stats["forward"]
    stats = {"load [prepare]": msgspec.structs.replace(forward, task="prepare"), "load": forward}
    report = msgspec.structs.replace(run_reports.training(), function_stats=stats)
    text = drawn(report)
    assert text.count("prepare") == text.count("load [prepare] ") == 1
    assert {row[0] for row in content.document(report)["functions"]} == set(stats)


def test_a_wide_terminal_shows_more_of_a_function() -> None:
    """The mean, the longest call and how far the CPU time may be off stand where there is room."""
    text = drawn(run_reports.training(), width=120)
    assert "average" in text
    assert "25 min ±1.2 s" not in text  # a thousandth is below what one reads
    stats = {"f": msgspec.structs.replace(run_reports.training().function_stats["forward"], cpu_error=90.0)}
    assert "25 min ±1 min 30 s" in drawn(
        msgspec.structs.replace(run_reports.training(), function_stats=stats), width=120
    )


def test_who_was_let_go_has_not_ended() -> None:
    """After Ctrl-C of `--attach`, or the end of a `recording`, the program goes on: nothing is said of its end."""
    known = run_reports.attached()
    assert "recorded for 10 s; it went on" in drawn(known)
    over = msgspec.structs.replace(known.processes[0], end_seconds=10.0)
    assert "took 10 s; ended, how is not known" in drawn(msgspec.structs.replace(known, processes=(over,)))


@pytest.mark.parametrize("make", run_reports.ALL)
def test_no_line_ends_in_blanks(make: Callable[[], RunReport]) -> None:
    """A report is copied into notes and searched line by line: the last column is not filled up."""
    assert [line for line in drawn(make()).split("\n") if line.endswith(" ")] == []


def test_thousands_of_processes_are_summed_by_program() -> None:
    """Nobody reads 3 000 lines: programs first, then those that used most, then how many there are more."""
    text = drawn(run_reports.build())
    assert text.index("cc1             1,000") < text.index("make -j4\n", 100)
    assert "and 2,990 more" in text


def test_who_is_known_by_name_only_has_no_cpu_time() -> None:
    """What no reading came across is counted by program, from when to when; its CPU time and its exit code are not known."""
    seen = ProcessRow(
        index=0, pid=7, start_seconds=0.0, executable="/bin/sh", end_seconds=30.0, cpu_seconds=1.0, exit_code=0
    )
    brief = [
        ProcessRow(index=n, pid=7 + n, start_seconds=n, executable="true", end_seconds=n + 0.1, known_by="event")
        for n in range(1, 20)
    ]
    many = ProcessRow(
        index=20, pid=0, start_seconds=20.0, executable="true", end_seconds=25.0, count=900, lived_seconds=9.0
    )
    own = ProcessRow(index=21, pid=5, start_seconds=1.0, executable="sh", end_seconds=2.0, known_by="event")
    text = drawn(msgspec.structs.replace(run_reports.build(), processes=(seen, *brief, many, own)))
    lines = text[text.index("Programs") :].splitlines()
    table = {line.split()[0]: line.split() for line in lines[: lines.index("")]}
    assert table["true"] == ["true", "919", "1.0", "s", "25.0", "s", "-", "-", "-", "-"]
    assert table["sh"][:9] == ["sh", "2", "0.0", "s", "30.0", "s", "≥", "1", "s"]
    assert "≥" not in drawn(
        msgspec.structs.replace(run_reports.build(), processes=(seen, *brief, own)), encoding="ascii"
    )


def test_the_command_can_be_typed_again() -> None:
    """Words that a shell would take apart are quoted."""
    assert command(run_reports.metadata(("sh", "-c", "echo it's $HOME", ""))) == "sh -c 'echo it'\\''s $HOME' ''"


@pytest.mark.parametrize(
    ("zone", "said"),
    [("+0900", "2026-01-01 09:00:00 +0900"), ("-0330", "2025-12-31 20:30:00 -0330"), ("", "2026-01-01 00:00:00 UTC"),
     ("odd", "2026-01-01 00:00:00 UTC")],
)  # fmt: skip
def test_the_start_is_told_in_the_zone_of_its_machine(zone: str, said: str) -> None:
    """A report is read elsewhere and later: the reader's zone would be wrong for the log beside it."""
    assert started(run_reports.metadata(zone=zone)) == said


def test_times_since_the_start_stay_short() -> None:
    """Tenths while they matter, then a clock."""
    assert [clock_of(s) for s in (0, 99.94, 99.96, 3661, -86400 - 60)] == [
        "0.0 s",
        "99.9 s",
        "1:40",
        "1:01:01",
        "-1 d 0:01:00",
    ]


def test_who_waited_for_what_nobody_saw_is_named() -> None:
    """The residual alone says that something is missing; its parent says where to look."""
    assert "waited for by: make 26.4 s" in drawn(run_reports.build())
    assert "waited for" not in drawn(run_reports.training())


def test_programs_and_what_nobody_saw_add_up_to_the_whole() -> None:
    """The table says where all of the time went, also the part that has no name."""
    text = drawn(run_reports.build())
    table = text[text.index("Programs") : text.index("Processes")].splitlines()[1:-1]
    assert sum(float(line.split(" %")[0].rsplit(" ", 1)[1]) for line in table) == pytest.approx(100, abs=0.3)
    assert table[-1].startswith("unseen by name")


def test_a_program_is_called_by_the_end_of_its_path() -> None:
    """Folders of compilers are longer than a line; the run's own command stands whole above."""
    report = run_reports.killed()
    row = msgspec.structs.replace(report.processes[0], command="/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet a.c")
    assert "cc1 -quiet a.c" in drawn(msgspec.structs.replace(report, processes=(row,)))
    assert "/usr/lib" not in drawn(msgspec.structs.replace(report, processes=(row,)))


def test_who_lived_on_is_told_at_the_end() -> None:
    """What a command left behind runs on: the person who started it should know."""
    report = run_reports.training()
    assert "; lived on: 222 tensorboard --logdir runs (CPU 4.5 s)" in short(report)
    many = tuple(msgspec.structs.replace(report.summary.survivors[0], pid=n, cpu_seconds=None) for n in range(5))
    report = msgspec.structs.replace(report, summary=msgspec.structs.replace(report.summary, survivors=many))
    assert "(CPU not known) and 2 more" in short(report)
