"""Time and calendar: time(), timestamp() and the parts of a date in UTC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bongsu.store.promql.call import Call, bare_selector
from bongsu.store.promql.math_functions import nameless
from bongsu.store.promql.values import Context, Scalar, Vector
from bongsu.store.series import Values

Whole = NDArray[np.int64]

_DAY = 86_400
# Go counts seconds from the first of March of the year -292277022400, modulo 2**64: that is where the
# dates of numbers far beyond all dates come from, NaN among them.
_EPOCH_DAY = 106_751_991_084_417
_UNSPEAKABLE = np.iinfo(np.int64).min  # what the processor makes of numbers that fit no int64


def time(context: Context, _: Call) -> Scalar:
    """The step's moment in Unix seconds."""
    return Scalar(context.steps.times / 1000)


def timestamp(context: Context, call: Call) -> Vector:
    """When the samples were taken, for a selector; else the step's moment."""
    vector = call.vector(0)
    if not bare_selector(call.nodes[0]):
        return nameless(vector, np.broadcast_to(context.steps.times / 1000, vector.values.shape))
    return nameless(vector, vector.values)


def part(of: Callable[[Whole, Whole], Whole]) -> Callable[[Context, Call], Vector]:
    """A function of the dates that an instant vector holds in Unix seconds, or of the step's moment.

    ``of`` takes days since 1970 and seconds of the day.
    """

    def evaluate(context: Context, call: Call) -> Vector:
        if call.arguments:
            vector = call.vector(0)
            seconds = _whole(vector.values)
        else:
            seconds = (context.steps.times // 1000)[None, :]
            vector = Vector(((),), np.empty(0), np.ones(seconds.shape, np.bool_))
        since = seconds.astype(np.uint64) + np.uint64(_EPOCH_DAY * _DAY)  # modulo 2**64, as in Go
        days = (since // np.uint64(_DAY)).astype(np.int64) - _EPOCH_DAY
        values = of(days, (since % np.uint64(_DAY)).astype(np.int64)).astype(np.float64)
        return nameless(vector, values)

    return evaluate


def _whole(values: Values) -> Whole:
    fits = np.abs(values) < 2.0**63
    return np.where(fits, np.trunc(np.where(fits, values, 0.0)).astype(np.int64), _UNSPEAKABLE)


def _months(days: Whole) -> Whole:
    """Months since January 1970."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _first_day(months: Whole) -> Whole:
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def minute(_: Whole, seconds: Whole) -> Whole:
    """0 to 59."""
    return seconds // 60 % 60


def hour(_: Whole, seconds: Whole) -> Whole:
    """0 to 23."""
    return seconds // 3600


def day_of_week(days: Whole, _: Whole) -> Whole:
    """0 for Sunday to 6."""
    return (days + 4) % 7


def day_of_month(days: Whole, _: Whole) -> Whole:
    """1 to 31."""
    return days - _first_day(_months(days)) + 1


def day_of_year(days: Whole, _: Whole) -> Whole:
    """1 to 366."""
    return days - _first_day(_months(days) // 12 * 12) + 1


def days_in_month(days: Whole, _: Whole) -> Whole:
    """28 to 31."""
    months = _months(days)
    return _first_day(months + 1) - _first_day(months)


def month(days: Whole, _: Whole) -> Whole:
    """1 to 12."""
    return _months(days) % 12 + 1


def year(days: Whole, _: Whole) -> Whole:
    """Such as 2025."""
    return _months(days) // 12 + 1970
