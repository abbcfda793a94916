"""The command itself: help that reads well and starts fast, errors of one line, exit codes, quiet ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from bongsu import __version__
from bongsu.cli.main import COMMANDS, cli, run
from cli.command import ARGV, bongsu, complaint, environment


def test_help_names_every_command_under_a_heading() -> None:
    """`bongsu --help` shows each command with its summary, grouped, and the exit codes."""
    done = bongsu("--help")
    assert done.returncode == 0
    for name, entry in COMMANDS.items():
        assert f"\n  {name} " in done.stdout
        assert entry.section + ":" in done.stdout
        assert " ".join(entry.summary.split()[:4]) in done.stdout
    assert "0 fine, 1 problems found, 2 bad input, 3 could not find out" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_examples(name: str) -> None:
    """Each command's help says what it does and shows how it is used."""
    done = bongsu(name, "--help")
    assert done.returncode == 0, done.stderr
    if name not in {"render", "store"}:  # their own commands have them
        assert "Examples:\n" in done.stdout
        assert f"bongsu {name}" in done.stdout
    assert "Traceback" not in done.stderr


def test_help_loads_only_itself() -> None:
    """`bongsu --help` loads neither collectors nor Rich nor YAML: what it costs is in benchmarks/startup.py."""
    code = (
        "import sys\nfrom bongsu.cli.main import run\nrun(['--help'])\n"
        "unwanted = {'rich', 'msgspec', 'yaml', 'json', 'logging', 'bongsu.collectors', 'bongsu.pipeline'}\n"
        "sys.exit(str(unwanted & set(sys.modules)) if unwanted & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr


def test_the_version_is_the_packages() -> None:
    """`bongsu --version` says one line."""
    assert bongsu("--version").stdout == f"bongsu {__version__}\n"


def test_a_command_that_does_not_exist_gets_the_nearest() -> None:
    """A typing mistake is answered with what was probably meant."""
    assert complaint("statsu") == "there is no command 'statsu'; did you mean status? (see: bongsu --help)"
    assert "there are: up, agent, top" in complaint("xyzzy")


def test_an_option_that_does_not_exist_gets_the_nearest() -> None:
    """So are options."""
    assert complaint("up", "--prot", "1") == "there is no option --prot; did you mean --port? (see: bongsu up --help)"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("collect", "--collector.cpu=x"),
            "option '--collector.cpu' does not take a value (see: bongsu collect --help)",
        ),
        (
            ("status", "--watch", "x"),
            "--watch x is not allowed; give seconds from 0.1 to 86400 (see: bongsu status --help)",
        ),
        (("--version=x",), "option '--version' does not take a value (see: bongsu --help)"),
        (
            ("completion", "tcsh"),
            "invalid value for 'SHELL': 'tcsh' is not one of 'bash', 'zsh', 'fish' (see: bongsu completion --help)",
        ),
        (("completion",), "missing argument 'SHELL'. Choose from: bash, zsh, fish (see: bongsu completion --help)"),
    ],
)
def test_a_mistake_in_the_words_names_the_commands_own_help(words: tuple[str, ...], says: str) -> None:
    """What is wrong is said in words, and the help named is that of the command that was called."""
    assert complaint(*words) == says


def test_without_a_command_help_goes_to_stderr() -> None:
    """`bongsu` alone is a question: help is shown, and the exit code says that nothing was done."""
    done = bongsu()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: bongsu" in done.stderr


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    """`bongsu collect | head -1`: no message, and the exit code that a shell gives for SIGPIPE."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*ARGV, "collect", "--once"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False, env=environment()
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_is_one_line() -> None:
    """Output that cannot be written is said, not lost."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*ARGV, "explain", "collectors"], stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env=environment(),
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr == "bongsu: standard output: no space left on device\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--help >&-", 0), ("--version >&-", 0), ("collect loadavg >&-", 0), ("collect --format table loadavg >&-", 0),
        ("explain node_load1 <&- >&- 2>&-", 0), ("collect loadavg <&-", 0), ("nosuch 2>&-", 2), ("nosuch >&-", 2),
        ("2>&-", 2), ("nosuch <&- >&- 2>&-", 2),
    ],
)  # fmt: skip
def test_a_closed_stream_is_dev_null(words: str, code: int) -> None:
    """Input or output that the caller closed changes neither the exit code nor what the other streams say."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m bongsu {words}', sys.executable], capture_output=True, text=True, check=False,
        env=environment(),
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == (1 if words == "nosuch >&-" else 0), done.stderr
    assert ("node_load1" in done.stdout) == (words == "collect loadavg <&-")


def test_no_file_of_ours_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """With stdout and stderr closed nothing that is printed lands in a file that is written."""
    made = tmp_path / "made.prom"
    script = '"$0" -m bongsu collect --procfs "$1" --textfile "$2" loadavg stat >&- 2>&-'
    (tmp_path / "stat").write_text("cpu  1 0 1 8 0 0 0 0 0 0\n")
    (tmp_path / "loadavg").write_text("no numbers here\n")
    done = subprocess.run(["/bin/sh", "-c", script, sys.executable, tmp_path, made], check=False, env=environment())
    assert done.returncode == 3
    assert "bongsu: " not in made.read_text()


def test_ctrl_c_ends_quietly_with_130() -> None:
    """An interrupted command says nothing and gives the code of SIGINT."""
    with subprocess.Popen(
        [*ARGV, "status", "--watch", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  single-threaded child, set up as a shell would
    ) as process:  # fmt: skip
        assert process.stdout
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
        assert process.stderr
        assert process.stderr.read() == ""


def test_a_fault_of_ours_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error that nobody expected is one line on stderr, and says how to see where it came from."""
    monkeypatch.setattr(cli, "invoke", lambda _: dict[str, str]()["\x1b"])
    assert run(["status"]) == 3
    assert capsys.readouterr().err == (
        "bongsu: unexpected KeyError: '\\x1b'; a fault of ours: bongsu --log-level debug ... shows where\n"
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_exist_for_the_shells(shell: str) -> None:
    """Each shell gets a script that asks bongsu what fits."""
    done = bongsu("completion", shell)
    assert done.returncode == 0
    assert "_BONGSU_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("bongsu st", "status"),
        ("bongsu explain node_loa", "node_load15"),
        ("bongsu explain hwm", "hwmon"),
        ("bongsu collect memi", "meminfo"),
        ("bongsu up --por", "--port"),
        ("bongsu collect --format pro", "prometheus"),
    ],
)
def test_completion_knows_commands_options_collectors_and_metrics(words: str, expected: str) -> None:
    """What the shell asks is answered with names that exist here."""
    done = bongsu(
        env={"_BONGSU_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    )
    assert f"plain,{expected}" in done.stdout.splitlines()


@pytest.mark.parametrize("start", [["-m", "bongsu"], ["-c", "from bongsu.__main__ import main; main()"]])
def test_ctrl_c_while_the_program_is_imported_ends_it_quietly(start: list[str], tmp_path: Path) -> None:
    """130 and not a word, as at any other moment; a traceback would look like a fault."""
    (tmp_path / "click.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(20)\n")
    ended = subprocess.run(
        [sys.executable, *start, "status"], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_the_installed_command_is_the_light_one() -> None:
    """What `pip install` puts on the path begins where Ctrl-C is understood."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"]["bongsu"] == "bongsu.__main__:main"
