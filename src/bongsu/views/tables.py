"""Draws a batch: as one JSON document for programs, and as a table for eyes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import IO

from bongsu.model.batch import Absence, Batch, Outcome, Part, Sample
from bongsu.model.message import Message
from bongsu.views.json_text import json_text
from bongsu.views.printable import printable

FORMAT = 1  # of the JSON document; grows when a key changes its meaning or goes


def batch_json(batch: Batch) -> str:
    """The batch as one JSON document.

    Keys: ``format``, ``time`` (Unix s), ``collectors`` (one object each: ``collector``, ``success``, ``seconds``,
    ``cpu_seconds``, ``error``, ``no_data``, ``cure``), ``samples`` (``name``, ``labels``, ``value``, where NaN and
    infinities are the texts "NaN", "+Inf", "-Inf"), ``absences`` (``name``, ``labels``, ``why``, ``reason``,
    ``cure``, ``last``, ``last_time``), ``tables`` (rows by table name).
    """
    document = {
        "format": FORMAT,
        "time": batch.time,
        "collectors": [outcome_object(outcome) for outcome in batch.outcomes],
        "samples": [_sample(sample) for sample in batch.samples],
        "absences": [absence_object(absence) for absence in batch.absences],
        "tables": {table.name: list(table.rows) for part in batch.parts for table in part.tables},
    }
    return json_text(document)


def print_batch(batch: Batch, file: IO[str] | None = None) -> None:
    """The batch as a table: a heading for each collector, a line for each sample; Rich only when there is colour."""
    from rich.text import Text  # noqa: PLC0415  loaded only to draw

    from bongsu.views.terminal import Terminal  # noqa: PLC0415  loads Rich

    console = Terminal(file=file, soft_wrap=True)
    for part in batch.parts:
        if not part.samples and not part.absences and part.outcome.success and part.outcome.no_data is None:
            continue
        console.print(
            Text(part.collector, style="bold"), Text(_how(part), style="red" if part.outcome.error else "dim")
        )
        for sample in part.samples:
            console.print(Text(f"  {series(sample)} "), Text(number(sample.value), style="cyan"), sep="")
        for absence in part.absences:
            console.print(Text(f"  {series(absence)} "), Text(_absent(absence), style="yellow"), sep="")


def series(item: Sample | Absence) -> str:
    """``name{label="value"}``, safe to print."""
    pairs = ",".join(f'{name}="{printable(value)}"' for name, value in zip(item.spec.labels, item.labels, strict=True))
    return f"{item.spec.name}{{{pairs}}}" if pairs else item.spec.name


def number(value: float) -> str:
    """A value as exactly as Prometheus would show it: whole numbers without a point."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return "NaN" if math.isnan(value) else {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, repr(float(value)))


def outcome_object(outcome: Outcome) -> dict[str, object]:
    """How a collector fared, for JSON."""
    return {
        "collector": outcome.collector,
        "success": outcome.success,
        "seconds": outcome.seconds,
        "cpu_seconds": outcome.cpu_seconds,
        "error": _text(outcome.error),
        "no_data": _text(outcome.no_data),
        "cure": _text(outcome.cure),
    }


def absence_object(absence: Absence) -> dict[str, object]:
    """A value that is not there, for JSON."""
    return {
        "name": absence.spec.name,
        "labels": dict(zip(absence.spec.labels, absence.labels, strict=True)),
        "why": absence.why.value,
        "reason": str(absence.reason),
        "cure": _text(absence.cure),
        "last": absence.last,
        "last_time": absence.last_time,
    }


def finite(value: float) -> float | str:
    """A number that JSON can hold: NaN and infinities become texts."""
    return value if math.isfinite(value) else number(value)


def advice(parts: Iterable[Message | None]) -> str:
    """A reason and its cure on one line, safe to print."""
    return printable("; ".join(str(part) for part in parts if part is not None))


def _sample(sample: Sample) -> dict[str, object]:
    return {
        "name": sample.spec.name,
        "labels": dict(zip(sample.spec.labels, sample.labels, strict=True)),
        "value": finite(sample.value),
    }


def _how(part: Part) -> str:
    outcome = part.outcome
    if outcome.error is not None:
        return f"failed: {advice((outcome.error, outcome.cure))}"
    if outcome.no_data is not None:
        return f"nothing here: {advice((outcome.no_data, outcome.cure))}"
    return f"{outcome.seconds * 1000:.1f} ms"


def _absent(absence: Absence) -> str:
    return f"{absence.why.value}: {advice((absence.reason, absence.cure))}"


def _text(message: Message | None) -> str | None:
    return None if message is None else str(message)
