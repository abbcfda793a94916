"""How the store fares: for the page, the command line, and as readings of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bongsu.model.batch import Sample
from bongsu.model.message import Message
from bongsu.model.metric import Kind, MetricSpec
from bongsu.store.layout import schema

UP = MetricSpec("up", Kind.GAUGE, "1 for each time at which this machine was read; in the history only.")
BYTES = MetricSpec(
    "bongsu_store_bytes", Kind.GAUGE, "Size of the history on disk, by part: file, or wal (its write-ahead log).",
    ("part",), "bytes",
)  # fmt: skip
SERIES = MetricSpec("bongsu_store_series", Kind.GAUGE, "Series that the history knows, those that ended included.")
SAMPLES = MetricSpec("bongsu_store_samples_total", Kind.COUNTER, "Samples taken into the history.")
DOUBLED = MetricSpec(
    "bongsu_store_doubled_samples_total", Kind.COUNTER,
    "Samples left out because their batch held the same series before.",
)  # fmt: skip
PENDING = MetricSpec("bongsu_store_pending_batches", Kind.GAUGE, "Batches that wait in memory to be written.")
PENDING_BYTES = MetricSpec(
    "bongsu_store_pending_bytes", Kind.GAUGE, "Memory taken by batches that wait to be written.", unit="bytes"
)
DROPPED = MetricSpec(
    "bongsu_store_dropped_batches_total", Kind.COUNTER, "Batches lost because the disk took nothing for too long."
)
LAST_COMMIT = MetricSpec(
    "bongsu_store_last_commit_timestamp_seconds", Kind.GAUGE, "Unix time of the newest commit; absent if there was none.",
    unit="seconds",
)  # fmt: skip
UPKEEP = MetricSpec(
    "bongsu_store_upkeep_duration_seconds", Kind.GAUGE,
    "How long it took to compress and thin the history the last time; absent if it was not done yet.", unit="seconds",
)  # fmt: skip
OLDEST = MetricSpec(
    "bongsu_store_oldest_timestamp_seconds", Kind.GAUGE,
    "Unix time of the oldest compressed sample, by tier: raw, or 1m (one value a minute); absent if there is none.",
    ("tier",), "seconds",
)  # fmt: skip

SPECS = (
    BYTES, SERIES, SAMPLES, DOUBLED, PENDING, PENDING_BYTES, DROPPED, LAST_COMMIT, UPKEEP, OLDEST,
)  # fmt: skip
TIERS = {schema.RAW: "raw", schema.MINUTES: "1m"}


@dataclass(frozen=True, slots=True)
class Span:
    """Times (Unix ms) of a tier's oldest and newest sample; None where it has none."""

    oldest: int | None = None
    newest: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a history may grow to: seconds that each tier is kept, bytes of file and log, seconds between commits."""

    raw_seconds: float
    minutes_seconds: float
    max_bytes: int | None
    commit_every: float


@dataclass(frozen=True, slots=True)
class Facts:
    """The store at one moment. Sizes are bytes, ``newest`` Unix ms, ``last_commit`` Unix s.

    ``spans`` are of what is compressed, by `schema` tier; ``newest`` is the time of the newest batch taken. The counts
    of batches and samples are since the start of this process.
    """

    path: str
    file_bytes: int
    wal_bytes: int
    series: int
    spans: Mapping[int, Span]
    newest: int | None
    pending_batches: int
    pending_bytes: int
    dropped_batches: int
    doubled_samples: int
    samples: int
    last_commit: float | None
    upkeep_seconds: float | None
    problem: Message | None


def samples(facts: Facts) -> Iterator[Sample]:
    """The facts as readings."""
    yield Sample(BYTES, ("file",), facts.file_bytes)
    yield Sample(BYTES, ("wal",), facts.wal_bytes)
    yield Sample(SERIES, (), facts.series)
    yield Sample(SAMPLES, (), facts.samples)
    yield Sample(DOUBLED, (), facts.doubled_samples)
    yield Sample(PENDING, (), facts.pending_batches)
    yield Sample(PENDING_BYTES, (), facts.pending_bytes)
    yield Sample(DROPPED, (), facts.dropped_batches)
    if facts.last_commit is not None:
        yield Sample(LAST_COMMIT, (), facts.last_commit)
    if facts.upkeep_seconds is not None:
        yield Sample(UPKEEP, (), facts.upkeep_seconds)
    for tier, span in facts.spans.items():
        if span.oldest is not None:
            yield Sample(OLDEST, (TIERS[tier],), span.oldest / 1000)
