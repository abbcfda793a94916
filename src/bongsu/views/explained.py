"""Writes what `bongsu explain` found as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from bongsu.views.printable import printable

_MOST = 12  # series shown of one metric
_WIDTH = 79


def lines(facts: dict[str, Any]) -> Iterator[str]:
    """The text, line by line, without control characters."""
    write = {
        "metric": _metric, "collector": _collector, "collectors": _collectors, "panel": _panel, "settings": _settings,
        "word": _word,
    }[facts["kind"]]  # fmt: skip
    yield from write(facts)


def _metric(facts: dict[str, Any]) -> Iterator[str]:
    unit = f", in {facts['unit']}" if facts["unit"] else ""
    yield f"{facts['name']}: {facts['type']}{unit}"
    yield from _wrapped(facts["help"])
    yield ""
    if facts["labels"]:
        yield f"  labels     {', '.join(facts['labels'])}"
    yield f"  collector  {facts['collector']}"
    yield f"  name       {_whose(facts['vocabulary'])}"
    yield from _sources(facts["sources"])
    for place, panel in enumerate(facts["panels"]):
        yield f"  {'shown in' if place == 0 else '':<11}{panel['title']} ({panel['board']} board)"
    yield ""
    values, absences = facts["values"], facts["absences"]
    for row in values[:_MOST]:
        yield f"  {_labels(row['labels'])}{_number(row['value'])}"
    if len(values) > _MOST:
        yield f"  and {len(values) - _MOST} more series here (bongsu collect --once {facts['collector']})"
    for row in absences[:_MOST]:
        yield f"  {_labels(row['labels'])}{_reason(row)}"
    if not values and not absences:
        yield f"  Not on this machine{_why(facts['collection'])}."


def _collector(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{facts['name']}: a collector, {'on' if facts['on_by_default'] else 'off'} by default"
    yield from _wrapped(facts["doc"])
    yield ""
    yield from _sources(facts["sources"])
    outcome = facts["collection"]
    if outcome["error"] or outcome["no_data"]:
        yield f"  here       nothing{_why(outcome)}"
    else:
        series = sum(facts["series"].values())
        yield f"  here       {series} series in {outcome['seconds'] * 1000:.1f} ms"
    for row in facts["absences"][:_MOST]:
        yield f"  absent     {row['name']} {_labels(row['labels'])}{_reason(row)}"
    if facts["options"]:
        yield ""
        yield "Options, as flags or as keys below collectors." + facts["name"] + " in bongsu.yaml:"
        for option in facts["options"]:
            yield f"  {option['flag']} ({option['type']}, default {printable(repr(option['default']))})"
    if facts["metrics"]:
        yield ""
        yield "Metrics:"
        for row in facts["metrics"]:
            yield from _entry(row["name"], row["help"])


def _collectors(facts: dict[str, Any]) -> Iterator[str]:
    width = max(len(row["name"]) for row in facts["collectors"])
    for row in facts["collectors"]:
        yield f"{row['name']:<{width}}  {'on ' if row['on_by_default'] else 'off'}  {row['help']}"


def _panel(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{facts['name']}: a panel of the board {facts['board']}, titled {facts['title']}"
    yield from _wrapped(facts["help"])
    yield ""
    yield "It is drawn from:"
    for name in facts["metrics"]:
        yield f"  {name}"


def _settings(facts: dict[str, Any]) -> Iterator[str]:
    yield "Keys of bongsu.yaml. Flags override BONGSU_* variables, which override the file."
    yield ""
    for row in facts["settings"]:
        default = row["default"]
        shown = f" (default {_default(default)})" if default not in (None, {}, ()) else ""
        variable = f"; {row['variable']}" if row["variable"] else ""
        yield f"{row['key']}{shown}{variable}"
        yield from _wrapped(row["meaning"])
        if row["allowed"]:
            yield from _wrapped(f"Allowed: {row['allowed']}.")


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _word(facts: dict[str, Any]) -> Iterator[str]:
    yield f"What has to do with {printable(facts['word'])}:"
    for row in facts["collectors"]:
        yield from _entry(f"{row['name']} (collector)", row["help"])
    for row in facts["metrics"]:
        yield from _entry(row["name"], row["help"])


def _entry(name: str, text: str) -> Iterator[str]:
    yield f"  {name}"
    yield from _wrapped(text, indent="      ")


def _sources(sources: Iterable[str]) -> Iterator[str]:
    for place, source in enumerate(sources):
        yield from textwrap.wrap(
            source, _WIDTH, initial_indent=f"  {'read from' if place == 0 else '':<11}", subsequent_indent=" " * 13
        )


def _wrapped(text: str, indent: str = "  ") -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield from textwrap.wrap(
            printable(" ".join(paragraph.split())), _WIDTH, initial_indent=indent, subsequent_indent=indent
        )


def _whose(vocabulary: str) -> str:
    if vocabulary in {"node_exporter", "dcgm-exporter"}:
        return f"{vocabulary}'s, so its dashboards know it"
    if vocabulary in {"client library", "file"}:
        return f"that of every {vocabulary}"
    return "Bongsu's own" if vocabulary == "bongsu" else f"that of {vocabulary}"


def _labels(labels: dict[str, str]) -> str:
    pairs = ", ".join(f"{name}={printable(value)}" for name, value in labels.items() if value)
    return f"{pairs}: " if pairs else ""


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.15g}"


def _reason(row: dict[str, Any]) -> str:
    cure = f"; {row['cure']}" if row["cure"] else ""
    return printable(f"{row['why']}: {row['reason']}{cure}")


def _why(outcome: dict[str, Any] | None) -> str:
    if outcome is None:
        return " now: only a running agent has it"
    said = outcome["error"] or outcome["no_data"]
    if not said:
        return ""
    cure = f"; {outcome['cure']}" if outcome["cure"] else ""
    return printable(f": {said}{cure}")
