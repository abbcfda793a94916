"""Asks Bongsu's query API and a real Prometheus the same, and says where the answers differ."""

from __future__ import annotations

import json
import math
import re
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bongsu.sinks.http_message import Request
from bongsu.sinks.query_api import answer
from bongsu.store.series import Source
from prometheus import Answer, Prometheus, seconds

FIXTURES = Path(__file__).parent / "fixtures" / "promql"
CLOSE = 1e-9  # relative
_PLACE = re.compile(r"<(-?[\d.]+)>")


class Asked(NamedTuple):
    """One question; ``step`` 0 is an instant query at ``start``. Unix milliseconds."""

    text: str
    start: int
    end: int = 0
    step: int = 0

    def __str__(self) -> str:
        at = (
            f"at {seconds(self.start)}"
            if not self.step
            else f"{seconds(self.start)} to {seconds(self.end)} by {self.step} ms"
        )
        return f"{self.text!r} {at}"


@dataclass
class Tally:
    """What came out for one category."""

    queries: int = 0
    evaluations: int = 0
    equal: int = 0
    unsupported: list[str] = field(default_factory=list)  # queries
    wrong: list[str] = field(default_factory=list)  # what was asked, and how the answers differ

    def row(self) -> Mapping[str, int]:
        """The numbers, by the heading of their column."""
        return {
            "queries": self.queries, "evaluations": self.evaluations, "equal": self.equal,
            "unsupported": len(self.unsupported), "wrong": len(self.wrong),
        }  # fmt: skip


def corpus(path: Path, origin: int) -> dict[str, list[str]]:
    """The queries of a file by category; ``<N>`` becomes the Unix time N seconds after ``origin`` (milliseconds)."""
    found: dict[str, list[str]] = {}
    current: list[str] = found.setdefault("", [])
    for line in path.read_text().splitlines():
        if line.startswith("== "):
            current = found.setdefault(line[3:], [])
        elif line and not line.startswith("# "):
            current.append(_PLACE.sub(lambda m: seconds(origin + round(float(m[1]) * 1000)), line))
    return {name: queries for name, queries in found.items() if queries}


class Ours:
    """Bongsu's API over a source."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def ask(self, asked: Asked) -> Answer:
        """What our API answers."""
        if asked.step:
            path = "query_range"
            form = {"start": seconds(asked.start), "end": seconds(asked.end), "step": seconds(asked.step)}
        else:
            path, form = "query", {"time": seconds(asked.start)}
        response = answer(
            Request(
                "POST", f"/api/v1/{path}", "", {"content-type": "application/x-www-form-urlencoded"},
                body=urllib.parse.urlencode({"query": asked.text, **form}).encode(),
            ),
            self.source,
        )  # fmt: skip
        return Answer(response.status, json.loads(response.body))


def theirs(server: Prometheus, asked: Asked) -> Answer:
    """What Prometheus answers."""
    if asked.step:
        return server.query_range(asked.text, asked.start, asked.end, asked.step)
    return server.query(asked.text, asked.start)


def judge(tally: Tally, asked: Asked, his: Answer, mine: Answer) -> None:
    """Count one pair of answers."""
    tally.evaluations += 1
    if mine.status == 422 and "not supported" in str(mine.body.get("error")):
        tally.unsupported.append(asked.text)
        return
    ranked = asked.text.startswith(("sort", "topk", "bottomk"))
    found = difference(his, mine, ordered=ranked and not asked.step, tied=asked.text.startswith(("topk", "bottomk")))
    if found:
        tally.wrong.append(f"{asked}: {found}")
    else:
        tally.equal += 1


def difference(his: Answer, mine: Answer, *, ordered: bool = False, tied: bool = False) -> str:
    """What differs; "" for nothing. Texts of errors and warnings may differ, their kinds not.

    ``ordered`` results are compared in their order. Of ``tied`` ones only the values count: which of several equal
    series topk takes goes in Prometheus by the order in which it first saw them.
    """
    if "error" in his.body or "error" in mine.body:
        a = (his.status, his.body.get("errorType"))
        b = (mine.status, mine.body.get("errorType"))
        return "" if a == b else f"theirs {a} {his.body.get('error')!r}, ours {b} {mine.body.get('error')!r}"
    a, b = his.body["data"], mine.body["data"]
    if a["resultType"] != b["resultType"]:
        return f"theirs is a {a['resultType']}, ours a {b['resultType']}"
    if a["resultType"] in {"scalar", "string"}:
        same = a["result"][0] == b["result"][0] and (
            a["result"] == b["result"] if a["resultType"] == "string" else close(a["result"][1], b["result"][1])
        )
        return "" if same else f"theirs {a['result']}, ours {b['result']}"
    if tied and _values_by_step(a["result"]) == _values_by_step(b["result"]):
        return ""
    left, right = _by_labels(a["result"]), _by_labels(b["result"])
    if left.keys() != right.keys():
        return f"only theirs {_some(left.keys() - right.keys())}, only ours {_some(right.keys() - left.keys())}"
    # Equal values may stand in either order.
    if ordered and [_points(one)[0][1] for one in a["result"]] != [_points(one)[0][1] for one in b["result"]]:
        return f"order: theirs {_some(left)}, ours {_some(right)}"
    for labels, his_points in left.items():
        my_points = right[labels]
        if [t for t, _ in his_points] != [t for t, _ in my_points]:
            his_times, my_times = {t for t, _ in his_points}, {t for t, _ in my_points}
            return (
                f"{dict(labels)}: only theirs at {sorted(his_times - my_times)[:3]}, only ours at "
                f"{sorted(my_times - his_times)[:3]} ({len(his_points)} and {len(my_points)} points)"
            )
        for (at, x), (_, y) in zip(his_points, my_points, strict=True):
            if not close(x, y):
                return f"{dict(labels)} at {at}: theirs {x}, ours {y}"
    return ""


def close(x: str, y: str) -> bool:
    """Whether two values, as texts, are equal to 1e-9; NaN is equal to NaN."""
    if x == y:
        return True
    a, b = float(x), float(y)
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=CLOSE)


def _points(series: Mapping[str, Any]) -> list[tuple[float, str]]:
    return [(at, value) for at, value in series.get("values") or [series["value"]]]


def _values_by_step(result: Sequence[Mapping[str, Any]]) -> dict[float, list[str]]:
    found: dict[float, list[str]] = {}
    for series in result:
        for at, value in _points(series):
            found.setdefault(at, []).append(value.removeprefix("-") if float(value) == 0 else value)
    return {at: sorted(values) for at, values in found.items()}


def _by_labels(result: Sequence[Mapping[str, Any]]) -> dict[tuple[tuple[str, str], ...], list[tuple[float, str]]]:
    found = {tuple(sorted(series["metric"].items())): _points(series) for series in result}
    assert len(found) == len(result), "one series twice"
    return found


def _some(labels: Iterable[tuple[tuple[str, str], ...]]) -> list[dict[str, str]]:
    return [dict(one) for one in list(labels)[:4]]


def table(title: str, rows: Mapping[str, Mapping[str, int]]) -> str:
    """Rows of numbers as text, with their sums."""
    columns = list(next(iter(rows.values())))
    width = max(len(name) for name in rows) + 2
    total = Counter[str]()
    for row in rows.values():
        total.update(row)
    lines = [title, " " * width + "".join(f"{name:>15}" for name in columns)]
    for name, row in {**rows, "all": total}.items():
        lines.append(f"{name:{width}}" + "".join(f"{row[column]:15}" for column in columns))
    return "\n".join(lines)


def moments(start: int, end: int, *, left_open: bool) -> Iterator[tuple[int, int, int]]:
    """(start, end, step) of the questions asked with each query, over samples of these times; a step of 0 is an instant.

    ``left_open`` False leaves out what ends exactly on samples, where the versions of Prometheus differ.
    """
    first = -(-start // 60_000) * 60_000
    odd = 7_457  # no sample lies at whole seconds after this
    yield first + 600_000 + odd, 0, 0
    yield first + 1_203_000 + odd, 0, 0
    yield first + 2_760_000 + odd, 0, 0  # in the gap of one target
    yield end - 3_001, 0, 0
    yield end + 240_123, 0, 0  # what has not ended is still there
    yield first - 120_000 + odd, 0, 0
    yield first + odd, end, 60_000
    yield first + 2_300_000 + odd, first + 3_000_000, 17_000
    yield start - 400_000 + odd, end + 400_000, 301_000
    if left_open:
        yield first + 900_000, 0, 0
        yield first + 1_800_000, 0, 0
        yield first, end, 15_000
        yield first + 600_000, first + 1_200_000, 60_000
