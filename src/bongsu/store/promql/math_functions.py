"""Functions of each value by itself, and what turns numbers into vectors and back."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bongsu.store.promql.call import Call
from bongsu.store.promql.labels import without_name
from bongsu.store.promql.values import Context, Scalar, Vector
from bongsu.store.series import Values

Evaluate = Callable[[Context, Call], Vector]


def nameless(vector: Vector, values: Values) -> Vector:
    """Other values under the same labels, but for the metric's name; the evaluator refuses those that become alike."""
    return Vector([without_name(labels) for labels in vector.labels], values, vector.present)


def of_each_value(result: Callable[[Values], Values]) -> Evaluate:
    """A function of one instant vector that works on each value, and takes the names away."""

    def evaluate(_: Context, call: Call) -> Vector:
        vector = call.vector(0)
        with np.errstate(all="ignore"):
            values = result(vector.values)
        return nameless(vector, values)

    return evaluate


def sign(values: Values) -> Values:
    """-1, 1, or the value itself where it is 0 or NaN."""
    return np.where(values < 0, -1.0, np.where(values > 0, 1.0, values))


def degrees(values: Values) -> Values:
    """Radians to degrees."""
    return values * 180 / math.pi


def radians(values: Values) -> Values:
    """Degrees to radians."""
    return values * math.pi / 180


def round_to(_: Context, call: Call) -> Vector:
    """To the nearest multiple, halves upwards; of 1 where nothing is said."""
    vector = call.vector(0)
    nearest = call.scalar(1).values if len(call.arguments) > 1 else np.ones(1)
    with np.errstate(all="ignore"):
        inverse = 1.0 / nearest
        values = np.floor(vector.values * inverse + 0.5) / inverse
    return nameless(vector, values)


def greater(left: Values, right: Values) -> Values:
    """The greater of two: +Inf beats NaN, NaN beats all others (Go's math.Max)."""
    either_inf = np.isposinf(left) | np.isposinf(right)
    result: Values = np.where(either_inf, np.inf, np.maximum(left, right))
    return result


def lesser(left: Values, right: Values) -> Values:
    """The lesser of two: -Inf beats NaN, NaN beats all others (Go's math.Min)."""
    either_inf = np.isneginf(left) | np.isneginf(right)
    result: Values = np.where(either_inf, -np.inf, np.minimum(left, right))
    return result


def clamp(_: Context, call: Call) -> Vector:
    """Between two limits; nothing at all where the lower is above the upper."""
    vector, least, most = call.vector(0), call.scalar(1).values, call.scalar(2).values
    values = greater(least, lesser(most, vector.values))
    return Vector(nameless(vector, values).labels, values, vector.present & ~(most < least))


def clamp_min(_: Context, call: Call) -> Vector:
    """Not below a limit."""
    vector = call.vector(0)
    return nameless(vector, greater(call.scalar(1).values, vector.values))


def clamp_max(_: Context, call: Call) -> Vector:
    """Not above a limit."""
    vector = call.vector(0)
    return nameless(vector, lesser(call.scalar(1).values, vector.values))


def scalar(context: Context, call: Call) -> Scalar:
    """The value of the only series there is at a step, else NaN."""
    vector = call.vector(0)
    if not len(vector.labels):
        return Scalar(np.full(context.steps.count, np.nan))
    only = np.count_nonzero(vector.present, axis=0) == 1
    which = np.argmax(vector.present, axis=0)
    values = np.take_along_axis(vector.values, which[None, :], axis=0)[0]
    return Scalar(np.where(only, values, np.nan))


def vector_of(_: Context, call: Call) -> Vector:
    """A number as a series without labels."""
    values = call.scalar(0).values[None, :]
    return Vector(((),), values, np.ones(values.shape, np.bool_))


def pi(context: Context, _: Call) -> Scalar:
    """The circle's number."""
    return Scalar(np.full(context.steps.count, math.pi))
