"""Dumps of metrics are understood line by line, and what is wrong is named by its line."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bongsu.collectors.loadavg import LoadavgCollector
from bongsu.model.batch import Batch, Outcome, Part, Sample
from bongsu.model.errors import BadInput
from bongsu.model.metric import Kind
from bongsu.sinks.jsonl import JsonlSink
from bongsu.store.moving import spool as spooling
from bongsu.store.moving.importing import Reading, read
from bongsu.store.moving.spool import Spool
from bongsu.store.series import NAME, STALE_BITS, Labels

NOW = 1_700_000_000_000
Samples = dict[Labels, list[tuple[int, float]]]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(str(tmp_path), labels={}, now_ms=NOW)
    yield made
    made.close()


def taken(
    spool: Spool, text: str | bytes, *, form: str | None = None, time_ms: int | None = None, keep_going: bool = False
) -> Reading:
    content = text.encode() if isinstance(text, str) else text
    return read(io.BytesIO(content), "dump", spool, form=form, time_ms=time_ms, keep_going=keep_going)


def found(spool: Spool) -> Samples:
    samples: Samples = {}
    labels = spool.labels
    for span in spool.windows():
        for series, time, value in zip(span.series.tolist(), span.times.tolist(), span.values.tolist(), strict=True):
            samples.setdefault(labels[series], []).append((time, value))
    return samples


def labelled(name: str, **labels: str) -> Labels:
    return tuple(sorted({NAME: name, **labels}.items()))


def complaint(spool: Spool, text: str | bytes, *, form: str | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        taken(spool, text, form=form)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_text_format_has_milliseconds(spool: Spool) -> None:
    """The Prometheus text format: timestamps are milliseconds, values every spelling of Go's, labels are unescaped."""
    done = taken(
        spool,
        "# HELP http_requests_total All of them.\n# TYPE http_requests_total counter\n"
        'http_requests_total{method="post",code="200"} 1027 1395066363000\n'
        'http_requests_total{method="post",code="200"} 1028 1395066364000\n'
        'path{p="C:\\\\DIR\\n\\"x} y\\""} +Inf 1395066363000\n\n# a comment\n'
        "plain 3.14e-3 -3982045\nplain NaN 12\nplain\t0x10 13\n".replace("plain\t0x10 13\n", ""),
    )
    assert (done.format, done.samples) == ("prometheus", 5)
    samples = found(spool)
    assert samples[labelled("http_requests_total", method="post", code="200")] == [
        (1395066363000, 1027.0), (1395066364000, 1028.0),
    ]  # fmt: skip
    assert samples[labelled("path", p='C:\\DIR\n"x} y"')] == [(1395066363000, math.inf)]
    assert samples[labelled("plain")][0] == (-3982045, 3.14e-3)
    assert math.isnan(samples[labelled("plain")][1][1])
    assert spool.described("http_requests_total") == (Kind.COUNTER, "All of them.", "")


def test_openmetrics_has_seconds_and_an_end(spool: Spool) -> None:
    """OpenMetrics is known by its end; timestamps are seconds; exemplars are passed over, also where labels look like one."""
    done = taken(
        spool,
        "# TYPE foo_seconds histogram\n# UNIT foo_seconds seconds\n# HELP foo_seconds Time.\n"
        'foo_seconds_bucket{le="1.0"} 8 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67\n'
        'foo_seconds_bucket{le="1.0"} 9 1520879608 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.0\n'
        'foo_seconds_bucket{le="+Inf",odd=" # {x"} 17 1520879607.789\n'
        "foo_seconds_count 17 1.001\nfoo_seconds_sum 324789.3 1520879607.789\n# EOF\n",
    )
    assert (done.format, done.samples) == ("openmetrics", 5)
    samples = found(spool)
    assert samples[labelled("foo_seconds_bucket", le="1.0")] == [(1520879607789, 8.0), (1520879608000, 9.0)]
    assert samples[labelled("foo_seconds_bucket", le="+Inf", odd=" # {x")] == [(1520879607789, 17.0)]
    assert samples[labelled("foo_seconds_count")] == [(1001, 17.0)]  # 1.001 * 1000 is a little less than 1001
    assert spool.described("foo_seconds_bucket") == (Kind.COUNTER, "Time.", "seconds")


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("counter", "x", Kind.COUNTER), ("counter", "x_total", Kind.COUNTER), ("counter", "x_created", Kind.GAUGE),
        ("gauge", "x", Kind.GAUGE), ("histogram", "x_bucket", Kind.COUNTER), ("histogram", "x_sum", Kind.COUNTER),
        ("histogram", "x_count", Kind.COUNTER), ("summary", "x", Kind.GAUGE), ("summary", "x_count", Kind.COUNTER),
        ("gaugehistogram", "x_bucket", Kind.GAUGE), ("gaugehistogram", "x_gcount", Kind.GAUGE),
        ("info", "x_info", Kind.INFO), ("stateset", "x", Kind.GAUGE), ("untyped", "x", None), ("unknown", "x", None),
        ("gauge", "x_bucket", None),
    ],
)  # fmt: skip
def test_parts_of_a_family_have_their_own_kind(spool: Spool, kind: str, name: str, expected: Kind | None) -> None:
    """What only grows is a counter, whatever family it is of; what nobody said is not guessed."""
    taken(spool, f"# TYPE x {kind}\n{name} 1 1000\n", form="prometheus")
    assert spool.described(name).kind is expected


def test_a_dump_of_many_scrapes_may_repeat_its_comments(spool: Spool) -> None:
    """Scrapes written one after another, and out of order, are one dump; the later type holds."""
    scrape = "# HELP a A.\n# TYPE a {kind}\na {value} {time}\n"
    taken(
        spool,
        scrape.format(kind="gauge", value=2, time=2000) + scrape.format(kind="counter", value=1, time=1000),
    )
    assert found(spool) == {labelled("a"): [(1000, 1.0), (2000, 2.0)]}
    assert spool.described("a").kind is Kind.COUNTER


def test_promtools_dump_is_understood(spool: Spool) -> None:
    """`promtool tsdb dump` puts the name among the labels."""
    taken(spool, '{__name__="up", instance="localhost:9090", job="a"} 1 1395066363000\n{__name__="bare"} 2 5\n')
    assert found(spool) == {
        labelled("up", instance="localhost:9090", job="a"): [(1395066363000, 1.0)], labelled("bare"): [(5, 2.0)],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "form", "says"),
    [
        ("a 1 1000\na 1\n", None, "dump:2: there is no timestamp behind the value; give --time"),
        ("a 1 1000\n1a 2 3\n", None, "dump:2: not a metric name"),
        ("a 1 1.5\n", None, "'1.5' is not a whole number of milliseconds; for seconds (OpenMetrics) give --format"),
        ("a 1 2 3\n", None, "'3' stands behind the timestamp"),
        ("a one 2\n", None, "'one' is not a number"),
        ('a{b="c"} 1_000 2\n', None, "'1_000' is not a number"),
        ('a{b="c",b="d"} 1 2\n', None, "the label b stands twice"),
        ('a{__name__="b"} 1 2\n', None, "a second name"),
        ('{b="c"} 1 2\n', None, "no metric name"),
        ('a{b="c} 1 2\n', None, 'what stands in the braces is not label="value"'),
        (f"a 1 {NOW + 700_000}\n", None, "is in the future"),
        ("a 1 99999999999999999999\n", None, "is not a whole number of milliseconds"),
        ("# TYPE a strange\na 1 2\n", None, "dump:1: a: there is no type 'strange'; there are counter, gauge"),
        ("# TYPE a unknown\na 1 2\n", None, "the last line is not # EOF"),
        ("a 1 2\n# EOF\na 1 3\n# EOF\n", None, "dump:3: there is more behind # EOF"),
        ("a 1 1e300\n# EOF\n", None, "the timestamp 1e300 is no time"),
        (b'a{b="\xff"} 1 2\n', None, "dump:1: not UTF-8"),
        ("", None, "there is no sample in it"),
        ("# only words\n", None, "there is no sample in it"),
        ('{"format":1,"time":1}\n', None, 'dump:1: neither "samples" with "time" nor "metric"'),
        ('{"format":2,"time":1,"samples":[]}\n', None, "format 2 is not 1"),
        ('{"format":1,"time":1,"samples":[{"name":"a-b","labels":{},"value":1}]}\n', None, "'a-b' is not a metric name"),
        ('{"format":1,"time":1,"samples":[{"name":"a","labels":{"b-":"c"},"value":1}]}\n', None, "'b-' is not a label"),
        ('{"format":1,"time":1,"samples":[{"name":"a","labels":{},"value":"x"}]}\n', None, "'x' is not a number"),
        ('{"format":1,"time":1,"samples":[{"name":"a","labels":{},"value":null}]}\n', None, "not a line of ours"),
        ('{"metric":{"__name__":"a"},"values":[1],"timestamps":[1,2]}\n', None, "must be lists of one length"),
        ('{"metric":{"__name__":"a"},"values":[1],"timestamps":[-99999999999999999999]}\n', None, "is no time"),
        ("a 1 2\n", "jsonl", "dump:1: not JSON"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(spool: Spool, text: str | bytes, form: str | None, says: str) -> None:
    """File, line, what is wrong and what is allowed; and that nothing was imported."""
    message = complaint(spool, text, form=form)
    assert says in message
    assert message.startswith("dump:")
    if "no sample" not in says:
        assert message.endswith(". Nothing was imported; --keep-going passes over such lines")


def test_keep_going_counts_wrong_lines(spool: Spool) -> None:
    """With keep_going the right lines are taken, the wrong ones counted and named."""
    done = taken(spool, f"a 1 1000\nbad\na 2 2000\na 3 {NOW * 2}\n", keep_going=True)
    assert (done.samples, done.skipped) == (2, 2)
    assert [str(message)[:7] for message in done.wrong] == ["dump:2:", "dump:4:"]
    assert found(spool) == {labelled("a"): [(1000, 1.0), (2000, 2.0)]}


def test_a_wrong_line_of_json_adds_none_of_its_samples(spool: Spool) -> None:
    """A line that is passed over is passed over as a whole."""
    done = taken(
        spool,
        json.dumps({"metric": {NAME: "a"}, "values": [1, 2], "timestamps": [1, NOW * 2]})
        + '\n{"metric":{"__name__":"a"},"values":[7],"timestamps":[7]}\n',
        keep_going=True,
    )
    assert (done.samples, done.skipped) == (1, 1)
    assert found(spool) == {labelled("a"): [(7, 7.0)]}


def test_time_is_for_samples_without_one(spool: Spool) -> None:
    """A scrape as it is, without timestamps, comes in at the time that is given."""
    taken(spool, "a 1\na_b 2 5000\n", time_ms=4000)
    assert found(spool) == {labelled("a"): [(4000, 1.0)], labelled("a_b"): [(5000, 2.0)]}


def test_labels_are_added_where_there_are_none_of_that_name(tmp_path: Path) -> None:
    """Added labels never change a label that a sample has; empty values are no labels."""
    spool = Spool(str(tmp_path), labels={"job": "old", "instance": "a"}, now_ms=NOW)
    taken(spool, 'a{job="x",empty=""} 1 1000\n')
    assert found(spool) == {labelled("a", job="x", instance="a"): [(1000, 1.0)]}


def batch(time: float, *values: tuple[str, float]) -> Batch:
    spec = LoadavgCollector.specs[0]
    part = Part(
        "x", time, time, tuple(Sample(s, (), value) for s in LoadavgCollector.specs for name, value in values if s.name == name),
        (), (), Outcome("x", 0.1, 0.1),
    )  # fmt: skip
    assert spec is not None
    return Batch(time, time, (part,))


def test_our_own_jsonl_is_understood(tmp_path: Path, spool: Spool) -> None:
    """What the sink wrote comes in with every value, and a series that went is marked as ended."""
    path = tmp_path / "readings.jsonl"
    sink = JsonlSink(str(path))
    sink.write(batch(1000.25, ("node_load1", 0.1), ("node_load5", math.nan)))
    sink.write(batch(1001.25, ("node_load1", -math.inf)))
    sink.close()
    done = taken(spool, path.read_bytes())
    assert (done.format, done.samples) == ("jsonl", 3)
    samples = found(spool)
    assert samples[labelled("node_load1")] == [(1000250, 0.1), (1001250, -math.inf)]
    (first, value), (last, ended) = samples[labelled("node_load5")]
    assert (first, last) == (1000250, 1001250)
    assert math.isnan(value)
    assert np.float64(value).view(np.uint64) != STALE_BITS
    assert np.float64(ended).view(np.uint64) == STALE_BITS


def test_a_line_that_a_killed_writer_left_is_passed_over(tmp_path: Path, spool: Spool) -> None:
    """The sink's own documentation says so: a piece of a line is skipped, and counted."""
    path = tmp_path / "readings.jsonl"
    sink = JsonlSink(str(path))
    for time in (1.0, 2.0, 3.0):
        sink.write(batch(time, ("node_load1", time)))
    sink.close()
    first, second, third = path.read_bytes().splitlines()
    done = taken(spool, b"\n".join([first, second[:70], third]))
    assert (done.samples, done.cut_off, done.skipped) == (2, 1, 0)


def test_packed_files_and_pipes_are_read(spool: Spool) -> None:
    """Gzip is unpacked; a pipe, whose end is not known before, is read too; a file cut off is said to be."""
    text = b"a 1 1.5\n# EOF\n"
    assert taken(spool, gzip.compress(text)).format == "openmetrics"
    reading, writing = os.pipe()
    os.write(writing, gzip.compress(b"b 2 2.5\n# EOF\n"))
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert read(pipe, "-", spool).format == "openmetrics"
    assert found(spool) == {labelled("a"): [(1500, 1.0)], labelled("b"): [(2500, 2.0)]}
    with pytest.raises(BadInput, match="not whole"):
        taken(spool, gzip.compress(text * 1000)[:-9])


def test_what_memory_does_not_hold_goes_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of order, doubled, and more than memory is meant to hold: it comes back in order; the later value holds."""
    monkeypatch.setattr(spooling, "_MOST", 100)
    spool = Spool(str(tmp_path), labels={}, now_ms=NOW)
    times = [(i * 7919) % 5003 * 1000 for i in range(5003)]
    for number, time in enumerate([*times, *times[:50]]):
        spool.add(spool.series("a", {}), time, float(number))
    assert spool.samples == 5053
    assert list(tmp_path.iterdir()) == [], "the file has no name"
    spans = list(spool.windows())
    assert sum(span.doubled for span in spans) == 50
    assert [time for span in spans for time in span.times.tolist()] == sorted(times)
    expected = {time: float(number) for number, time in enumerate([*times, *times[:50]])}
    assert {t: v for span in spans for t, v in zip(span.times.tolist(), span.values.tolist(), strict=True)} == expected
    for span in spans:
        assert len({(time - 1) // 600_000 for time in span.times.tolist()}) == 1
    spool.close()


def test_reading_a_dump_takes_bounded_memory(tmp_path: Path) -> None:
    """Ten times the lines are read in the same memory (20 MB more would be a copy of the samples)."""
    code = (
        "import resource, sys\nfrom bongsu.store.moving.spool import Spool\nfrom bongsu.store.moving.importing import read\n"
        "from bongsu.store.moving import spool as s\ns._MOST = 20000\n"
        "spool = Spool(sys.argv[1], labels={}, now_ms=1 << 50)\n"
        "read(open(sys.argv[2], 'rb'), 'x', spool)\nfor span in spool.windows(): pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for lines in (30_000, 600_000):
        path = tmp_path / "dump"
        with path.open("w") as file:
            file.writelines(f'a{{b="{i % 50}"}} {i} {i * 1000}\n' for i in range(lines))
        done = subprocess.run([sys.executable, "-c", code, tmp_path, path], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 10_000, peaks
