"""Metrics from files, beside node_exporter's."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import node_exporter as ne
from bongsu.collectors.textfile import TextfileCollector
from bongsu.model.batch import Absence, Sample
from bongsu.sources.root import Machine

_GOOD = """
# a comment, and an empty line above
# HELP backup_bytes_total Bytes that were "backed\\\\up"\\nby night.
# TYPE backup_bytes_total counter
backup_bytes_total{to="tape"} 5
backup_bytes_total{to="disk",from="a\\"b\\\\c\\nd{}, ü"} 6.5e3
  plain\t 7
\tbare{} 8
loose{ a = "1" , b="2", } +Inf
without_space{a="b"}9
nothing NaN
less -Inf
# TYPE reply gauge
reply 0x
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty directory for files of metrics."""
    made = tmp_path / "metrics"
    made.mkdir()
    return made


def collected(folder: Path | str) -> tuple[dict[str, float], list[str]]:
    """Values by name of what has no labels, and the reasons of all absences."""
    items = list(TextfileCollector(Machine.at(), directory=str(folder)).collect())
    values = {item.spec.name: item.value for item in items if isinstance(item, Sample) and not item.labels}
    return values, [str(item.reason) for item in items if isinstance(item, Absence)]


def equal(folder: Path | str) -> list[str]:
    """What differs from node_exporter on that directory, but for the type of summaries."""
    theirs = ne.scrape(["textfile"], [f"--collector.textfile.directory={folder}"])
    mine = ne.ours([TextfileCollector(Machine.at(), directory=str(folder))])
    return [line for line in ne.differences(theirs, mine) if "theirs summary ours untyped" not in line]


def test_equals_node_exporter_on_good_files(folder: Path) -> None:
    """Names, labels, types and values of all that the format allows are node_exporter's, and the files' times."""
    (folder / "good.prom").write_text(_GOOD.replace("reply 0x\n", "reply 1e-7\n"))
    (folder / "more.prom").write_text(
        '# TYPE wait summary\nwait{quantile="0.5"} 1\nwait{quantile="0.9"} 2\nwait_sum 10\nwait_count 4\n'
        '# TYPE size histogram\nsize_bucket{le="1"} 1\nsize_bucket{le="+Inf"} 2\nsize_sum 3\nsize_count 2\n'
        'plain{more="1"} 3\n'
    )  # fmt: skip
    (folder / "empty.prom").touch()
    (folder / "other.txt").write_text("not read\n")
    os.utime(folder / "good.prom", (1_700_000_000.75, 1_700_000_000.75))
    assert equal(folder) == []
    values, reasons = collected(folder)
    assert reasons == []
    assert values["plain"] == 7
    assert values["node_textfile_scrape_error"] == 0


def test_equals_node_exporter_with_broken_files(folder: Path) -> None:
    """Files that are broken, have timestamps or do not end are left out whole; the others are read."""
    (folder / "a.prom").write_text("fine 1\n")
    for name, text in {
        "number": _GOOD, "braces": "fine2 1\nopen{\n", "time": "early 1 1700000000000\n", "end": "cut 1",
        "name": "3rd 1\n", "type": "# TYPE x banana\nx 1\n", "second": "# TYPE y gauge\n# TYPE y gauge\ny 1\n",
        "late": "z 1\n# TYPE z gauge\n", "help": "# HELP w a\n# HELP w b\nw 1\n", "comma": 'v{a="1" b="2"} 1\n',
        "twice": 'u{a="1",a="2"} 1\n', "escape": 't{a="\\t"} 1\n', "bytes": 's{a="\udcff"} 1\n', "none": "r\n",
        "under": "q 1_000\n", "carriage": "p 1\r\n", "reserved": 'o{__name__="n"} 1\n',
    }.items():  # fmt: skip
        (folder / f"{name}.prom").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert equal(folder) == []
    values, reasons = collected(folder)
    assert set(values) == {"fine", "node_textfile_scrape_error"}
    assert values["node_textfile_scrape_error"] == 1
    assert len(reasons) == 17
    assert f"{folder}/number.prom: line 14: reply: '0x' is not a number" in reasons
    assert any("time.prom: line 1: early has a timestamp" in reason for reason in reasons)
    assert any("end.prom: line 1: the last line does not end" in reason for reason in reasons)


def test_equals_node_exporter_where_there_is_nothing(folder: Path) -> None:
    """Without a directory nothing is wrong; with one that is missing, that is said."""
    assert ne.differences(
        ne.scrape(["textfile"], ["--collector.textfile.directory="]), ne.ours([TextfileCollector(Machine.at())])
    ) == []  # fmt: skip
    assert equal(folder) == []
    assert equal(folder / "missing") == []
    _, reasons = collected(folder / "missing")
    assert reasons == [f"{folder}/missing: No such file or directory"]


def test_equals_node_exporter_with_a_pattern(tmp_path: Path) -> None:
    """A pattern reads all directories that it matches."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.prom").write_text(f"m_{name} 1\n")
    assert equal(f"{tmp_path}/*") == []
    assert {"m_one", "m_two"} <= collected(f"{tmp_path}/*")[0].keys()


def test_files_that_disagree_are_named(folder: Path) -> None:
    """A metric with two types or helps, or the same series twice, is believed once, and the other file is named."""
    (folder / "a.prom").write_text("# HELP one first\n# TYPE one gauge\none 1\ntwo 1\ntwo 2\n")
    (folder / "b.prom").write_text('# HELP one second\n# TYPE one gauge\none{a="b"} 3\nthree 3\n')
    (folder / "c.prom").write_text('# TYPE one counter\none{a="c"} 4\ntwo 5\n')
    values, reasons = collected(folder)
    assert values == {"one": 1, "two": 1, "three": 3, "node_textfile_scrape_error": 0}
    assert reasons == [
        f"{folder}/a.prom: two stands twice with the same labels; the first one is believed",
        f"{folder}/b.prom: one has another type or help in {folder}/a.prom and is left out here",
        f"{folder}/c.prom: one has another type or help in {folder}/a.prom and is left out here",
        f"{folder}/c.prom: two stands twice with the same labels; the first one is believed",
    ]


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(folder: Path) -> None:
    """Replacing, adding and removing files shows at the next collection; specs stay the same objects."""
    collector = TextfileCollector(Machine.at(), directory=str(folder))

    def values() -> dict[str, float]:
        return {item.spec.name: item.value for item in collector.collect() if isinstance(item, Sample)}

    (folder / "a.prom").write_text("one 1\n")
    assert values()["one"] == 1
    before = next(item.spec for item in collector.collect() if item.spec.name == "one")
    (folder / "new").write_text("one 22\n")
    (folder / "new").rename(folder / "a.prom")
    (folder / "b.prom").write_text("two 2\n")
    assert (values()["one"], values()["two"]) == (22, 2)
    assert before is next(item.spec for item in collector.collect() if item.spec.name == "one")
    kept = collector._files[f"{folder}/b.prom"]
    (folder / "a.prom").unlink()
    assert "one" not in values()
    assert collector._files[f"{folder}/b.prom"] is kept


def test_what_is_no_file_is_named(folder: Path) -> None:
    """A pipe or a directory that calls itself .prom holds nobody up."""
    os.mkfifo(folder / "pipe.prom")
    (folder / "dir.prom").mkdir()
    os.symlink("nowhere", folder / "link.prom")
    values, reasons = collected(folder)
    assert values == {"node_textfile_scrape_error": 1}
    assert sorted(reasons) == [
        f"{folder}/dir.prom: not a file", f"{folder}/link.prom: No such file or directory",
        f"{folder}/pipe.prom: not a file",
    ]  # fmt: skip


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can look into, which pytest's own are not."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_without_permission_it_says_so(open_folder: Path) -> None:
    """A file that the agent's user may not read is named, with the cure; the others are read."""
    (open_folder / "mine.prom").write_text("mine 1\n")
    (open_folder / "mine.prom").chmod(0o600)
    (open_folder / "yours.prom").write_text("yours 1\n")
    os.seteuid(65534)
    try:
        values, reasons = collected(open_folder)
        items = list(TextfileCollector(Machine.at(), directory=str(open_folder)).collect())
    finally:
        os.seteuid(0)
    assert values == {"yours": 1, "node_textfile_scrape_error": 1}
    assert reasons == [f"{open_folder}/mine.prom: Permission denied"]
    assert [str(item.cure) for item in items if isinstance(item, Absence)] == ["let the agent's user read the file"]
