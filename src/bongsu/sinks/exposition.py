"""Renders a Batch as Prometheus text 0.0.4 or OpenMetrics 1.0, fast: what did not change is not written again.

Formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics 1.0 specification.
How the choices that they leave open are made:

- A family stands in one piece, with the help and type of its first sample, also where several
  parts carry it. Of two samples with the same name and labels the first is kept.
- Bytes that are not UTF-8 (lone surrogates) become U+FFFD. A label with an empty value is written.
- OpenMetrics has rules that foreign names may break; such a family keeps its name and gets a weaker
  type: a counter becomes ``unknown`` if its name does not end in ``_total``, if a value is negative
  or NaN, or if the name without ``_total`` is taken; an info metric becomes a ``gauge`` likewise.
- ``# UNIT`` is written where the family's name ends in the unit.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import msgspec

from bongsu.model.batch import Batch, Part, Sample
from bongsu.model.metric import Kind, MetricSpec
from bongsu.model.utf8 import valid_text

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_TEXT_KINDS = {Kind.GAUGE: "gauge", Kind.COUNTER: "counter", Kind.UNTYPED: "untyped", Kind.INFO: "gauge"}
_OPEN_KINDS = {Kind.GAUGE: "gauge", Kind.COUNTER: "counter", Kind.UNTYPED: "unknown", Kind.INFO: "info"}
_WEAKER_KINDS = {Kind.GAUGE: "gauge", Kind.COUNTER: "unknown", Kind.UNTYPED: "unknown", Kind.INFO: "gauge"}
_SUFFIXES = {Kind.COUNTER: "_total", Kind.INFO: "_info"}
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})
_MOST_SEGMENTS = 256  # a gatherer has some fifty collectors; `collect[]` does not make more
_MOST_DIGITS = 300  # an integer of more is beyond what a float can hold, and readers refuse it
_encode = msgspec.json.Encoder().encode
_NONE: frozenset[str] = frozenset()


class Exposition:
    """Renders batches, keeping one segment for each collector's newest part.

    A part that was not collected again is not rendered again. For one that was, a template of the
    whole segment is filled in with the new values in one step, as long as its series are the same.
    Nothing is kept of a series that has gone. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._segments: dict[tuple[str, ...], _Segment] = {}
        self._plan = _Plan((), ())
        self._lock = threading.Lock()

    def text(self, batch: Batch, openmetrics: bool = False) -> bytes:
        """The batch in one of the two formats.

        Raises:
            ValueError: a sample has more or fewer label values than its spec has labels.
        """
        with self._lock:
            return self._text(batch, openmetrics)

    def _text(self, batch: Batch, openmetrics: bool) -> bytes:
        parts = [part for part in batch.parts if part.samples]
        keys = _keys(parts)
        segments = [self._segment(key, (part,)) for key, part in zip(keys, parts, strict=True)]
        families = tuple(segment.layout.families for segment in segments)
        if families != self._plan.families:
            self._plan = _plan(families)
        rendered = []
        for group in self._plan.groups:
            if len(group) == 1:
                segment = segments[group[0]]
            else:
                joint = ("+", *(part for i in group for part in keys[i]))
                segment = self._segment(joint, tuple(parts[i] for i in group))
            rendered.append(segment.text(openmetrics, self._plan.weakened if openmetrics else _NONE))
        if openmetrics:
            rendered.append(b"# EOF\n")
        return b"".join(rendered)

    def _segment(self, key: tuple[str, ...], parts: tuple[Part, ...]) -> _Segment:
        segment = self._segments.get(key)
        if segment is None:
            if len(self._segments) >= _MOST_SEGMENTS:
                self._segments.clear()
            segment = self._segments[key] = _Segment()
        segment.take(parts)
        return segment


_Families = tuple[tuple[str, Kind], ...]


@dataclass(slots=True)
class _Family:
    """One metric name within a part: the spec that speaks for it and where its samples are."""

    spec: MetricSpec
    indices: list[int]
    mixed: bool = False  # several specs carry the name: label names may be in another order


class _Layout:
    """Which series a part has, in which order they are written, and the template they are written by."""

    __slots__ = ("_counters", "_infos", "_keys", "_labels", "_members", "_pick", "_specs", "_templates", "families")

    def __init__(self, specs: list[MetricSpec], labels: list[tuple[str, ...]], before: _Layout | None) -> None:
        self._specs = specs
        self._labels = labels
        self._keys = _series_keys(specs, labels, before)
        self._members = self._distinct(_by_name(specs))
        order = [i for family in self._members for i in family.indices]
        self._pick = None if order == list(range(len(specs))) else _picker(order)
        self._counters = self._checked(Kind.COUNTER)
        self._infos = self._checked(Kind.INFO)
        families = tuple((family.spec.name, family.spec.kind) for family in self._members)
        # The same object, where nothing changed, makes comparing plans one look.
        self.families: _Families = before.families if before is not None and before.families == families else families
        self._templates: dict[tuple[bool, frozenset[str]], list[bytes]] = {}

    def fits(self, specs: list[MetricSpec], labels: list[tuple[str, ...]]) -> bool:
        """Whether these are the very same series in the same order."""
        return specs == self._specs and labels == self._labels

    def known_keys(self) -> dict[tuple[MetricSpec, tuple[str, ...]], bytes]:
        """The line beginnings by series, for the layout that comes after this one."""
        return dict(zip(zip(self._specs, self._labels, strict=True), self._keys, strict=True))

    def text(self, values: tuple[float, ...], openmetrics: bool, weakened: frozenset[str]) -> bytes:
        weakened &= frozenset(name for name, _ in self.families) if weakened else weakened
        illegal = self._illegal(values) if openmetrics else _NONE
        between = self._template(openmetrics, weakened | illegal, keep=not illegal)
        pieces = [b""] * (2 * len(between) - 1)
        pieces[::2] = between
        pieces[1::2] = _written(values if self._pick is None else self._pick(values))
        return b"".join(pieces)

    def _template(self, openmetrics: bool, weakened: frozenset[str], keep: bool) -> list[bytes]:
        """What stands before, between and after the values."""
        template = self._templates.get((openmetrics, weakened))
        if template is None:
            template = []
            end = b""
            for family in self._members:
                spec = family.spec
                head = _openmetrics_head(spec, spec.name in weakened) if openmetrics else _text_head(spec)
                template.append(end + head.encode() + self._keys[family.indices[0]])
                end = b"\n"
                template.extend([self._keys[i] for i in family.indices[1:]])  # the same objects in all templates
            template.append(end)
            if keep:
                self._templates[openmetrics, weakened] = template
        return template

    def _distinct(self, families: Iterable[_Family]) -> list[_Family]:
        """The families without series that stand twice: Prometheus would reject or drop the second."""
        members = []
        for family in families:
            seen: set[object] = set()
            kept = []
            for i in family.indices:
                series: object = self._keys[i]
                if family.mixed:
                    series = frozenset(p for p in zip(self._specs[i].labels, self._labels[i], strict=True) if p[1])
                if series not in seen:
                    seen.add(series)
                    kept.append(i)
            members.append(_Family(family.spec, kept, family.mixed))
        return members

    def _checked(self, kind: Kind) -> Callable[[Sequence[float]], tuple[float, ...]] | None:
        indices = [i for f in self._members if f.spec.kind is kind for i in f.indices]
        return _picker(indices) if indices else None

    def _illegal(self, values: tuple[float, ...]) -> frozenset[str]:
        """Names of counters that are negative or NaN and of infos that are not 1: OpenMetrics forbids them."""
        counters = self._counters(values) if self._counters else ()
        infos = self._infos(values) if self._infos else ()
        # A sum is NaN if one of its terms is, and an infinite one only costs the longer look.
        if (not counters or (min(counters) >= 0 and math.isfinite(sum(counters)))) and set(infos) <= {1}:
            return _NONE
        return frozenset(
            f.spec.name for f in self._members for i in f.indices
            if (f.spec.kind is Kind.COUNTER and not values[i] >= 0) or (f.spec.kind is Kind.INFO and values[i] != 1)
        )  # fmt: skip


@dataclass(slots=True)
class _Segment:
    """The newest part (or parts, where they share a family) of one collector, and how it was rendered."""

    parts: tuple[Part, ...] = ()
    layout: _Layout = field(default_factory=lambda: _Layout([], [], None))
    values: tuple[float, ...] = ()
    rendered: dict[tuple[bool, frozenset[str]], bytes] = field(default_factory=dict)

    def take(self, parts: tuple[Part, ...]) -> None:
        if len(parts) == len(self.parts) and all(a is b for a, b in zip(parts, self.parts, strict=True)):
            return
        samples: Sequence[Sample] = parts[0].samples
        if len(parts) > 1:
            samples = [sample for part in parts for sample in part.samples]
        specs = [sample.spec for sample in samples]
        labels = [sample.labels for sample in samples]
        if not self.layout.fits(specs, labels):
            self.layout = _Layout(specs, labels, self.layout)
        self.values = tuple([sample.value for sample in samples])
        self.parts = parts
        self.rendered.clear()

    def text(self, openmetrics: bool, weakened: frozenset[str]) -> bytes:
        rendered = self.rendered.get((openmetrics, weakened))
        if rendered is None:
            rendered = self.layout.text(self.values, openmetrics, weakened)
            self.rendered[openmetrics, weakened] = rendered
        return rendered


@dataclass(frozen=True, slots=True)
class _Plan:
    """How segments are joined: which must become one because they share a family, and which names are weakened."""

    families: tuple[_Families, ...]
    groups: tuple[tuple[int, ...], ...]
    weakened: frozenset[str] = _NONE


def _plan(families: tuple[_Families, ...]) -> _Plan:
    kinds: dict[str, Kind] = {}
    group_of: dict[str, int] = {}
    groups: dict[int, list[int]] = {}
    for i, segment in enumerate(families):
        home = i
        groups[home] = [i]
        for name, kind in segment:
            kinds.setdefault(name, kind)
            other = group_of.get(name, home)
            if other != home:
                low, high = min(other, home), max(other, home)
                groups[low] += groups.pop(high)
                group_of = {n: low if g == high else g for n, g in group_of.items()}
                home = low
            group_of[name] = home
    return _Plan(families, tuple(tuple(sorted(groups[g])) for g in sorted(groups)), _weakened(kinds))


def _weakened(kinds: dict[str, Kind]) -> frozenset[str]:
    """Counters and infos that OpenMetrics cannot have as such: without the suffix, or with a name that is taken."""
    weakened = set()
    claimed: set[str] = set()
    for name, kind in kinds.items():
        suffix = _SUFFIXES.get(kind)
        if suffix is None:
            continue
        base = name.removesuffix(suffix)
        claims = {base, f"{base}_created"} if kind is Kind.COUNTER else {base}
        if base in {name, ""} or not claims.isdisjoint(kinds) or not claims.isdisjoint(claimed):
            weakened.add(name)
        else:
            claimed |= claims
    return frozenset(weakened)


def _keys(parts: Iterable[Part]) -> list[tuple[str, ...]]:
    """A name for each part's segment, also where two parts are of one collector."""
    keys: list[tuple[str, ...]] = []
    for part in parts:
        key: tuple[str, ...] = (part.collector,)
        while key in keys:
            key += ("again",)
        keys.append(key)
    return keys


def _by_name(specs: Sequence[MetricSpec]) -> list[_Family]:
    families: dict[str, _Family] = {}
    for i, spec in enumerate(specs):
        family = families.get(spec.name)
        if family is None:
            families[spec.name] = _Family(spec, [i])
        else:
            family.indices.append(i)
            family.mixed = family.mixed or family.spec is not spec
    return list(families.values())


def _series_keys(specs: Sequence[MetricSpec], labels: Sequence[tuple[str, ...]], before: _Layout | None) -> list[bytes]:
    known = before.known_keys() if before is not None else {}
    keys = []
    for spec, values in zip(specs, labels, strict=True):
        key = known.get((spec, values))
        keys.append(_series_key(spec, values) if key is None else key)
    return keys


def _series_key(spec: MetricSpec, values: tuple[str, ...]) -> bytes:
    """How the series' line begins, with the end of the line before it."""
    if len(values) != len(spec.labels):
        raise ValueError(f"{spec.name}: {len(values)} label values for the labels {spec.labels}")
    if not values:
        return f"\n{spec.name} ".encode()
    pairs = ",".join([f'{label}="{_escaped(value)}"' for label, value in zip(spec.labels, values, strict=True)])
    return f"\n{spec.name}{{{pairs}}} ".encode()


def _escaped(value: str) -> str:
    if value.isalnum() and value.isascii():
        return value
    return valid_text(value).translate(_ESCAPES)


def _text_head(spec: MetricSpec) -> str:
    help_text = valid_text(spec.help).translate(_HELP_ESCAPES)
    return f"# HELP {spec.name} {help_text}\n# TYPE {spec.name} {_TEXT_KINDS[spec.kind]}"


def _openmetrics_head(spec: MetricSpec, weakened: bool) -> str:
    name = spec.name if weakened else spec.name.removesuffix(_SUFFIXES.get(spec.kind, ""))
    kind = (_WEAKER_KINDS if weakened else _OPEN_KINDS)[spec.kind]
    head = f"# TYPE {name} {kind}\n"
    if spec.unit and kind != "info" and name.endswith(f"_{spec.unit}"):
        head += f"# UNIT {name} {spec.unit}\n"
    return f"{head}# HELP {name} {_escaped(spec.help)}"


def _picker(indices: Sequence[int]) -> Callable[[Sequence[float]], tuple[float, ...]]:
    """Takes these items out of a sequence, in this order, at C speed; `itemgetter` of one gives no tuple."""
    if len(indices) == 1:
        only = indices[0]
        return lambda values: (values[only],)
    return itemgetter(*indices)


def _written(values: tuple[float, ...]) -> list[bytes]:
    """Each value as the formats want it.

    `msgspec` writes floats with the fewest digits that give them back, as ``repr`` does, ten times faster.
    What is not a finite number it writes as null, true or text, or refuses; then each value is looked at.
    """
    try:
        together = _encode(values)
    except (OverflowError, TypeError, ValueError):
        return [_word(value) for value in values]
    words = together[1:-1].split(b",")
    odd = b"u" in together or b"f" in together or b'"' in together  # null, true, false, text
    if odd or max(map(len, words)) > _MOST_DIGITS:
        return [_word(value) for value in values]
    return words


def _word(value: float) -> bytes:
    if isinstance(value, int):  # a bool, an IntEnum
        value = int(value)
        return b"%d" % value if -(10**300) < value < 10**300 else (b"+Inf" if value > 0 else b"-Inf")
    value = float(value)
    if math.isfinite(value):
        return _encode(value)
    return b"NaN" if math.isnan(value) else (b"+Inf" if value > 0 else b"-Inf")
