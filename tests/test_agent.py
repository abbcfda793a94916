"""The agent: a clock that does not drift, an end that does not wait, a reload that keeps what works."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bongsu.agent import Agent, Server, Setup, notify
from bongsu.collectors.agent import AgentCounts
from bongsu.model.batch import Batch, Sample
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec
from bongsu.pipeline import Gatherer
from cli.command import complaint, end, environment, running
from node_exporter import free_port

LONG = 60.0  # s; what is waited for comes much sooner, but for a busy machine
SPEC = MetricSpec("bongsu_test_beats", Kind.GAUGE, "Beats.")


class Beat:
    """A collector that waits as long as it is told."""

    name = "beat"
    specs = (SPEC,)
    may_block = False
    on_by_default = True

    def __init__(self, wait: Callable[[], object] = lambda: None) -> None:
        self._wait = wait

    def collect(self) -> Iterator[Sample]:
        self._wait()
        yield Sample(SPEC, (), 1.0)


class Log:
    """A sink that remembers when it was written to."""

    name = "log"

    def __init__(self) -> None:
        self.times: list[float] = []
        self.closed = 0
        self.wrote = threading.Event()

    def write(self, batch: Batch) -> None:
        self.times.append(batch.monotonic)
        self.wrote.set()

    def close(self) -> None:
        self.closed += 1


class Quiet:
    """A server that only counts."""

    port = 0

    def __init__(self) -> None:
        self.state = "new"

    def start(self) -> None:
        self.state = "started"

    def stop(self) -> None:
        self.state = "stopped"


def _ended_soon(begun: Callable[[], Agent], *, whole: bool) -> bool:
    """Whether an agent ended within two seconds once of ten times, all of it or not: a busy machine only makes it longer."""
    for _ in range(10):
        agent = begun()
        started = time.monotonic()
        if agent.stop() is whole and time.monotonic() - started < 2.0:
            return True
    return False


def _comes(true: Callable[[], bool]) -> bool:
    """Whether it comes true, however busy the machine is."""
    until = time.monotonic() + LONG
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return true()


def _setup(*sinks: Log, interval: float = 0.05, collector: Beat | None = None, **more: object) -> Setup:
    return Setup(Gatherer([collector or Beat()], deadline=30), sinks, interval, **more)  # type: ignore[arg-type]  # options are handed through


class Hands:
    """Moves the agent's clock itself, so that a busy machine moves it no further: each wait ends ``late`` s after its time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, late: float, rounds: int) -> None:
        self.now = 1000.0
        self.ended = threading.Event()  # when there were so many rounds
        self._late, self._rounds = late, rounds
        monkeypatch.setattr("bongsu.agent.time", self)

    def monotonic(self) -> float:
        return self.now

    def put_on(self, agent: Agent) -> None:
        hands = self

        class Passed(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                hands._rounds -= 1
                if timeout is None or not hands._rounds:
                    hands.ended.set()
                    return super().wait()  # until the end
                hands.now += max(0.0, timeout) + hands._late
                return self.is_set()

        agent._changed = Passed()


def _begun(
    monkeypatch: pytest.MonkeyPatch, *, interval: float, takes: float, late: float, rounds: int
) -> tuple[list[float], AgentCounts]:
    """When each of so many readings began, by a clock that began at 1000; what was counted."""
    began: list[float] = []
    hands = Hands(monkeypatch, late=late, rounds=rounds)

    def work() -> None:
        began.append(hands.now)
        hands.now += takes

    agent = Agent(lambda _: _setup(Log(), interval=interval, collector=Beat(work)))
    hands.put_on(agent)
    agent.start()
    assert hands.ended.wait(60)
    agent.stop()
    return began, agent.counts


def test_ticks_lie_on_a_grid_that_does_not_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings that take time, and waits that end late, do not push the next ones later: each is due at a multiple of the interval."""
    began, counts = _begun(monkeypatch, interval=0.1, takes=0.03, late=0.004, rounds=50)
    assert began == pytest.approx([1000.0, *(1000.0 + n * 0.1 + 0.004 for n in range(1, 50))])
    assert (counts.ticks, counts.missed) == (50, 0)


def test_missed_ticks_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading of three intervals costs the ticks in between; they are not made up for."""
    began, counts = _begun(monkeypatch, interval=0.05, takes=0.16, late=0.001, rounds=20)
    assert began == pytest.approx([1000.0, *(1000.0 + n * 0.2 + 0.001 for n in range(1, 20))])
    assert (counts.ticks, counts.missed) == (20, 60)


def test_ticks_come_by_the_real_clock() -> None:
    """None comes before its time."""
    began: list[float] = []
    log = Log()
    agent = Agent(lambda _: _setup(log, interval=0.1, collector=Beat(lambda: began.append(time.monotonic()))))
    agent.start()
    until = time.monotonic() + 60
    while len(began) < 6 and time.monotonic() < until:
        time.sleep(0.01)
    agent.stop()
    assert len(began) >= 6
    assert all(at - began[0] > 0.1 * place - 0.09 for place, at in enumerate(began))


def test_without_sinks_nothing_is_read_between_requests() -> None:
    """An agent that only answers scrapes sleeps in between, and gathers when asked."""
    read = itertools.count()
    agent = Agent(lambda _: _setup(collector=Beat(lambda: next(read))))
    agent.start()
    time.sleep(0.3)
    assert next(read) == 0
    assert [part.collector for part in agent.gather().parts] == ["beat", "self"]
    assert agent.names == ("beat",)
    assert agent.stop()


def test_the_end_does_not_wait_for_a_collector_that_hangs() -> None:
    """Sinks are closed and the agent has ended within two seconds while a collector hangs."""
    hanging, taken = threading.Event(), threading.Event()
    logs: list[Log] = []

    def hang() -> None:
        taken.set()
        hanging.wait()

    def begun() -> Agent:
        taken.clear()
        logs.append(Log())
        agent = Agent(lambda _: _setup(logs[-1], collector=Beat(hang)))
        agent.start()
        assert taken.wait(LONG)
        return agent

    assert _ended_soon(begun, whole=True)
    assert _comes(lambda: all(log.closed == 1 for log in logs))
    assert not any(log.times for log in logs)
    hanging.set()
    time.sleep(0.1)
    assert not any(log.times for log in logs), "a sink was written to after it was closed"


class Stuck(Log):
    """A sink that does not come back before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.release = threading.Event(), threading.Event()

    def write(self, batch: Batch) -> None:  # noqa: ARG002  it never looks
        self.taken.set()
        self.release.wait()


def test_the_end_does_not_wait_for_a_sink_that_hangs() -> None:
    """A sink that does not return is left behind, and the agent says so."""
    sinks: list[Stuck] = []

    def begun() -> Agent:
        sinks.append(Stuck())
        agent = Agent(lambda _: _setup(sinks[-1]))
        agent.start()
        assert sinks[-1].taken.wait(LONG)
        return agent

    assert _ended_soon(begun, whole=False)
    for sink in sinks:
        sink.release.set()


def test_a_sink_that_hangs_does_not_make_the_agent_deaf(caplog: pytest.LogCaptureFixture) -> None:
    """A reload then gives up in a moment and says why; what was built for it is let go, and the end still comes."""
    stuck, fresh = Stuck(), Log()
    setups = [_setup(stuck), _setup(fresh)]
    agent = Agent(lambda before: setups[0] if before is None else setups[1])
    agent.start()
    assert stuck.taken.wait(LONG)
    seconds: list[float] = []
    while len(seconds) < 10 and not (seconds and seconds[-1] < 2.5):  # a busy machine only makes it longer
        started = time.monotonic()
        assert not agent.reload()
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 2.5
    assert "a sink has not taken its batch" in caplog.text
    assert agent.setup is setups[0]
    assert _comes(lambda: bool(fresh.closed))
    assert not agent.stop()
    stuck.release.set()


def test_a_round_that_fails_does_not_stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock goes on after an error that nobody expected."""
    log = Log()
    setup = _setup(log)
    real, calls = setup.gatherer.gather, itertools.count()
    monkeypatch.setattr(setup.gatherer, "gather", lambda: real() if next(calls) else 1 / 0)
    agent = Agent(lambda _: setup)
    agent.start()
    assert log.wrote.wait(LONG)
    agent.stop()


def test_a_reload_changes_over_and_closes_what_is_no_longer_used() -> None:
    """After a reload the new sinks are fed; sinks and the server that stay are not touched."""
    first, second, kept, servers = Log(), Log(), Log(), [Quiet()]
    setups = iter([
        _setup(first, kept, serve=lambda _: servers[0], place="a"), _setup(second, kept, serve=lambda _: Quiet(), place="a"),
    ])  # fmt: skip
    agent = Agent(lambda _: next(setups))
    agent.start()
    assert first.wrote.wait(LONG)
    assert agent.reload()
    assert second.wrote.wait(LONG)
    assert (first.closed, second.closed, kept.closed) == (1, 0, 0)
    assert agent.server is servers[0]
    assert servers[0].state == "started"
    agent.stop()
    assert (first.closed, second.closed, kept.closed) == (1, 1, 1)
    assert servers[0].state == "stopped"
    assert agent.counts.reloads == 1


def test_a_bad_reload_keeps_what_runs(caplog: pytest.LogCaptureFixture) -> None:
    """A builder that refuses leaves everything as it was, and one line says why."""
    log = Log()

    def build(previous: Setup | None) -> Setup:
        if previous is not None:
            raise BadInput(Message("bongsu.yaml:1: no"))
        return _setup(log)

    agent = Agent(build)
    agent.start()
    assert not agent.reload()
    log.wrote.clear()
    assert log.wrote.wait(LONG)
    assert log.closed == 0
    assert (agent.counts.reloads, agent.counts.refused_reloads) == (0, 1)
    assert [r.getMessage() for r in caplog.records] == ["reload refused, the old settings stay: bongsu.yaml:1: no"]
    agent.stop()


def test_a_reload_to_an_address_that_is_taken_brings_the_old_server_back() -> None:
    """The new server cannot be opened: the old one answers again."""

    class Taken(Quiet):
        def start(self) -> None:
            raise BadInput(Message("--port 1: taken"))

    made: list[Quiet] = []

    def serve(server: type[Quiet]) -> Callable[[Agent], Server]:
        def make(_agent: Agent) -> Server:
            made.append(server())
            return made[-1]

        return make

    setups = iter([_setup(serve=serve(Quiet), place=1), _setup(serve=serve(Taken), place=2)])
    agent = Agent(lambda _: next(setups))
    agent.start()
    assert not agent.reload()
    assert [server.state for server in made] == ["stopped", "new", "started"]
    agent.stop()


def test_word_to_systemd_is_one_datagram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sd_notify(3): the state goes to $NOTIFY_SOCKET, be it a path or an abstract name; without one nothing happens."""
    for address in (str(tmp_path / "s"), f"@bongsu-test-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(address.replace("@", "\0"))
            monkeypatch.setenv("NOTIFY_SOCKET", address)
            notify("READY=1")
            assert listening.recv(100) == b"READY=1"
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")


def _patient(folder: Path, settings: str = "") -> Path:
    """Settings by which no collector is late, so that nothing is said of one."""
    path = folder / "bongsu.yaml"
    path.write_text(f"deadline: 60\n{settings}")
    return path


def _get(url: str) -> str:
    deadline = time.monotonic() + LONG
    while True:
        try:
            with urllib.request.urlopen(url, timeout=LONG) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError):
                raise  # an answer, though not the one hoped for
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_and_ends_quietly(number: int, tmp_path: Path) -> None:
    """`bongsu agent` says where it is, answers /metrics, and ends within two seconds of a signal with code 0."""
    home = tmp_path / "home"
    home.mkdir()
    took: list[float] = []
    while len(took) < 5 and not (took and took[-1] < 2.0):  # a busy machine only makes it longer
        with running(
            "agent", "--port", "0", "-c", str(_patient(tmp_path)), env={"XDG_STATE_HOME": str(home)}
        ) as process:
            assert process.stdout
            url = process.stdout.readline().split()[-1]
            text = _get(url)
            assert "\nnode_load1 " in text
            assert "bongsu_agent_interval_seconds 15" in text
            code, seconds = end(process, number)
            took.append(seconds)
            assert process.stderr
            said = process.stderr.read()
            assert seconds >= 2.0 or (code, said) == (0, "")
    assert min(took) < 2.0
    assert not list(home.iterdir()), "on loopback there is no token to keep"


def test_the_headless_agent_loads_nothing_of_the_page() -> None:
    """No uvicorn, Starlette, numpy, Rich or YAML in a headless agent: memory is for the machine's own work."""
    code = (
        "import sys, threading, os, signal\n"
        "import bongsu.agent as a\n"
        "was = a.Agent.stop\n"
        "def stop(self):\n"
        "    print('LOADED', *sorted({m.partition('.')[0] for m in sys.modules} & set(sys.argv[1].split(','))))\n"
        "    return was(self)\n"
        "a.Agent.stop = stop\n"
        "run = a.Agent.run\n"
        "def ended(self, started=None):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"  # heeded from now on
        "a.Agent.run = lambda self, started=None: run(self, lambda: ended(self))\n"
        "from bongsu.cli.main import main\n"
        "main(['agent', '--port', '0'])\n"
    )
    unwanted = "uvicorn,starlette,anyio,numpy,rich,yaml,asyncio,ssl,email,pygments,multiprocessing"
    done = subprocess.run(
        [sys.executable, "-c", code, unwanted], capture_output=True, text=True, check=False, timeout=150,
        env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_sighup_reloads_and_a_bad_file_is_refused_in_one_line(tmp_path: Path) -> None:
    """SIGHUP reads the settings again: a good file takes effect, a bad one is named in one line and changes nothing."""
    port, other = free_port(), free_port()
    settings = _patient(tmp_path, f"port: {port}\ncollectors: {{meminfo: off}}\n")
    with running("agent", "-c", str(settings)) as process:
        assert process.stdout
        assert process.stderr
        assert "node_memory_MemTotal_bytes" not in _get(f"http://127.0.0.1:{port}/metrics")
        settings.write_text("port: [\n")
        process.send_signal(signal.SIGHUP)
        assert process.stderr.readline().startswith(
            f"bongsu: error: reload refused, the old settings stay: {settings}:2: this is not YAML"
        )
        assert "node_load1" in _get(f"http://127.0.0.1:{port}/metrics")
        _patient(tmp_path, f"port: {other}\n")
        process.send_signal(signal.SIGHUP)
        assert process.stderr.readline() == "bongsu: settings reloaded\n"
        text = _get(f"http://127.0.0.1:{other}/metrics")
        assert "node_memory_MemTotal_bytes" in text
        assert 'bongsu_agent_reloads_total{outcome="done"} 1' in text
        assert 'bongsu_agent_reloads_total{outcome="refused"} 1' in text
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LONG)
        assert end(process)[0] == 0


def test_refused_reloads_leave_nothing_open(tmp_path: Path) -> None:
    """What was made for a setup that is then refused, its files among it, is closed again."""
    sinks = f"sinks: {{jsonl: {{path: {tmp_path}/out.jsonl}}}}\n"
    port = free_port()
    settings = _patient(tmp_path, f"port: {port}\n{sinks}")
    with socket.socket() as taken, running("agent", "-c", str(settings)) as process:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert process.stderr
        url = f"http://127.0.0.1:{port}/metrics"
        _get(url)
        _patient(tmp_path, f"port: {taken.getsockname()[1]}\n{sinks}")

        def refused() -> None:
            process.send_signal(signal.SIGHUP)
            assert process.stderr
            assert "another program listens there" in process.stderr.readline()
            _get(url)

        def open_files() -> int:
            return sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())

        refused()
        refused()
        time.sleep(1.0)  # the connection is closed, and what is let go in a thread of its own
        first = open_files()
        for _ in range(10):
            refused()
        assert _comes(lambda: open_files() <= first)
        assert end(process)[0] == 0


def test_systemd_is_told_ready_reloading_watchdog_and_stopping(tmp_path: Path) -> None:
    """Type=notify works: READY when it answers, the watchdog in between, RELOADING and READY, STOPPING at the end."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(LONG)
        with running("agent", "--port", "0", env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}) as process:
            assert listening.recv(200) == b"READY=1"
            assert listening.recv(200) == b"WATCHDOG=1"
            process.send_signal(signal.SIGHUP)
            said = [listening.recv(200)]
            while said[-1] != b"READY=1":
                said.append(listening.recv(200))
            assert any(word.startswith(b"RELOADING=1\nMONOTONIC_USEC=") for word in said)
            process.send_signal(signal.SIGTERM)
            while said[-1] != b"STOPPING=1":
                said.append(listening.recv(200))
            assert process.wait(LONG) == 0


def test_a_taken_port_is_one_line() -> None:
    """Another program on the port: one line with the cure, exit code 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"--port {port}: another program listens there" in complaint("agent", "--port", str(port))


def test_beyond_loopback_the_headless_agent_asks_for_the_token(tmp_path: Path) -> None:
    """Without users in a web config file, the kept token is asked for as Prometheus can send it."""
    with running("agent", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path), "-q") as process:
        assert process.stdout
        port = process.stdout.readline().rpartition(":")[2].partition("/")[0]
        url = f"http://127.0.0.1:{port}/metrics"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            _get(url)
        token = (tmp_path / "token").read_text().strip()
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=LONG) as answer:
            assert b"node_load1" in answer.read()
        full_name = {"Host": "node7.cluster.example:9420"}  # as a Prometheus may call it
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}", **full_name})
        with urllib.request.urlopen(asked, timeout=LONG) as answer:
            assert b"node_load1" in answer.read()
        assert end(process)[0] == 0


def test_a_foreign_name_is_refused_where_nothing_is_asked_for() -> None:
    """On loopback /metrics is open, so a web page elsewhere must not reach it by its own name (DNS rebinding)."""
    with running("agent", "--port", "0", "-q") as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        asked = urllib.request.Request(url, headers={"Host": "evil.example", "Authorization": "Bearer x"})
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(asked, timeout=LONG)
        end(process)


def test_with_users_any_name_of_the_machine_will_do(tmp_path: Path) -> None:
    """Who has the password may scrape by whatever name leads here."""
    bcrypt = pytest.importorskip("bcrypt")
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users: {{alice: {bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}}}\n")
    with running("agent", "--port", "0", "-q", "--web.config.file", str(config)) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        for secret, status in (("YWxpY2U6c2VjcmV0", 200), ("YWxpY2U6d3Jvbmc=", 401)):
            asked = urllib.request.Request(
                url, headers={"Host": "node7.cluster.example", "Authorization": f"Basic {secret}"}
            )
            try:
                with urllib.request.urlopen(asked, timeout=LONG) as answer:
                    assert answer.status == status
            except urllib.error.HTTPError as error:
                assert error.code == status  # noqa: PT017  both answers are looked at in one place
        end(process)


def test_the_agent_says_where_the_token_is_and_never_the_token(tmp_path: Path) -> None:
    """What is printed goes to a journal that others read: it names the file, and only that."""
    with running("agent", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path)) as process:
        assert process.stdout
        assert process.stderr
        said = [process.stdout.readline() for _ in range(3)]
        end(process)
        said += [process.stdout.read(), process.stderr.read()]
    token = (tmp_path / "token").read_text().strip()
    assert str(tmp_path / "token") in "".join(said)
    assert token not in "".join(said)


def test_a_token_that_nobody_could_read_is_refused(tmp_path: Path) -> None:
    """Beyond loopback without a place for the token: nobody could scrape, so it does not start, and names the cure."""
    file = tmp_path / "file"
    file.write_text("")
    line = complaint("agent", "--host", "0.0.0.0", "--port", "0", env={"XDG_STATE_HOME": str(file)})
    assert line.startswith(f"{file}/bongsu: not a directory, so nobody could read the token")
    assert "--data-dir" in line
    assert "--web.config.file" in line


def test_clock_driven_sinks_are_fed_and_closed(tmp_path: Path) -> None:
    """`sinks: jsonl` in the settings: lines appear at the interval, and the file ends with a whole line."""
    pytest.importorskip("bongsu.sinks.jsonl")
    out = tmp_path / "out.jsonl"
    settings = _patient(tmp_path, f"interval: 200ms\nsinks: {{jsonl: {{path: {out}}}}}\n")
    with running("agent", "--port", "0", "-c", str(settings)) as process:
        assert _comes(lambda: out.exists() and out.read_bytes().count(b"\n") >= 3)
        assert end(process)[0] == 0
    lines = out.read_text().splitlines()
    assert len(lines) >= 3
    for line in lines:
        json.loads(line)


def test_what_begins_to_fail_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """A collector or sink that fails for many rounds gives one line, and one when it works again."""
    failing = threading.Event()
    failing.set()

    def collect() -> None:
        if failing.is_set():
            raise ValueError("no")

    class Broken(Log):
        def write(self, batch: Batch) -> None:
            if failing.is_set():
                raise OSError(28, "No space left on device", "/x")
            super().write(batch)

    log = Broken()
    agent = Agent(lambda _: _setup(log, interval=0.02, collector=Beat(collect)))
    with caplog.at_level("INFO", "bongsu"):
        agent.start()
        assert _comes(lambda: agent.counts.ticks > 5)
        failing.clear()
        assert _comes(lambda: len(caplog.records) >= 4)
        done = agent.counts.ticks
        assert _comes(lambda: agent.counts.ticks > done + 5)
        agent.stop()
    assert sorted(r.getMessage() for r in caplog.records) == [
        "collector beat fails: cannot be understood: no", "collector beat works again",
        "sink log fails: No space left on device: /x", "sink log works again",
    ]  # fmt: skip
