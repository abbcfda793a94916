"""The daemon: a clock around the pipeline, signals, reload, and word to systemd."""

from __future__ import annotations

import functools
import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from bongsu.collectors.agent import AgentCounts
from bongsu.model.batch import Batch
from bongsu.model.contract import Sink
from bongsu.model.errors import BongsuError
from bongsu.model.message import Message
from bongsu.pipeline import Gatherer, deliver

_log = logging.getLogger("bongsu.agent")
END_WITHIN = 1.5  # seconds from a signal to the end, whatever hangs


class Server(Protocol):
    """Something that answers requests until it is stopped."""

    @property
    def port(self) -> int: ...  # noqa: D102  the one listened on, also where any free one was asked for

    def start(self) -> None:
        """Begin to answer. Raises BadInput where the address cannot be had."""
        ...

    def stop(self) -> None:
        """Stop answering and let go of the port."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """What the agent runs: made by a builder from settings, and made anew at a reload.

    ``serve`` makes the server, or is None; ``place`` says what it was made of, so that a reload
    which does not change it leaves the server and its connections alone. ``kept`` is the builder's own: what
    it hands on to the setup after this one.
    """

    gatherer: Gatherer
    sinks: tuple[Sink, ...]
    interval: float
    serve: Callable[[Agent], Server] | None = None
    place: Hashable = None
    kept: Any = None


Builder = Callable[["Setup | None"], Setup]  # is handed the setup that runs now; raises BongsuError


class Agent:
    """Runs a setup until it is told to stop.

    The clock ticks on a fixed grid of the monotonic clock: a tick that comes too late is left out
    and counted, and the grid never drifts. Without sinks nothing is read between requests.
    """

    def __init__(self, builder: Builder, counts: AgentCounts | None = None) -> None:
        self._builder = builder
        self.counts = counts or AgentCounts()
        self._setup = builder(None)
        self._server: Server | None = None
        self._clock = threading.Thread(target=self._tick_on, name="bongsu-clock", daemon=True)
        self._changed = threading.Event()  # wakes the clock: another setup, or the end
        self._stopping = False
        self._delivering = threading.Lock()
        self._busy_since: float | None = None
        self._changes = _Changes()

    @property
    def names(self) -> tuple[str, ...]:
        """The collectors' names now."""
        return self._setup.gatherer.names

    def gather(self, *, max_age: float = 0.0, only: Iterable[str] | None = None) -> Batch:
        """Ask the collectors of the setup that runs now; a handler keeps this across reloads."""
        batch = self._setup.gatherer.gather(max_age=max_age, only=only)
        self._changes.look(batch)
        return batch

    @property
    def server(self) -> Server | None:
        """The server that answers now."""
        return self._server

    @property
    def setup(self) -> Setup:
        """What runs now."""
        return self._setup

    def start(self) -> None:
        """Open the server and start the clock; returns at once.

        Raises:
            BadInput: the server's address cannot be had.
        """
        self._server = self._open(self._setup)
        self._clock.start()

    def run(self, started: Callable[[], None] | None = None) -> bool:
        """Start, and serve until SIGTERM or SIGINT; SIGHUP reloads. Main thread only.

        ``started`` is called when the server answers. Returns whether everything could be closed within `END_WITHIN` seconds. A second SIGTERM or
        SIGINT ends the process at once.
        """
        with _signals() as wait:
            self.start()
            notify("READY=1")
            if started is not None:
                started()
            watchdog = _watchdog_seconds()
            while True:
                number = wait(None if watchdog is None else watchdog / 2)
                if number is None:
                    if not self._hangs(watchdog or 0.0):
                        notify("WATCHDOG=1")
                elif number == signal.SIGHUP and not _terminal_is_gone():
                    self.reload()
                else:
                    break
        notify("STOPPING=1")
        return self.stop()

    def reload(self) -> bool:
        """Build the setup again and change over to it; on a mistake the old one stays. Returns whether it changed."""
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        try:
            self._change_to(self._builder(self._setup))
        except BongsuError as error:
            self.counts.refused_reloads += 1
            _log.error("reload refused, the old settings stay: %s", error)
            return False
        else:
            self.counts.reloads += 1
            _log.info("settings reloaded")
            return True
        finally:
            notify("READY=1")

    def stop(self) -> bool:
        """Stop the server, the clock and the sinks; what hangs is left behind after `END_WITHIN` seconds.

        Returns whether all of it ended in time.
        """
        end = time.monotonic() + END_WITHIN
        self._stopping = True
        self._changed.set()
        steps = [self._close]
        if self._server is not None:
            steps.append(self._server.stop)
        threads = [threading.Thread(target=step, name="bongsu-close", daemon=True) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            _log.warning("something did not end within %g s and is left behind", END_WITHIN)
            return False
        return True

    def _close(self) -> None:
        if self._clock.ident is not None:
            self._clock.join(END_WITHIN / 3)  # it may be waiting for a collector that hangs
        with self._delivering:
            _close_sinks(self._setup.sinks)
        _let_go(self._setup.gatherer)

    def _open(self, setup: Setup) -> Server | None:
        if setup.serve is None:
            return None
        server = setup.serve(self)
        server.start()
        return server

    def _change_to(self, new: Setup) -> None:
        old = self._setup
        # A sink may wait for ever (a dead network file system), and this thread is the one that hears signals.
        if not self._delivering.acquire(timeout=END_WITHIN):
            _discard(new, old)
            raise BongsuError(Message("a sink has not taken its batch for {seconds:g} s", seconds=END_WITHIN))
        try:
            if new.place != old.place:
                self._move(old, new)
            self._setup = new
            self._changed.set()
        except BongsuError:
            _discard(new, old)
            raise
        finally:
            self._delivering.release()
        _discard(old, new)

    def _move(self, old: Setup, new: Setup) -> None:
        """Change servers; the port may be the same, so the old one goes first and comes back if the new one cannot."""
        if self._server is not None:
            self._server.stop()
        try:
            self._server = self._open(new)
        except BongsuError:
            self._server = self._open(old)
            raise

    def _tick_on(self) -> None:
        while True:
            self._changed.clear()  # before looking at what changed, so that no change is slept through
            if self._stopping:
                return
            setup = self._setup
            self.counts.interval = setup.interval
            if not setup.sinks:
                self._changed.wait()  # all reading is done by requests
                continue
            start, number = time.monotonic(), 0
            while not self._changed.is_set():
                self._tick(setup)
                due = int((time.monotonic() - start) / setup.interval) + 1
                self.counts.missed += due - number - 1
                number = due
                self._changed.wait(start + number * setup.interval - time.monotonic())

    def _tick(self, setup: Setup) -> None:
        self.counts.ticks += 1
        self._busy_since = time.monotonic()
        try:
            batch = setup.gatherer.gather()
            self._changes.look(batch)
            with self._delivering:
                if setup is self._setup and not self._stopping:
                    deliver(batch, setup.sinks, functools.partial(self._delivered, setup.gatherer))
        except Exception:  # noqa: BLE001  the clock goes on whatever happens in one round
            _log.exception("a round failed")
        finally:
            self._busy_since = None

    def _delivered(self, gatherer: Gatherer, sink: str, seconds: float, error: Message | None) -> None:
        gatherer.delivered(sink, seconds, error)
        self._changes.say("sink", sink, error)

    def _hangs(self, longest: float) -> bool:
        busy = self._busy_since
        return busy is not None and time.monotonic() - busy > longest


class _Changes:
    """Logs what begins to fail and what works again, each once, not at every round."""

    def __init__(self) -> None:
        self._failing: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def look(self, batch: Batch) -> None:
        """Compare how the collectors fared with how they did before."""
        for outcome in batch.outcomes:
            if outcome.error is not None or self._failing:
                self.say("collector", outcome.collector, outcome.error)

    def say(self, kind: str, name: str, error: Message | None) -> None:
        """Log if this is news."""
        key = (kind, name)
        with self._lock:
            before = self._failing.pop(key, None)
            if error is not None:
                self._failing[key] = error.template
        if error is not None and before != error.template:
            _log.warning("%s %s fails: %s", kind, name, error)
        elif error is None and before is not None:
            _log.info("%s %s works again", kind, name)


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)): one datagram to $NOTIFY_SOCKET; nothing where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.sendto(state.encode(), address)
    except OSError as error:
        _log.debug("systemd could not be told: %s", error)


def _discard(setup: Setup, kept: Setup) -> None:
    """Let go of what one setup has and the other does not use; waits a moment for its sinks, not for ever."""
    unused = [sink for sink in setup.sinks if sink not in kept.sinks]
    if unused:
        closing = threading.Thread(target=_close_sinks, args=(unused,), name="bongsu-close", daemon=True)
        closing.start()
        closing.join(END_WITHIN)
    if setup.gatherer is not kept.gatherer:
        _let_go(setup.gatherer)


def _let_go(gatherer: Gatherer) -> None:
    """Close it when nobody asks it any more; nothing waits for that."""
    threading.Thread(target=gatherer.close, name="bongsu-close", daemon=True).start()


def _close_sinks(sinks: Iterable[Sink]) -> None:
    for sink in sinks:
        try:
            sink.close()
        except Exception as error:  # noqa: BLE001  one that fails must not keep the others open
            _log.error("%s: %s", sink.name, error)


def _watchdog_seconds() -> float | None:
    """How often systemd wants to hear from this process (sd_watchdog_enabled(3))."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None


def _terminal_is_gone() -> bool:
    """Whether SIGHUP came because the terminal was closed: then it means the end, not a reload."""
    return _had_terminal and not _has_terminal()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


_had_terminal = _has_terminal()
_ENDING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def _signals() -> Iterator[Callable[[float | None], int | None]]:
    """Gives a function that waits for a signal, or a time, and says which signal came.

    Signals arrive as bytes in a pipe (signal.set_wakeup_fd), so nothing runs in a handler. Afterwards
    SIGTERM and SIGINT do what they do by default: a second one ends the process.
    """
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    heeded = [n for n in (*_ENDING, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, _only_wake)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    pending: list[int] = []

    def wait(seconds: float | None) -> int | None:
        end = None if seconds is None else time.monotonic() + seconds
        while not pending:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([reading], [], [], left)[0]:
                return None
            pending.extend(n for n in os.read(reading, 512) if n in heeded)
        return pending.pop(0)

    try:
        yield wait
    finally:
        signal.set_wakeup_fd(before)
        for number in heeded:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        os.close(reading)
        os.close(writing)


def _only_wake(_number: int, _frame: FrameType | None) -> None:
    """A handler must be set for Python to write into the wake-up pipe."""
