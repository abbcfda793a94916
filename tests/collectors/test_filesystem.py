"""File systems, beside node_exporter's, and what happens when one stops answering."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import node_exporter as ne
from bongsu.collectors import filesystem
from bongsu.collectors.filesystem import FilesystemCollector
from bongsu.collectors.loadavg import LOAD1, LoadavgCollector
from bongsu.model.batch import Absence, Sample, Table, Why
from bongsu.model.errors import BadInput, NoData
from bongsu.model.mount import MountRow
from bongsu.pipeline import Gatherer
from bongsu.sources.root import Machine
from fuse import Fuse

LONG = 60.0  # s; what is waited for comes much sooner, but for a busy machine
needs_root = pytest.mark.needs_root
as_root = pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/fuse"), reason="mounts a file system")


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Machine]:
    """Makes a machine whose init sees these mounts."""

    def make(mounts: str, where: str = "1/mounts") -> Machine:
        proc = tmp_path / "proc"
        (proc / "1").mkdir(parents=True, exist_ok=True)
        (proc / "stat").touch()
        (proc / where).write_bytes(mounts.encode("utf-8", "surrogateescape"))
        return Machine.at(procfs=str(proc))

    return make


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine even a mount that answers may need long."""
    defaults = FilesystemCollector.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "mount_timeout", 2.0)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Fuse]:
    """A mounted file system that can stop answering."""
    where = tmp_path / "slow"
    where.mkdir()
    with Fuse(where) as fuse:
        yield fuse


def collected(collector: FilesystemCollector) -> tuple[dict[tuple[str, str], float], list[Absence], list[MountRow]]:
    """Values by (metric, mount point), absences, rows of the table."""
    values, absences, rows = {}, [], []
    for item in collector.collect():
        if isinstance(item, Sample):
            values[item.spec.name, item.labels[1]] = item.value
        elif isinstance(item, Absence):
            absences.append(item)
        elif isinstance(item, Table):
            assert item.name == "mounts"
            rows = [row for row in item.rows if isinstance(row, MountRow)]
    return values, absences, rows


def test_equals_node_exporter_on_the_same_tree(tree: Callable[[str], Machine], tmp_path: Path) -> None:
    """Names, labels, types and values are node_exporter's: read-only, escapes, twice mounted, failing, excluded ones."""
    spaced = tmp_path / "a b\tc"
    spaced.mkdir()
    escaped = str(spaced).replace(" ", "\\040").replace("\t", "\\011")
    machine = tree(
        f"proc / ext4 rw 0 0\n//nas/a\\040b {escaped} cifs ro,relatime 0 0\n"
        "/dev/sdb1 /sys xfs ro,relatime 0 0\n/dev/sdb1 /sys xfs ro,relatime 0 0\n/dev/sdb2 /sys xfs ro,relatime 0 0\n"
        "tmpfs /proc tmpfs rw,errors=remount-ro 0 0\n/dev/gone /not/there ext4 rw 0 0\n"
        "cgroup /sys/fs/cgroup cgroup2 rw 0 0\noverlay /o overlay rw 0 0\n",
    )
    exclude = "^/(dev|run)($|/)"
    theirs = ne.scrape(
        ["filesystem"],
        [f"--path.procfs={machine.proc.path}", f"--collector.filesystem.mount-points-exclude={exclude}"],
    )
    mine = ne.ours([FilesystemCollector(machine, mount_points_exclude=exclude)])
    standing = r"node_filesystem_(size_bytes|files|readonly|device_error)$"  # the free room moves between two readings
    assert ne.differences(theirs, mine, only=standing) == []
    assert ne.differences(theirs, mine, tolerance=0.05) == []
    devices = {dict(labels)["device"] for _, labels in mine.values}
    assert "//nas/a\\040b" in devices, "the kernel's spelling of the device is kept, as node_exporter does"


def test_equals_node_exporter_below_another_root(tree: Callable[[str], Machine], tmp_path: Path) -> None:
    """From a container the root's own path is no part of the mount points, which are asked below it."""
    (tmp_path / "host" / "data").mkdir(parents=True)
    host = f"{tmp_path}/host"
    proc = tree(f"/dev/sda {host} ext4 rw 0 0\n/dev/sdb {host}/data ext4 rw 0 0\n/dev/sdc /data ext4 rw 0 0\n").proc
    theirs = ne.scrape(["filesystem"], [f"--path.procfs={proc.path}", f"--path.rootfs={host}"])
    mine = ne.ours([FilesystemCollector(Machine.at(procfs=proc.path, rootfs=host))])
    assert ne.differences(theirs, mine, tolerance=0.05) == []
    assert {dict(labels)["mountpoint"] for _, labels in mine.values} == {"/", "/data"}
    assert not any(v for (name, _), v in mine.values.items() if name.endswith("device_error"))


def test_equals_node_exporter_here() -> None:
    """On the live machine, with our filter of mount points (Debian's node_exporter has another), values are equal."""
    exclude = inspect.signature(FilesystemCollector).parameters["mount_points_exclude"].default
    with ne.serving(["filesystem"], [f"--collector.filesystem.mount-points-exclude={exclude}"]) as scrape:
        collector = FilesystemCollector(Machine.at())
        assert ne.at_rest(lambda: ne.differences(scrape(), ne.ours([collector]), tolerance=0.05)) == []
    assert ne.ours([collector]).values


def test_reads_its_own_mounts_where_init_is_hidden(tree: Callable[[str, str], Machine]) -> None:
    """Without 1/mounts (hidepid) the mounts that we see are taken."""
    values, _, _ = collected(FilesystemCollector(tree("x / ext4 rw 0 0\n", "mounts")))
    assert values["node_filesystem_device_error", "/"] == 0


def test_mounts_that_come_and_go(tree: Callable[[str], Machine]) -> None:
    """What is unmounted leaves nothing behind, not even a zero."""
    machine = tree("x / ext4 rw 0 0\ny /tmp ext4 rw 0 0\n")
    collector = FilesystemCollector(machine)
    assert len(collected(collector)[2]) == 2
    tree("x / ext4 ro 0 0\n")
    values, absences, rows = collected(collector)
    assert [row.mountpoint for row in rows] == ["/"]
    assert {mountpoint for _, mountpoint in values} == {"/"}
    assert values["node_filesystem_readonly", "/"] == 1
    assert absences == []


def test_odd_names_survive(tree: Callable[[str], Machine], tmp_path: Path) -> None:
    """A newline, a backslash and bytes that are no UTF-8 in a mount point are asked for and named right."""
    odd = os.fsencode(tmp_path) + b"/n\nb\\q\xff#"
    os.mkdir(odd)
    line = odd.replace(b"\\", b"\\134").replace(b"\n", b"\\012").decode("utf-8", "surrogateescape")
    values, absences, rows = collected(FilesystemCollector(tree(f"d\\040e {line} ext4 rw 0 0\n")))
    assert absences == []
    assert rows[0].mountpoint == os.fsdecode(odd)
    assert rows[0].device == "d e"
    assert values["node_filesystem_device_error", os.fsdecode(odd)] == 0


def test_nothing_mounted_is_no_data(tree: Callable[[str], Machine]) -> None:
    """A machine without file systems is told in words, with the option to loosen."""
    with pytest.raises(NoData, match="no file system is mounted that the filters let through") as told:
        list(FilesystemCollector(tree("proc /proc proc rw 0 0\n")).collect())
    assert "mount-points-exclude" in str(told.value.cure)


def test_a_broken_file_is_an_error(tree: Callable[[str], Machine]) -> None:
    """A line that is no mount is an error that shows the line."""
    with pytest.raises(ValueError, match="not a mount: b'a b'"):
        list(FilesystemCollector(tree("a b\n")).collect())


@pytest.mark.parametrize("seconds", [0.0, -1.0, 2.5, float("nan")])
def test_the_timeout_has_bounds(tree: Callable[[str], Machine], seconds: float) -> None:
    """A timeout that is none, or that outlasts a collector's deadline, is refused with what is allowed."""
    with pytest.raises(BadInput, match=r"--collector.filesystem.mount-timeout: .* more than 0 and at most 2 s"):
        FilesystemCollector(tree(""), mount_timeout=seconds)


def test_a_failing_mount_is_absent_with_its_reason(tree: Callable[[str], Machine]) -> None:
    """A mount that cannot be asked has its error flag, no number, and the reason in words."""
    values, absences, rows = collected(FilesystemCollector(tree("x / ext4 rw 0 0\ny /not/there ext4 rw 0 0\n")))
    assert values["node_filesystem_device_error", "/not/there"] == 1
    assert ("node_filesystem_size_bytes", "/not/there") not in values
    assert {str(absence.reason) for absence in absences} == {"/not/there: No such file or directory"}
    assert {absence.why for absence in absences} == {Why.FAILED}
    assert [row.size_bytes for row in rows if row.mountpoint == "/not/there"] == [None]


@needs_root
@as_root
def test_a_hung_mount_delays_nothing_and_comes_back(tree: Callable[[str], Machine], slow: Fuse) -> None:
    """A mount that stops answering costs one deadline once and one child for ever, and is stale before all eyes."""
    machine = tree(f"y / ext4 rw 0 0\nx {slow.where} fuse.test rw 0 0\nz /etc nfs4 rw 0 0\n")
    patience = 2.0
    collector = FilesystemCollector(machine, mount_timeout=patience)
    before = time.time()
    values, absences, rows = collected(collector)
    assert values["node_filesystem_size_bytes", slow.where] == 4096 * 1000
    assert values["node_filesystem_avail_bytes", slow.where] == 4096 * 250
    assert values["node_filesystem_files_free", slow.where] == 60
    assert absences == []
    answered = time.time()

    slow.hang()
    asked = slow.asked
    seconds, children, known = [], set(), 0.0
    for _ in range(30):
        started = time.monotonic()
        values, absences, rows = collected(collector)
        seconds.append(time.monotonic() - started)
        known = known or time.time()
        children.add(collector._worker.pids)
        assert values["node_filesystem_device_error", slow.where] == 1
        assert values["node_filesystem_device_error", "/"] == 0
        assert values["node_filesystem_device_error", "/etc"] == 0
        assert ("node_filesystem_size_bytes", slow.where) not in values
    assert seconds[0] >= patience
    assert sum(seconds[1:]) < len(seconds[1:]) * patience / 4, "once known to hang, it costs nobody any time"
    assert slow.asked == asked + 1, "what hangs is asked once"
    assert len(children) == 1
    assert len(next(iter(children))) == 2, "one child for the mount that hangs, one for all others"

    lost = {absence.spec: absence for absence in absences}
    assert set(lost) == {
        filesystem.SIZE, filesystem.FREE, filesystem.AVAIL, filesystem.FILES, filesystem.FILES_FREE,
    }  # fmt: skip
    size = lost[filesystem.SIZE]
    assert (size.why, size.last) == (Why.LOST, 4096 * 1000)
    assert size.last_time is not None
    assert before <= size.last_time <= answered
    assert "has not answered for" in str(size.reason)
    assert slow.where in str(size.reason)
    row = next(row for row in rows if row.mountpoint == slow.where)
    assert row.size_bytes == 4096 * 1000
    assert row.stale_since is not None
    assert before <= row.stale_since <= known
    assert [row.stale_since for row in rows if row.mountpoint != slow.where] == [None, None]

    slow.resume()
    until = time.monotonic() + LONG
    while absences and time.monotonic() < until:
        values, absences, rows = collected(collector)
    assert absences == []
    assert values["node_filesystem_device_error", slow.where] == 0
    assert values["node_filesystem_size_bytes", slow.where] == 4096 * 1000
    assert [row.stale_since for row in rows] == [None] * 3
    collected(collector)
    assert len(collector._worker.pids) == 1


@needs_root
@as_root
def test_an_aborted_mount_is_lost_in_words(tree: Callable[[str], Machine], slow: Fuse) -> None:
    """When the connection is aborted the waiting child is set free, and the reason becomes the kernel's."""
    collector = FilesystemCollector(tree(f"y / ext4 rw 0 0\nx {slow.where} fuse.test rw 0 0\n"), mount_timeout=1.0)
    collected(collector)
    slow.hang()
    collected(collector)
    collected(collector)
    assert len(collector._worker.pids) == 2
    slow.abort()
    gone = f"{slow.where}: Transport endpoint is not connected"
    reasons: set[str] = set()
    until = time.monotonic() + LONG
    while reasons != {gone} and time.monotonic() < until:
        values, absences, _ = collected(collector)
        reasons = {str(absence.reason) for absence in absences}
    assert reasons == {gone}
    assert {absence.why for absence in absences} == {Why.LOST}
    assert {absence.last for absence in absences if absence.spec is filesystem.SIZE} == {4096 * 1000}
    assert values["node_filesystem_device_error", slow.where] == 1
    collected(collector)
    assert len(collector._worker.pids) == 1


@needs_root
@as_root
def test_sizes_count_fragments_as_df_does(tree: Callable[[str], Machine], tmp_path: Path) -> None:
    """Where the preferred block is larger than the fragment, the size is the true one (POSIX: blocks are fragments)."""
    where = tmp_path / "coarse"
    where.mkdir()
    with Fuse(where, blocks=1000, block_size=131072, fragment_size=4096):
        collector = FilesystemCollector(tree(f"x {where} fuse.test rw 0 0\n"))
        values, _, _ = collected(collector)
    assert values["node_filesystem_size_bytes", str(where)] == 1000 * 4096


@needs_root
@as_root
def test_a_hung_mount_delays_no_other_collector(tree: Callable[[str], Machine], slow: Fuse) -> None:
    """Through the pipeline: while a mount hangs, batches come in time, other collectors' and the file system's own."""
    machine = tree(f"y / ext4 rw 0 0\nx {slow.where} fuse.test rw 0 0\n")
    Path(machine.proc.path, "loadavg").write_text("0.21 0.37 1.39 1/719 19737\n")
    gatherer = Gatherer([FilesystemCollector(machine, mount_timeout=1.0), LoadavgCollector(machine)], deadline=60.0)
    try:
        gatherer.gather()
        slow.hang()
        seconds = []
        for _ in range(10):
            started = time.monotonic()
            batch = gatherer.gather()
            seconds.append(time.monotonic() - started)
            assert [part.outcome.success for part in batch.parts] == [True] * 3
            assert {sample.spec for sample in batch.samples} >= {filesystem.SIZE, LOAD1}
        assert sum(seconds) < 8.0, "one wait of a second, not ten"
        table = batch.table("mounts")
        assert table is not None
        assert [row.stale_since is None for row in table.rows if isinstance(row, MountRow)] == [True, False]
    finally:
        gatherer.close()
