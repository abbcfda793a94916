"""A process's fair share of memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bongsu.owners.placement import Placed
from bongsu.owners.usage import Usages
from bongsu.sources.procfs.process import parse_stat
from bongsu.sources.procfs.smaps import pss_bytes
from bongsu.sources.root import Machine, Root
from usage_house import USER, process


def start_ticks(pid: int) -> int:
    return parse_stat(Path(f"/proc/{pid}/stat").read_bytes()).start_ticks


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process, ended after the block."""
    with subprocess.Popen(["sleep", "100"]) as child:
        try:
            yield child
        finally:
            child.kill()


def kernels_own(pid: int) -> int:
    """What the kernel says now."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024


def test_a_real_process_is_what_the_kernel_says() -> None:
    """In bytes; None once it has ended or its number is another's."""
    proc = Root("/proc")
    found = pss_bytes(proc, os.getpid(), start_ticks(os.getpid()))
    assert found is not None
    # Another process that maps the same libraries comes or goes: its share moves by a little.
    assert found == pytest.approx(kernels_own(os.getpid()), rel=0.5)
    with sleeper() as child:
        ticks = start_ticks(child.pid)
        assert pss_bytes(proc, child.pid, ticks) is not None
        assert pss_bytes(proc, child.pid, ticks + 1) is None
    assert pss_bytes(proc, child.pid, ticks) is None


def captured(tmp_path: Path, text: str) -> Root:
    (tmp_path / "5").mkdir()
    (tmp_path / "5/stat").write_text("5 (x) S 1 " + " ".join("0" for _ in range(17)) + " 105 0 0 0 0\n")
    (tmp_path / "5/smaps_rollup").write_text(text)
    return Root(str(tmp_path))


def test_the_share_is_the_line_of_that_name(tmp_path: Path) -> None:
    """Lines that only begin alike are not it; a thread of the kernel has none."""
    text = "5-7 ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss: 4 kB\nPss_Dirty: 3 kB\n"
    assert pss_bytes(captured(tmp_path, text), 5, 105) == 4096
    (tmp_path / "5/smaps_rollup").write_text("")
    assert pss_bytes(Root(str(tmp_path)), 5, 105) == 0


def test_what_makes_no_sense_is_said(tmp_path: Path) -> None:
    """A file without the line is not taken for zero."""
    with pytest.raises(ValueError, match="no Pss line"):
        pss_bytes(captured(tmp_path, "rollup\nPss_Dirty: 3 kB\n"), 5, 105)


def test_an_owners_share_on_request() -> None:
    """The sum over its processes, less than their resident memory; None where nobody is, or one may not be asked."""
    usages = Usages(Machine.at())
    with sleeper() as child:
        both = [process(pid, start_ticks=start_ticks(pid)) for pid in (child.pid, os.getpid())]
        usages.take(both, {(one.pid, one.start_ticks): Placed(USER) for one in both})
        assert (usages.pss_bytes(USER.key) or 0) > 1 << 20
    usages.take([], {})
    assert usages.pss_bytes(USER.key) is None
