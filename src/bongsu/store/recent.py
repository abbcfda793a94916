"""The last hour in memory: one ring of floats for each line that a board draws."""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bongsu.model.batch import Batch, Part
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.query import Fold, Query

NAN = math.nan
_SWEEP_EVERY = 300  # writes between two looks for rings that hold nothing any more


@dataclass(frozen=True, slots=True)
class Window:
    """The answer to a query: ``rows`` maps the values of ``query.by`` to one value for each of ``times``.

    Times are Unix seconds, ascending. NaN is a gap: the value was not read, or no rate can be told.

    Where many readings make one value, ``low`` and ``high`` are the lowest and highest of them, so that peaks are not
    lost. With ``outer`` they are bounds that need not have been reached: of a sum, the sums of each series' own.
    """

    times: array[float]
    rows: dict[tuple[str, ...], array[float]]
    low: dict[tuple[str, ...], array[float]] | None = None
    high: dict[tuple[str, ...], array[float]] | None = None
    outer: bool = False


@dataclass(slots=True)
class _Clock:
    """When one collector's newest part was read, on the monotonic clock."""

    last: float = NAN
    elapsed: float = NAN  # seconds between its two newest parts
    generation: int = 0  # grows with each new part; tells a series that stayed from one that came back


@dataclass(slots=True)
class _Row:
    """One ring: readings, or for a counter its rate."""

    values: array[float]
    seen: int = -1  # the number of the newest slot that holds a value


@dataclass(slots=True)
class _Kept:
    """One metric, summed over the labels that no query asks for; with ``only``, of those series that this query is of."""

    spec: MetricSpec
    rate: bool
    labels: tuple[str, ...]
    only: Query | None = None
    pick: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple
    rows: dict[tuple[str, ...], _Row] = field(default_factory=dict)
    keys: dict[tuple[str, ...], tuple[str, ...] | None] = field(default_factory=dict)
    last: dict[tuple[str, ...], tuple[int, float]] = field(default_factory=dict)  # generation and raw value
    clock: _Clock | None = None


class Recent:
    """A sink that remembers what ``queries`` ask for, and answers them.

    Labels that no query names are summed away as batches come in, so memory (8 bytes a point) goes
    with the number of lines drawn, not with the number of cores. Rates are made on the monotonic
    clock of the part that a value came in: a counter that went backwards, a series that has just
    appeared, or one that came back from a gap has no rate for that moment.

    ``interval`` is the seconds between two batches. Rows beyond ``max_rows`` are dropped and
    counted in ``dropped``. Writing and reading may be done by different threads.

    Raises:
        ValueError: ``seconds`` or ``interval`` is not positive.
    """

    name = "recent"

    def __init__(
        self, queries: Iterable[Query], *, seconds: float = 3600.0, interval: float = 1.0, max_rows: int = 2000
    ) -> None:
        if not (seconds > 0 and interval > 0):
            raise ValueError("seconds and interval must be positive")
        self.interval = interval
        self.max_rows = max_rows
        self._capacity = max(2, math.ceil(seconds / interval))
        self._wall = array("d", [NAN]) * self._capacity
        self._clocks: dict[str, _Clock] = {}
        self._kept: dict[MetricSpec, list[_Kept]] = {}
        self._refused: set[tuple[int, tuple[str, ...]]] = set()
        self._row_count = 0
        self._written = 0  # slots filled since the start; the newest is written - 1
        self._lock = threading.Lock()
        for query in queries:
            self._keep(query)

    @property
    def rows(self) -> int:
        """How many rows are held."""
        return self._row_count

    @property
    def oldest(self) -> float:
        """Unix time of the oldest batch that is still held; infinity before the first."""
        with self._lock:
            slots = self._slots(-math.inf, math.inf)
            return self._wall[slots[0]] if slots else math.inf

    @property
    def dropped(self) -> int:
        """How many rows were not kept for want of room (at most ``max_rows`` of them are told apart)."""
        return len(self._refused)

    @property
    def problem(self) -> Message | None:
        """The sentence to show when rows were dropped."""
        if not self._refused:
            return None
        return Message(
            "at least {dropped} lines are not kept: the memory for recent values holds {most}; "
            "leave out devices that you do not need",
            dropped=len(self._refused), most=self.max_rows,
        )  # fmt: skip

    def refused(self, query: Query) -> int:
        """How many rows that the query asks for were not kept, at least.

        Raises:
            ValueError: as `read`.
        """
        with self._lock:
            kept = id(self._find(query))
            return sum(number == kept for number, _ in self._refused)

    def write(self, batch: Batch) -> None:
        """Take one batch. A part that was delivered before (its collector is asked less often) is carried on."""
        with self._lock:
            if self._written and self._written % _SWEEP_EVERY == 0:
                self._sweep()
            slot = self._written % self._capacity
            before = (slot - 1) % self._capacity
            self._wall[slot] = batch.time
            carried = self._take_parts(batch.parts, slot)
            for kept in self._all_kept():
                carry = kept.clock is not None and id(kept.clock) in carried
                for row in kept.rows.values():
                    if row.seen != self._written:
                        value = row.values[slot] = row.values[before] if carry else NAN
                        if value == value:  # noqa: PLR0124  only NaN is unequal to itself
                            row.seen = self._written
            self._written += 1

    def close(self) -> None:
        """Nothing is held back."""

    def read(self, query: Query, since: float = -math.inf, until: float = math.inf, *, points: int = 0) -> Window:
        """The query's answer for Unix times ``since`` to ``until``, thinned to at most ``points`` (0: all of them).

        Thinning averages rates and AVG, takes the highest of MAX and the newest of LAST.

        Raises:
            ValueError: the query asks for labels or a fold that were not named when this was made.
        """
        return self.read_all([query], since, until, points=points)[0]

    def read_all(
        self, queries: Sequence[Query], since: float = -math.inf, until: float = math.inf, *, points: int = 0
    ) -> list[Window]:
        """As `read` for each query, all of one moment: the windows have the same times."""
        with self._lock:
            slots = self._slots(since, until)
            times = array("d", [self._wall[i] for i in slots])
            found = [
                {key: _column(rows, slots) for key, rows in self._groups(query, self._find(query)).items()}
                for query in queries
            ]
        stride = stride_of(len(times), points)
        return [thinned(Window(times, rows), query.fold, stride) for query, rows in zip(queries, found, strict=True)]

    def newest(self, query: Query) -> dict[tuple[str, ...], float]:
        """The query's newest value for each group; NaN where it is not known now.

        Raises:
            ValueError: as `read`.
        """
        with self._lock:
            kept = self._find(query)
            slot = (self._written - 1) % self._capacity
            return {key: _sum(row.values[slot] for row in rows) for key, rows in self._groups(query, kept).items()}

    def _keep(self, query: Query) -> None:
        rate = query.fold is Fold.RATE
        wanted = _labels(query)
        unknown = wanted - set(query.spec.labels)
        if unknown:
            raise ValueError(f"{query.spec.name} has no label {', '.join(sorted(unknown))}")
        group = self._kept.setdefault(query.spec, [])
        only = query if _narrows(query) else None
        kept = next((k for k in group if k.rate is rate and k.only == only), None)
        if kept is None:
            kept = _Kept(query.spec, rate, (), only)
            group.append(kept)
        if only is not None:
            wanted = set(query.by)
        kept.labels = tuple(label for label in query.spec.labels if label in wanted or label in kept.labels)
        kept.pick = _picker(query.spec.labels, kept.labels)

    def _all_kept(self) -> Iterator[_Kept]:
        for group in self._kept.values():
            yield from group

    def _find(self, query: Query) -> _Kept:
        rate = query.fold is Fold.RATE
        wanted = _labels(query)
        for kept in self._kept.get(query.spec, ()):
            if kept.rate is rate and (kept.only == query or (kept.only is None and wanted <= set(kept.labels))):
                return kept
        raise ValueError(f"{query.spec.name} by {sorted(wanted)} as {query.fold.value} is not kept")

    def _take_parts(self, parts: Sequence[Part], slot: int) -> set[int]:
        """Add the parts' samples; returns the clocks of parts that were delivered before."""
        carried: set[int] = set()
        for part in parts:
            clock = self._clocks.get(part.collector)
            if clock is None:
                clock = self._clocks[part.collector] = _Clock()
            if part.monotonic == clock.last:
                carried.add(id(clock))
                continue
            clock.elapsed = part.monotonic - clock.last
            clock.last = part.monotonic
            clock.generation += 1
            began_anew: list[_Row] = []
            for sample in part.samples:
                for kept in self._kept.get(sample.spec, ()):
                    kept.clock = clock
                    row = self._row(kept, sample.labels)
                    if row is None:
                        continue
                    value = float(sample.value)
                    if kept.rate:
                        generation, last = kept.last.get(sample.labels, (-1, NAN))
                        kept.last[sample.labels] = (clock.generation, value)
                        if value < last:
                            began_anew.append(row)  # what it counted before that is lost
                        stayed = generation == clock.generation - 1 and clock.elapsed > 0
                        value = (value - last) / clock.elapsed if stayed else NAN
                    if value == value:  # noqa: PLR0124  only NaN is unequal to itself
                        row.values[slot] = value + (row.values[slot] if row.seen == self._written else 0.0)
                        row.seen = self._written
            for row in began_anew:
                row.values[slot] = NAN
        return carried

    def _row(self, kept: _Kept, labels: tuple[str, ...]) -> _Row | None:
        try:
            key = kept.keys[labels]
        except KeyError:
            key = kept.pick(labels) if kept.only is None or _passes(kept.only, kept.spec.labels, labels) else None
            kept.keys[labels] = key
        if key is None:
            return None
        row = kept.rows.get(key)
        if row is None:
            if self._row_count >= self.max_rows:
                if len(self._refused) < self.max_rows:
                    self._refused.add((id(kept), key))
                return None
            row = kept.rows[key] = _Row(array("d", [NAN]) * self._capacity, self._written - 1)
            self._row_count += 1
        return row

    def _slots(self, since: float, until: float) -> list[int]:
        """Slots within the times, oldest first; what a clock set back has put into the future is left out."""
        found = []
        after = math.inf
        for number in range(self._written - 1, max(-1, self._written - self._capacity - 1), -1):
            slot = number % self._capacity
            wall = self._wall[slot]
            if wall < since:
                break
            if wall < after:
                if wall <= until:
                    found.append(slot)
                after = wall
        found.reverse()
        return found

    def _groups(self, query: Query, kept: _Kept) -> dict[tuple[str, ...], list[_Row]]:
        by = _picker(kept.labels, query.by)
        groups: dict[tuple[str, ...], list[_Row]] = {}
        for key, row in kept.rows.items():
            if kept.only is not None or _passes(query, kept.labels, key):
                groups.setdefault(by(key), []).append(row)
        return groups

    def _sweep(self) -> None:
        """Forget rows that hold gaps only, and the last values of series that are gone."""
        oldest = self._written - self._capacity
        for kept in self._all_kept():
            for key in [key for key, row in kept.rows.items() if row.seen < oldest]:
                del kept.rows[key]
                self._row_count -= 1
            if kept.clock is not None:
                newest = kept.clock.generation
                kept.last = {k: v for k, v in kept.last.items() if v[0] >= newest - 1}
            if len(kept.keys) > 4 * self.max_rows:
                kept.keys.clear()
        self._refused.clear()  # those still refused are counted again with the next batch


def _labels(query: Query) -> set[str]:
    return {*query.by, *(name for name, _ in (*query.where, *query.where_not))}


def _narrows(query: Query) -> bool:
    """Whether its conditions would multiply the rows kept for it: of many cores it may want only some of the modes."""
    return bool(query.by) and not _labels(query) <= set(query.by)


def _passes(query: Query, names: tuple[str, ...], labels: tuple[str, ...]) -> bool:
    return all(labels[names.index(name)] == value for name, value in query.where) and all(
        labels[names.index(name)] != value for name, value in query.where_not
    )


def _picker(have: tuple[str, ...], want: tuple[str, ...]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    if have == want:
        return tuple
    places = tuple(have.index(label) for label in want)
    return lambda labels: tuple([labels[i] for i in places])


def _sum(values: Iterable[float]) -> float:
    """The sum of what is known; NaN if nothing is."""
    known = [value for value in values if value == value]  # noqa: PLR0124  NaN is unequal to itself, and nothing tests it faster
    return sum(known) if known else NAN


def _column(rows: Sequence[_Row], slots: Sequence[int]) -> array[float]:
    if not slots:
        return array("d")
    columns = [_cut(row.values, slots) for row in rows]
    return columns[0] if len(columns) == 1 else array("d", map(_sum, zip(*columns, strict=True)))


def _cut(values: array[float], slots: Sequence[int]) -> array[float]:
    """The values in these slots; in slices where slots follow each other round the ring, as they do but for a clock set back."""
    first, last, capacity = slots[0], slots[-1], len(values)
    if (last - first) % capacity + 1 != len(slots):
        return array("d", [values[i] for i in slots])
    return values[first : last + 1] if first <= last else values[first:] + values[: last + 1]


def stride_of(length: int, points: int) -> int:
    """How many of ``length`` moments make one, for at most ``points`` of them (0: all)."""
    return max(1, math.ceil(length / points)) if points else 1


def thinned(window: Window, fold: Fold, stride: int) -> Window:
    """A window in which ``stride`` moments make one, as `Recent.read` says; an incomplete one at the end is left out."""
    if stride == 1:
        return window
    times = window.times[stride - 1 :: stride]
    return Window(times, {key: _thin(values, stride, fold) for key, values in window.rows.items()})


def _thin(values: array[float], stride: int, fold: Fold) -> array[float]:
    thinned = array("d")
    for start in range(0, len(values) - stride + 1, stride):
        group: Sequence[float] = values[start : start + stride]
        total = sum(group)
        if total != total:  # noqa: PLR0124  NaN, so some are not known
            group = [v for v in group if v == v]  # noqa: PLR0124  as above
            total = sum(group)
        if not group:
            thinned.append(NAN)
        elif fold is Fold.LAST:
            thinned.append(group[-1])
        elif fold is Fold.MAX:
            thinned.append(max(group))
        else:
            thinned.append(total / len(group))
    return thinned
