"""sort() and sort_desc(): the order of an instant query's answer."""

from __future__ import annotations

import numpy as np

from bongsu.store.promql.call import Call
from bongsu.store.promql.values import Context, Index, Vector


def sort(_: Context, call: Call) -> Vector:
    """Smallest value first, NaN last; over a range there is no such order, and none is made."""
    return _sorted(call.vector(0), 1.0)


def sort_desc(_: Context, call: Call) -> Vector:
    """Greatest value first, NaN last; over a range there is no such order, and none is made."""
    return _sorted(call.vector(0), -1.0)


def _sorted(vector: Vector, direction: float) -> Vector:
    if vector.values.shape[1] != 1:
        return vector
    by_labels = np.array(sorted(range(len(vector.labels)), key=vector.labels.__getitem__), dtype=np.intp)
    # NaN goes to the end; equal values keep the order of their labels
    order: Index = by_labels[np.argsort(vector.values[by_labels, 0] * direction, kind="stable")]
    return Vector([vector.labels[row] for row in order.tolist()], vector.values[order], vector.present[order])
