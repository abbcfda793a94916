"""`bongsu status`, `collect`, `top` and `explain` as a user sees them: piped, narrow, as JSON, on another tree."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bongsu.cli.look import owners_last
from bongsu.collectors.owner import OwnerCollector
from bongsu.collectors.process import ProcessCollector
from bongsu.model.process import ProcessRow
from bongsu.model.usage import OwnerRow
from bongsu.pipeline import Gatherer
from bongsu.sources.root import Machine
from cli.command import ARGV, bongsu, complaint, environment

_ESCAPE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose name holds an escape sequence, a newline, markup and a byte that is not UTF-8."""
    program = bytes(tmp_path) + b"/\x1b[31m[b]\nx\xff"
    with open("/bin/sleep", "rb") as original, open(program, "wb") as copy:
        copy.write(original.read())
    Path(program.decode("utf-8", "surrogateescape")).chmod(0o755)
    process = subprocess.Popen([program, b"600"])
    yield process
    process.kill()
    process.wait()


def test_status_fits_80_columns_and_has_no_colour_in_a_pipe() -> None:
    """Piped, at 80 columns, without colour: every line fits and there is no escape sequence."""
    done = bongsu("status", env={"NO_COLOR": ""})
    assert done.returncode in {0, 1}, done.stderr
    assert done.stderr == ""
    assert not _ESCAPE.search(done.stdout)
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    for word in ("CPU", "Memory", "File systems", "Network", "processes", "Rates are over"):
        assert word in done.stdout
    assert 8 < len(done.stdout.splitlines()) < 60


def test_status_is_ascii_where_the_terminal_is() -> None:
    """A terminal without UTF-8 gets bars of ASCII, and no error."""
    done = bongsu("status", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode in {0, 1}, done.stderr
    assert "#" in done.stdout or "...." in done.stdout
    assert "█" not in done.stdout


def test_status_json_has_its_documented_keys() -> None:
    """The keys are stable, and what is not known is null, never 0."""
    began = time.monotonic()
    done = bongsu("status", "--json")
    took = time.monotonic() - began
    summary = json.loads(done.stdout)
    assert list(summary) == [
        "format", "time", "window_seconds", "host", "cpu", "memory", "pressure", "filesystems", "disks", "network",
        "temperatures", "processes", "top_cpu", "top_memory", "owners", "absent", "problems",
        "gpus", "gpus_expected", "demo", "gpus_answering",
    ]  # fmt: skip
    assert list(summary["owners"][0]) == [
        "kind", "id", "name", "namespace", "user", "runtime", "inside", "processes", "oldest_process_start_time",
        "cpu_from", "cores", "cpu_seconds", "cpu_limit_cores", "cpu_throttled_ratio", "memory_from", "memory_bytes",
        "working_set_bytes", "memory_limit_bytes", "swap_bytes", "oom_kills", "io_from", "read_bytes_per_second",
        "written_bytes_per_second", "tasks", "tasks_limit",
    ]  # fmt: skip
    assert summary["cpu"]["cores"] >= 1
    assert 0 <= summary["cpu"]["busy_ratio"] <= 1
    assert 0.9 < summary["window_seconds"] < took, "a second, and what the machine was busy with other things"
    assert done.returncode == (1 if summary["problems"] else 0)


def test_status_of_a_captured_tree_says_what_is_not_there(tmp_path: Path) -> None:
    """On a tree with nothing but loadavg the rest is a dash or a reason, not zero, and the exit code is 1."""
    (tmp_path / "stat").write_text("cpu  1 0 1 8 0 0 0 0 0 0\ncpu0 1 0 1 8 0 0 0 0 0 0\n")
    (tmp_path / "loadavg").write_text("0.5 0.25 0.1 1/2 3\n")
    sys_tree = tmp_path / "sys"
    sys_tree.mkdir()
    where = ("--procfs", str(tmp_path), "--sysfs", str(sys_tree))
    summary = json.loads(bongsu("status", "--json", *where).stdout)
    assert summary["memory"]["total_bytes"] is None
    assert summary["cpu"]["load"] == [0.5, 0.25, 0.1]
    assert summary["cpu"]["busy_ratio"] is None, "a CPU whose counters stand still has no share"
    assert any(gap["collector"] == "meminfo" for gap in summary["absent"])
    done = bongsu("status", *where)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(r"Memory +- +- of - available", done.stdout)


def test_status_watch_repeats_until_it_is_told_to_stop() -> None:
    """`--watch` in a pipe prints one summary after the other; with --json one object a line."""
    with subprocess.Popen(
        [*ARGV, "status", "--watch", "0.5", "--json"], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout
        rounds = [json.loads(process.stdout.readline()) for _ in range(3)]
        until = time.monotonic() + 120
        while not 0.2 < rounds[-1]["window_seconds"] < 0.8:  # longer where the machine is busy
            assert time.monotonic() < until, rounds[-1]["window_seconds"]
            rounds.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    times = [one["time"] for one in rounds]
    assert times == sorted(set(times))


@pytest.mark.parametrize("text", ["0", "-1", "nan", "often"])
def test_status_watch_of_no_time_is_one_line(text: str) -> None:
    """An interval that is none is bad input."""
    assert f"--watch {text} is not allowed; give seconds" in complaint("status", "--watch", text)


def test_hostile_process_names_are_written_out(hostile: subprocess.Popen[bytes]) -> None:
    """A name with control characters, a newline, markup or broken UTF-8 can neither steer the terminal nor break JSON."""
    table = bongsu("collect", "--format", "table", "process", "--collector.process.groups", "1000").stdout
    assert not _ESCAPE.search(table)
    assert r"\x1b[31m[b]\nx\xff" in table
    text = bongsu("top", "--json").stdout
    assert text.isascii()
    names = {p["pid"]: p["executable"] for p in json.loads(text)["processes"]}
    assert names[hostile.pid] == "\x1b[31m[b]\nx\ufffd"
    for command in (("status",), ("top",)):
        assert not _ESCAPE.search(bongsu(*command).stdout)
    json.loads(bongsu("status", "--json").stdout)
    json.loads(bongsu("collect", "--json").stdout)


def test_collect_gives_three_forms() -> None:
    """Prometheus text, one JSON document, and a table."""
    text = bongsu("collect", "--once", "loadavg").stdout
    assert "# TYPE node_load1 gauge\nnode_load1 " in text
    document = json.loads(bongsu("collect", "--once", "--format", "json", "loadavg").stdout)
    assert list(document) == ["format", "time", "collectors", "samples", "absences", "tables"]
    assert {s["name"] for s in document["samples"]} >= {"node_load1", "node_load5", "node_load15"}
    assert document["collectors"][0]["collector"] == "loadavg"
    assert re.search(
        r"^loadavg .*\n  node_load1 ", bongsu("collect", "--format", "table", "loadavg").stdout, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--format", "table", "--json"), "--json and --format table contradict each other"),
        (("--format", "prometheus", "--json"), "--json and --format prometheus contradict each other"),
        (("--format", "json", "--textfile", "{made}"), "--format json and --textfile contradict each other"),
        (("--json", "--textfile", "{made}"), "--json and --textfile contradict each other"),
    ],
)
def test_collect_refuses_options_that_contradict(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    """Two forms at once are one line; none of them wins silently, and no file is written."""
    made = tmp_path / "made.prom"
    said = complaint("collect", *(word.format(made=made) for word in words))
    assert said.startswith(says)
    assert said.endswith("(see: bongsu collect --help)")
    assert not made.exists()


def test_collect_takes_the_same_form_twice() -> None:
    """--json beside --format json says the same thing."""
    assert json.loads(bongsu("collect", "--json", "--format", "json", "loadavg").stdout)["samples"]


def test_collect_passes_promtool() -> None:
    """What is printed is what Prometheus's own checker accepts."""
    text = bongsu("collect", "--once", "--format", "prometheus").stdout
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 3}, done.stderr  # 3: advice on names, which are node_exporter's
    assert "error while linting" not in done.stderr


def test_collect_says_by_its_exit_code_that_something_failed(tmp_path: Path) -> None:
    """One broken file: the others are printed, and the exit code is 3."""
    (tmp_path / "stat").write_text("cpu  1 0 1 8 0 0 0 0 0 0\n")
    (tmp_path / "loadavg").write_text("no numbers here\n")
    done = bongsu("collect", "--procfs", str(tmp_path), "loadavg", "uname", "stat")
    assert done.returncode == 3
    assert 'bongsu_collector_success{collector="loadavg"} 0' in done.stdout
    complaints = done.stderr.splitlines()
    assert complaints[0].startswith("bongsu: loadavg: cannot be understood")
    assert complaints[0].endswith(f"(the file read last is {tmp_path}/loadavg)")
    assert [line.split(": ")[1] for line in complaints] == ["loadavg", "stat", "uname"]


def test_collect_of_an_unknown_collector_is_one_line() -> None:
    """A collector that does not exist gets the nearest as advice."""
    assert complaint("collect", "lodavg") == "lodavg: there is no such collector; did you mean loadavg?"


def test_explain_tells_a_metric_with_its_value_here() -> None:
    """Meaning, type, labels, collector, source file, panels and the value on this machine."""
    text = bongsu("explain", "node_load1").stdout
    for part in ("node_load1: gauge", "loadavg", "/proc/loadavg", "shown in   Load"):
        assert part in text
    facts = json.loads(bongsu("explain", "node_load1", "--json").stdout)
    assert facts["kind"] == "metric"
    assert facts["collector"] == "loadavg"
    assert facts["values"][0]["value"] >= 0
    assert {"board": "host", "panel": "load", "title": "Load"} in facts["panels"]


def test_explain_knows_metrics_whose_names_come_from_the_machine() -> None:
    """A field of meminfo is explained though no list holds its name."""
    facts = json.loads(bongsu("explain", "node_memory_MemTotal_bytes", "--json").stdout)
    assert facts["collector"] == "meminfo"
    assert facts["unit"] == "bytes"
    assert facts["values"][0]["value"] > 0


def test_explain_tells_a_collector_with_its_options() -> None:
    """What it reads, its options as flags, its metrics, and how it fares here."""
    text = bongsu("explain", "filesystem").stdout
    assert "--collector.filesystem.mount-points-exclude" in text
    assert "node_filesystem_size_bytes" in text
    assert "series in" in text


def test_explain_says_why_something_is_not_here(tmp_path: Path) -> None:
    """A metric that this machine does not have is explained with the reason."""
    (tmp_path / "stat").write_text("cpu  1 0 1 8 0 0 0 0 0 0\n")
    text = bongsu("explain", "node_hwmon_temp_celsius", "--sysfs", str(tmp_path)).stdout
    assert "Not on this machine: " in text


def test_explain_finds_a_word_and_advises_on_a_mistake() -> None:
    """A word gives all that has to do with it; a name that is nearly right gets the right one."""
    assert "hwmon (collector)" in bongsu("explain", "temperature").stdout
    assert "did you mean node_load1" in complaint("explain", "node_laod1")
    assert "node_exporter has this collector and bongsu leaves it out: block caches" in complaint("explain", "bcache")
    assert "there is no metric, collector, panel or setting" in complaint("explain", "\x1b[31mxyzzy")


def test_explain_lists_settings_and_their_schema() -> None:
    """All keys with default, variable and meaning; with --json a JSON Schema that knows collectors and units."""
    text = bongsu("explain", "settings").stdout
    assert "port (default 9420); BONGSU_PORT" in text
    assert "paths.procfs (default /proc); BONGSU_PATHS_PROCFS" in text
    schema = json.loads(bongsu("explain", "settings", "--json").stdout)
    properties = schema["$defs"]["Settings"]["properties"]
    assert properties["interval"]["anyOf"][0]["type"] == ["number", "string"]
    assert "groups" in properties["collectors"]["properties"]["process"]["anyOf"][1]["properties"]


def test_top_in_a_pipe_is_one_page() -> None:
    """Without a terminal `bongsu top` prints once and ends."""
    done = bongsu("top", "--sort", "memory", "--filter", "python")
    assert done.returncode == 0, done.stderr
    assert not _ESCAPE.search(done.stdout)
    assert "python" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 140


def test_top_in_a_pipe_says_why_it_has_no_processes() -> None:
    """A table without lines is not left without a word."""
    text = bongsu("top", "--no-collector.process").stdout.rstrip()
    assert text.endswith("the collector `process` is off: there are no processes to show")


def test_top_groups_in_a_pipe() -> None:
    """--by owner prints who uses what; only the user that was asked for; what nobody has is an empty table."""
    done = bongsu("top", "--by", "owner", "--user", str(os.getuid()))
    assert done.returncode == 0, done.stderr
    assert not _ESCAPE.search(done.stdout)
    titles, *lines = done.stdout.split("\n\n", 1)[1].splitlines()
    assert titles.split()[-3:] == ["KNOWN", "KIND", "OWNER"]
    assert lines
    assert any(word in done.stdout for word in ("summed", "by cgroup", "both"))
    done = bongsu("top", "--by", "user", "--filter", "no such process anywhere")
    assert done.stdout.rstrip().endswith("USER")


def test_top_as_json_has_owners() -> None:
    """A process names its owner, an owner what it uses; --mine leaves out what is not the caller's."""
    document = json.loads(bongsu("top", "--json", "--mine").stdout)
    assert {p["uid"] for p in document["processes"]} == {os.getuid()}
    known = [p["owner"] for p in document["processes"] if p["owner"] is not None]
    assert set(known[0]) == {"kind", "id", "name", "namespace", "container", "step", "user"}
    assert {(o["kind"], o["id"], o["inside"]) for o in document["owners"]} >= {("user", str(os.getuid()), "")} & {
        (owner["kind"], owner["id"], "") for owner in known
    }
    assert {"cores", "memory_bytes", "memory_limit_bytes", "read_bytes_per_second"} <= set(document["owners"][0])


def test_owners_are_those_of_the_processes_read_with_them() -> None:
    """Whoever asks for owners just after the processes were read gets new ones: else their rates would be of another time."""
    machine = Machine.at()
    gatherer = Gatherer(owners_last([OwnerCollector(machine), ProcessCollector(machine)]))
    gatherer.gather(only=("process",))
    with subprocess.Popen(["sleep", "600"]) as newborn:
        batch = gatherer.gather()
        newborn.kill()
    gatherer.close()
    processes, owners = batch.table("processes"), batch.table("owners")
    assert processes is not None
    assert owners is not None
    assert newborn.pid in {row.pid for row in processes.rows if isinstance(row, ProcessRow)}
    assert sum(row.usage.processes for row in owners.rows if isinstance(row, OwnerRow)) == len(processes.rows)


def test_top_of_mine_and_another_is_one_line() -> None:
    """--mine and --user say two different things."""
    assert "--mine and --user contradict each other" in complaint("top", "--mine", "--user", "root")


def test_top_in_a_pipe_repeats_where_an_interval_is_given() -> None:
    """--interval says that more than one page is wanted; it ends quietly when the reader has gone."""
    with subprocess.Popen(
        [*ARGV, "top", "--interval", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout
        pages = 0
        for line in process.stdout:
            pages += "PROGRAM" in line
            if pages == 3:
                break
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == ""


def test_top_once_is_one_page() -> None:
    """-1, as other tops have it: one page, though --interval would print more."""
    done = subprocess.run(
        [*ARGV, "top", "-1", "--interval", "0.2"], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stdout.count("PROGRAM") == 1


@pytest.mark.parametrize("words", [("collect", "--format", "table"), ("status", "--watch", "0.1"), ("status",)])
def test_a_table_whose_reader_leaves_ends_quietly(words: tuple[str, ...]) -> None:
    """`bongsu collect --format table | head -1` says nothing and gives 141, as what is not drawn by Rich does."""
    with subprocess.Popen(
        [*ARGV, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout
        assert process.stderr
        if words != ("status",):
            process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(120), said) == (141, b"")


@pytest.mark.parametrize("columns", ["0", "-3", "1", "99999999999", "x", "", "²"])
@pytest.mark.parametrize("words", [("status",), ("collect", "--format", "table", "loadavg"), ("top",)])
def test_columns_that_cannot_be_are_as_if_unset(columns: str, words: tuple[str, ...]) -> None:
    """Some shells and services export COLUMNS=0: the page is drawn for 80 columns all the same."""
    done = bongsu(*words, env={"COLUMNS": columns, "LINES": "0"})
    assert done.returncode in {0, 1}
    assert done.stderr == ""
    assert any(word in done.stdout for word in ("Rates are over", "node_load15 ", "PROGRAM"))
    assert words != ("status",) or max(map(len, done.stdout.splitlines())) <= 80


def test_collect_on_a_terminal_writes_control_characters_out(hostile: subprocess.Popen[bytes]) -> None:
    """Into a file the text is exact; on a terminal a hostile name is written out."""
    assert hostile.poll() is None
    leader, follower = os.openpty()
    with subprocess.Popen(
        [*ARGV, "collect", "process", "--collector.process.groups", "1000"], stdout=follower, env=environment()
    ):
        os.close(follower)
        shown = b""
        try:
            while more := os.read(leader, 65536):
                shown += more
        except OSError:
            pass  # EIO: the other end has gone
    os.close(leader)
    assert b"\x1b" not in shown
    assert rb"\x1b[31m[b]" in shown


def test_explain_tells_a_metric_that_a_file_gives(tmp_path: Path) -> None:
    """A metric of a *.prom file is in no list, and is explained all the same where the file is read."""
    (tmp_path / "backup.prom").write_text("# TYPE backup_age_seconds gauge\nbackup_age_seconds 12\n")
    facts = json.loads(bongsu("explain", "backup_age_seconds", "--textfile-dir", str(tmp_path), "--json").stdout)
    assert facts["collector"] == "textfile"
    assert facts["values"] == [{"labels": {}, "value": 12}]


def test_a_profile_that_is_not_there_is_told_by_its_flag() -> None:
    """The short spelling is told as it was written; the one that there is needs no GPU to be taken."""
    done = bongsu("collect", "--once", "gpu", "--profile", "dcmg")
    assert (done.returncode, done.stderr.strip()) == (
        2, "bongsu: --profile: there is no profile 'dcmg'; give dcgm, or leave it out",
    )  # fmt: skip
    assert bongsu("collect", "--once", "gpu", "--profile", "dcgm").returncode in {0, 1}


def test_collect_without_a_word_reads_all() -> None:
    """No words at all: each collector that is on, once."""
    done = bongsu("collect")
    assert "unexpected" not in done.stderr
    assert 'bongsu_collector_success{collector="uname"} 1' in done.stdout


def test_short_spellings_of_options_of_gpu_processes() -> None:
    """They set what the long ones set, also together, and where one of the two is said the other is not."""
    demo = ("collect", "--once", "gpu_process", "--demo")
    assert 'gpu_memory="' not in bongsu(*demo).stdout
    both = bongsu(*demo, "--compat-labels", "--command-lines").stdout
    assert both.count('gpu_memory="') == both.count("\ngpu_process_info{")
    assert 'gpu_memory="' not in bongsu(*demo, "--command-lines").stdout
