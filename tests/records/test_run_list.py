"""The list of runs: right whatever became of its index, and there at once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bongsu.records.run_list import INDEX, RunRow, Wanted, chosen, rows
from bongsu.records.run_pruning import remove, to_remove
from bongsu.runs.reporting import row
from run_records import grow_old, make, written


class Read:
    """Reads rows and notes of which folders."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, folder: str) -> RunRow:
        """The row of a folder."""
        self.names.append(os.path.basename(folder))
        return row(folder)


def listed(place: Path) -> tuple[list[RunRow], list[str]]:
    """The rows, and the runs that were read for them."""
    read = Read()
    return rows(str(place), read, "1"), read.names


def runs(place: Path, count: int = 3, **known: Any) -> list[str]:
    """Some runs that ended long ago."""
    names = [f"20260101-0000{number:02}-work-{number:04x}" for number in range(count)]
    for name in names:
        grow_old(make(place, name, **known))
    return names[::-1]


def settle(place: Path) -> None:
    """Summed up and long untouched."""
    listed(place)
    for folder in place.iterdir():
        if folder.is_dir():
            grow_old(folder)
    listed(place)


def test_a_row_says_what_a_run_cost(tmp_path: Path) -> None:
    """From the record, whether or not it was summed up before."""
    runs(tmp_path, 1, tags=("t",))
    for _ in range(2):
        (one,) = listed(tmp_path)[0]
        assert (one.name, one.state, one.exit_code, one.tags, one.cpu_source) == ("work", "ended", 3, ("t",), "perf")
        assert (one.wall_seconds, one.cpu_seconds, one.peak_memory_bytes) == (5.5, 6.5, 8 * 1024**2)
        assert one.failed


def test_what_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    """The index answers for runs that are over, and gives the same answer."""
    names = runs(tmp_path)
    settle(tmp_path)
    first, read = listed(tmp_path)
    assert read == []
    assert [one.id for one in first] == names
    (tmp_path / INDEX).unlink()
    again, read = listed(tmp_path)
    assert again == first
    assert sorted(read) == sorted(names)


def test_the_index_is_never_believed_over_the_folder(tmp_path: Path) -> None:
    """A changed folder is read again, a removed one is gone, a new one is there."""
    names = runs(tmp_path)
    settle(tmp_path)
    (tmp_path / names[0] / "new").write_text("")
    for file in (tmp_path / names[1]).iterdir():
        file.unlink()
    (tmp_path / names[1]).rmdir()
    make(tmp_path, "20270101-000000-later-0001")
    found, read = listed(tmp_path)
    assert [one.id for one in found] == ["20270101-000000-later-0001", names[0], names[2]]
    assert set(read) == {"20270101-000000-later-0001", names[0]}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "1", "rows": {"x": 1}}', "\0" * 50])
def test_a_damaged_index_is_made_again(tmp_path: Path, text: str) -> None:
    """It is only ever a copy."""
    names = runs(tmp_path)
    settle(tmp_path)
    (tmp_path / INDEX).write_text(text)
    assert [one.id for one in listed(tmp_path)[0]] == names
    assert listed(tmp_path)[1] == []
    json.loads((tmp_path / INDEX).read_text())


def test_an_index_of_another_version_is_not_read(tmp_path: Path) -> None:
    """Its rows may have meant something else."""
    runs(tmp_path)
    settle(tmp_path)
    read = Read()
    rows(str(tmp_path), read, "2")
    assert len(read.names) == 3


def test_a_run_that_goes_on_is_read_each_time(tmp_path: Path) -> None:
    """Until it is over; a lost one says so."""
    folder = make(tmp_path, end=False)
    grow_old(folder)
    with written(folder):
        for _ in range(2):
            (one,), read = listed(tmp_path)
            assert (one.state, one.exit_code, len(read)) == ("running", None, 1)
        assert not (folder / "summary.json").exists()
    (one,), _read = listed(tmp_path)
    assert (one.state, one.exit_code, one.failed) == ("lost", None, True)


def test_what_cannot_be_read_is_in_the_list_too(tmp_path: Path) -> None:
    """A newer version's run, and a folder with nothing in it."""
    grow_old(make(tmp_path, "20260101-000000-next-0001", schema="bongsu-run/2"))
    (tmp_path / "20260101-000001-gone-0002").mkdir()
    found, _read = listed(tmp_path)
    assert [(one.name, one.state, one.cpu_seconds) for one in found] == [
        ("gone", "unreadable", None),
        ("next", "newer", None),
    ]


def test_rows_are_sorted_and_filtered() -> None:
    """The largest first, what is not known last; each filter by itself and together."""
    rows = [
        RunRow(
            id="1", name="a", started=1.0, wall_seconds=5.0, cpu_seconds=1.0, exit_code=0, state="ended", tags=("t",)
        ),
        RunRow(id="2", name="b", started=2.0, wall_seconds=9.0, cpu_seconds=None, exit_code=1, state="ended"),
        RunRow(
            id="3", name="ab", started=3.0, wall_seconds=None, cpu_seconds=7.0, state="running", command=("/bin/zz",)
        ),
        RunRow(id="4", name="c", started=None, state="lost", peak_memory_bytes=3),
    ]

    def of(**wanted: object) -> str:
        return "".join(one.id for one in chosen(rows, Wanted(**wanted)))  # type: ignore[arg-type]  # as the test names them

    assert of() == "3214"
    assert of(sort="wall") == "2134"
    assert of(sort="cpu") == "3124"
    assert of(sort="memory")[0] == "4"
    assert of(sort="name") == "1324"
    assert of(sort="name", reverse=True) == "4231"
    assert of(name="a*") == "31"
    assert of(name="z?") == "3"
    assert of(tag="t") == "1"
    assert of(since=2.0) == "32"
    assert of(failed=True) == "24"
    assert of(running=True) == "3"
    assert of(limit=2) == "32"
    assert of(failed=True, since=1.0) == "2"


def test_pruning_takes_the_oldest_and_what_is_asked_for(tmp_path: Path) -> None:
    """By age, by number, by size; all of them together remove what any of them would."""
    names = runs(tmp_path, 4)
    settle(tmp_path)
    found, _read = listed(tmp_path)

    def going(**wanted: float) -> list[str]:
        return [one.row.id for one in to_remove(str(tmp_path), found, **wanted)]  # type: ignore[arg-type]  # as the test names them

    assert going(keep=1) == names[:0:-1]
    assert going(keep=9) == []
    assert going(before=found[1].started or 0.0) == []
    assert going(before=2e9) == names[::-1]
    one = to_remove(str(tmp_path), found, keep=0)[0].bytes
    assert one > 1000
    assert going(max_bytes=2 * one + 100) == names[:1:-1]
    assert going(max_bytes=0) == names[::-1]


def test_what_goes_on_is_never_removed(tmp_path: Path) -> None:
    """Neither by the list nor when it began to run since; nor what cannot be read."""
    names = runs(tmp_path, 2)
    grow_old(make(tmp_path, "20260101-000009-next-0001", schema="bongsu-run/2"))
    with written(tmp_path / names[0]):
        found, _read = listed(tmp_path)
        assert [one.row.id for one in to_remove(str(tmp_path), found, keep=0)] == [names[1]]
        assert not remove(str(tmp_path), names[0])
    assert (tmp_path / names[0]).is_dir()
    assert remove(str(tmp_path), names[1])
    assert not (tmp_path / names[1]).exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    """What lies elsewhere survives, and nothing but a run's id is ever removed."""
    away = tmp_path / "away"
    away.mkdir()
    (away / "file").write_text("kept")
    place = tmp_path / "runs"
    (name,) = runs(place, 1)
    (place / name / "link").symlink_to(away)
    (place / "20260101-000000-link-0001").symlink_to(away)
    assert not remove(str(place), "20260101-000000-link-0001")
    assert remove(str(place), name)
    assert (away / "file").read_text() == "kept"
    for bad in ("..", ".", "away", "20260101-000000-x/../../away-0001", ""):
        with pytest.raises(ValueError, match="not the id"):
            remove(str(place), bad)
