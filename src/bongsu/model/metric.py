"""What a metric is: its name, kind, unit, help and labels, checked when it is written down."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

BASE_UNITS = (
    "amperes", "bytes", "celsius", "hertz", "info", "joules", "ratio", "rpm", "seconds", "volts", "watts",
)  # fmt: skip
_FORBIDDEN_ENDINGS = re.compile(
    r"_(ms|msec|millis|milliseconds|us|microseconds|ns|minutes|hours|kb|kib|mb|mib|gb|gib|kilobytes|"
    r"megabytes|gigabytes|bits|percent|pct|mhz|khz|ghz|mw|milliwatts|mj|fahrenheit)(_total)?$"
)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Kind(enum.Enum):
    """Prometheus types that we write; INFO is a gauge of value 1 whose labels are the reading."""

    GAUGE = "gauge"
    COUNTER = "counter"
    UNTYPED = "untyped"
    INFO = "info"


class Vocabulary(enum.Enum):
    """Whose word a metric name is. Only our own names must follow our own rules."""

    BONGSU = "bongsu"
    NODE_EXPORTER = "node_exporter"
    DCGM = "dcgm-exporter"
    CLIENT = "client library"  # process_*, which every Prometheus client exports
    FILE = "file"  # whatever those write whose files the textfile collector reads


@dataclass(frozen=True, slots=True, eq=False)
class MetricSpec:
    """One metric. Compared by identity: two specs are the same metric only if they are one object.

    Raises:
        ValueError: the name breaks the rules of Prometheus, or (for our own vocabulary) of base
            units: see https://prometheus.io/docs/practices/naming/.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""  # one of BASE_UNITS, or "" for a plain count or state
    vocabulary: Vocabulary = Vocabulary.BONGSU

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a metric name")
        if not self.help or self.help != self.help.strip():
            raise ValueError(f"{self.name}: a metric needs a help sentence")
        for label in self.labels:
            if not _LABEL.fullmatch(label) or label.startswith("__"):
                raise ValueError(f"{self.name}: {label!r} is not a label name")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"{self.name}: a label stands twice")
        if self.unit and self.unit not in BASE_UNITS:
            raise ValueError(f"{self.name}: unit {self.unit!r} is not one of {', '.join(BASE_UNITS)}")
        if self.vocabulary is Vocabulary.BONGSU:
            self._check_own_name()

    def _check_own_name(self) -> None:
        if _FORBIDDEN_ENDINGS.search(self.name):
            raise ValueError(f"{self.name}: use a base unit ({', '.join(BASE_UNITS)})")
        if self.name.endswith("_total") != (self.kind is Kind.COUNTER):
            raise ValueError(f"{self.name}: counters end in _total, and nothing else does")
        if self.name.endswith("_info") != (self.kind is Kind.INFO):
            raise ValueError(f"{self.name}: info metrics end in _info, and nothing else does")
        if self.unit and self.unit not in self.name.removesuffix("_total").split("_"):
            raise ValueError(f"{self.name}: the unit {self.unit} must stand in the name")


@dataclass(frozen=True, slots=True, eq=False)
class MetricPattern:
    """Metrics whose names come from the machine, such as ``node_memory_{}_bytes`` for each meminfo field.

    ``pattern`` and ``help`` hold one ``{}`` each for the word that the machine supplies.
    """

    pattern: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    vocabulary: Vocabulary = Vocabulary.BONGSU
    _made: dict[str, MetricSpec] = field(default_factory=dict, repr=False)

    def spec(self, word: str, kind: Kind | None = None) -> MetricSpec:
        """The spec for one word; always the same object for the same word.

        Raises:
            ValueError: the word makes no valid metric name.
        """
        made = self._made.get(word)
        if made is None:
            made = self._made[word] = MetricSpec(
                self.pattern.format(word), kind or self.kind, self.help.format(word), self.labels, self.unit,
                self.vocabulary,
            )  # fmt: skip
        return made

    def made(self, spec: MetricSpec) -> bool:
        """Whether the spec came from here."""
        return any(one is spec for one in self._made.values())
