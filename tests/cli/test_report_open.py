"""`bongsu report open`: the page of the `bongsu up` that runs, and none that is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from bongsu.cli import up_file
from bongsu.cli.report_open import address
from bongsu.records.run_folder import encoded, write_whole
from run_records import make

RUN = "20260101-000000-work-0001"


def report_open(tmp_path: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run it with a state directory of its own."""
    line = [sys.executable, "-m", "bongsu", "report", "open", *argv]
    return subprocess.run(
        line,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def environment(tmp_path: Path) -> dict[str, str]:
    """Without a display, so that nothing is opened."""
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "BONGSU_RUNS_DIR"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "STATE_DIRECTORY": str(tmp_path / "state")}


@contextmanager
def up(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The page, from when it has said where it is."""
    line = [sys.executable, "-m", "bongsu", "up", "--port", "0", "--quiet", "--no-store"]
    with subprocess.Popen(line, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline().startswith("http://")
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(120)


def test_the_page_that_runs_is_found_and_knows_the_run(tmp_path: Path) -> None:
    """The address that is printed opens the page, with its token; when `up` has ended, how to start it is said."""
    make(tmp_path / "state" / "runs", RUN)
    with up(tmp_path):
        found = report_open(tmp_path)
        assert found.returncode == 0, found.stderr
        url = found.stdout.strip()
        assert url.endswith(f"&run={RUN}#runs")
        token = url.partition("token=")[2].partition("&")[0]
        api = f"{url.partition('?')[0]}api/run?id={RUN}"
        request = urllib.request.Request(api, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=100) as answer:
            assert msgspec.json.decode(answer.read())["said"] == "exit code 3"
        elsewhere = report_open(tmp_path, "--print", str(make(tmp_path / "other", RUN)))
        assert elsewhere.returncode == 3
        assert "bongsu up --port 0 --runs-dir" in elsewhere.stderr
    assert list((tmp_path / "state").glob("up-*.json")) == []
    gone = report_open(tmp_path, "--print")
    assert (gone.returncode, gone.stdout) == (3, "")
    assert "start one with `bongsu up`" in gone.stderr


def test_a_run_that_is_not_there_is_said_first(tmp_path: Path) -> None:
    """Whether a page runs or not."""
    said = report_open(tmp_path, "20200101-000000-none-0000")
    assert said.returncode == 2
    assert "bongsu run" in said.stderr


def test_a_note_of_this_process_is_believed(tmp_path: Path) -> None:
    """And taken away at its end."""
    up_file.note(str(tmp_path), "http://127.0.0.1:9420/?token=x", "/runs")
    path = tmp_path / f"up-{os.getpid()}.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.runs_dir for one in up_file.running(str(tmp_path))] == ["/runs"]
    up_file.forget(str(tmp_path))
    assert up_file.running(str(tmp_path)) == []
    assert not path.exists()


@pytest.mark.parametrize("other", [{"start_ticks": 1}, {"boot_id": "another"}, {"pid": 2**22 + 1}])
def test_what_a_dead_process_left_is_not_believed(tmp_path: Path, other: dict[str, object]) -> None:
    """Its number may have been given anew, also after a restart of the machine."""
    up_file.note(str(tmp_path), "http://127.0.0.1:9420/", "/runs")
    path = tmp_path / f"up-{os.getpid()}.json"
    true = msgspec.json.decode(path.read_bytes())
    write_whole(str(path), encoded({**true, **other}))
    assert up_file.running(str(tmp_path)) == []
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"url": 1}', b"\xff"])
def test_what_is_nothing_of_ours_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """No error, and it is not removed either."""
    path = tmp_path / "up-1.json"
    path.write_bytes(content)
    path.chmod(0o600)
    assert up_file.running(str(tmp_path)) == []
    assert path.exists()


def test_what_others_could_have_written_is_not_believed(tmp_path: Path) -> None:
    """It would send the token of this user, or his browser, anywhere."""
    up_file.note(str(tmp_path), "http://127.0.0.1:9420/", "/runs")
    path = tmp_path / f"up-{os.getpid()}.json"
    path.chmod(0o644)
    assert up_file.running(str(tmp_path)) == []
    path.chmod(0o600)
    kept = tmp_path / "kept"
    path.rename(kept)
    path.symlink_to(kept)
    assert up_file.running(str(tmp_path)) == []


def test_an_address_holds_the_run_whatever_it_is_called() -> None:
    """With and without a token before it."""
    assert address("http://h:1/?token=t", "a&b#c") == "http://h:1/?token=t&run=a%26b%23c#runs"
    assert address("http://h:1/", "a") == "http://h:1/?run=a#runs"
