"""Stores for tests, made of dumps."""

from __future__ import annotations

import io
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from bongsu.store.layout.file import open_for_writing
from bongsu.store.moving import past
from bongsu.store.moving.importing import read
from bongsu.store.moving.past import Added
from bongsu.store.moving.spool import Spool

START = 1_700_000_400_000  # where a sealing window of ten minutes begins


def lines(name: str, count: int, every: int = 15_000, *, first: int = 0, labels: str = "") -> str:
    """A dump of one series: the values count, the times go on from START."""
    return "".join(f"{name}{labels} {i} {START + i * every}\n" for i in range(first, first + count))


def into(connection: sqlite3.Connection, text: str) -> Added:
    """Import a dump."""
    with closing(Spool(tempfile.gettempdir(), labels={}, now_ms=START + 10**10)) as spool:
        read(io.BytesIO(text.encode()), "dump", spool)
        return past.add(connection, spool)


def store(path: Path, *dumps: str) -> Path:
    """A store that holds these dumps, in segments and rows of minutes."""
    with closing(open_for_writing(str(path))) as connection:
        for dump in dumps:
            into(connection, dump)
    return path
