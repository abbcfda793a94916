"""Queries from text to result: at one moment, or over a range of steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store.promql.evaluate import evaluate
from bongsu.store.promql.labels import present_rows
from bongsu.store.promql.parse import Parsed, parse
from bongsu.store.promql.values import Context, Matrix, PromqlError, Scalar, Steps, Text, Value, Vector
from bongsu.store.series import Source

LOOKBACK_MS = 300_000
MOST_SAMPLES = 10_000_000  # of some 50 bytes each at the worst; Prometheus has 50 million of 16
MOST_POINTS = 11_000  # of one series in a range query: Prometheus' own limit
TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a query answers. ``steps`` are the moments that the columns of a Vector or a Scalar stand for."""

    value: Vector | Scalar | Text | Matrix
    steps: Steps
    warnings: Sequence[Message] = ()
    infos: Sequence[Message] = ()


def validate(text: str) -> Parsed:
    """Whether a text is a query that can be answered at all.

    Raises:
        PromqlError: it is not understood (bad_data) or not supported; the message marks the place.
    """
    return parse(text)


def instant(
    source: Source,
    text: str,
    time_ms: int,
    *,
    lookback_ms: int = LOOKBACK_MS,
    timeout_seconds: float = TIMEOUT_SECONDS,
    most_samples: int = MOST_SAMPLES,
) -> Result:
    """The value of a query at one moment (Unix milliseconds); a range vector gives its samples.

    Raises:
        PromqlError: see there for the kinds.
    """
    parsed = parse(text)
    context = _context(source, Steps(time_ms, time_ms, 0), lookback_ms, timeout_seconds, most_samples)
    return _result(context, _run(context, parsed))


def over_range(
    source: Source,
    text: str,
    start_ms: int,
    end_ms: int,
    step_ms: int,
    *,
    lookback_ms: int = LOOKBACK_MS,
    timeout_seconds: float = TIMEOUT_SECONDS,
    most_samples: int = MOST_SAMPLES,
) -> Result:
    """The value of a query at each step from ``start_ms`` to ``end_ms`` (Unix milliseconds, both included).

    Raises:
        PromqlError: see there for the kinds.
    """
    if step_ms <= 0:
        raise _bad("the step is {step} ms; it must be above zero", step=step_ms)
    if end_ms < start_ms:
        raise _bad("the end lies before the start; swap them")
    if (end_ms - start_ms) // step_ms > MOST_POINTS:  # one more point is let through, as Prometheus does
        raise _bad(
            "a series would have {points} points, more than {most}; ask for a step of {step} s or more, "
            "or for a shorter time",
            points=(end_ms - start_ms) // step_ms + 1,
            most=MOST_POINTS,
            step=-(-(end_ms - start_ms) // MOST_POINTS) / 1000,
        )
    parsed = parse(text)
    if parsed.kind not in {"vector", "scalar"}:
        raise _bad(
            "a range query needs an instant vector or a number at each step, and this is a {kind}; "
            "ask for it at one moment, or put a function such as rate() around it",
            kind="range vector" if parsed.kind == "matrix" else "string",
        )
    context = _context(source, Steps(start_ms, end_ms, step_ms), lookback_ms, timeout_seconds, most_samples)
    value = _run(context, parsed)
    if isinstance(value, Vector):
        value = _sorted(present_rows(value))
    return _result(context, value)


def _context(source: Source, steps: Steps, lookback_ms: int, timeout_seconds: float, most_samples: int) -> Context:
    """What the evaluation of one query starts with."""
    if lookback_ms <= 0:
        raise _bad("the lookback is {lookback} ms; it must be above zero", lookback=lookback_ms)
    return Context(
        source=source,
        steps=steps,
        lookback=lookback_ms,
        most_samples=most_samples,
        deadline=time.monotonic() + timeout_seconds,
        query_start=steps.start,
        query_end=steps.end,
    )


def _run(context: Context, parsed: Parsed) -> Value:
    """Evaluate; what numpy finds odd (0/0, overflow) is arithmetic here."""
    try:
        with np.errstate(all="ignore"):
            value = evaluate(context, parsed.root)
    except BadInput as error:
        raise PromqlError("bad_data", Message("{problem}", problem=str(error))) from error
    except (RecursionError, MemoryError) as error:
        raise PromqlError(
            "execution", Message("the query needs more memory than there is; ask for fewer series or a larger step")
        ) from error
    if isinstance(value, Vector) and context.steps.step == 0:
        return present_rows(value)
    return value


def _result(context: Context, value: Value) -> Result:
    """The answer with all that was said on the way."""
    return Result(value, context.steps, tuple(context.warnings.values()), tuple(context.infos.values()))


def _sorted(vector: Vector) -> Vector:
    """Rows by their labels, as range queries answer."""
    order = sorted(range(len(vector.labels)), key=vector.labels.__getitem__)
    return Vector([vector.labels[row] for row in order], vector.values[order], vector.present[order])


def _bad(template: str, **values: object) -> PromqlError:
    """A request that makes no sense."""
    return PromqlError("bad_data", Message(template, **values))
