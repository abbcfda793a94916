"""What happens when a run is over: its summary is kept, and said in a few lines."""

from __future__ import annotations

import os

from bongsu.runs.plan import Plan
from bongsu.runs.reporting import conclude as sum_up
from bongsu.views.run_report import short


def conclude(plan: Plan) -> None:
    """Keep the summary in the run's folder, and say it on standard error unless quiet.

    Raises:
        OSError: it cannot be written.
        BadInput: what was recorded cannot be read.
    """
    report = sum_up(plan.folder)
    if not plan.quiet:
        _say(short(report))


def _say(text: str) -> None:
    data = f"{text}\n".encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(2, data) :]
    except OSError:
        pass  # nobody listens
