"""Whether a proc file system shows the whole machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bongsu.sources.procfs.namespace import has_open, shows_whole_machine
from bongsu.sources.root import Root

STAT = "2 ({}) S 0 0 0 0 -1 {} 0 0 0 0 0 1 0 0 20 0 1 0 40 0 0 1 0 0 0 0 0 0 0 2147483647 0 1 0 0 0 0 0\n"


@pytest.mark.parametrize(
    ("stat", "link", "whole"),
    [
        (STAT.format("kthreadd", 2129984), None, True),
        (STAT.format("kthreadd", 4194304), "pid:[4026531836]", False),  # a program that calls itself so
        (None, "pid:[4026531836]", True),  # hidden
        (None, "pid:[4026532777]", False),
        (None, None, False),
        ("garbage", None, False),
    ],
)
def test_only_the_first_namespace_has_threads_of_the_kernel(tmp_path: Path, stat: str | None, link: str | None, *, whole: bool) -> None:  # fmt: skip
    """The second process is one, whatever it is called; if it is hidden, our own namespace decides."""
    (tmp_path / "self" / "ns").mkdir(parents=True)
    (tmp_path / "2").mkdir()
    if stat is not None:
        (tmp_path / "2" / "stat").write_text(stat)
    if link is not None:
        os.symlink(link, tmp_path / "self" / "ns" / "pid")
    assert shows_whole_machine(Root(str(tmp_path))) is whole


def test_an_open_file_is_seen(tmp_path: Path) -> None:
    """By the beginning of its path; of a process that is not there, nothing."""
    proc = Root("/proc")
    node = tmp_path / "nvidia0"
    assert not has_open(proc, os.getpid(), str(tmp_path / "nvidia"))
    with node.open("w"):
        assert has_open(proc, os.getpid(), str(tmp_path / "nvidia"))
    assert not has_open(proc, 2**31 - 5, "/")
