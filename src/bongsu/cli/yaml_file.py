"""Reads a YAML file into plain values and remembers the line of every key; complaints are one line."""

from __future__ import annotations

import errno
import os
import stat

import yaml

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_LARGEST = 1024 * 1024  # bytes; settings are a page of text
_MOST_NODES = 50_000  # aliases can make a small file a large tree
_DEEPEST = 32


def read(path: str, lines: dict[tuple[str, ...], int]) -> dict[str, object]:
    """The file as nested plain values; ``lines`` is filled with the line (from 1) of each key path.

    Raises:
        BadInput: it is missing, unreadable, too large, not text, not YAML, or not a mapping.
    """
    text = _text(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = _Tree(path, lines).value(node, ()) if node is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else path
        problem = error.problem or error.context or "cannot be understood"
        cure = "write the `%` in quotes" if "%" in problem else "check indentation, colons and quotes there"
        raise BadInput(
            Message("{where}: this is not YAML: {problem}; {cure}", where=where, problem=problem, cure=cure)
        ) from None
    except yaml.YAMLError as error:
        raise BadInput(
            Message("{path}: this is not YAML: {problem}", path=path, problem=" ".join(str(error).split()))
        ) from None
    except RecursionError:
        raise BadInput(Message("{path}: this is nested too deeply; settings need 4 levels", path=path)) from None
    if not isinstance(tree, dict):
        raise BadInput(
            Message("{path}:1: settings are keys with values, such as `port: 9420`; this file holds {kind}",
                    path=path, kind="a list" if isinstance(tree, list) else "a single value")
        )  # fmt: skip
    return tree


def _text(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        cure = {
            errno.ENOENT: "give the path of a file, or leave --config out to use the defaults",
            errno.EACCES: "let this user read it",
        }.get(error.errno or 0, "give a file that can be read")
        raise BadInput(
            Message("{path}: {reason}; {cure}", path=path, reason=(error.strerror or "").lower(), cure=cure)
        ) from None
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):  # a pipe is what <(…) of a shell gives
        os.close(fd)
        kind = "a directory" if stat.S_ISDIR(mode) else "not a file"
        raise BadInput(Message("{path}: this is {kind}; give a file of settings", path=path, kind=kind))
    os.set_blocking(fd, True)
    with os.fdopen(fd, "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise BadInput(
            Message("{path}: this is larger than 1 MiB, so it is no settings file; give the right file", path=path)
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            Message("{path}:{line}: this is not UTF-8 text; save it as UTF-8, or give the right file",
                    path=path, line=line)
        ) from None  # fmt: skip
    for number, line_text in enumerate(text.split("\n"), 1):
        if not line_text.isprintable() and (bad := next((c for c in line_text if not _may_stand(c)), None)):
            raise BadInput(
                Message("{path}:{line}: the character {code} cannot stand in YAML; this looks like a binary file",
                        path=path, line=number, code=f"U+{ord(bad):04X}")
            )  # fmt: skip
    if not text.strip():
        raise BadInput(
            Message("{path}: the file is empty; write settings into it, or leave --config out to use the defaults",
                    path=path)
        )  # fmt: skip
    return text


def _may_stand(character: str) -> bool:
    code = ord(character)
    return character in "\t\r\x85" or 0x20 <= code <= 0x7E or (code >= 0xA0 and code not in {0xFFFE, 0xFFFF, 0xFEFF})


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
