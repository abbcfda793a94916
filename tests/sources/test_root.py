"""Reading below a root: whole files, kept descriptors that do not lie, and clear refusals."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.sources.root import Machine, Root


def test_a_file_that_comes_in_pages_is_read_to_its_end() -> None:
    """One read of /proc/net/tcp gives about a page; 300 more sockets are all there with ours."""
    root = Root("/proc")
    listening = [socket.socket() for _ in range(300)]
    try:
        ports = set()
        for one in listening:
            one.bind(("127.0.0.1", 0))
            one.listen()
            ports.add(f":{one.getsockname()[1]:04X}")
        for read in (root.read, root.read_once):
            until = time.monotonic() + 60
            while True:  # the kernel may pass over a line where others close a socket between two pages
                text = read("net/tcp").decode()
                missing = ports - {line.split()[1][8:] for line in text.splitlines()[1:]}
                if not missing or time.monotonic() > until:
                    break
            assert not missing
            assert len(text) > 3 * 4096
    finally:
        for one in listening:
            one.close()


def test_a_kept_descriptor_reads_anew_each_time() -> None:
    """The second read of a counter is not the first one's text."""
    root = Root("/proc")
    first = root.read("uptime")
    while root.read("uptime") == first:
        pass
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        root.read("uptime")
    assert len(os.listdir("/proc/self/fd")) <= before, "one descriptor is kept, not ten"


def test_a_captured_tree_is_opened_anew_each_time(tmp_path: Path) -> None:
    """In an ordinary directory a file may be replaced; the new one is read."""
    root = Root(str(tmp_path))
    (tmp_path / "stat").write_text("old")
    assert root.text("stat") == "old"
    (tmp_path / "new").write_text("new")
    (tmp_path / "new").rename(tmp_path / "stat")
    assert root.text("stat") == "new"
    (tmp_path / "stat").unlink()
    with pytest.raises(FileNotFoundError):
        root.read("stat")


def test_descriptors_stay_within_a_budget() -> None:
    """However many files are read, few are kept open, and another thread's are its own."""
    root = Root("/proc")
    root._budget = 8
    before = len(os.listdir("/proc/self/fd"))
    names = [f"sys/kernel/{n}" for n in os.listdir("/proc/sys/kernel")]
    for name in names:
        if os.path.isfile(f"/proc/{name}"):
            try:
                root.read(name)
            except OSError:
                continue
    assert len(os.listdir("/proc/self/fd")) - before <= 16
    thread = threading.Thread(target=lambda: root.read("stat"))
    thread.start()
    thread.join()
    assert len(os.listdir("/proc/self/fd")) - before <= 16, "a thread's descriptors go with it"


def test_an_attribute_that_is_not_there_is_none(tmp_path: Path) -> None:
    """Missing, unreadable-as-number and present are three answers."""
    root = Root(str(tmp_path))
    (tmp_path / "speed").write_text("25000\n")
    (tmp_path / "hex").write_text("0x1003\n")
    (tmp_path / "word").write_text("up\n")
    (tmp_path / "odd").write_bytes(b"\xff\xfe\n")
    (tmp_path / "directory").mkdir()
    assert root.number("speed") == 25000
    assert root.number("hex") == 0x1003
    assert (root.attribute("word"), root.number("word")) == ("up", None)
    assert (root.attribute("none"), root.number("none"), root.attribute("directory")) == (None, None, None)
    assert root.text("odd").encode("utf-8", "surrogateescape") == b"\xff\xfe\n"
    assert root.names("none") == []
    assert root.names() == ["directory", "hex", "odd", "speed", "word"]


def test_a_path_that_is_no_procfs_is_refused_in_one_line(tmp_path: Path) -> None:
    """The line names the option, the path, what is missing and the cure."""
    with pytest.raises(BadInput, match=r"--procfs .*not a proc file system, stat is missing.*mount one"):
        Machine.at(procfs=str(tmp_path))
    with pytest.raises(BadInput, match=r"--procfs /proc/self: .*it is the directory of one process; mount one"):
        Machine.at(procfs="/proc/self")
    (tmp_path / "stat").mkdir()
    with pytest.raises(BadInput, match=r"--procfs .*stat cannot be read \(Is a directory\); mount one"):
        Machine.at(procfs=str(tmp_path))
    with pytest.raises(BadInput, match=r"--sysfs /no/such: there is no such directory"):
        Machine.at(sysfs="/no/such")
