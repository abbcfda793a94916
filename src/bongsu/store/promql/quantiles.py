"""Quantiles of sorted numbers, as quantile() and quantile_over_time() take them."""

from __future__ import annotations

import numpy as np

from bongsu.model.message import Message
from bongsu.store.promql.values import Context
from bongsu.store.series import Values


def check_quantiles(context: Context, wanted: Values) -> None:
    """Warns of quantiles that are none: NaN, below 0, above 1."""
    for value in np.unique(wanted[~((wanted >= 0) & (wanted <= 1))]).tolist():
        message = Message(
            "a quantile should be between 0 and 1, and is {value}", value=f"{value:g}".replace("nan", "NaN")
        )
        context.warnings[str(message)] = message


def quantile_of_sorted(wanted: Values, ascending: Values) -> Values:
    """The quantiles ``wanted`` (W,) of the last axis of ``ascending`` (…, W, n), n ≥ 1, NaNs at its end.

    Prometheus takes NaN for the smallest number. Below 0 the answer is -Inf, above 1 it is +Inf.
    """
    count = ascending.shape[-1]
    nans = np.count_nonzero(np.isnan(ascending), axis=-1)
    inside = (wanted >= 0) & (wanted <= 1)
    rank = np.where(inside, wanted, 0.0) * (count - 1)
    lower = np.floor(rank).astype(np.intp)
    upper = np.minimum(lower + 1, count - 1)
    weight = rank - lower
    with np.errstate(all="ignore"):
        between = _at(ascending, nans, lower) * (1 - weight) + _at(ascending, nans, upper) * weight
    result: Values = np.where(inside, between, np.where(wanted < 0, -np.inf, np.where(wanted > 1, np.inf, np.nan)))
    return result


def _at(ascending: Values, nans: np.typing.NDArray[np.intp], position: np.typing.NDArray[np.intp]) -> Values:
    """The value at a position where NaNs come first."""
    index = np.broadcast_to(position, nans.shape) - nans
    found = np.take_along_axis(ascending, np.maximum(index, 0)[..., None], axis=-1)[..., 0]
    result: Values = np.where(index < 0, np.nan, found)
    return result
