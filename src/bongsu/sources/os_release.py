"""os-release: which distribution this is (os-release(5))."""

from __future__ import annotations

import os
import re

from bongsu.sources.root import Root

PLACES = ("etc/os-release", "usr/lib/os-release")
_ESCAPED = re.compile(r"\\(.)")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class OsReleaseReader:
    """Reads the file again only when it has changed."""

    def __init__(self, rootfs: Root) -> None:
        self._rootfs = rootfs
        self._seen: tuple[str, int, int, int] | None = None
        self._values: dict[str, str] = {}

    def read(self) -> dict[str, str]:
        """All assignments of the first file there is. The same object as long as the file is the same.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be read.
            ValueError: a line is not an assignment.
        """
        for place in PLACES:
            try:
                status = os.stat(self._rootfs.join(place))
            except (FileNotFoundError, NotADirectoryError):
                continue
            seen = (place, status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                self._values = parse(self._rootfs.read_once(place).decode("utf-8", "surrogateescape"))
                self._seen = seen
            return self._values
        raise FileNotFoundError(2, os.strerror(2), self._rootfs.join(PLACES[0]))


def parse(text: str) -> dict[str, str]:
    """The assignments of an os-release file.

    Raises:
        ValueError: a line is not an assignment, or a quotation has no end.
    """
    found = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line[0] == "#":
            continue
        key, equals, value = line.partition("=")
        key = key.strip().removeprefix("export ").strip()
        if not equals or not _KEY.fullmatch(key):
            raise ValueError(f"os-release line {number}: {line[:40]!r} is not an assignment")
        found[key] = _unquoted(value.strip(), number)
    return found


def _unquoted(value: str, number: int) -> str:
    """The value without its quotation marks, escapes and trailing comment, as a shell would read it."""
    if value[:1] not in {'"', "'"}:
        return re.split(r"\s#", value, maxsplit=1)[0].rstrip() if value[:1] != "#" else ""
    mark = value[0]
    pattern = r'"((?:[^"\\]|\\.)*)"' if mark == '"' else r"'([^']*)'"
    match = re.match(pattern, value)
    if not match:
        raise ValueError(f"os-release line {number}: the quotation has no end")
    return _ESCAPED.sub(r"\1", match[1]) if mark == '"' else match[1]
