"""The contracts that rooms keep: what a collector and a sink are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bongsu.model.batch import Absence, Batch, Sample, Table
from bongsu.model.metric import MetricPattern, MetricSpec


class Collector(Protocol):
    """Reads one subject. Made once, asked often, by one thread at a time.

    Its name is also its file, settings key, log field and label value. ``may_block`` says that a
    read can wait on something other than the kernel's own memory (a network file system, a driver).
    """

    @property
    def name(self) -> str: ...  # noqa: D102  the class docstring says it

    @property
    def specs(self) -> tuple[MetricSpec | MetricPattern, ...]: ...  # noqa: D102  every metric that it can give

    @property
    def may_block(self) -> bool: ...  # noqa: D102  the class docstring says it

    def collect(self) -> Iterable[Sample | Absence | Table]:
        """Read now.

        Raises:
            NoData: this machine has none of it.
            OSError, ValueError: it is there but could not be read or understood.
        """
        ...


class Sink(Protocol):
    """A destination for batches."""

    @property
    def name(self) -> str: ...  # noqa: D102  the class docstring says it

    def write(self, batch: Batch) -> None:
        """Take one batch. Raises OSError if it could not be delivered; the next one is still tried."""
        ...

    def close(self) -> None:
        """Deliver what is held back and let go of files and connections."""
        ...
