"""What each path of Prometheus' HTTP API answers over a store; `query_api` carries it to HTTP."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import promql_parser

from bongsu.model.message import Message
from bongsu.sinks.query_json import labels_json, result_json, text_json, texts_json
from bongsu.sinks.query_parameters import FARTHEST_MS, Parameters, duration, first, form, limit, moment, whole
from bongsu.store.promql import engine
from bongsu.store.promql.engine import Result
from bongsu.store.promql.parse import parse
from bongsu.store.promql.selectors import matchers_of
from bongsu.store.promql.values import PromqlError
from bongsu.store.series import NAME, Labels, Matcher, Source

# The version whose semantics ours are; clients choose by it what they may ask.
SPEAKS = "3.5.0"
MOST_STEPS = 11_000  # Prometheus' own limit of points in one series, less the first
_ESCAPE = re.compile("_([0-9a-fA-F]{1,6}_|_)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: its parameters, and what is known where it is answered."""

    parameters: Parameters
    source: Source
    version: str
    clock: Callable[[], float]
    lookback_ms: int
    most_seconds: float
    arguments: tuple[str, ...] = ()

    @property
    def timeout(self) -> float:
        """For how many seconds this may take. Raises PromqlError where the parameter is no length of time."""
        asked = duration(self.parameters, "timeout")
        return self.most_seconds if asked is None else min(self.most_seconds, max(0.0, asked / 1e9))

    def within(self, seconds: float) -> Asked:
        """The same, with at most so many seconds left."""
        return replace(self, most_seconds=max(0.0, seconds))

    @property
    def lookback(self) -> int:
        """Milliseconds. Raises PromqlError."""
        asked = duration(self.parameters, "lookback_delta")
        return self.lookback_ms if not asked else asked // 1_000_000

    @property
    def range(self) -> tuple[int, int]:
        """From ``start`` to ``end``, both without limit where they are not given. Raises PromqlError."""
        start = moment(self.parameters, "start", -FARTHEST_MS)
        return start, moment(self.parameters, "end", FARTHEST_MS)

    @property
    def groups(self) -> list[Sequence[Matcher]]:
        """What ``match[]`` picks. Raises PromqlError where one of them is no selector."""
        return [_selector(text) for text in self.parameters.get("match[]", ())]

    def found(self) -> Sequence[Labels]:
        """The labels of the series that are meant. Raises PromqlError."""
        groups, (start, end) = self.groups, self.range
        return self.source.find(groups, start, end) if start <= end else ()


class Route(NamedTuple):
    """Who answers a path; ``by_post`` says whether parameters may come as a form, ``reads`` whether the store is read."""

    answer: Callable[[Asked], str]
    by_post: bool = False
    reads: bool = True


def parameters_of(query: str, body: str) -> dict[str, list[str]]:
    """The fields of the form and of the URL, those of the form first. Raises PromqlError."""
    parameters = form(body)
    for name, values in form(query.encode("latin-1", "replace").decode("utf-8", "replace")).items():
        parameters.setdefault(name, []).extend(values)
    return parameters


def success(data: str, warnings: Iterable[str] = (), infos: Iterable[str] = ()) -> str:
    """The envelope around an answer."""
    notes = "".join(
        f',"{name}":{texts_json(texts)}'
        for name, texts in (("warnings", list(warnings)), ("infos", list(infos)))
        if texts
    )
    return f'{{"status":"success","data":{data}{notes}}}'


def _query(asked: Asked) -> str:
    now = int(asked.clock() * 1000)
    at, most = moment(asked.parameters, "time", now), limit(asked.parameters)
    result = engine.instant(
        asked.source, first(asked.parameters, "query"), at, lookback_ms=asked.lookback, timeout_seconds=asked.timeout
    )
    return _results(result, most)


def _query_range(asked: Asked) -> str:
    parameters = asked.parameters
    start, end, most = moment(parameters, "start"), moment(parameters, "end"), limit(parameters)
    if end < start:
        raise PromqlError("bad_data", Message("invalid parameter 'end': it lies before start"))
    step = duration(parameters, "step")
    if step is None:
        raise PromqlError("bad_data", Message("invalid parameter 'step': it is missing: give seconds, or such as 15s"))
    if step <= 0:
        raise PromqlError("bad_data", Message("invalid parameter 'step': it must be above zero"))
    if (end - start) * 1_000_000 // step > MOST_STEPS:
        least = -(-(end - start) // MOST_STEPS)
        raise PromqlError(
            "bad_data",
            Message("a series would have more than {most:,} points: ask for a step of {least} s or more",
                    most=MOST_STEPS, least=f"{least / 1000:g}"),
        )  # fmt: skip
    if step < 1_000_000:
        raise PromqlError("bad_data", Message("invalid parameter 'step': it is less than a millisecond"))
    result = engine.over_range(
        asked.source, first(parameters, "query"), start, end, step // 1_000_000,
        lookback_ms=asked.lookback, timeout_seconds=asked.timeout,
    )  # fmt: skip
    return _results(result, most)


def _results(result: Result, most: int) -> str:
    data, more = result_json(result.value, result.steps, most)
    warnings = [str(message) for message in result.warnings]
    return success(data, [*warnings, _cut(most)] if more else warnings, map(str, result.infos))


def _cut(most: int) -> str:
    return str(Message("results truncated due to limit: there are more than {most}", most=most))


def _at_most(texts: Sequence[str], most: int) -> tuple[Sequence[str], Sequence[str]]:
    """The first ``most`` (0: all) and, where there are more, the warning that says so."""
    return (texts[:most], [_cut(most)]) if 0 < most < len(texts) else (texts, ())


def _labels(asked: Asked) -> str:
    most = limit(asked.parameters)
    names, warnings = _at_most(sorted({name for labels in asked.found() for name, _ in labels}), most)
    return success(texts_json(names), warnings)


def _label_values(asked: Asked) -> str:
    most, name = limit(asked.parameters), _unescaped(asked.arguments[0])
    if not name:
        raise PromqlError("bad_data", Message("invalid label name: it is empty"))
    values, warnings = _at_most(sorted({v for labels in asked.found() for n, v in labels if n == name}), most)
    return success(texts_json(values), warnings)


def _series(asked: Asked) -> str:
    most = limit(asked.parameters)
    if not asked.groups:
        raise PromqlError("bad_data", Message("no match[] parameter is given: say which series, such as match[]=up"))
    found, warnings = _at_most([labels_json(labels) for labels in sorted(set(asked.found()))], most)
    return success(f"[{','.join(found)}]", warnings)


def _metadata(asked: Asked) -> str:
    most, each = whole(asked.parameters, "limit", -1), whole(asked.parameters, "limit_per_metric", -1)
    wanted = first(asked.parameters, "metric")
    described = asked.source.describe()
    names = [wanted] if wanted in described else [] if wanted else sorted(described)
    names = names[:most] if most >= 0 else names
    data = {
        name: [
            {"type": one.kind, "help": one.help, "unit": one.unit}
            for one in (described[name][:each] if each > 0 else described[name])
        ]
        for name in names
    }
    return success(_json(data))


def _format_query(asked: Asked) -> str:
    return success(text_json(_pretty(first(asked.parameters, "query"))))


def _exemplars(asked: Asked) -> str:
    parse(first(asked.parameters, "query"))
    return success("[]")  # none are stored


def _buildinfo(asked: Asked) -> str:
    """Our own name stands where no client looks for a feature: one that finds ``features`` takes us for Mimir."""
    data = {
        "version": SPEAKS, "revision": f"bongsu {asked.version}".rstrip(), "branch": "bongsu", "buildUser": "",
        "buildDate": "", "goVersion": "", "application": "Bongsu",
    }  # fmt: skip
    return success(_json(data))


def _flags(asked: Asked) -> str:
    data = {
        "query.lookback-delta": f"{asked.lookback_ms / 1000:g}s", "query.timeout": f"{asked.most_seconds:g}s",
        "query.max-samples": str(engine.MOST_SAMPLES),
    }  # fmt: skip
    return success(_json(data))


def _runtime(asked: Asked) -> str:
    now = asked.clock()
    data = {"serverTime": _iso(now), "reloadConfigSuccess": True}
    return success(_json(data))


def _iso(at: float) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415  for this one rare question

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tsdb(asked: Asked) -> str:
    """How many series there are by name, by label and by value: what tells where too many come from."""
    most = limit(asked.parameters) or 10
    found = asked.source.find((), -FARTHEST_MS, FARTHEST_MS)
    by_name = Counter(value for labels in found for name, value in labels if name == NAME)
    by_pair = Counter(f"{name}={value}" for labels in found for name, value in labels)
    pairs = {pair for labels in found for pair in labels}
    by_label = Counter(name for name, _ in pairs)
    size_by_label: Counter[str] = Counter()
    for name, value in pairs:
        size_by_label[name] += len(value.encode("utf-8", "replace"))
    data = {
        "headStats": {"numSeries": len(found), "numLabelPairs": len(pairs)},
        "seriesCountByMetricName": _most_common(by_name, most),
        "labelValueCountByLabelName": _most_common(by_label, most),
        "memoryInBytesByLabelName": _most_common(size_by_label, most),
        "seriesCountByLabelValuePair": _most_common(by_pair, most),
    }
    return success(_json(data))


def _most_common(counts: Mapping[str, int], most: int) -> list[dict[str, object]]:
    chosen = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most]
    return [{"name": name, "value": value} for name, value in chosen]


def _always(data: str) -> Route:
    return Route(lambda _asked: success(data), reads=False)


# What there is none of is answered as empty, so that clients that ask for it go on.
ROUTES: Mapping[str, Route] = {
    "query": Route(_query, by_post=True),
    "query_range": Route(_query_range, by_post=True),
    "query_exemplars": Route(_exemplars, by_post=True, reads=False),
    "format_query": Route(_format_query, by_post=True, reads=False),
    "labels": Route(_labels, by_post=True),
    "label": Route(_label_values),
    "series": Route(_series, by_post=True),
    "metadata": Route(_metadata),
    "status/buildinfo": Route(_buildinfo, reads=False),
    "status/runtimeinfo": Route(_runtime, reads=False),
    "status/flags": Route(_flags, reads=False),
    "status/tsdb": Route(_tsdb),
    "status/config": _always('{"yaml":""}'),
    "rules": _always('{"groups":[]}'),
    "alerts": _always('{"alerts":[]}'),
    "alertmanagers": _always('{"activeAlertmanagers":[],"droppedAlertmanagers":[]}'),
    "targets": _always('{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}'),
    "targets/metadata": _always("[]"),
    "scrape_pools": _always('{"scrapePools":[]}'),
    "notifications": _always("[]"),
}


def _selector(text: str) -> Sequence[Matcher]:
    node = parse(text).root
    if not isinstance(node, promql_parser.VectorSelector) or node.offset is not None or node.at is not None:
        raise PromqlError(
            "bad_data", Message("match[]={text} is no series selector: give such as up or {example}",
                                text=repr(text[:200]), example='{job="node"}'),
        )  # fmt: skip
    return matchers_of(node)


def _pretty(text: str) -> str:
    return str(parse(text).root.prettify())


def _unescaped(name: str) -> str:
    """A label's name that came as ``U__…``: how names that are no identifiers are written in paths."""
    if not name.startswith("U__"):
        return name
    return _ESCAPE.sub(lambda m: "_" if m[1] == "_" else _character(m), name[3:])


def _character(match: re.Match[str]) -> str:
    code = int(match[1][:-1], 16)
    return match[0] if code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code)


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
