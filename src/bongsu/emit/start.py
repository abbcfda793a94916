"""Begins to record when this process belongs to a run, and says which variables make it so."""

from __future__ import annotations

import os

from bongsu.emit.timing import SWITCH, folder

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bongsu.emit.journal import Journal

INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject")
FUNCTIONS = "BONGSU_RUN_FUNCTIONS"
_begun: list[Journal] = []


def journal(into: str = "") -> Journal:
    """What this process writes; begun at the first call, into the folder of its run or the one that is named."""
    if not _begun:
        from bongsu.emit.journal import begin  # noqa: PLC0415  only what is recorded pays for it

        _begun.append(begin(into or folder()))
    return _begun[0]


def environment(folder: str, functions: Sequence[str] = (), before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a program is to be started with for its functions to be written into a run's folder.

    Args:
        folder: of the run.
        functions: what is timed without a word in the program: `MODULE:FUNCTION`, `MODULE:Class.method`, `MODULE:*`.
        before: the environment that they are added to; that of this process without it.
    """
    added = {"BONGSU_RUN_DIR": os.path.abspath(folder)}
    if functions:
        path = (os.environ if before is None else before).get("PYTHONPATH", "")
        added[FUNCTIONS] = "\n".join(functions)
        added["PYTHONPATH"] = INJECT + os.pathsep + path if path else INJECT
    return added


if SWITCH.on:
    journal()
