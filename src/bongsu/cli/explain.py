"""`bongsu explain`: what a metric, collector, panel or setting is, where it comes from, and its value here."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

import click

from bongsu.cli.options import ObservingCommand, loaded, machine_options
from bongsu.model.errors import BadInput
from bongsu.model.message import Message

HELP = """Say what NAME is: a metric, a collector, a panel, a setting, or a word that stands in their names.

\b
Examples:
  bongsu explain node_load1            a metric: meaning, labels, source, value here
  bongsu explain diskstats             a collector: what it reads, its options, its metrics
  bongsu explain temperature           all that has to do with a word
  bongsu explain collectors            all collectors, on or off
  bongsu explain settings              all keys of bongsu.yaml
  bongsu explain settings --json       their JSON Schema, for an editor
"""
# Modules beside the readers that read nothing themselves: how files are come by, what travels, what is done with it.
_NO_SOURCE = (".root", ".counts", ".worker", ".nvml.reading", ".redact")
Facts = dict[str, Any]


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    index = Index()
    return [name for name in ("collectors", "settings", *index.names()) if name.startswith(incomplete)]


@click.command(cls=ObservingCommand, help=HELP)
@machine_options
@click.argument("name", shell_complete=_complete)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def explain(ctx: click.Context, name: str, as_json: bool) -> None:
    """Find what NAME is and print all that is known of it."""
    from bongsu.views.json_text import json_text

    if name == "settings" and as_json:
        click.echo(json_text(settings_schema(), indent=2))
        return
    index = Index()
    facts = _facts(ctx, index, name)
    if as_json:
        click.echo(json_text(facts))
    else:
        from bongsu.views.explained import lines

        click.echo("\n".join(lines(facts)))


def _facts(ctx: click.Context, index: Index, name: str) -> Facts:
    if name == "collectors":
        return {"kind": "collectors", "collectors": [_collector_row(cls) for cls in index.classes]}
    if name == "settings":
        return {"kind": "settings", "settings": list(settings_rows())}
    metric = index.metric(name)
    if metric is not None:
        collector, spec = metric
        values = _values(ctx, index, collector)
        return {**_metric(index, collector, spec), **_here(values, name)}
    for cls in index.classes:
        if cls.name == name:
            return {**_collector(index, cls), **_health(_values(ctx, index, name), name)}
    for board, panel in index.panels():
        if panel.name == name:
            return {
                "kind": "panel", "name": name, "board": board.name, "title": str(panel.title),
                "help": str(panel.help), "metrics": sorted({q.spec.name for line in panel.lines for q in line.queries}),
            }  # fmt: skip
    rows = [row for row in settings_rows() if row["key"] in {name, name.replace("-", "_")}]
    if rows:
        return {"kind": "settings", "settings": rows}
    return _from_file(ctx, index, name) or _word(index, name)


def _from_file(ctx: click.Context, index: Index, name: str) -> Facts | None:
    """A metric that a file of others gives here (the textfile collector), or None."""
    for collector, pattern in index.metrics():
        if getattr(pattern, "pattern", "") == "{}":
            values = _values(ctx, index, collector)
            for sample in values.samples:
                if sample.spec.name == name:
                    return {**_metric(index, collector, sample.spec), **_here(values, name)}
    return None


class Index:
    """All that has a name."""

    def __init__(self) -> None:
        from bongsu.cli.wire import classes
        from bongsu.collectors.agent import AgentCollector
        from bongsu.collectors.demo import DemoCollector
        from bongsu.model import health
        from bongsu.store.writing import facts

        self.classes = classes()
        self.by_collector: dict[str, tuple[Any, ...]] = {cls.name: cls.specs for cls in self.classes}
        self.by_collector[AgentCollector.name] = AgentCollector.specs
        self.by_collector[DemoCollector.name] = DemoCollector.specs
        self.by_collector[health.NAME] = health.SPECS
        self.by_collector["store"] = (facts.UP, *facts.SPECS)

    def metrics(self) -> Iterator[tuple[str, Any]]:
        """(collector, spec or pattern), all."""
        for collector, specs in self.by_collector.items():
            for spec in specs:
                yield collector, spec

    def metric(self, name: str) -> tuple[str, Any] | None:
        """The collector and spec of a metric's name; a pattern matches the names that it makes."""
        found = None
        for collector, spec in self.metrics():
            if hasattr(spec, "name"):
                if spec.name == name:
                    return collector, spec
            else:
                if spec.pattern == "{}":
                    continue  # names from files: any name would be one
                match = re.fullmatch(re.escape(spec.pattern).replace(r"\{\}", "([a-zA-Z0-9_:]+)"), name)
                if match and (found is None or len(spec.pattern) > len(found[2])):
                    found = collector, spec.spec(match[1]), spec.pattern
                if name in {spec.pattern, spec.pattern.replace("{}", "*")}:
                    return collector, spec
        return None if found is None else found[:2]

    def panels(self) -> Iterator[tuple[Any, Any]]:
        """(board, panel), all."""
        from bongsu.boards.host import HOST

        for board in (HOST,):
            for panel in board.panels:
                yield board, panel

    def names(self) -> list[str]:
        """Every name that can be explained."""
        metrics = [_name(spec) for _, spec in self.metrics() if _name(spec) != "*"]
        keys = [row["key"] for row in settings_rows()]
        return [*self.by_collector, *metrics, *(panel.name for _, panel in self.panels()), *keys]


def settings_rows() -> Iterator[Facts]:
    """Each setting: key, default, meaning, what is allowed."""
    import typing

    import msgspec

    from bongsu.cli.settings_file import allowed, leaves, mappings
    from bongsu.model.settings import MEANING, Settings

    single = list(leaves(Settings))
    for path in [*single, *mappings(Settings)]:
        struct: Any = Settings
        for key in path[:-1]:
            hint = typing.get_type_hints(struct, include_extras=True)[key]
            struct = next(
                part for part in (hint, *typing.get_args(hint))
                if isinstance(part, type) and issubclass(part, msgspec.Struct)
            )  # fmt: skip
        field = next(f for f in msgspec.structs.fields(struct) if f.name == path[-1])
        default = None if field.default is msgspec.NODEFAULT else field.default
        hint = typing.get_type_hints(struct, include_extras=True)[path[-1]]
        yield {
            "key": ".".join(path), "variable": f"BONGSU_{'_'.join(path).upper()}" if path in single else None,
            "default": default, "allowed": allowed(hint), "meaning": MEANING[path],
        }  # fmt: skip


def settings_schema() -> Facts:
    """The JSON Schema of bongsu.yaml, with the options of each collector."""
    import msgspec

    from bongsu.cli.wire import classes, first_line, keywords
    from bongsu.model.settings import Settings

    schema = msgspec.json.schema(Settings)
    _allow_units(schema)
    properties = schema["$defs"]["Settings"]["properties"]
    properties["collectors"] = {
        "type": ["object", "null"], "additionalProperties": False, "default": {},
        "properties": {
            cls.name: {
                "description": first_line(cls),
                "anyOf": [
                    {"type": "boolean"},
                    {
                        "type": "object", "additionalProperties": False,
                        "properties": {
                            "enabled": {"type": "boolean"},
                            **{k.name: msgspec.json.schema(k.type) | {"default": k.default} for k in keywords(cls)},
                        },
                    },
                ],
            }
            for cls in classes()
        },
    }  # fmt: skip
    return schema


def _allow_units(node: Any) -> None:
    """Times and sizes may be texts with a unit, which msgspec's schema of a number does not say."""
    if isinstance(node, dict):
        says = node.get("description", "")
        if node.get("type") == "number" and says.startswith(("seconds", "a time")):
            node["type"] = ["number", "string"]
            node["pattern"] = r"^(\d+(\.\d*)?|\.\d+)\s*(ms|s|m|h|d|w|y)?$"
        elif node.get("type") == "integer" and says.startswith("a size"):
            node["type"] = ["integer", "string"]
            node["pattern"] = r"^(\d+(\.\d*)?|\.\d+)\s*([kKMGT]i?B?|B)?$"
        for below in node.values():
            _allow_units(below)
    elif isinstance(node, list):
        for below in node:
            _allow_units(below)


def _name(spec: Any) -> str:
    return str(spec.name) if hasattr(spec, "name") else str(spec.pattern.replace("{}", "*"))


def _metric(index: Index, collector: str, spec: Any) -> Facts:
    name = _name(spec)
    package = next((getattr(cls, "package", None) for cls in index.classes if cls.name == collector), None)
    whose = spec.vocabulary.value if package is None else f"the package {package}"
    return {
        "kind": "metric", "name": name, "type": spec.kind.value, "unit": spec.unit, "labels": list(spec.labels),
        "help": spec.help.replace("{}", "*"), "vocabulary": whose, "collector": collector,
        "sources": _sources(index, collector),
        "panels": [
            {"board": board.name, "panel": panel.name, "title": str(panel.title)}
            for board, panel in index.panels()
            if any(query.spec.name == name for line in panel.lines for query in line.queries)
        ],
    }  # fmt: skip


def _collector_row(cls: Any) -> Facts:
    from bongsu.cli.wire import first_line

    return {"name": cls.name, "on_by_default": cls.on_by_default, "help": first_line(cls)}


def _collector(index: Index, cls: Any) -> Facts:
    from bongsu.cli.wire import keywords

    return {
        "kind": "collector", **_collector_row(cls), "doc": (inspect.getdoc(cls) or "").partition("\n\nRaises:")[0].replace("``", "`"),
        "sources": _sources(index, cls.name),
        "options": [
            {
                "name": k.name, "flag": f"--collector.{cls.name}.{k.name.replace('_', '-')}",
                "type": getattr(k.type, "__name__", str(k.type)), "default": k.default,
            }
            for k in keywords(cls)
        ],
        "metrics": [{"name": _name(spec), "type": spec.kind.value, "help": spec.help.replace("{}", "*")} for spec in cls.specs],
    }  # fmt: skip


def _sources(index: Index, collector: str) -> list[str]:
    """What a collector reads: the first lines of the source modules that its module uses, or the package that brings it."""
    for cls in index.classes:
        if cls.name == collector:
            if (package := getattr(cls, "package", None)) is not None:
                return [f"The package {package}."]
            module = sys.modules[cls.__module__]
            used = {
                value if isinstance(value, types.ModuleType) else sys.modules.get(getattr(value, "__module__", ""))
                for value in vars(module).values()
            }
            found = (m for m in used if m is not None and m.__name__.startswith("bongsu.sources."))
            lines = ((m.__doc__ or "").split("\n")[0] for m in found if not m.__name__.endswith(_NO_SOURCE))
            return sorted(filter(None, lines))
    return []


def _values(ctx: click.Context, index: Index, collector: str) -> Any:
    """A batch of that collector alone (and of what Bongsu says of itself); None for one that only the agent has."""
    from bongsu.cli import wire

    settings = loaded(ctx)
    machine = wire.machine(settings)
    if collector == "self":
        return wire.gatherer(settings, wire.collectors(settings, machine)).gather()
    if collector not in {cls.name for cls in index.classes}:
        return None
    collecting = wire.collectors(settings, machine, only={collector}, even_off=True)
    return wire.gatherer(settings, collecting).gather()


def _here(batch: Any, name: str) -> Facts:
    """The values and absences of one metric on this machine."""
    from bongsu.views.tables import absence_object, finite, outcome_object

    if batch is None:
        return {"values": [], "absences": [], "collection": None}
    return {
        "values": [
            {"labels": dict(zip(s.spec.labels, s.labels, strict=True)), "value": finite(s.value)}
            for s in batch.samples if s.spec.name == name
        ],
        "absences": [absence_object(a) for a in batch.absences if a.spec.name == name],
        "collection": outcome_object(next(iter(batch.outcomes))),
    }  # fmt: skip


def _health(batch: Any, name: str) -> Facts:
    from bongsu.views.tables import absence_object, outcome_object

    outcome = next(o for o in batch.outcomes if o.collector == name)
    counts: dict[str, int] = {}
    for sample in batch.samples:
        counts[sample.spec.name] = counts.get(sample.spec.name, 0) + 1
    return {
        "collection": outcome_object(outcome), "series": {k: v for k, v in counts.items() if not k.startswith("bongsu_collector")},
        "absences": [absence_object(a) for a in batch.absences],
    }  # fmt: skip


def _word(index: Index, word: str) -> Facts:
    """All whose name or help holds the word; an unknown one is refused with the nearest names."""
    wanted = word.lower()
    metrics = [
        {"name": _name(spec), "collector": collector, "help": spec.help.replace("{}", "*")}
        for collector, spec in index.metrics()
        if wanted in f"{_name(spec)} {spec.help}".lower()
    ]
    about = [cls for cls in index.classes if wanted in f"{cls.name} {cls.__doc__}".lower()]
    if len(wanted) >= 3 and (metrics or about):
        return {"kind": "word", "word": word, "collectors": [_collector_row(cls) for cls in about], "metrics": metrics}
    from bongsu.collectors.left_out import LEFT_OUT

    if wanted in LEFT_OUT:
        raise BadInput(
            Message("{name}: node_exporter has this collector and bongsu leaves it out: {reason}",
                    name=wanted, reason=LEFT_OUT[wanted])
        )  # fmt: skip
    near = difflib.get_close_matches(word, index.names(), n=3, cutoff=0.6)
    advice = f"did you mean {_either(near)}?" if near else "`bongsu explain collectors` lists what is read here"
    raise BadInput(Message("{name}: there is no metric, collector, panel or setting of that name; {advice}",
                           name=word, advice=advice))  # fmt: skip


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
