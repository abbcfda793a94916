"""What a store holds is counted as it is, while it is written or not."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.store.layout import minutes
from bongsu.store.layout.file import open_for_writing
from bongsu.store.layout.lock import Lock
from bongsu.store.layout.schema import MINUTES, RAW
from bongsu.store.moving.inventory import extent, take_stock, writer
from store.dumped import START, lines, store

DUMP = "# TYPE a_total counter\n" + lines("a_total", 100, labels='{b="c"}') + lines("d", 50, 30_000)


@pytest.mark.parametrize("merged", [False, True])
def test_samples_and_times_are_counted_in_each_tier(tmp_path: Path, merged: bool) -> None:
    """Series that have fewer times than their segment too; minutes of rows and of merged segments alike."""
    path = store(tmp_path / "history.db", DUMP)
    with closing(open_for_writing(str(path))) as connection:
        while merged and minutes.merge(connection, before_ms=2**60):
            pass
    stock = take_stock(str(path))
    assert (stock.metrics, stock.series) == (2, 2)
    assert (stock.raw.samples, stock.raw.oldest, stock.raw.newest) == (150, START, START + 1_485_000)
    # The first minute of each has but the sample on its end.
    assert (stock.minutes.samples, stock.minutes.oldest, stock.minutes.newest) == (52, START, START + 1_485_000)
    assert (stock.minutes.waiting == 0) is merged
    assert {one.name: (one.kind, one.series) for one in stock.largest} == {
        "a_total": ("counter", 1),
        "d": ("untyped", 1),
    }
    assert sum(one.bytes for one in stock.largest) < stock.raw.bytes + stock.minutes.bytes
    assert stock.file_bytes == path.stat().st_size
    assert stock.raw.gaps == ()


def test_batches_that_are_not_sealed_count(tmp_path: Path) -> None:
    """The newest samples are of the raw tier, and are told as waiting."""
    path = store(tmp_path / "history.db", DUMP)
    with closing(open_for_writing(str(path))) as connection:
        connection.execute("INSERT INTO layout VALUES(1, x'01000000')")
        connection.execute("INSERT INTO hot VALUES(1, ?, x'01000000', ?)", (START + 2_000_000, b"\0" * 8))
        assert extent(connection, RAW) == (START, START + 2_000_000)
        assert extent(connection, MINUTES) == (START - 600_000 + 1, START + 1_800_000)
    raw = take_stock(str(path)).raw
    assert (raw.samples, raw.newest, raw.waiting) == (151, START + 2_000_000, 8)


def test_gaps_are_times_at_which_no_series_has_samples(tmp_path: Path) -> None:
    """Longer than asked, within segments and between them; where one series has a gap and another has not, there is none."""
    seconds = (0, 15, 30, 130, 145, 700, 715, 4000)
    dump = "".join(f"a {s} {START + s * 1000}\n" for s in seconds) + "".join(
        f"b 1 {START + s * 1000}\n" for s in (300, 500)
    )
    path = str(store(tmp_path / "history.db", dump))

    def gaps(longer_s: int) -> list[tuple[int, int]]:
        found = take_stock(path, gap_ms=longer_s * 1000).raw.gaps
        return [((gap.after - START) // 1000, (gap.before - START) // 1000) for gap in found]

    assert gaps(99) == [(30, 130), (145, 300), (300, 500), (500, 700), (715, 4000)]
    assert gaps(100) == [(145, 300), (300, 500), (500, 700), (715, 4000)]
    assert gaps(199) == [(300, 500), (500, 700), (715, 4000)]
    assert gaps(200) == [(715, 4000)]
    assert gaps(3285) == []


def test_the_largest_come_first(tmp_path: Path) -> None:
    """As many as asked for."""
    path = store(
        tmp_path / "history.db", "".join(lines("a", 40, labels=f'{{b="{i}"}}') for i in range(5)) + lines("c", 9)
    )
    assert [one.name for one in take_stock(str(path), top=1).largest] == ["a"]
    assert take_stock(str(path), top=0).largest == ()


def test_an_empty_store_has_nothing(tmp_path: Path) -> None:
    """Not zero as a time: none."""
    stock = take_stock(str(store(tmp_path / "history.db")))
    assert (stock.raw.oldest, stock.raw.newest, stock.raw.samples, stock.minutes.oldest) == (None, None, 0, None)


def test_the_writer_is_told_without_trying_its_lock(tmp_path: Path) -> None:
    """Who holds the lock is told by its pid; a lock file that nobody holds is none."""
    path = str(tmp_path / "history.db")
    assert writer(path) is None
    with Lock(path):
        assert writer(path) == os.getpid()
    assert os.path.exists(f"{path}.lock")
    assert writer(path) is None


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(BadInput, match="there is no history"):
        take_stock(str(tmp_path / "nowhere.db"))
