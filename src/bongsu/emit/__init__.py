"""What user programs import: timings of their functions, written into the folder of the run that is being recorded.

The standard library only; nothing is timed or written, and nothing costs, unless `bongsu run` or `recording` records.
"""

from __future__ import annotations

from bongsu.emit.recorder import recording
from bongsu.emit.spans import span, task
from bongsu.emit.start import environment
from bongsu.emit.timing import timed

__all__ = ["environment", "recording", "span", "task", "timed"]
