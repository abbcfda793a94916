"""`bongsu up`: first data within two seconds, a token that survives a restart, a page for its holder only."""

from __future__ import annotations

import gc
import http.client
import json
import os
import re
import signal
import stat
import subprocess
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from bongsu.agent import Agent
from bongsu.cli import data_dir, serve, settings_file
from bongsu.model.errors import BadInput
from cli.command import bongsu, complaint, end, environment, running

_URL = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)")


def _address(process: subprocess.Popen[str]) -> tuple[int, str]:
    assert process.stdout
    match = _URL.search(process.stdout.readline())
    assert match
    return int(match[1]), match[2]


def _get(port: int, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def _waited(*pids: int) -> float:
    """For how long the first threads of these processes were kept waiting for a CPU, in s (/proc/PID/schedstat)."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids) / 1e9


def _end_timed(process: subprocess.Popen[str], number: int) -> float:
    """Send a signal and wait for the end: how long that took, without what other programs had the CPUs."""
    started, before = time.monotonic(), _waited(process.pid, os.getpid())
    process.send_signal(number)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return time.monotonic() - started - (_waited(process.pid, os.getpid()) - before)


def _within(limits: tuple[float, ...], attempt: Callable[[], tuple[float, ...]]) -> None:
    """What is timed takes no longer at one of several attempts: what else a machine does makes it longer, never shorter."""
    left = set(range(len(limits)))
    seen: list[tuple[float, ...]] = []
    until = time.monotonic() + 90
    while left and (not seen or time.monotonic() < until):
        seen.append(attempt())
        left -= {at for at, limit in enumerate(limits) if seen[-1][at] < limit}
    assert not left, seen


def test_it_shows_data_within_two_seconds_and_ends_within_two(tmp_path: Path) -> None:
    """From the start of the process to CPU rates on the page it takes two seconds; from Ctrl-C to the end, too."""
    _within((2.0, 2.0), lambda: _shown_and_ended(tmp_path))


def _shown_and_ended(tmp_path: Path) -> tuple[float, float]:
    started, before = time.monotonic(), _waited(os.getpid())
    with running("up", "--port", "0", "--data-dir", str(tmp_path)) as process:
        port, token = _address(process)
        while True:
            status, text = _get(port, "/api/status", Authorization=f"Bearer {token}")
            if status == 200 and any(c["state"] == "ok" for c in json.loads(text)["collectors"]):
                break
            assert time.monotonic() - started < 120, text
            time.sleep(0.05)
        first = time.monotonic() - started - (_waited(process.pid, os.getpid()) - before)
        assert process.stdout
        assert process.stdout.readline().startswith("Reads ")
        assert process.stdout.readline().startswith(f"Keeps history in {tmp_path}/history.db: every reading for 7 d")
        assert process.stdout.readline() == "Ctrl-C stops it.\n"
        seconds = _end_timed(process, signal.SIGINT)
        assert process.stderr
        assert (process.wait(120), process.stderr.read()) == (0, "")
    return first, seconds


def test_the_page_is_for_who_holds_the_token_and_metrics_are_open_here(tmp_path: Path) -> None:
    """Without the token there is no page and no API; /metrics on loopback is open and holds no command lines."""
    with running("up", "--port", "0", "--data-dir", str(tmp_path)) as process:
        port, token = _address(process)
        assert _get(port, "/")[0] in {401, 403}
        assert _get(port, "/api/processes")[0] in {401, 403}
        assert _get(port, "/", Authorization=f"Bearer {token}")[0] == 200
        status, text = _get(port, "/metrics")
        assert status == 200
        assert "node_load1 " in text
        assert "bongsu_agent_interval_seconds 1.0\n" in text
        assert token not in text
        assert "--data-dir" not in text
        assert end(process)[0] == 0


def test_the_address_survives_a_restart(tmp_path: Path) -> None:
    """The token is kept in a file that only its owner can read, and used again."""
    tokens = []
    for _ in range(2):
        with running("up", "--port", "0", "--quiet", env={"XDG_STATE_HOME": str(tmp_path)}) as process:
            tokens.append(_address(process)[1])
            end(process)
    assert tokens[0] == tokens[1]
    kept = tmp_path / "bongsu" / "token"
    assert kept.read_text().strip() == tokens[0]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_without_a_token_the_page_is_open_on_loopback(tmp_path: Path) -> None:
    """`--no-token` is for this machine alone: the address holds none, and none is kept."""
    with running("up", "--port", "0", "-q", "--no-token", env={"XDG_STATE_HOME": str(tmp_path)}) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert "token" not in url
        port = int(url.rpartition(":")[2].rstrip("/"))
        assert _get(port, "/")[0] == 200
        end(process)
    assert not list(tmp_path.rglob("token"))


def test_without_a_token_beyond_loopback_is_refused() -> None:
    """Nothing is served to others without authentication."""
    for host in ("0.0.0.0", "::"):
        assert "nothing is served without authentication" in complaint("up", "--no-token", "--host", host)


def test_without_a_token_beyond_loopback_users_will_do(tmp_path: Path) -> None:
    """`--no-token` is allowed where a web config file keeps strangers out, and the help says so."""
    config = _users(tmp_path)
    with running(
        "up", "--port", "0", "--no-token", "--no-store", "--host", "0.0.0.0", "--web.config.file", str(config)
    ) as process:
        assert process.stdout
        match = re.search(r":(\d+)/$", process.stdout.readline().strip())
        assert match
        assert _get(int(match[1]), "/")[0] == 401
        assert end(process)[0] == 0
    assert "beyond loopback only with --web.config.file" in " ".join(bongsu("up", "--help").stdout.split())


def test_the_greeting_tells_the_truth_about_metrics(tmp_path: Path) -> None:
    """Open where nothing is asked for; with users, or beyond loopback, it names what /metrics asks for."""
    config = _users(tmp_path)
    users = f"asks for a user of {config}"
    for flags, said, status in (
        ((), "is open to this machine.", 200),
        (("--web.config.file", str(config)), f"{users}, or the token (Authorization: Bearer).", 401),
        (("--web.config.file", str(config), "--no-token"), f"{users}.", 401),
        (("--host", "0.0.0.0"), "asks for the token: Authorization: Bearer.", 403),
    ):
        with running("up", "--port", "0", "--data-dir", str(tmp_path), *flags) as process:
            assert process.stdout
            match = re.search(r":(\d+)/", process.stdout.readline())
            assert match
            assert process.stdout.readline().rstrip().endswith(f"/metrics, for Prometheus, {said}")
            assert _get(int(match[1]), "/metrics")[0] == status
            assert end(process)[0] == 0


def _users(folder: Path) -> Path:
    import bcrypt

    config = folder / "web.yml"
    config.write_text(f"basic_auth_users: {{alice: {bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}}}\n")
    return config


def test_sighup_reloads_without_losing_the_server(tmp_path: Path) -> None:
    """After a reload that only changes collectors the same server goes on, with the new collectors."""
    settings = tmp_path / "bongsu.yaml"
    settings.write_text("collectors: {meminfo: off}\n")
    with running("up", "--port", "0", "--data-dir", str(tmp_path), "-c", str(settings)) as process:
        port, _ = _address(process)
        assert "node_memory_MemTotal_bytes" not in _get(port, "/metrics")[1]
        settings.write_text("")
        process.send_signal(signal.SIGHUP)
        assert process.stderr
        assert "reload refused, the old settings stay" in process.stderr.readline()
        settings.write_text("collectors: {meminfo: on}\n")
        process.send_signal(signal.SIGHUP)
        assert process.stderr.readline() == "bongsu: settings reloaded\n"
        assert "node_memory_MemTotal_bytes" in _get(port, "/metrics")[1]
        assert end(process)[0] == 0


def test_servers_that_were_moved_from_are_not_kept(tmp_path: Path) -> None:
    """Each reload that changes the interval makes the page anew; what it replaces leaves memory at the next one."""
    settings = tmp_path / "bongsu.yaml"

    def load() -> settings_file.Loaded:
        settings.write_text(f"interval: {5 + len(made)}\nport: 0\ndata_dir: {tmp_path}\n")
        return settings_file.load(str(settings), {}, ())

    made: list[weakref.ref[object]] = []
    gc.disable()  # its own rounds come at times that nobody can foretell
    try:
        agent = Agent(serve.Builder(load, page=True))
        agent.start()
        for _ in range(6):
            made.append(weakref.ref(agent.setup.sinks[1]))
            assert agent.reload()
        alive = sum(1 for page in made if page() is not None)
        assert agent.stop()
    finally:
        gc.enable()
    assert alive <= 2


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Who presses Ctrl-C twice does not wait."""

    def ended() -> tuple[float]:
        with running("up", "--port", "0", "--data-dir", str(tmp_path)) as process:
            _address(process)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.02)
            seconds = _end_timed(process, signal.SIGTERM)
            assert process.wait(120) in {0, -signal.SIGTERM}
            return (seconds,)

    _within((1.0,), ended)


def test_a_data_dir_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    """A directory that was asked for and cannot be used is bad input."""
    file = tmp_path / "file"
    file.write_text("")
    assert complaint("up", "--data-dir", str(file)).startswith(f"--data-dir {file}: ")
    assert complaint("up", "--data-dir", "/proc/nothing").startswith("--data-dir /proc/nothing: ")


def test_without_a_place_for_the_token_it_goes_on_and_says_so() -> None:
    """The default directory cannot be made: one line, and a token in memory."""
    with running("up", "--port", "0", "-q", "--no-store", env={"XDG_STATE_HOME": "/proc/nothing"}) as process:
        _address(process)
        end(process)
        assert process.stderr
        line = process.stderr.read()
    assert line.startswith("bongsu: warning: /proc/nothing/bongsu: ")
    assert line.endswith("the token is kept in memory, so the address changes at the next start\n")
    assert line.count("\n") == 1


def test_a_user_without_a_home_has_no_place_for_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither $HOME nor an entry in passwd: the token is kept in memory, and nothing is written to a directory "~"."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does for such a user
    assert data_dir.default_directory({}) is None
    kept = data_dir.token(None, {})
    assert kept.path is None
    assert str(kept.note).startswith("the token: this user has no home directory; ")
    with pytest.raises(BadInput, match="--data-dir"):
        data_dir.token(None, {}, shown=False)
    assert not list(tmp_path.rglob("token"))


def test_a_token_that_others_could_read_is_not_used_again(tmp_path: Path) -> None:
    """A kept token with open permissions, of another form, or behind a link is replaced and the user told."""
    first = data_dir.token(str(tmp_path), {})
    assert first.note is None
    assert data_dir.token(str(tmp_path), {}) == first
    path = tmp_path / "token"
    path.chmod(0o644)
    second = data_dir.token(str(tmp_path), {})
    assert second.value != first.value
    assert "others could read or change it" in str(second.note)
    path.write_text("short\n")
    assert "this is no token of ours" in str(data_dir.token(str(tmp_path), {}).note)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(BadInput, match="symbolic link"):
        data_dir.token(str(tmp_path), {})
    assert Path("/etc/passwd").read_text() != ""


def test_the_place_for_the_token_is_systemds_or_xdgs() -> None:
    """$STATE_DIRECTORY goes first, then an absolute $XDG_STATE_HOME, then the home directory."""
    assert (
        data_dir.default_directory({"STATE_DIRECTORY": "/var/lib/bongsu:/x", "XDG_STATE_HOME": "/s"})
        == "/var/lib/bongsu"
    )
    assert data_dir.default_directory({"XDG_STATE_HOME": "/s"}) == "/s/bongsu"
    assert data_dir.default_directory({"XDG_STATE_HOME": "relative"}) == os.path.expanduser("~/.local/state/bongsu")


def test_a_terminal_that_is_closed_ends_it(tmp_path: Path) -> None:
    """SIGHUP from a terminal that went away is the end, not a reload: nothing stays behind."""
    leader, follower = os.openpty()
    child = subprocess.Popen(
        [os.path.realpath("/bin/sh"), "-c", f"exec {' '.join(map(str, _argv(tmp_path)))} >{tmp_path}/out 2>&1"],
        stdin=follower, env=environment(), start_new_session=True, preexec_fn=_take_terminal,  # noqa: PLW1509  single-threaded child, set up as a shell would
    )  # fmt: skip
    os.close(follower)
    try:
        deadline = time.monotonic() + 120
        while "Ctrl-C" not in (tmp_path / "out").read_text() if (tmp_path / "out").exists() else True:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.close(leader)
        assert child.wait(120) == 0
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def _argv(tmp_path: Path) -> list[str]:
    from cli.command import ARGV

    return [*ARGV, "up", "--port", "0", "--data-dir", str(tmp_path)]


def _take_terminal() -> None:
    import fcntl
    import termios

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_collect_writes_a_textfile_in_one_step(tmp_path: Path) -> None:
    """`bongsu collect --textfile` leaves a whole file that node_exporter can take."""
    path = tmp_path / "bongsu.prom"
    done = bongsu("collect", "--once", "--textfile", str(path), "loadavg")
    assert (done.returncode, done.stdout) == (0, "")
    assert "node_load1 " in path.read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["bongsu.prom"]
    assert "--textfile" in complaint("collect", "--textfile", "/nowhere/x.prom", "loadavg")
