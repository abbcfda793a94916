"""Logs to stderr, one line each: plain for people, with priorities where the journal reads them."""

from __future__ import annotations

import logging
import os
import sys

from bongsu.views.printable import printable

# sd-daemon(3): a line that begins so is stored with that priority.
_PRIORITIES = {logging.DEBUG: "<7>", logging.INFO: "<6>", logging.WARNING: "<4>", logging.ERROR: "<3>"}


class _OneLine(logging.Formatter):
    """One line a message, safe to print; a traceback follows only at the level debug."""

    def __init__(self, *, for_journal: bool) -> None:
        super().__init__()
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        text = printable(record.getMessage())
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text = f"{text}: {type(error).__name__}: {printable(error)}"
            if logging.getLogger("bongsu").isEnabledFor(logging.DEBUG):
                text = "\n".join([text, *map(printable, self.formatException(record.exc_info).splitlines())])
        if self._for_journal:
            return _PRIORITIES.get(record.levelno, "<5>") + text
        label = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"bongsu: {label}{text}"


def start(level: str) -> None:
    """Send what is logged at this level (debug, info, warning, error) and above to stderr."""
    logger = logging.getLogger("bongsu")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_OneLine(for_journal=_is_journal()))
        logger.addHandler(handler)
        logger.propagate = False
    logger.setLevel(level.upper())


def _is_journal() -> bool:
    """Whether stderr is connected to the journal ($JOURNAL_STREAM of systemd.exec(5): device and inode)."""
    wanted = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return wanted == f"{status.st_dev}:{status.st_ino}"
