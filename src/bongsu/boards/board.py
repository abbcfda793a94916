"""What a board is made of: panels and tiles that name metrics as Python objects, so that a typo is a type error."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from bongsu.model.message import Message
from bongsu.model.query import Query


class Unit(enum.Enum):
    """What the values of a panel are; a view decides how to write them for people."""

    RATIO = "ratio"  # 1 is all of it
    BYTES = "bytes"
    BYTES_PER_SECOND = "bytes/s"
    SECONDS = "seconds"
    PER_SECOND = "per second"
    COUNT = "count"
    CELSIUS = "celsius"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or one for each group of ``query.by``: ``(query + plus … - less …) / (over … - over_less …)``.

    ``legend`` may hold the names of the labels in ``query.by``. The other queries have the same
    ``by``, or none and then count for every group. Where the divisor is 0 there is no value. ``steady`` says that the
    divisor stays the same while the machine runs, as the time of all cores per second does: it is their number.

    Raises:
        ValueError: labels do not fit together.
    """

    legend: Message
    query: Query
    plus: tuple[Query, ...] = ()
    less: tuple[Query, ...] = ()
    over: tuple[Query, ...] = ()
    over_less: tuple[Query, ...] = ()
    steady: bool = False

    def __post_init__(self) -> None:
        for query in self.queries:
            if query.by not in {(), self.query.by}:
                raise ValueError(f"{query.spec.name} by {query.by} cannot be set against {self.query.by}")

    @property
    def queries(self) -> tuple[Query, ...]:
        """All that it asks for."""
        return (self.query, *self.plus, *self.less, *self.over, *self.over_less)

    def legend_of(self, group: tuple[str, ...]) -> Message:
        """The legend of the line of one group."""
        return Message(self.legend.template, **dict(zip(self.query.by, group, strict=True)))


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart. ``name`` is for addresses; ``help`` says in one sentence what it tells.

    At most ``most`` lines are drawn, those with the highest values; the view says how many there are.
    """

    name: str
    title: Message
    unit: Unit
    lines: tuple[Line, ...]
    help: Message
    stacked: bool = False
    top: float | None = None  # the highest value there can be, such as 1 for a ratio
    whole: Query | None = None  # what the lines are parts of; the chart always shows all of it
    most: int = 12


@dataclass(frozen=True, slots=True)
class Tile:
    """One number to see at a glance. Of a line with several groups the highest is shown, with its legend."""

    name: str
    title: Message
    unit: Unit
    line: Line
    of: Query | None = None  # what the number is a part of, shown beside it in the same unit
    top: float | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """A page of charts about one subject."""

    name: str
    title: Message
    tiles: tuple[Tile, ...]
    panels: tuple[Panel, ...]

    @property
    def queries(self) -> Iterator[Query]:
        """All that the board asks for; some stand in it more than once."""
        for tile in self.tiles:
            yield from tile.line.queries
            if tile.of is not None:
                yield tile.of
        for panel in self.panels:
            if panel.whole is not None:
                yield panel.whole
            for line in panel.lines:
                yield from line.queries
