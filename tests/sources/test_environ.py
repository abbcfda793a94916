"""Of a process's environment only the allowed variables are kept, and only honest values of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.sources.procfs import environ
from bongsu.sources.procfs.environ import ALLOWED, LONGEST_VALUE, environment, parse_environment
from bongsu.sources.procfs.process import Processes
from bongsu.sources.root import Root

PROC = Root("/proc")


def _started(variables: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """A process that has begun to run with these variables, and its start."""
    process = subprocess.Popen(
        ["sh", "-c", "echo; read -r x"], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    start = next(found.start_ticks for found in Processes(PROC).scan() if found.pid == process.pid)
    return process, start


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def test_a_real_process_tells_only_what_is_asked() -> None:
    """A token beside the job id never leaves the reader; a process with another start is not read at all."""
    process, start = _started({"TOKEN": "very secret", "SLURM_JOB_ID": "42", "SLURM_JOB_NAME": "my job"})
    try:
        assert environment(PROC, process.pid, start) == {"SLURM_JOB_ID": "42", "SLURM_JOB_NAME": "my job"}
        assert environment(PROC, process.pid, start + 1) is None
    finally:
        _end(process)
    assert environment(PROC, process.pid, start) is None


def test_a_huge_environment_costs_no_more_than_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies behind the cap is not read, and the value that the cap cuts is not taken for a shorter one."""
    filler = {f"FILL{n}": "x" * 100_000 for n in range(5)}
    process, start = _started({**filler, "SLURM_JOB_ID": "42"})
    try:
        assert environment(PROC, process.pid, start) == {}
        monkeypatch.setattr(environ, "LONGEST_READ", 1024 * 1024)
        assert environment(PROC, process.pid, start) == {"SLURM_JOB_ID": "42"}
    finally:
        _end(process)
    assert parse_environment(b"A=1\0SLURM_JOB_ID=4") == {}


@pytest.mark.parametrize(
    "value", [b"4\n2", b"x" * (LONGEST_VALUE + 1)], ids=["a newline", "longer than it can honestly be"]
)
def test_a_value_that_cannot_be_honest_is_left_out(value: bytes) -> None:
    """It is dropped, and no later one of that name takes its place, as getenv would never see that one."""
    assert parse_environment(b"SLURM_JOB_ID=" + value + b"\0SLURM_JOB_ID=5\0SLURM_STEP_ID=0\0") == {
        "SLURM_STEP_ID": "0"
    }


def test_a_name_of_any_bytes_survives() -> None:
    """A job's name need not be UTF-8: its bytes come through as lone surrogates."""
    name = parse_environment(b"SLURM_JOB_NAME=caf\xe9 \xe2\x82\xac\0")["SLURM_JOB_NAME"]
    assert name.encode("utf-8", "surrogateescape") == b"caf\xe9 \xe2\x82\xac"


@given(
    st.binary(max_size=2000)
    | st.lists(st.sampled_from([b"SLURM_JOB_ID=", b"=", b"\0", b"PASSWORD=x", b"7"])).map(b"".join)
)
def test_any_bytes_give_allowed_names_only(text: bytes) -> None:
    """Whatever lies there, only allowed names come out, with values that stood there as they are."""
    for name, value in parse_environment(text).items():
        assert name.encode() in ALLOWED
        assert name.encode() + b"=" + value.encode("utf-8", "surrogateescape") + b"\0" in text


def test_what_may_not_be_read_is_not_known(tmp_path: Path) -> None:
    """No such process, and files that make no sense, are "not known", not an error."""
    assert environment(Root(str(tmp_path)), 5, 1) is None
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "stat").write_bytes(b"nonsense")
    assert environment(Root(str(tmp_path)), 5, 1) is None
