"""Records what the processes of a run use: one reading of the tree per interval, and one line when one of them ends.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import os
import time
from typing import Any

from bongsu.records.segment import Segment
from bongsu.runs.columns import COLUMNS
from bongsu.runs.plan import Plan


class Recorder:
    """Appends to a run's record what its tree of processes uses."""

    def __init__(self, plan: Plan, segment: Segment, pid: int) -> None:
        """Begin the record of the tree below ``pid``, which has not been executed yet."""
        self._plan = plan
        self._segment = segment
        self._pid = pid
        self._samples = 0
        segment.append(["columns", {kind: list(names) for kind, names in COLUMNS.items()}])
        self._append("born", process=0, pid=pid, start_seconds=self._now(), uid=os.getuid())

    def sample(self) -> None:
        """Read the tree once."""
        self._samples += 1
        self._append("sample", processes=1)

    def reaped(self, pid: int, status: int, used: Any) -> None:
        """A child of the monitor, the command or an orphan of its tree, ended; ``used`` is its rusage with its children's."""
        code = os.waitstatus_to_exitcode(status)
        if pid == self._pid:
            self._append(
                "exited", process=0, exit_code=code if code >= 0 else 128 - code, known_by="waited",
                cpu_seconds=used.ru_utime + used.ru_stime,
            )  # fmt: skip

    def finish(self, exit_code: int, signal_name: str, used: Any) -> None:
        """The command has ended and was reaped: the last sample and the end of the record."""
        self.sample()
        own = time.process_time()
        self._append("monitor", cpu_seconds=round(own, 6), samples=self._samples, missed=0)
        self._append(
            "end", exit_code=exit_code, signal=signal_name, cpu_source="wait4",
            sources={"wait4": used.ru_utime + used.ru_stime}, user_cpu_seconds=used.ru_utime,
            system_cpu_seconds=used.ru_stime, maxrss_bytes=used.ru_maxrss * 1024, survivors=[],
        )  # fmt: skip
        self._segment.sync()

    def event(self, what: str, text: str) -> None:
        """Something happened that a reader should know of."""
        self._append("event", what=what, text=text)

    def _now(self) -> float:
        return round(time.clock_gettime(time.CLOCK_BOOTTIME) - self._plan.started_boottime, 6)

    def _append(self, kind: str, **values: Any) -> None:
        values.setdefault("at_seconds", self._now())
        self._segment.append([kind, *(values.get(name) for name in COLUMNS[kind])])
