"""Batches as Prometheus text and as OpenMetrics."""

from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.model.batch import Batch, Part, Sample
from bongsu.model.metric import BASE_UNITS, Kind, MetricSpec, Vocabulary
from bongsu.sinks.exposition import Exposition
from exposed import as_text, batch, got_openmetrics, got_text, part, promtool, wanted


def foreign(name: str, kind: Kind = Kind.GAUGE, *labels: str, unit: str = "", help: str = "Help.") -> MetricSpec:  # noqa: A002  reads as the field that it fills
    """A metric under another project's name."""
    return MetricSpec(name, kind, help, labels, unit, Vocabulary.NODE_EXPORTER)


CPU = foreign("node_cpu_seconds_total", Kind.COUNTER, "cpu", "mode", unit="seconds")
LOAD = foreign("node_load1")


def text(*parts: Part | list[Sample]) -> str:
    """Text 0.0.4 of a new renderer."""
    return Exposition().text(batch(*parts)).decode()


def openmetrics(*parts: Part | list[Sample]) -> str:
    """OpenMetrics of a new renderer."""
    return Exposition().text(batch(*parts), openmetrics=True).decode()


def heads(rendered: str) -> list[str]:
    """The TYPE and UNIT lines without their first word."""
    return [line[2:] for line in rendered.splitlines() if line.startswith(("# TYPE", "# UNIT"))]


def test_both_formats_as_they_are_specified() -> None:
    """Each format as a whole: order of head lines, names with and without _total, types, unit, end."""
    info = foreign("node_os_info", Kind.INFO, "id")
    untyped = foreign("node_vmstat_x", Kind.UNTYPED)
    samples = [
        Sample(CPU, ("0", "idle"), 1.5), Sample(LOAD, (), 0.25), Sample(CPU, ("0", "user"), 2), Sample(info, ("d",), 1),
        Sample(untyped, (), 7),
    ]  # fmt: skip
    assert text(samples) == (
        "# HELP node_cpu_seconds_total Help.\n# TYPE node_cpu_seconds_total counter\n"
        'node_cpu_seconds_total{cpu="0",mode="idle"} 1.5\nnode_cpu_seconds_total{cpu="0",mode="user"} 2\n'
        "# HELP node_load1 Help.\n# TYPE node_load1 gauge\nnode_load1 0.25\n"
        '# HELP node_os_info Help.\n# TYPE node_os_info gauge\nnode_os_info{id="d"} 1\n'
        "# HELP node_vmstat_x Help.\n# TYPE node_vmstat_x untyped\nnode_vmstat_x 7\n"
    )
    assert openmetrics(samples) == (
        "# TYPE node_cpu_seconds counter\n# UNIT node_cpu_seconds seconds\n# HELP node_cpu_seconds Help.\n"
        'node_cpu_seconds_total{cpu="0",mode="idle"} 1.5\nnode_cpu_seconds_total{cpu="0",mode="user"} 2\n'
        "# TYPE node_load1 gauge\n# HELP node_load1 Help.\nnode_load1 0.25\n"
        '# TYPE node_os info\n# HELP node_os Help.\nnode_os_info{id="d"} 1\n'
        "# TYPE node_vmstat_x unknown\n# HELP node_vmstat_x Help.\nnode_vmstat_x 7\n"
        "# EOF\n"
    )


def test_an_empty_batch() -> None:
    """Nothing to say is nothing in the text format and the end mark in OpenMetrics."""
    assert (text(), openmetrics(), text([]), openmetrics([])) == ("", "# EOF\n", "", "# EOF\n")


def test_escapes_of_help_and_labels() -> None:
    """Backslash and newline are escaped everywhere, the quote in labels and in OpenMetrics' help."""
    odd = foreign("x", Kind.GAUGE, "l", help='a\\b"c\nd')
    assert text([Sample(odd, ('a\\b"c\nd',), 1)]) == (
        '# HELP x a\\\\b"c\\nd\n# TYPE x gauge\nx{l="a\\\\b\\"c\\nd"} 1\n'
    )
    assert '# HELP x a\\\\b\\"c\\nd\n' in openmetrics([Sample(odd, ("",), 1)])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("disk\udcff1", "disk\ufffd1"), ("\udce2\udc82", "\ufffd"), ("\ud800?x", "\ufffd?x"), ("a\0b", "a\0b"),
        ("바다", "바다"), ("\U0001f40b", "\U0001f40b"), ("\t\r\x1b\x7f", "\t\r\x1b\x7f"), ("100%s %(a)s {}", "100%s %(a)s {}"),
    ],
)  # fmt: skip
def test_labels_are_valid_utf8(value: str, shown: str) -> None:
    """Bytes that were no UTF-8 are U+FFFD; all else stays as it is."""
    spec = foreign("x", Kind.GAUGE, "l")
    for rendered in (text([Sample(spec, (value,), 1)]), openmetrics([Sample(spec, (value,), 1)])):
        assert f'x{{l="{shown}"}} 1\n' in rendered


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.nan, "NaN"), (-math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (True, "1"), (False, "0"),
        (2**64 - 1, "18446744073709551615"), (2**53 + 1, "9007199254740993"), (0.1, "0.1"), (1e22, "1e22"),
        (5e-324, "5e-324"), (-0.0, "-0.0"), (1.7976931348623157e308, "1.7976931348623157e308"), (10**400, "+Inf"),
        (-(10**400), "-Inf"), (1 / 3, "0.3333333333333333"),
    ],
)  # fmt: skip
def test_values_are_written_in_full(value: float, shown: str) -> None:
    """Integers exactly, floats with the digits that give them back, and the formats' words for the rest."""
    assert f"\nnode_load1 {shown}\n" in text([Sample(LOAD, (), value)])
    assert f"\nnode_load1 {shown}\n" in openmetrics([Sample(LOAD, (), value)])
    many = [Sample(CPU, ("0", "a"), 1), Sample(LOAD, (), value), Sample(CPU, ("0", "b"), 2.5)]
    assert f"\nnode_load1 {shown}\n" in text(many)
    assert '{cpu="0",mode="b"} 2.5\n' in text(many)


def test_large_values_whose_sum_overflows() -> None:
    """Values that are finite each are written as they are, whatever their sum."""
    spec = foreign("x", Kind.COUNTER, "l")
    assert text([Sample(spec, (str(i),), 1.5e308) for i in range(3)]).count(" 1.5e308\n") == 3
    total = foreign("x_total", Kind.COUNTER, "l")
    assert "# TYPE x counter" in openmetrics([Sample(total, (str(i),), 1.5e308) for i in range(3)])


def test_a_family_stands_in_one_piece_across_parts() -> None:
    """Samples of one name from several collectors are joined under the first's help; others keep their place."""
    mine = foreign("x", Kind.GAUGE, "a", help="Mine.")
    theirs = foreign("x", Kind.COUNTER, "b", "a", help="Theirs.")
    rendered = text(
        part("one", Sample(mine, ("1",), 1), Sample(LOAD, (), 5)),
        part("two", Sample(CPU, ("0", "idle"), 3)),
        part("textfile", Sample(theirs, ("2", "1"), 2), Sample(theirs, ("", "1"), 9), Sample(foreign("y"), (), 8)),
    )
    assert rendered == (
        '# HELP x Mine.\n# TYPE x gauge\nx{a="1"} 1\nx{b="2",a="1"} 2\n'
        "# HELP node_load1 Help.\n# TYPE node_load1 gauge\nnode_load1 5\n"
        "# HELP y Help.\n# TYPE y gauge\ny 8\n"
        "# HELP node_cpu_seconds_total Help.\n# TYPE node_cpu_seconds_total counter\n"
        'node_cpu_seconds_total{cpu="0",mode="idle"} 3\n'
    )  # the 9 has the labels of the 1: an empty label is none


def test_a_chain_of_shared_families_is_one_piece() -> None:
    """Where a shares with b and b with c, all three are rendered together."""
    x, y, z = foreign("x", Kind.GAUGE, "l"), foreign("y", Kind.GAUGE, "l"), foreign("z", Kind.GAUGE, "l")
    parts = [
        part("a", Sample(x, ("a",), 1)), part("d", Sample(LOAD, (), 1)), part("c", Sample(y, ("c",), 1)),
        part("e", Sample(z, ("e",), 1)),
        part("b", Sample(y, ("b",), 1), Sample(x, ("b",), 1), Sample(z, ("b",), 1)),
    ]  # fmt: skip
    rendered = text(*parts)
    assert [line.split()[2] for line in rendered.splitlines() if line.startswith("# TYPE")] == [
        "x", "y", "z", "node_load1",
    ]  # fmt: skip
    assert got_text(rendered.encode()) == as_text(batch(*parts))


def test_a_series_that_stands_twice_is_written_once() -> None:
    """Of two samples of one series the first is written, within a part and across parts."""
    assert text([Sample(LOAD, (), 1), Sample(LOAD, (), 2)], [Sample(LOAD, (), 3)]).count("\nnode_load1 ") == 1
    assert "\nnode_load1 1\n" in text([Sample(LOAD, (), 1), Sample(LOAD, (), 2)], [Sample(LOAD, (), 3)])


def test_two_parts_of_one_collector() -> None:
    """Parts that have the same collector name are both rendered."""
    rendered = text(part("a", Sample(LOAD, (), 1)), part("a", Sample(CPU, ("0", "x"), 2)))
    assert "node_load1 1\n" in rendered
    assert rendered.endswith('mode="x"} 2\n')


@pytest.mark.parametrize(
    ("specs", "values", "expected"),
    [
        ([foreign("x", Kind.COUNTER)], [1], ["TYPE x unknown"]),
        ([foreign("x_total", Kind.COUNTER)], [1], ["TYPE x counter"]),
        ([foreign("x_total", Kind.COUNTER)], [-1], ["TYPE x_total unknown"]),
        ([foreign("x_total", Kind.COUNTER)], [math.nan], ["TYPE x_total unknown"]),
        ([foreign("x_total", Kind.COUNTER)], [math.inf], ["TYPE x counter"]),
        ([foreign("x_total", Kind.COUNTER), foreign("x")], [1, 1], ["TYPE x_total unknown", "TYPE x gauge"]),
        ([foreign("x_created"), foreign("x_total", Kind.COUNTER)], [1, 1], ["TYPE x_created gauge", "TYPE x_total unknown"]),
        ([foreign("x_total", Kind.COUNTER), foreign("x_info", Kind.INFO)], [1, 1], ["TYPE x counter", "TYPE x_info gauge"]),
        ([foreign("_total", Kind.COUNTER)], [1], ["TYPE _total unknown"]),
        ([foreign("x_info", Kind.INFO)], [1], ["TYPE x info"]), ([foreign("x_info", Kind.INFO)], [1.0], ["TYPE x info"]),
        ([foreign("x_info", Kind.INFO)], [2], ["TYPE x_info gauge"]), ([foreign("x", Kind.INFO)], [1], ["TYPE x gauge"]),
        ([foreign("x_bytes", unit="bytes")], [1], ["TYPE x_bytes gauge", "UNIT x_bytes bytes"]),
        ([foreign("x_bytes_total", Kind.COUNTER, unit="bytes")], [1], ["TYPE x_bytes counter", "UNIT x_bytes bytes"]),
        ([foreign("x_bytes_used", unit="bytes")], [1], ["TYPE x_bytes_used gauge"]),
        ([foreign("x_bytes", Kind.COUNTER, unit="bytes")], [1], ["TYPE x_bytes unknown", "UNIT x_bytes bytes"]),
        ([foreign("xbytes", unit="bytes")], [1], ["TYPE xbytes gauge"]),
        ([foreign("x_info", Kind.INFO, unit="info")], [1], ["TYPE x info"]),
        ([foreign("x_total")], [1], ["TYPE x_total gauge"]),
    ],
)  # fmt: skip
def test_what_openmetrics_forbids_gets_a_weaker_type(
    specs: list[MetricSpec], values: list[float], expected: list[str]
) -> None:
    """Names and values stay; a counter or info that cannot be one is unknown or a gauge; UNIT only where it fits."""
    samples = [Sample(spec, (), value) for spec, value in zip(specs, values, strict=True)]
    rendered = openmetrics(samples)
    assert heads(rendered) == expected
    assert got_openmetrics(rendered.encode()) == wanted(batch(samples))
    assert openmetrics(*[[sample] for sample in samples]) == rendered


def test_a_counter_is_one_again_when_its_value_is_legal_again() -> None:
    """The weaker type lasts as long as its cause."""
    total = foreign("x_total", Kind.COUNTER)
    exposition = Exposition()
    types = []
    for value in (1, -1, math.nan, 2):
        types += heads(exposition.text(batch([Sample(total, (), value)]), openmetrics=True).decode())
    other = batch([Sample(total, (), 3)], [Sample(foreign("x"), (), 1)])
    types += heads(exposition.text(other, openmetrics=True).decode())
    types += heads(exposition.text(batch([Sample(total, (), 2)]), openmetrics=True).decode())
    assert types == [
        "TYPE x counter", "TYPE x_total unknown", "TYPE x_total unknown", "TYPE x counter", "TYPE x_total unknown",
        "TYPE x gauge", "TYPE x counter",
    ]  # fmt: skip


def test_a_part_that_was_not_collected_again_is_not_rendered_again() -> None:
    """The segment of the very same part is taken as it is; a new part with new values is rendered."""
    exposition = Exposition()
    kept = part("kept", Sample(LOAD, (), 1))
    exposition.text(batch(kept))
    segment = exposition._segments["kept",]
    before = segment.rendered[False, frozenset()]
    exposition.text(batch(kept, part("other", Sample(CPU, ("0", "a"), 1))))
    assert segment.rendered[False, frozenset()] is before
    assert b"node_load1 2\n" in exposition.text(batch(part("kept", Sample(LOAD, (), 2))))


def test_changing_series_are_followed_and_nothing_is_kept_of_those_that_went() -> None:
    """With series that come and go the text is that of a new renderer, and memory is that of the newest batch."""
    exposition = Exposition()
    for i in range(200):
        now = batch([Sample(CPU, (str(j), "m"), i + j) for j in range(i, i + 5)], [Sample(LOAD, (), i)])
        assert exposition.text(now) == Exposition().text(now)
        assert exposition.text(now, openmetrics=True) == Exposition().text(now, openmetrics=True)
    layout = exposition._segments["c0",].layout
    assert len(layout._keys) == 5
    assert len(layout._templates) == 2
    for i in range(2000):
        exposition.text(batch(part(f"collector{i}", Sample(LOAD, (), i))))
    assert len(exposition._segments) <= 256


def test_a_sample_with_the_wrong_number_of_labels_is_refused() -> None:
    """A collector's mistake is told by the metric's name, never written as something else."""
    with pytest.raises(ValueError, match="node_cpu_seconds_total: 1 label values"):
        text([Sample(CPU, ("0",), 1)])


def test_threads_share_a_renderer() -> None:
    """Scrapes at the same time, in both formats, each get their own batch."""
    exposition = Exposition()
    wrong: list[int] = []

    def scrape(number: int) -> None:
        for i in range(50):
            mine = batch([Sample(CPU, (str(j), "m"), number * 1000 + i) for j in range(20)])
            expected = f" {number * 1000 + i}\n".encode()
            if exposition.text(mine, openmetrics=bool(number % 2)).count(expected) != 20:
                wrong.append(number)

    threads = [threading.Thread(target=scrape, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


_NAMES = [f"{base}{ending}" for base in ("a", "node_b", "_", "c:d") for ending in (
    "", "_total", "_info", "_created", "_seconds", "_seconds_total", "_bytes", "_bucket", "_count", "_sum",
)]  # fmt: skip
_CHARACTERS = st.characters() | st.sampled_from(
    [*'\\"\n\r\t {},=#%\0', "\udcff", "\udce2", "\ud800", "\u2028", "é", "바"]
)
_SPECS = st.builds(
    MetricSpec,
    name=st.sampled_from(_NAMES),
    kind=st.sampled_from(Kind),
    help=st.text(_CHARACTERS, min_size=1).map(str.strip).filter(bool),
    labels=st.lists(st.sampled_from(["a", "B", "_c", "le", "quantile", "d1"]), unique=True, max_size=3).map(tuple),
    unit=st.sampled_from(["", *BASE_UNITS]),
    vocabulary=st.just(Vocabulary.NODE_EXPORTER),
)
_VALUES = st.floats() | st.integers(-(2**63), 2**64) | st.booleans() | st.sampled_from([0, 1, 1.0, -1, math.nan])


@st.composite
def _batches(draw: st.DrawFn) -> Batch:
    specs = draw(st.lists(_SPECS, min_size=1, max_size=6))
    samples = []
    for _ in range(draw(st.integers(0, 12))):
        spec = draw(st.sampled_from(specs))
        labels = tuple(draw(st.text(_CHARACTERS, max_size=6)) for _ in spec.labels)
        samples.append(Sample(spec, labels, draw(_VALUES)))
    cuts = sorted(draw(st.lists(st.integers(0, len(samples)), max_size=3)))
    return batch(*[samples[a:b] for a, b in zip([0, *cuts], [*cuts, len(samples)], strict=True)])


@given(_batches())
@settings(max_examples=100, deadline=None)
def test_any_batch_comes_back_equal_from_both_parsers(any_batch: Batch) -> None:
    """Whatever names, kinds, labels and values: both formats parse, hold each series once, with equal values."""
    exposition = Exposition()
    rendered = exposition.text(any_batch)
    assert got_text(rendered) == as_text(any_batch)
    _contiguous(rendered.decode())
    assert got_openmetrics(exposition.text(any_batch, openmetrics=True)) == wanted(any_batch)
    assert exposition.text(any_batch) == rendered


def _contiguous(rendered: str) -> None:
    ended: set[str] = set()
    current = ""
    for line in rendered.split("\n")[:-1]:
        name = line.split(" ")[2] if line.startswith("# ") else line.partition(" ")[0].partition("{")[0]
        if name != current:
            assert name not in ended, f"{name} goes on after another family"
            ended.add(name)
            current = name


@given(st.lists(_batches(), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_used_renderer_says_what_a_new_one_says(batches: list[Batch]) -> None:
    """What was rendered before leaves no trace in what is rendered now."""
    exposition = Exposition()
    for any_batch in (*batches, *batches):
        for form in (False, True):
            assert exposition.text(any_batch, form) == Exposition().text(any_batch, form)


@given(_batches())
@settings(max_examples=30, deadline=None)
def test_promtool_reads_any_batch(any_batch: Batch) -> None:
    """The syntax is right for Prometheus' own reader (3 is lint: these names are not ours)."""
    code, said = promtool(Exposition().text(any_batch))
    assert code in {0, 3}, said


@st.composite
def _own_specs(draw: st.DrawFn) -> MetricSpec:
    kind = draw(st.sampled_from([Kind.GAUGE, Kind.COUNTER, Kind.INFO]))
    unit = draw(st.sampled_from(["", "bytes", "seconds", "celsius", "ratio"])) if kind is not Kind.INFO else ""
    ending = {Kind.COUNTER: "_total", Kind.INFO: "_info", Kind.GAUGE: ""}[kind]
    word = draw(st.sampled_from(["tank", "pump", "sea"]))
    name = "_".join(filter(None, ["bongsu", word, unit])) + ending
    labels = tuple(draw(st.lists(st.sampled_from(["place", "device"]), unique=True)))
    return MetricSpec(name, kind, draw(st.text(st.characters(), min_size=1).map(str.strip).filter(bool)), labels, unit)


@given(st.lists(st.tuples(_own_specs(), st.floats(0)), min_size=1, max_size=8, unique_by=lambda item: item[0].name))
@settings(max_examples=30, deadline=None)
def test_promtool_has_nothing_to_say_about_our_own_names(metrics: list[tuple[MetricSpec, float]]) -> None:
    """What a spec of our own vocabulary allows is also what Prometheus' linter wants."""
    samples = [Sample(spec, ("x",) * len(spec.labels), value) for spec, value in metrics]
    assert promtool(Exposition().text(batch(samples))) == (0, "")
