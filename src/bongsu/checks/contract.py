"""What every check offers: a name, the metrics it needs, and a judgement that reads nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from bongsu.model.check import Result
from bongsu.model.metric import MetricSpec

Readings_contra = TypeVar("Readings_contra", contravariant=True)


class Check(Protocol[Readings_contra]):
    """One question about a machine."""

    @property
    def name(self) -> str:
        """A word, such as ``ecc``."""

    @property
    def about(self) -> str:
        """What it asks, in one line."""

    @property
    def needs(self) -> tuple[MetricSpec, ...]:
        """The metrics that its readings hold."""

    def judge(self, readings: Readings_contra) -> Iterable[Result]:
        """At least one result, from these readings alone."""
