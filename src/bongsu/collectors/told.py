"""Readings that another part of this process makes of itself, as a collector."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bongsu.model.batch import Sample
from bongsu.model.metric import MetricSpec


class Told:
    """Passes on what ``tell`` gives each time it is asked. Used by the agent for its store; not in COLLECTORS."""

    may_block = False
    on_by_default = True

    def __init__(self, name: str, specs: tuple[MetricSpec, ...], tell: Callable[[], Iterable[Sample]]) -> None:
        self.name = name
        self.specs = specs
        self._tell = tell

    def collect(self) -> Iterable[Sample]:
        """The samples of now."""
        return self._tell()
