"""History that `bongsu up` keeps: over restarts, on the page, for PromQL, and where it cannot be kept."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from bongsu.agent import Agent
from bongsu.cli import history, serve, settings_file
from bongsu.model.errors import BadInput
from bongsu.sinks import http_message
from cli.command import bongsu, complaint, end, running

_URL = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)")


def _address(process: subprocess.Popen[str]) -> tuple[int, str]:
    assert process.stdout
    match = _URL.search(process.stdout.readline())
    assert match
    return int(match[1]), match[2]


def _get(port: int, token: str, path: str, **query: object) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    connection.request("GET", f"{path}?{urllib.parse.urlencode(query)}", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return json.loads(text)


def _wait_for(port: int, token: str, query: str) -> list[Any]:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        found: list[Any] = _get(port, token, "/api/v1/query", query=query)["data"]["result"]
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{query} stays empty")


def _setup(tmp_path: Path, *flags: str) -> settings_file.Loaded:
    environment = {"BONGSU_DATA_DIR": str(tmp_path), "BONGSU_PORT": "0", "BONGSU_COLLECTOR_DEFAULTS": "off"}
    return settings_file.load(
        None, environment, [settings_file.Given(("interval",), "0.2", "--interval"), *map(_given, flags)]
    )


def _given(text: str) -> settings_file.Given:
    path, _, value = text.partition("=")
    return settings_file.Given(tuple(path.split(".")), value, f"--{path}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_read_before_a_restart_is_on_the_page_and_in_promql(tmp_path: Path, number: int) -> None:
    """After an end, orderly or not, the next `bongsu up` shows what the one before read, with the gap between them."""
    flags = ("up", "--port", "0", "--data-dir", str(tmp_path), "--interval", "0.2")
    with running(*flags, env={"BONGSU_STORE_COMMIT_EVERY": "0"}) as process:
        port, token = _address(process)
        _wait_for(port, token, "node_load1")
        time.sleep(1.0)
        end(process, number)
    stopped = time.time()
    time.sleep(1.5)
    with running(*flags) as process:
        port, token = _address(process)
        _wait_for(port, token, "up")
        samples = _wait_for(port, token, "node_load1[1m]")[0]["values"]
        assert sum(float(time_) < stopped for time_, _ in samples) >= 3
        # Between the two nothing was known, although a value from before is younger than the lookback.
        gap = _get(port, token, "/api/v1/query", query="node_load1", time=stopped + 1.2)["data"]["result"]
        assert gap == []
        band = _get(port, token, "/api/history", metric="node_load1", start=stopped - 60, end=time.time(), points=20)
        assert band["tier"] == "raw"
        assert any(value is not None for value in band["series"][0]["high"])
        board = _get(port, token, "/api/board", seconds=60, points=600)
        times, panels = board["times"], {panel["name"]: panel for panel in board["panels"]}
        assert times[0] < stopped
        drawn = [value for line in panels["load"]["series"] for value in line["values"]]
        assert any(value is not None for value in drawn)
        assert end(process)[0] == 0


def test_what_was_read_just_now_can_be_asked_for_before_it_is_committed(tmp_path: Path) -> None:
    """Queries in the process see what still waits in memory; another process sees it after the next commit."""
    flags = ("--data-dir", str(tmp_path), "--interval", "0.2", "--collector.disable-defaults", "--collector.loadavg")
    with running("up", "--port", "0", *flags, env={"BONGSU_STORE_COMMIT_EVERY": "60"}) as process:
        port, token = _address(process)
        found = _wait_for(port, token, "node_load1")[0]
        assert {name: found["metric"][name] for name in ("__name__", "job")} == {
            "__name__": "node_load1",
            "job": "bongsu",
        }
        assert abs(found["value"][0] - time.time()) < 60
        end(process)
    answer = json.loads(bongsu("query", "--json", "--data-dir", str(tmp_path), "node_load1[10m]").stdout)
    assert len(answer["result"][0]["values"]) >= 1


def test_a_second_one_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    """Two writers would ruin the file: the second is told who has it and what to do."""
    with running("up", "--port", "0", "--data-dir", str(tmp_path)) as process:
        _address(process)
        line = complaint("up", "--port", "0", "--data-dir", str(tmp_path))
        assert str(process.pid) in line
        assert "--no-store" in line
        with running("up", "--port", "0", "--no-store", "--data-dir", str(tmp_path)) as other:
            port, token = _address(other)
            answer = _get(port, token, "/api/v1/query", query="up")
            assert answer["status"] == "error"
            assert "--no-store" in answer["error"]
            assert end(other)[0] == 0
        assert end(process)[0] == 0


def test_a_link_to_another_disk_is_the_file_that_it_names(tmp_path: Path) -> None:
    """SQLite keeps its log beside that file, and two names must not have two locks."""
    (tmp_path / "state").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "state" / "history.db").symlink_to("../disk/history.db")
    loaded = _setup(tmp_path / "state")
    file = str(tmp_path / "disk" / "history.db")
    for _ in range(2):  # made, and found again
        writer = history.kept(loaded, page=True, running=None)
        assert writer is not None
        assert writer.path == file
        with pytest.raises(BadInput, match="writes this history already"):
            history.kept(_setup(tmp_path / "disk"), page=True, running=None)
        writer.close()
    assert (tmp_path / "state" / "history.db").is_symlink()
    assert not any("corrupt" in entry.name for entry in (tmp_path / "disk").iterdir())
    (tmp_path / "state" / "history.db").unlink()
    (tmp_path / "state" / "history.db").symlink_to("../not-mounted/history.db")
    with pytest.raises(BadInput, match=r"there is no directory .*not-mounted"):
        history.kept(loaded, page=True, running=None)


def test_the_agent_keeps_history_only_when_told(tmp_path: Path) -> None:
    """`bongsu agent` has no history; with --store it has, answers PromQL beside /metrics, and imports numpy only then."""
    flags = ("agent", "--port", "0", "-q", "--data-dir", str(tmp_path), "--interval", "0.2")
    for more, kept in (((), False), (("--store",), True)):
        with running(*flags, *more) as process:
            assert process.stdout
            match = re.search(r":(\d+)/metrics", process.stdout.readline())
            assert match
            port = int(match[1])
            if kept:
                assert _wait_for(port, "", "node_load1")
            else:
                assert _get(port, "", "/api/v1/query", query="up")["status"] == "error"
            loaded = Path(f"/proc/{process.pid}/maps").read_text()
            assert ("numpy" in loaded) is kept
            assert (tmp_path / "history.db").exists() is kept
            assert end(process)[0] == 0


def test_a_foreign_name_gets_no_history_from_the_agent(tmp_path: Path) -> None:
    """A web page that lets its own name point to this machine (DNS rebinding) reads neither metrics nor history."""
    with running("agent", "--store", "--port", "0", "-q", "--data-dir", str(tmp_path)) as process:
        assert process.stdout
        match = re.search(r":(\d+)/metrics", process.stdout.readline())
        assert match
        for path in ("/metrics", "/api/v1/query?query=up"):
            connection = http.client.HTTPConnection("127.0.0.1", int(match[1]), timeout=100)
            connection.request("GET", path, headers={"Host": "evil.example"})
            assert connection.getresponse().status == 421
            connection.close()
        end(process)


def test_a_reload_keeps_the_history_and_takes_new_limits(tmp_path: Path) -> None:
    """The same file stays open over a reload, whatever else changes; its limits are the new ones."""
    wanted = _setup(tmp_path)
    agent = Agent(serve.Builder(lambda: wanted, page=True))
    agent.start()
    first = agent.setup.kept.past
    assert first is not None
    wanted = _setup(tmp_path, "store.raw=1d", "interval=0.3", "port=0")
    assert agent.reload()
    second = agent.setup.kept.past
    assert second.writer is first.writer
    assert first.writer in agent.setup.sinks
    assert second.writer._disk.upkeep.raw_ms == 86_400_000
    wanted = _setup(tmp_path, "store.enabled=off")
    assert agent.reload()
    without = agent.setup.kept
    assert without.past is None
    with pytest.raises(OSError, match="closed"):
        first.writer.write(agent.gather())
    wanted = _setup(tmp_path)
    assert agent.reload()
    assert agent.setup.kept.past.writer is not first.writer
    assert agent.stop()


@pytest.mark.parametrize("change", ["store.durable=on", "hosts"])
def test_what_a_reload_cannot_change_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Labels and durability are those of the start: "settings reloaded" alone would be untrue."""
    writer = history.kept(_setup(tmp_path), page=True, running=None)
    assert history.kept(_setup(tmp_path, "store.raw=1d"), page=True, running=writer) is writer
    assert caplog.messages == []
    if change == "hosts":
        monkeypatch.setattr(history, "_labels", lambda _loaded: {"job": "other"})
    flags = () if change == "hosts" else (change,)
    assert history.kept(_setup(tmp_path, *flags), page=True, running=writer) is writer
    assert "store.labels and store.durable count from the next start on" in caplog.messages[0]
    assert writer is not None
    writer.close()


def test_a_reload_that_fails_leaves_the_history_as_it_was(tmp_path: Path) -> None:
    """A new setup that cannot be used gives its history back, and the next reload finds the old one."""
    wanted = _setup(tmp_path)
    agent = Agent(serve.Builder(lambda: wanted, page=True))
    agent.start()
    before: Any = agent.setup
    assert agent.server is not None
    wanted = _setup(tmp_path, f"store.path={tmp_path}/other.db", f"port={agent.server.port}", "host=192.0.2.1")
    assert not agent.reload()
    wanted = _setup(tmp_path, f"store.path={tmp_path}/other.db", "host=localhost", f"web_config={tmp_path}/missing.yml")
    assert not agent.reload()
    assert agent.setup is before
    wanted = _setup(tmp_path, "store.raw=2d")
    assert agent.reload()
    assert agent.setup.kept.past.writer is before.kept.past.writer
    assert agent.setup.kept.page is before.kept.page
    before.kept.past.writer.write(agent.gather())
    from bongsu.store.layout.lock import Lock

    Lock(f"{tmp_path}/other.db").release()  # was let go
    assert agent.stop()


def test_where_history_cannot_be_kept_up_goes_on_and_says_so(tmp_path: Path) -> None:
    """A user without a place for it still gets the page; one who asked for a place is told that it cannot be used."""
    with running("up", "--port", "0", "-q", env={"XDG_STATE_HOME": "/proc/nothing"}) as process:
        _address(process)
        end(process)
        assert process.stderr
        lines = process.stderr.read().splitlines()
    assert sum(line.startswith("bongsu: warning: history is not kept: /proc/nothing/bongsu: ") for line in lines) == 1
    assert "give --data-dir DIR that this user may write to, or --no-store" in lines[0] + lines[-1]
    assert "history is not kept: /proc/nothing: " in complaint(
        "agent", "--store", "--data-dir", "/proc/nothing", "--port", "0"
    )


def test_without_its_packages_up_goes_on_and_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extra is missing: without it there is a page, and a line with the command that installs it."""
    monkeypatch.setattr(history, "missing_package", lambda: "numpy")
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    monkeypatch.setattr(os, "environ", environment)
    assert history.kept(settings_file.load(None, environment, []), page=True, running=None) is None
    with pytest.raises(BadInput, match=r"pip install 'bongsu\[store\]'"):
        history.kept(settings_file.load(None, {"BONGSU_STORE_ENABLED": "on"}, []), page=False, running=None)


def test_labels_of_the_settings_are_on_every_series(tmp_path: Path) -> None:
    """What a Prometheus would give to a target can be given here; a name that is none is refused."""
    settings = tmp_path / "bongsu.yaml"
    settings.write_text("interval: 0.2\nstore:\n  labels: {rack: r7, job: node}\n")
    with running("up", "-c", str(settings), "--port", "0", "--data-dir", str(tmp_path)) as process:
        port, token = _address(process)
        found = _wait_for(port, token, "node_load1")[0]["metric"]
        assert (found["rack"], found["job"]) == ("r7", "node")
        end(process)
    settings.write_text("store:\n  labels: {'a-b': x}\n")
    assert f"{settings}:2: store.labels.a-b: a-b is no label name" in complaint("up", "-c", str(settings))


def test_help_and_reading_do_without_numpy() -> None:
    """Who only looks once, or asks for help, does not wait for numpy."""
    script = "import sys\nfrom bongsu.cli import main\ntry:\n  main.run({!r})\nfinally:\n  sys.stderr.write(str('numpy' in sys.modules))"
    for argv in (["--help"], ["query", "--help"], ["store", "--help"], ["collect", "loadavg"], ["status"]):
        done = subprocess.run([sys.executable, "-c", script.format(argv)], capture_output=True, text=True, check=False)
        assert done.stderr.endswith("False"), (argv, done.stderr)


def test_the_small_server_tells_promql_from_metrics_by_the_path() -> None:
    """Paths of the API go to PromQL, all others to metrics, and a foreign name to the one that refuses it."""
    seen: list[str] = []

    def metrics(request: http_message.Request) -> http_message.Response:
        seen.append(request.path)
        return http_message.plain(200, "metrics")

    def ask(request: http_message.Request) -> http_message.Response:
        return http_message.plain(200, "api")

    def asked(path: str, host: str = "localhost", **headers: str) -> bytes:
        request = http_message.Request("POST", path, headers={"host": host, **headers})
        return serve._either(metrics, ask, frozenset(), request).body

    assert asked("/api/v1/query") == b"api\n"
    assert asked("/api/history") == b"api\n"
    assert asked("/metrics") == asked("/api/v2") == b"metrics\n"
    assert asked("/api/v1/query", "evil.example") == b"metrics\n"  # which refuses that name
    assert seen == ["/metrics", "/api/v2", "/api/v1/query"]
    for site in ("cross-site", "same-site"):
        assert b"of other sites" in asked("/api/v1/query", **{"sec-fetch-site": site})
        assert asked("/metrics", **{"sec-fetch-site": site}) == b"metrics\n"
    assert asked("/api/v1/query", **{"sec-fetch-site": "same-origin"}) == b"api\n"
