"""Results of queries as tables for people and as comma-separated values for programs."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from bongsu.views.columns import fitted
from bongsu.views.plot import Scale
from bongsu.views.printable import printable

NAME = "__name__"
Labels = Sequence[tuple[str, str]]


class Row(NamedTuple):
    """One sample: whose, when (Unix seconds), and its value as a number and in exact digits."""

    labels: Labels
    at: float
    value: float
    exact: str


def shared(all_labels: Sequence[Labels]) -> dict[str, str]:
    """The labels that all of several series have alike: said once, not in each row."""
    if len(all_labels) < 2:
        return {}
    common = set(all_labels[0]).intersection(*map(set, all_labels[1:]))
    return dict(sorted(common))


def named(labels: Labels, without: Iterable[str] = ()) -> str:
    """A series' labels as PromQL writes them, on one safe line."""
    name = "".join(value for label, value in labels if label == NAME and NAME not in without)
    pairs = [f'{label}="{_escaped(value)}"' for label, value in labels if label != NAME and label not in without]
    return printable(f"{name}{{{', '.join(pairs)}}}" if pairs else name or "{}")


def draw(rows: Sequence[Row], scale: Scale, console: Console) -> None:
    """The rows of one moment: a column for each label that differs, the exact value, and the value in its unit."""
    common = shared([row.labels for row in rows])
    if common:
        console.print(Text(named(list(common.items())), style="dim"), soft_wrap=True)
    names = sorted(
        {name for row in rows for name, _ in row.labels} - set(common), key=lambda name: (name != NAME, name)
    )
    words = [scale.text(row.value) for row in rows]
    readable = any(word != row.exact for word, row in zip(words, rows, strict=True))
    titles = ["metric" if name == NAME else printable(name) for name in names] + ["value"] + ["as"] * readable
    lines = []
    for row, word in zip(rows, words, strict=True):
        found = dict(row.labels)
        cells = [Text(printable(found.get(name, ""))) for name in names]
        lines.append([*cells, Text(row.exact, style="bold"), *([Text(word, style="dim")] if readable else [])])
    give = [(len(titles) - 1, 0)] if readable else []
    give += [(at, 8) for at in range(len(names))]
    console.print(fitted(titles, lines, console, left=range(len(names)), give=give))


def as_csv(rows: Iterable[Row], names: Sequence[str]) -> Iterator[str]:
    """Lines of comma-separated values (RFC 4180), a header first: time in UTC, metric, one column a label, value.

    Control characters of labels are written out, as everywhere that a terminal may be the reader.
    """
    labels = [name for name in names if name != NAME]
    yield _line(["time", "metric", *map(printable, labels), "value"])
    for row in rows:
        found = dict(row.labels)
        values = [printable(found.get(name, "")) for name in (NAME, *labels)]
        yield _line([utc(row.at), *values, row.exact])


def utc(at: float) -> str:
    """A time as RFC 3339 has it, with milliseconds where there are any."""
    whole, rest = divmod(round(at * 1000), 1000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
