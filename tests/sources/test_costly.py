"""What of one process is read seldom, and when a refusal is none."""

from __future__ import annotations

import os
import subprocess
import sys

from bongsu.sources.procfs import costly


def test_who_has_no_memory_any_more_is_at_its_end() -> None:
    """Kernels from 6.18 on refuse io and shares of a process that is ending: that is not another user's."""
    assert not costly.ending(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert costly.ending(child.pid)
    child.wait()
    assert costly.ending(child.pid)
