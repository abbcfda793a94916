"""Settings from a file, the environment and flags; every mistake becomes one line that names its place."""

from __future__ import annotations

import difflib
import math
import os
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.settings import Settings

Path = tuple[str, ...]
_Struct = typing.TypeVar("_Struct", bound=msgspec.Struct)
_DURATION = re.compile(r"(-?(?:\d+(?:\.\d*)?|\.\d+))\s*(ms|s|m|h|d|w|y)?")
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(?:([kKMGT])(i?)B?|B)?")
_WHOLE = re.compile(r"-?[0-9]+")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 365 * 86400.0, None: 1.0}
_LISTS = {"allowed_hosts"}  # settings that hold several texts; a comma parts them in the environment
_SWITCH = {"on": True, "off": False, "yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Given:
    """One setting from the environment or a flag: a text, still to be understood."""

    path: Path
    value: str | bool | tuple[str, ...]
    origin: str  # as an error names it: --port, BONGSU_PORT


@dataclass(slots=True)
class Origins:
    """Where each setting was given, so that a later room's complaint can name the place."""

    file: str = ""
    lines: dict[Path, int] = field(default_factory=dict)
    given: dict[Path, Given] = field(default_factory=dict)

    def of(self, path: Path) -> str:
        """The place and the key, as every complaint begins."""
        for length in range(len(path), 0, -1):
            if (given := self.given.get(path[:length])) is not None:
                return given.origin
        for length in range(len(path), -1, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return f"{self.file}:{line}: {'.'.join(path)}"
        return ".".join(path)

    def is_given(self, path: Path) -> bool:
        """Whether somebody set this very key, so that `of` names a place and not only the key."""
        return path in self.given or path in self.lines

    def is_text(self, path: Path) -> bool:
        """Whether the value came as text (a flag, the environment) rather than typed by YAML."""
        return path in self.given


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where they came from."""

    settings: Settings
    origins: Origins


def load(file: str | None, environment: Mapping[str, str], flags: Sequence[Given]) -> Loaded:
    """Settings: flags override the environment, which overrides the file, which overrides defaults.

    Raises:
        BadInput: something given cannot be used; the message names where, the key, the value, what is
            allowed and the cure.
    """
    tree: dict[str, object] = {}
    origins = Origins()
    if file is not None:
        from bongsu.sources.yaml_tree import read

        origins.file = file
        tree = read(file, origins.lines, kind="settings", option="--config", example="port: 9420")
    for given in (*from_environment(environment), *flags):
        _put(tree, given)
        origins.given[given.path] = given
    return Loaded(convert(tree, Settings, (), origins), origins)


def from_environment(environment: Mapping[str, str]) -> Iterable[Given]:
    """Settings among the environment's variables: BONGSU_PORT, BONGSU_PATHS_PROCFS.

    Raises:
        BadInput: a variable names a setting of several values, which have their place in the file only.
    """
    for path in leaves(Settings):
        name = variable(path)
        if name in environment:
            yield Given(path, environment[name], name)
    for path in mappings(Settings):
        if (name := variable(path)) in environment:
            raise BadInput(
                Message("{name} in the environment is not understood: write {key} with its values into the settings "
                        "file (--config FILE), and unset it",
                        name=name, key=".".join(path))
            )  # fmt: skip


def variable(path: Path) -> str:
    """The variable of the environment that a setting may come from."""
    return "BONGSU_" + "_".join(path).upper()


def leaves(struct: type[msgspec.Struct], above: Path = ()) -> Iterable[Path]:
    """Key paths of all settings that hold one value."""
    for name, kind in typing.get_type_hints(struct, include_extras=True).items():
        inner = _struct_in(kind)
        if inner is not None:
            yield from leaves(inner, (*above, name))
        elif not _is_mapping(kind):
            yield (*above, name)


def mappings(struct: type[msgspec.Struct], above: Path = ()) -> Iterable[Path]:
    """Key paths of all settings whose keys are the user's own."""
    for name, kind in typing.get_type_hints(struct, include_extras=True).items():
        inner = _struct_in(kind)
        if inner is not None:
            yield from mappings(inner, (*above, name))
        elif _is_mapping(kind):
            yield (*above, name)


def convert(tree: Mapping[str, object], struct: type[_Struct], above: Path, origins: Origins) -> _Struct:
    """The tree as a struct, value by value, so that a complaint can name the key."""
    hints = typing.get_type_hints(struct, include_extras=True)
    for key in tree:
        if key not in hints:
            raise unknown_key((*above, key), hints, origins)
    values: dict[str, object] = {}
    for name, kind in hints.items():
        path = (*above, name)
        if name not in tree:
            continue
        value, inner = tree[name], _struct_in(kind)
        if value is None and (inner is not None or _is_mapping(kind)):
            continue  # `paths:` with nothing below it
        if inner is not None:
            if not isinstance(value, dict):
                raise not_allowed(path, value, f"a mapping with {', '.join(typing.get_type_hints(inner))}", origins)
            values[name] = convert(value, inner, path, origins)
        elif _is_mapping(kind):
            values[name] = _mapping(value, path, kind, origins)
        else:
            values[name] = one(value, kind, path, origins)
    for wanted in msgspec.structs.fields(struct):
        if wanted.required and wanted.name not in values:
            raise BadInput(Message("{where}: {key} is missing; add it", where=origins.of(above), key=wanted.name))
    return struct(**values)


def one(value: object, kind: object, path: Path, origins: Origins) -> object:
    """One value as the type that the key asks for. Raises BadInput."""
    wanted = value
    if _says(kind, "duration"):
        wanted = _seconds(value)
    elif isinstance(value, str) and _says(kind, "size") and (size := _SIZE.fullmatch(value.strip())):
        wanted = round(float(size[1]) * (1024 if size[3] else 1000) ** " KMGT".index((size[2] or " ").upper()))
    elif isinstance(value, str) and value.startswith("~") and _says(kind, "path"):
        wanted = os.path.expanduser(value)  # a file and --data-dir=~/x know no shell that would have done it
    elif isinstance(value, str) and _takes(kind, bool) and value.lower() in _SWITCH:
        wanted = _SWITCH[value.lower()]
    elif isinstance(value, str) and _takes(kind, int) and not _WHOLE.fullmatch(value):
        raise not_allowed(path, value, allowed(kind), origins)  # msgspec would take 1e3 for 1000
    try:
        return msgspec.convert(wanted, kind, strict=not origins.is_text(path))
    except msgspec.ValidationError:
        raise not_allowed(path, value, allowed(kind), origins) from None


def not_allowed(path: Path, value: object, may_be: str, origins: Origins) -> BadInput:
    """The complaint about a value."""
    shown = _shown(value)
    given = origins.given.get(path)
    if given is not None and given.origin.startswith("BONGSU_"):
        return BadInput(
            Message("{name}={value} in the environment is not allowed; set it to {allowed}, or unset it",
                    name=given.origin, value=shown, allowed=may_be)
        )  # fmt: skip
    if given is not None:
        return BadInput(
            Message("{flag} {value} is not allowed; give {allowed}", flag=given.origin, value=shown, allowed=may_be)
        )
    return BadInput(
        Message("{where}: {value} is not allowed; give {allowed}", where=origins.of(path), value=shown, allowed=may_be)
    )


def unknown_key(path: Path, known: Iterable[str], origins: Origins) -> BadInput:
    """The complaint about a key that does not exist, with the nearest one as cure."""
    known = sorted(known)
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    if near:
        return BadInput(
            Message("{where}: there is no such key; did you mean {near}?", where=origins.of(path), near=near[0])
        )
    return BadInput(
        Message("{where}: there is no such key; there are: {known}", where=origins.of(path), known=", ".join(known))
    )


def _mapping(value: object, path: Path, kind: object, origins: Origins) -> dict[str, object]:
    if not isinstance(value, dict):
        raise not_allowed(path, value, "a mapping of names to values", origins)
    inner = typing.get_args(kind)[1]
    return {
        str(key): True if item is None else one(item, inner, (*path, str(key)), origins) for key, item in value.items()
    }


def _seconds(value: object) -> object:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        value = float(match[1]) * _SECONDS[match[2]]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None if value is None else ""  # no number at all; refused by the type
    return float(value)


def _put(tree: dict[str, object], given: Given) -> None:
    node: dict[str, typing.Any] = tree
    for key in given.path[:-1]:
        below = node.get(key)
        if not isinstance(below, dict):
            # `NAME: off` in the file and `--collector.NAME.OPTION` on the command line: both hold.
            below = node[key] = {"enabled": below} if isinstance(below, bool) else {}
        node = below
    last = given.path[-1]
    if isinstance(given.value, tuple) or last in _LISTS:
        node[last] = list(given.value) if isinstance(given.value, tuple) else str(given.value).split(",")
    else:
        node[last] = given.value


def _struct_in(kind: object) -> type[msgspec.Struct] | None:
    for part in (kind, *typing.get_args(kind)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None


def _is_mapping(kind: object) -> bool:
    return typing.get_origin(kind) is dict


def _metas(kind: object) -> Iterable[msgspec.Meta]:
    for part in typing.get_args(kind):
        if isinstance(part, msgspec.Meta):
            yield part
        else:
            yield from _metas(part)


def _says(kind: object, word: str) -> bool:
    """Whether the type is marked as one that is written with a unit: "duration" or "size"."""
    return any(meta.extra and meta.extra.get(word) for meta in _metas(kind))


def _takes(kind: object, wanted: type) -> bool:
    if kind is wanted:
        return True
    if typing.get_origin(kind) in {typing.Annotated, typing.Union, types.UnionType}:
        return any(_takes(part, wanted) for part in typing.get_args(kind))
    return False


def allowed(kind: object) -> str:
    """What a value of this type may be, in words."""
    for meta in _metas(kind):
        if meta.description:
            return meta.description
    return {bool: "on or off", int: "a whole number", float: "a number", str: "a text"}.get(
        typing.cast("type", kind), str(kind)
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    text = str(value)
    if isinstance(value, str) and (not text or text != text.strip()):
        text = repr(text)
    return text if len(text) <= 80 else f"{text[:77]}..."
