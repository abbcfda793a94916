"""A batch as a .prom file."""

from __future__ import annotations

import contextlib
import os
import resource
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import node_exporter as ne
from bongsu.model.batch import Batch, Outcome, Part, Sample
from bongsu.model.errors import BadInput
from bongsu.model.metric import Kind, MetricSpec
from bongsu.sinks.exposition import Exposition
from bongsu.sinks.textfile import TextfileSink

LEVEL = MetricSpec("bongsu_level", Kind.GAUGE, "A level.", ("tank",))


def batch(value: float, tanks: int = 1) -> Batch:
    """A batch in which all values are the same."""
    samples = tuple(Sample(LEVEL, (str(i),), value) for i in range(tanks))
    return Batch(0.0, 0.0, (Part("tank", 0.0, 0.0, samples, (), (), Outcome("tank", 0.0, 0.0)),))


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Act as a user without rights, where we are root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A file cannot grow beyond this: the write is cut short and the next one fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("fsync", [False, True])
def test_the_file_is_the_batch_and_others_may_read_it(tmp_path: Path, fsync: bool) -> None:
    """The file holds the text format, with mode 0644 whatever the umask; no temporary file stays."""
    before = os.umask(0o077)
    try:
        sink = TextfileSink(str(tmp_path / "b.prom"), fsync=fsync)
        for value in (1.0, 2.0):
            sink.write(batch(value))
            assert (tmp_path / "b.prom").read_bytes() == Exposition().text(batch(value))
        sink.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "b.prom").stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["b.prom"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """While the file is replaced again and again, each read gives one whole batch."""
    path = tmp_path / "b.prom"
    sink = TextfileSink(str(path))
    sink.write(batch(0, 2000))
    done = threading.Event()
    whole = []

    def read() -> None:
        while not done.is_set():
            values = {line.rpartition(" ")[2] for line in path.read_text().splitlines() if line[0] != "#"}
            whole.append(len(values) == 1)

    reader = threading.Thread(target=read)
    reader.start()
    until = time.monotonic() + 120
    i = 0
    while i < 100 or (len(whole) <= 5 and time.monotonic() < until):
        i += 1
        sink.write(batch(i, 2000))
    done.set()
    reader.join()
    assert len(whole) > 5
    assert all(whole)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """When the disk is full the old file stays whole, the error is raised, and the next write works."""
    path = tmp_path / "b.prom"
    sink = TextfileSink(str(path))
    sink.write(batch(1, 100))
    with largest_file(1000), pytest.raises(OSError, match="File too large"):
        sink.write(batch(2, 100))
    assert path.read_bytes() == Exposition().text(batch(1, 100))
    assert os.listdir(tmp_path) == ["b.prom"]
    sink.write(batch(3, 100))
    assert path.read_bytes() == Exposition().text(batch(3, 100))


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """Old temporary files of ours go at the next start; those of others and fresh ones stay."""
    for name, age in ((".b.prom.1.tmp", 3600), (".b.prom.2.tmp", 0), (".bxprom.1.tmp", 3600), (".b.prom.x.tmp", 3600)):
        (tmp_path / name).touch()
        then = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (then, then))
    TextfileSink(str(tmp_path / "b.prom"))
    assert sorted(os.listdir(tmp_path)) == [".b.prom.2.tmp", ".b.prom.x.tmp", ".bxprom.1.tmp"]


def test_a_link_is_kept(tmp_path: Path) -> None:
    """Where the path is a link, the file that it points to is replaced."""
    (tmp_path / "there").mkdir()
    (tmp_path / "b.prom").symlink_to("there/c.prom")
    TextfileSink(str(tmp_path / "b.prom")).write(batch(1))
    assert (tmp_path / "b.prom").is_symlink()
    assert (tmp_path / "there" / "c.prom").read_bytes() == Exposition().text(batch(1))


def test_a_path_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """A directory, a device, a missing directory, one without permission: one line with option, path and cure."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    for path, said in (
        (str(tmp_path), f"--textfile {tmp_path}: this is a directory; give the path of a file"),
        ("/dev/null", "--textfile /dev/null: this is not a file"),
        (f"{tmp_path}/no/b.prom", f"there is no directory {tmp_path}/no; create it"),
    ):
        with pytest.raises(BadInput) as caught:
            TextfileSink(path)
        assert said in str(caught.value)
    with nobody(), pytest.raises(BadInput) as caught:
        TextfileSink(f"{locked}/b.prom", option="sinks.textfile")
    assert str(caught.value).startswith(f"sinks.textfile {locked}/b.prom: cannot write in {locked}: permission denied;")


def test_node_exporter_reads_it(tmp_path: Path) -> None:
    """Node_exporter's textfile collector takes the file as it is."""
    TextfileSink(str(tmp_path / "b.prom")).write(batch(2.5, 3))
    theirs = ne.scrape(["textfile"], [f"--collector.textfile.directory={tmp_path}"])
    assert {k: v for k, v in theirs.values.items() if k[0] == "bongsu_level"} == {
        ("bongsu_level", (("tank", str(i)),)): 2.5 for i in range(3)
    }
    assert theirs.values["node_textfile_scrape_error", ()] == 0


@pytest.mark.needs_root
def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    """On a file system without room the old file stays, the error is told, and writing goes on when there is room."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=True)
    try:
        sink = TextfileSink(str(tmp_path / "b.prom"))
        sink.write(batch(1, 100))
        (tmp_path / "hog").write_bytes(b"x" * 40_000)
        with pytest.raises(OSError, match="No space left"):
            sink.write(batch(2, 1000))
        assert (tmp_path / "b.prom").read_bytes() == Exposition().text(batch(1, 100))
        (tmp_path / "hog").unlink()
        sink.write(batch(2, 1000))
        assert (tmp_path / "b.prom").read_bytes() == Exposition().text(batch(2, 1000))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_file_goes_at_the_end_where_that_was_asked_for(tmp_path: Path) -> None:
    """With ``remove`` no old values are left behind, but a file that someone else has put there since stays."""
    path = tmp_path / "b.prom"
    stays, goes = TextfileSink(str(path)), TextfileSink(str(path), remove=True)
    stays.write(batch(1))
    goes.close()  # wrote nothing
    stays.close()
    assert path.exists()
    goes.write(batch(2))
    stays.write(batch(3))
    goes.close()
    assert b" 3" in path.read_bytes()
    goes.write(batch(4))
    goes.close()
    assert list(tmp_path.iterdir()) == []
    goes.close()  # it has gone; nothing to complain about
