"""What the command line hands to the monitor of a run, across exec: everything is decided before, and checked.

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import json
import os
import time
from typing import NamedTuple


class Plan(NamedTuple):
    """How a run is to be recorded. Texts may hold lone surrogates (bytes that are not UTF-8)."""

    folder: str  # absolute; exists and holds run.json
    run: str  # its id
    argv: tuple[str, ...] = ()  # the command as it is executed, secrets and all: never written anywhere
    attach: int = 0  # the pid to record instead of starting argv
    attach_start_ticks: int = 0  # when that process started, in clock ticks since boot; 0: whichever has the number
    interval_seconds: float = 1.0
    memory_interval_seconds: float = 10.0  # how often PSS and USS are read: they cost much more
    started: float = 0.0  # Unix s
    started_boottime: float = 0.0  # the same on CLOCK_BOOTTIME, s
    environment: dict[str, str] = {}  # noqa: RUF012  never changed; what is added to the command's environment
    closed: tuple[int, ...] = ()  # of 0, 1 and 2: those that the command is to find closed
    quiet: bool = False
    capture: bool = False
    wait_all: bool = False
    timeout_seconds: float = 0.0  # 0: none
    kill_after_seconds: float = 10.0  # from SIGTERM to SIGKILL, where the program is to be ended
    thresholds: tuple[tuple[str, float, str, tuple[str, ...]], ...] = ()  # what, above, "warn" "run" or "end", argv
    output: tuple[str, ...] = ()  # files to export the report to at the end
    path: tuple[str, ...] = ()  # sys.path of the command line, for what is imported only at the end
    report_folder_to: int = -1  # descriptor that the folder is written to once it is recorded
    used_before_seconds: float = 0.0  # CPU time of this process before it became the monitor

    def sealed(self) -> int:
        """A descriptor that holds the plan and is inherited across exec.

        Raises:
            OSError: no memory or no descriptor is left.
        """
        fd = os.memfd_create("bongsu-plan", 0)
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(json.dumps(self._replace(used_before_seconds=time.process_time())._asdict()).encode())
        return fd

    @classmethod
    def opened(cls, fd: int) -> Plan:
        """The plan of a descriptor that `sealed` gave; closes it."""
        with os.fdopen(fd, "rb") as file:
            file.seek(0)
            fields = json.loads(file.read())
        for name in ("argv", "path", "closed", "output"):
            fields[name] = tuple(fields[name])
        fields["thresholds"] = tuple((a, b, c, tuple(d)) for a, b, c, d in fields["thresholds"])
        return cls(**fields)
