"""The only loop: ask every collector, never wait for one that hangs, hand the batch to every sink."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from bongsu.model import health
from bongsu.model.batch import Absence, Batch, Outcome, Part, Sample, Table
from bongsu.model.contract import Collector, Sink
from bongsu.model.errors import BongsuError, NoData
from bongsu.model.message import Message
from bongsu.model.settings import DEADLINE_SECONDS
from bongsu.sources.root import forget_latest, latest_file

_GLANCE = 0.01  # seconds until a lane that is between two collectors is looked at again


class Gatherer:
    """Asks collectors and keeps the newest part of each, so that two readers do not ask twice.

    Collectors run one after another in a *lane*, a thread of its own. A collector that has not
    answered at its deadline keeps its lane; the others go on in a new one, and it is asked again
    only when it has come back. Those that may block have a lane of their own from the start.
    What hangs one driver hangs all its readers: each further one that hangs in the same gather is
    waited for shorter, so that together they cost no more than two deadlines; none is given less than its
    even share of half a deadline, since one that comes after many that hang may well be fine.

    ``every`` gives, by collector name, seconds for which a part stays good enough even for a tick.
    """

    def __init__(
        self,
        collectors: Sequence[Collector],
        *,
        deadline: float = DEADLINE_SECONDS,
        every: Mapping[str, float] | None = None,
    ) -> None:
        self.collectors = tuple(collectors)
        self.deadline = deadline
        self._every = dict(every or {})
        self._parts: dict[str, Part] = {}
        self._last_success: dict[str, float] = {}
        self._stuck: dict[str, _Lane] = {}
        self._counts = {collector.name: health.Counts() for collector in self.collectors}
        self._sinks: dict[str, health.SinkCounts] = {}
        self._lock = threading.Lock()
        self._lanes: dict[bool, _Lane] = {}
        self._closed = False

    @property
    def names(self) -> tuple[str, ...]:
        """The collectors' names, in order."""
        return tuple(collector.name for collector in self.collectors)

    def gather(self, *, max_age: float = 0.0, only: Iterable[str] | None = None) -> Batch:
        """One batch. Parts younger than ``max_age`` seconds are taken as they are.

        ``only`` picks collectors by name. Never raises for what a collector does, and waits at most
        two deadlines for those that hang, whatever their number.
        """
        names = None if only is None else frozenset(only)
        wanted = self.collectors if names is None else tuple(c for c in self.collectors if c.name in names)
        with self._lock:
            now = time.monotonic()
            due = [c for c in wanted if self._is_due(c, now, max_age)]
            self._run(due)
            if self._closed:  # by a reload, after this reader had taken hold of us
                self._leave_lanes()
            return self._batch(wanted)

    def delivered(self, sink: str, seconds: float, error: Message | None) -> None:
        """Remember how a delivery went, for the self-metrics of the next batch."""
        counts = self._sinks.setdefault(sink, health.SinkCounts())
        counts.seconds = seconds
        counts.deliveries += 1
        counts.failures += error is not None
        counts.error = error

    def close(self) -> None:
        """Let the lanes end, after what is being gathered now. One that hangs is a daemon and does not hold the process."""
        with self._lock:
            self._closed = True
            self._leave_lanes()

    def _leave_lanes(self) -> None:
        for lane in self._lanes.values():
            lane.leave()
        self._lanes.clear()

    def _is_due(self, collector: Collector, now: float, max_age: float) -> bool:
        if collector.name in self._stuck:
            if self._stuck[collector.name].busy_with(collector):
                self._parts[collector.name] = self._late(collector)
                return False
            del self._stuck[collector.name]
        part = self._parts.get(collector.name)
        # A tenth is given away so that a clock of one second does not skip a beat by a millisecond.
        good_for = max(max_age, self._every.get(collector.name, 0.0) * 0.9)
        return part is None or now - part.monotonic >= good_for

    def _run(self, due: Sequence[Collector]) -> None:
        queues = {blocks: deque(c for c in due if c.may_block is blocks) for blocks in (False, True)}
        active = {blocks: self._lane(blocks) for blocks, queue in queues.items() if queue}
        for blocks, lane in active.items():
            lane.start_on(queues[blocks])
        patience, halved = self.deadline, self.deadline / 2
        for blocks in active:
            while (hung := self._lanes[blocks].wait(patience)) is not None:
                lane = self._lanes.pop(blocks)
                self._stuck[hung.name] = lane
                self._counts[hung.name].timeouts += 1
                self._parts[hung.name] = self._late(hung)
                self._keep(lane)
                halved /= 2  # summed up half a deadline; the shares are the other half
                patience = halved + self.deadline / 2 / len(due)
                self._lane(blocks).start_on(queues[blocks])
            self._keep(self._lanes[blocks])

    def _lane(self, blocks: bool) -> _Lane:
        if blocks not in self._lanes:
            self._lanes[blocks] = _Lane()
        return self._lanes[blocks]

    def _keep(self, lane: _Lane) -> None:
        for part in lane.take():
            outcome = part.outcome
            counts = self._counts[part.collector]
            counts.cpu_seconds += outcome.cpu_seconds
            counts.failures += not outcome.success
            if outcome.success:
                self._last_success[part.collector] = part.time
            self._parts[part.collector] = part

    def _late(self, collector: Collector) -> Part:
        now, monotonic = time.time(), time.monotonic()
        lane = self._stuck[collector.name]
        outcome = Outcome(
            collector.name, monotonic - lane.since, 0.0, timed_out=True,
            error=Message("no answer within {seconds:g} s; it is asked again when it has come back",
                          seconds=lane.patience),
        )  # fmt: skip
        return Part(collector.name, now, monotonic, (), (), (), outcome)

    def _batch(self, wanted: Sequence[Collector]) -> Batch:
        parts = []
        for collector in wanted:
            part = self._parts[collector.name]
            last = self._last_success.get(collector.name)
            if part.outcome.last_success != last:
                part = _with_last_success(part, last)
                self._parts[collector.name] = part
            parts.append(part)
        now, monotonic = time.time(), time.monotonic()
        sinks = dict(self._sinks)  # a delivery in another thread may add one meanwhile
        samples = health.samples([p.outcome for p in parts], self._counts, sinks)
        outcome = Outcome(health.NAME, 0.0, 0.0, last_success=now)
        parts.append(Part(health.NAME, now, monotonic, tuple(samples), (), health.failures(sinks), outcome))
        return Batch(now, monotonic, tuple(parts))


def deliver(
    batch: Batch, sinks: Iterable[Sink], report: Callable[[str, float, Message | None], None] | None = None
) -> None:
    """Hand the batch to every sink; one that fails does not keep the next from its batch.

    ``report`` is told (sink name, seconds, error or None) for each; see `Gatherer.delivered`.
    """
    for sink in sinks:
        started = time.perf_counter()
        problem: Message | None = None
        try:
            sink.write(batch)
        except Exception as error:  # noqa: BLE001  a sink may fail in any way; the others must go on
            problem = _explain(error)
        if report is not None:
            report(sink.name, time.perf_counter() - started, problem)


class _Lane:
    """One thread that runs the collectors of a queue, and can be left behind by the gatherer."""

    def __init__(self) -> None:
        self.since = 0.0  # monotonic time at which the current collector began
        self.patience = 0.0  # seconds it is waited for
        self._queue: deque[Collector] = deque()
        self._current: Collector | None = None
        self._done: list[Part] = []
        self._left = threading.Event()
        self._go = threading.Semaphore(0)
        self._idle = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start_on(self, queue: deque[Collector]) -> None:
        self._queue = queue
        self._idle.clear()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="bongsu-lane", daemon=True)
            self._thread.start()
        self._go.release()

    def wait(self, patience: float) -> Collector | None:
        """Wait for the queue's end, or until one collector has taken ``patience`` seconds; give the lane up to that one.

        Giving up is one step with looking: a collector that answers at the last moment must not leave the
        blame to the next.
        """
        self.patience = patience
        while True:
            with self._lock:
                current = self._current
                remaining = _GLANCE if current is None else self.since + patience - time.monotonic()
                if remaining <= 0:
                    self._left.set()
                    return current
            if self._idle.wait(remaining):
                return None

    def busy_with(self, collector: Collector) -> bool:
        return self._current is collector

    def take(self) -> list[Part]:
        with self._lock:
            done, self._done = self._done, []
        return done

    def leave(self) -> None:
        """Give the lane up: it ends after what it runs now, whose answer is dropped."""
        self._left.set()
        self._go.release()

    def _work(self) -> None:
        while True:
            self._go.acquire()
            while True:
                with self._lock:
                    if self._left.is_set():
                        return
                    try:
                        collector = self._queue.popleft()
                    except IndexError:
                        break
                    self.since = time.monotonic()
                    self._current = collector
                part = _collect(collector)
                with self._lock:
                    self._current = None
                    if self._left.is_set():
                        return
                    self._done.append(part)
            self._idle.set()


def _collect(collector: Collector) -> Part:
    started, cpu_started = time.perf_counter(), time.thread_time()
    samples: list[Sample] = []
    absences: list[Absence] = []
    tables: list[Table] = []
    error: Message | None = None
    no_data: Message | None = None
    cure: Message | None = None
    forget_latest()
    try:
        for item in collector.collect():
            if isinstance(item, Sample):
                samples.append(item)
            elif isinstance(item, Table):
                tables.append(item)
            else:
                absences.append(item)
    except NoData as none:
        no_data, cure = none.message, none.cure
    except Exception as failure:  # noqa: BLE001  a collector may fail in any way; the others must go on
        error = _explain(failure)
    outcome = Outcome(
        collector.name, time.perf_counter() - started, time.thread_time() - cpu_started, error, no_data, cure
    )
    return Part(collector.name, time.time(), time.monotonic(), tuple(samples), tuple(absences), tuple(tables), outcome)


def _with_last_success(part: Part, last: float | None) -> Part:
    o = part.outcome
    outcome = Outcome(o.collector, o.seconds, o.cpu_seconds, o.error, o.no_data, o.cure, o.timed_out, last)
    return Part(part.collector, part.time, part.monotonic, part.samples, part.absences, part.tables, outcome)


def _explain(error: BaseException) -> Message:
    """The one line for an error that a collector or sink let out."""
    if isinstance(error, BongsuError):
        return error.message
    if isinstance(error, PermissionError):
        return Message("permission denied: {path}", path=error.filename or "")
    if isinstance(error, OSError) and error.strerror:
        return Message("{reason}: {path}", reason=error.strerror, path=error.filename or "")
    if isinstance(error, ValueError):  # what readers raise where a file is not what the kernel writes
        if file := latest_file():
            return Message("cannot be understood: {text} (the file read last is {file})", text=str(error), file=file)
        return Message("cannot be understood: {text}", text=str(error))
    return Message("{kind}: {text}", kind=type(error).__name__, text=str(error))
