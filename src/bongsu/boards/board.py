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
    RPM = "rpm"
    WATTS = "watts"
    HERTZ = "hertz"


class Kind(enum.Enum):
    """How a panel is drawn."""

    LINES = "lines"
    STACK = "stack"  # lines one upon the other, being parts of one whole
    HEAT = "heat"  # a row of cells for each line, the darker the higher: for more lines than can be told apart


class Severity(enum.Enum):
    """How bad it is."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class State:
    """What is said of a value that is above a limit: ``text`` as short as "nearly full"."""

    severity: Severity
    text: Message
    above: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or one for each group of ``query.by``: ``(query + plus … - less …) / (over … - over_less …)``.

    ``legend`` may hold the names of the labels in ``query.by``. The other queries have the same
    ``by``, or none and then count for every group. Where the divisor is 0 there is no value. ``steady`` says that the
    divisor stays the same while the machine runs, as the time of all cores per second does: it is their number.
    ``said`` are words for values of labels that nobody would understand.

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
    said: tuple[tuple[str, Message], ...] = ()

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
        said = dict(self.said)
        return Message(
            self.legend.template,
            **{name: said.get(value, value) for name, value in zip(self.query.by, group, strict=True)},
        )


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of something, by groups, and what is said where it runs out if it goes on as before.

    That is as in the last ``hours``, or as many of them as were watched. ``text`` holds the names of the labels in
    ``query.by``, ``span`` for the time that is left, and ``past`` for the time that was watched. With less than ``soon`` seconds left it is a warning.
    """

    query: Query
    text: Message
    hours: float = 6.0
    soon: float = 86400.0

    def text_of(self, group: tuple[str, ...], span: str, past: str) -> Message:
        """The sentence for one group."""
        places = dict(zip(self.query.by, group, strict=True))
        return Message(self.text.template, **places, span=span, past=past)


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart. ``name`` is for addresses; ``help`` says in one sentence what it tells.

    Panels that follow each other with the same ``section`` stand together under it. At most ``most`` lines are drawn, those with the highest values; the view says how many there are.
    """

    name: str
    title: Message
    unit: Unit
    lines: tuple[Line, ...]
    help: Message
    kind: Kind = Kind.LINES
    section: Message | None = None
    top: float | None = None  # the highest value there can be, such as 1 for a ratio
    whole: Query | None = None  # what the lines are parts of; the chart always shows all of it
    most: int = 12
    left: Left | None = None


@dataclass(frozen=True, slots=True)
class Tile:
    """One number to see at a glance. Of a line with several groups the highest is shown, with its legend.

    ``panel`` names the panel that explains it, where that is not the one of the same name. Of the ``states`` whose
    limit the number (its share where it is a part ``of`` something) is above, the last holds. A tile without a line
    names the ``collector`` that says why there is no number. One that is there only ``if_any`` value was read is left
    out where the machine has none.

    Raises:
        ValueError: it has neither, or both, or its states are not in the order of their limits.
    """

    name: str
    title: Message
    unit: Unit
    line: Line | None = None
    of: Query | None = None  # what the number is a part of, shown beside it in the same unit
    top: float | None = None
    panel: str = ""
    states: tuple[State, ...] = ()
    left: Left | None = None
    collector: str = ""
    if_any: bool = False

    def __post_init__(self) -> None:
        if (self.line is None) is (self.collector == ""):
            raise ValueError(f"tile {self.name}: give a line, or the collector that says why there is none")
        if [state.above for state in self.states] != sorted({state.above for state in self.states}):
            raise ValueError(f"tile {self.name}: the lowest limit comes first")

    @property
    def lines(self) -> tuple[Line, ...]:
        """Its line, if it has one."""
        return () if self.line is None else (self.line,)

    def state(self, value: float, whole: float | None) -> State | None:
        """What is to be said of a value, which is a part of ``whole``; None if nothing is, or the value is NaN."""
        if self.of is not None:
            if not whole:
                return None
            value /= whole
        return next((state for state in reversed(self.states) if value > state.above), None)


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
            for line in tile.lines:
                yield from line.queries
            if tile.of is not None:
                yield tile.of
            if tile.left is not None:
                yield tile.left.query
        for panel in self.panels:
            if panel.whole is not None:
                yield panel.whole
            if panel.left is not None:
                yield panel.left.query
            for line in panel.lines:
                yield from line.queries
