"""Reads a YAML file into plain values and remembers the line of every key; complaints are one line."""

from __future__ import annotations

import yaml

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sources import yaml_text

_MOST_NODES = 50_000  # aliases can make a small file a large tree
_DEEPEST = 32


def read(path: str, lines: dict[tuple[str, ...], int], *, kind: str, option: str, example: str) -> dict[str, object]:
    """The file as nested plain values; ``lines`` is filled with the line (from 1) of each key path.

    Complaints name the ``kind`` of file, the ``option`` that it was given by, and an ``example`` of what it holds.

    Raises:
        BadInput: it is missing, unreadable, too large, not text, not YAML, or not a mapping.
    """
    node = yaml_text.compose(path, kind=kind, option=option)
    try:
        tree = _Tree(path, lines).value(node, ()) if node is not None else {}
    except yaml.YAMLError as error:
        raise yaml_text.not_yaml(path, error) from None
    except RecursionError:
        raise BadInput(
            Message("{path}: this is nested too deeply; {kind} files need few levels", path=path, kind=kind)
        ) from None
    if not isinstance(tree, dict):
        raise BadInput(
            Message("{path}:1: {kind} files hold keys with values, such as `{example}`; this file holds {found}",
                    path=path, kind=kind, example=example, found="a list" if isinstance(tree, list) else "a single value")
        )  # fmt: skip
    return tree


class _Tree:
    """Makes plain values of YAML's nodes, as yaml.safe_load does, but refuses a key that stands twice."""

    def __init__(self, path: str, lines: dict[tuple[str, ...], int]) -> None:
        self._path = path
        self._lines = lines
        self._nodes = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, at: tuple[str, ...]) -> object:
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(at) > _DEEPEST:
            raise RecursionError
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*at, str(number))) for number, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, at: tuple[str, ...]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise BadInput(Message("{path}:{line}: a key must be a word", path=self._path, line=line))
            key = str(key_node.value)  # as written: `on:` stays a word
            where = (*at, key)
            if key in found:
                raise BadInput(
                    Message("{path}:{line}: {key} stands here and in line {first}; remove one of them",
                            path=self._path, line=line, key=".".join(where), first=self._lines[where])
                )  # fmt: skip
            self._lines[where] = line
            found[key] = self.value(value_node, where)
        return found

    def _scalar(self, node: yaml.Node) -> object:
        try:
            return self._scalars.construct_object(node)
        except ValueError:
            return str(node.value)  # such as a date that does not exist: a text, judged as one
