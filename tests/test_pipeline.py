"""The pipeline: hung and failing collectors and sinks never stop the others."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from bongsu.model import health
from bongsu.model.batch import Batch, Sample
from bongsu.model.errors import NoData
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec
from bongsu.pipeline import Gatherer, _Lane, deliver
from bongsu.sources.counts import count

VALUE = MetricSpec("demo_value", Kind.GAUGE, "A value.")


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as the interpreter can, so that what may happen between two lines does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Fake:
    """A collector that does what it is told."""

    specs = (VALUE,)

    def __init__(self, name: str, act: Callable[[], object] = lambda: None, *, may_block: bool = False) -> None:
        self.name = name
        self.may_block = may_block
        self.act = act
        self.calls = 0

    def collect(self) -> Iterator[Sample]:
        self.calls += 1
        self.act()
        yield Sample(VALUE, (), self.calls)


def _values(batch: Batch) -> dict[str, float]:
    return {part.collector: s.value for part in batch.parts for s in part.samples if s.spec is VALUE}


def _self(batch: Batch, spec: MetricSpec, label: str) -> float | None:
    return next((s.value for s in batch.samples if s.spec is spec and s.labels == (label,)), None)


def _outcome(batch: Batch, name: str) -> str:
    return str(next(o.error for o in batch.outcomes if o.collector == name))


def test_a_collector_that_raises_does_not_stop_the_others() -> None:
    """The failure is that collector's own: named in its outcome, counted, and the next ones still give values."""

    def fail() -> None:
        raise RuntimeError("broken {sensor}")

    gatherer = Gatherer([Fake("a"), Fake("bad", fail), Fake("c")])
    batch = gatherer.gather()
    assert _values(batch) == {"a": 1, "c": 1}
    assert _outcome(batch, "bad") == "RuntimeError: broken {sensor}"
    assert _self(batch, health.SUCCESS, "bad") == 0
    assert _self(gatherer.gather(), health.FAILURES, "bad") == 2
    gatherer.close()


def test_a_file_that_is_not_what_the_kernel_writes_is_told_in_words() -> None:
    """The line is for who runs the machine: no name of a Python class in it."""

    def parse() -> None:
        count(b"1e999")

    gatherer = Gatherer([Fake("vmstat", parse)])
    assert _outcome(gatherer.gather(), "vmstat") == "cannot be understood: '1e999' is not a number"
    gatherer.close()


def test_values_before_a_failure_are_kept() -> None:
    """What a collector gave before it failed was read and is true."""

    class Half(Fake):
        def collect(self) -> Iterator[Sample]:
            yield Sample(VALUE, (), 7)
            raise OSError(5, "Input/output error", "/sys/broken")

    gatherer = Gatherer([Half("half")])
    batch = gatherer.gather()
    assert _values(batch) == {"half": 7}
    assert _outcome(batch, "half") == "Input/output error: /sys/broken"
    gatherer.close()


def test_having_none_is_not_a_failure() -> None:
    """A machine without the subject is success 1, has_data 0; node_exporter's name keeps its meaning, 0."""

    def none() -> None:
        raise NoData(Message("no sensors"), cure=Message("load a driver"))

    gatherer = Gatherer([Fake("hwmon", none)])
    batch = gatherer.gather()
    assert _self(batch, health.SUCCESS, "hwmon") == 1
    assert _self(batch, health.HAS_DATA, "hwmon") == 0
    assert _self(batch, health.NODE_SUCCESS, "hwmon") == 0
    assert _self(batch, health.FAILURES, "hwmon") == 0
    outcome = next(batch.outcomes)
    assert (str(outcome.no_data), str(outcome.cure)) == ("no sensors", "load a driver")
    gatherer.close()


@pytest.mark.parametrize("may_block", [False, True])
def test_a_hung_collector_costs_one_deadline_once(may_block: bool) -> None:
    """The first gather waits one deadline for it, later ones not at all; it is back when it has answered."""
    release = threading.Event()
    hung = Fake("hung", release.wait, may_block=may_block)
    after = Fake("after")
    gatherer = Gatherer([hung, after], deadline=2)
    started = time.monotonic()
    first = gatherer.gather()
    assert 2 <= time.monotonic() - started < 4
    assert _values(first) == {"after": 1}
    assert "no answer within 2 s" in _outcome(first, "hung")
    started = time.monotonic()
    for _ in range(5):
        again = gatherer.gather()
    assert time.monotonic() - started < 2
    assert hung.calls == 1, "it must not be asked again while it hangs"
    assert _values(again) == {"after": 6}
    assert _self(again, health.TIMEOUTS, "hung") == 1
    assert _self(again, health.SUCCESS, "hung") == 0
    release.set()
    deadline = time.monotonic() + 60
    while _values(gatherer.gather()).get("hung") is None:
        assert time.monotonic() < deadline, "it answered, so it must be asked again"
        time.sleep(0.01)
    gatherer.close()


def test_two_hung_collectors_do_not_stop_the_third() -> None:
    """Each hung collector is left behind in turn, with its own lane; no lane is made for it again."""
    release = threading.Event()
    before = set(threading.enumerate())
    gatherer = Gatherer([Fake("h1", release.wait), Fake("h2", release.wait), Fake("ok")], deadline=4)
    for n in range(1, 4):
        assert _values(gatherer.gather()) == {"ok": n}
    assert len(set(threading.enumerate()) - before) == 3
    release.set()
    gatherer.close()


def test_many_that_hang_at_once_cost_two_deadlines() -> None:
    """A lock in the kernel that is never given back hangs all its readers; the scrape still comes in time, with the others."""
    release = threading.Event()
    hung = [Fake(f"h{n}", release.wait, may_block=n % 2 == 0) for n in range(8)]
    deadline = 4.0
    takes = deadline / 2 / 10 / 2  # half of what each of ten is given at least; halved eight times, a deadline is less
    assert takes > deadline / 2**8
    fine = Fake("fine", lambda: time.sleep(takes), may_block=True)
    gatherer = Gatherer([*hung, Fake("ok"), fine], deadline=deadline)
    started = time.monotonic()
    batch = gatherer.gather()
    assert time.monotonic() - started < 3 * deadline, "all that hang, one after the other, are 8 deadlines"
    assert _values(batch) == {"ok": 1, "fine": 1}
    assert [_self(batch, health.TIMEOUTS, fake.name) for fake in hung] == [1] * 8
    release.set()
    gatherer.close()


def test_who_hangs_is_judged_and_given_up_in_one_step() -> None:
    """A collector that answers at the last moment does not leave the blame to the next one in its lane."""
    release = threading.Event()
    late, following = Fake("late", release.wait), Fake("following")
    lane = _Lane()
    lane.start_on(deque([late, following]))
    assert lane.wait(0.05) is late
    release.set()
    assert lane._thread is not None
    lane._thread.join(60)
    assert not lane._thread.is_alive()
    assert following.calls == 0


def test_names_may_come_from_an_iterator() -> None:
    """Picking looks at the names once, so that what can be read once is enough."""
    gatherer = Gatherer([Fake("a"), Fake("b"), Fake("c")])
    assert _values(gatherer.gather(only=iter(["a", "c"]))) == {"a": 1, "c": 1}
    gatherer.close()


def test_a_reader_that_comes_after_the_end_leaves_no_thread() -> None:
    """A scrape may take hold of the gatherer just before a reload closes it; it is answered, and nothing stays."""
    before = set(threading.enumerate())
    gatherer = Gatherer([Fake("a"), Fake("b", may_block=True)])
    gatherer.close()
    assert _values(gatherer.gather()) == {"a": 1, "b": 1}
    end = time.monotonic() + 60
    while set(threading.enumerate()) - before:
        assert time.monotonic() < end, "a lane was left behind"
        time.sleep(0.01)


@pytest.mark.usefixtures("restless")
def test_sinks_may_report_while_a_batch_is_made() -> None:
    """A first delivery in one thread does not break a scrape in another."""
    gatherer = Gatherer([Fake("a")])
    stop = threading.Event()

    def report() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            gatherer.delivered(f"sink{number % 500}", 0.0, None)
            if number % 500 == 0:
                gatherer._sinks.clear()

    thread = threading.Thread(target=report)
    thread.start()
    try:
        for _ in range(1500):
            gatherer.gather()
    finally:
        stop.set()
        thread.join()
        gatherer.close()


def test_a_fresh_part_serves_two_readers() -> None:
    """Within max_age the collector is not asked again, so two scrapers cost one collection."""
    fake = Fake("a")
    gatherer = Gatherer([fake])
    gatherer.gather(max_age=60)
    gatherer.gather(max_age=60)
    assert fake.calls == 1
    gatherer.gather()
    assert fake.calls == 2
    gatherer.close()


def test_a_slow_clock_keeps_its_own_pace() -> None:
    """A collector with a pace of its own is not asked by each tick."""
    slow, quick = Fake("slow"), Fake("quick")
    gatherer = Gatherer([slow, quick], every={"slow": 60})
    for _ in range(3):
        gatherer.gather()
    assert (slow.calls, quick.calls) == (1, 3)
    gatherer.close()


def test_only_picks_by_name() -> None:
    """?collect[] asks only those collectors."""
    a, b = Fake("a"), Fake("b")
    gatherer = Gatherer([a, b])
    batch = gatherer.gather(only=["b"])
    assert [p.collector for p in batch.parts] == ["b", "self"]
    assert a.calls == 0
    gatherer.close()


def test_a_failing_sink_does_not_keep_the_next_from_its_batch() -> None:
    """Every sink gets every batch; a failure is counted and named in the self-metrics."""

    class Broken:
        name = "broken"

        def write(self, batch: Batch) -> None:  # noqa: ARG002  the contract's signature
            raise OSError(28, "No space left on device", "/full")

        def close(self) -> None: ...

    class Kept(Broken):
        name = "kept"
        batches = 0

        def write(self, batch: Batch) -> None:  # noqa: ARG002  the contract's signature
            self.batches += 1

    gatherer, kept = Gatherer([Fake("a")]), Kept()
    deliver(gatherer.gather(), [Broken(), kept], gatherer.delivered)
    assert kept.batches == 1
    batch = gatherer.gather()
    assert _self(batch, health.SINK_FAILURES, "broken") == 1
    assert _self(batch, health.SINK_FAILURES, "kept") == 0
    assert _self(batch, health.SINK_DELIVERIES, "kept") == 1
    failing = batch.table(health.SINK_FAILURES_TABLE)
    assert failing
    assert [(row.sink, str(row.error)) for row in failing.rows if isinstance(row, health.SinkFailure)] == [
        ("broken", "No space left on device: /full")
    ]
    gatherer.delivered("broken", 0.0, None)
    assert gatherer.gather().table(health.SINK_FAILURES_TABLE) is None, "it works again"
    gatherer.close()
