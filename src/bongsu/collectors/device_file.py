"""Says why a file of a device gave no value, in the same words for sensors, memory, power and disks."""

from __future__ import annotations

import errno

from bongsu.model.batch import Absence, Why
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.sources.root import NO_ANSWER, may_not_read

_GONE = frozenset({errno.ENODEV, errno.ENXIO})


def absence(
    spec: MetricSpec, labels: tuple[str, ...], error: OSError | ValueError, what: str, cure: Message | None = None
) -> Absence:
    """The absence of one value; ``what`` names the file or sensor as its user knows it.

    ``cure`` helps where the kernel refused us.
    """
    if isinstance(error, ValueError):
        return Absence(spec, labels, Why.FAILED, Message("{what} holds no number", what=what))
    reason = Message("{what}: {error}", what=what, error=error.strerror or type(error).__name__)
    if may_not_read(error):
        return Absence(spec, labels, Why.FORBIDDEN, reason, cure)
    if error.errno in _GONE:
        return Absence(spec, labels, Why.LOST, reason)
    if error.errno in NO_ANSWER:
        return Absence(spec, labels, Why.UNSUPPORTED, reason)
    return Absence(spec, labels, Why.FAILED, reason)
