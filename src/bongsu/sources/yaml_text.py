"""Reads a YAML file that a person wrote as nodes with their lines; whatever is wrong with it is one line."""

from __future__ import annotations

import errno
import os
import stat

import yaml

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_LARGEST = 1024 * 1024  # bytes; settings are a page of text


def compose(path: str, *, kind: str, option: str, may_be_empty: bool = False) -> yaml.Node | None:
    """The root node of the file, None where it holds no value; ``kind`` and ``option`` name it in complaints.

    Raises:
        BadInput: it is missing, unreadable, empty, too large, not text, or not YAML.
    """
    text = _text(path, kind, option, may_be_empty)
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise not_yaml(path, error) from None
    except RecursionError:
        raise BadInput(
            Message("{path}: this is nested too deeply; {kind} files need 4 levels", path=path, kind=kind)
        ) from None
    return node


def not_yaml(path: str, error: yaml.YAMLError) -> BadInput:
    """The one line for what the parser, or a constructor of values, complains of."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return BadInput(Message("{path}: this is not YAML: {problem}", path=path, problem=" ".join(str(error).split())))
    mark = error.problem_mark or error.context_mark
    where = f"{path}:{mark.line + 1}" if mark else path
    problem = error.problem or error.context or "cannot be understood"
    cure = "write the `%` in quotes" if "%" in problem else "check indentation, colons and quotes there"
    return BadInput(Message("{where}: this is not YAML: {problem}; {cure}", where=where, problem=problem, cure=cure))


def _text(path: str, kind: str, option: str, may_be_empty: bool) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        cure = {
            errno.ENOENT: f"give the path of a file, or leave {option} out to use the defaults",
            errno.EACCES: "let this user read it",
        }.get(error.errno or 0, "give a file that can be read")
        raise BadInput(
            Message("{path}: {reason}; {cure}", path=path, reason=(error.strerror or "").lower(), cure=cure)
        ) from None
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):  # a pipe is what <(…) of a shell gives
        os.close(fd)
        found = "a directory" if stat.S_ISDIR(mode) else "not a file"
        raise BadInput(Message("{path}: this is {found}; give a {kind} file", path=path, found=found, kind=kind))
    os.set_blocking(fd, True)
    with os.fdopen(fd, "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise BadInput(
            Message(
                "{path}: this is larger than 1 MiB, so it is no {kind} file; give the right file", path=path, kind=kind
            )
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
    if not text.strip() and not may_be_empty:
        raise BadInput(
            Message("{path}: the file is empty; write {kind} into it, or leave {option} out to use the defaults",
                    path=path, kind=kind, option=option)
        )  # fmt: skip
    return text


def _may_stand(character: str) -> bool:
    code = ord(character)
    return character in "\t\r\x85" or 0x20 <= code <= 0x7E or (code >= 0xA0 and code not in {0xFFFE, 0xFFFF, 0xFEFF})
