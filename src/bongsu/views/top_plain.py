"""`bongsu top` where no cursor can be moved, as in a pipe: the table in plain lines, once or again and again."""

from __future__ import annotations

import os
import time
from typing import IO

from bongsu.views.feed import FIRST_SECONDS, Gather
from bongsu.views.gpu_visible import NOT_SET, VARIABLE
from bongsu.views.header import plain_header
from bongsu.views.listing import Listing
from bongsu.views.printable import printable


def print_tables(
    gather: Gather, interval: float, listing: Listing, file: IO[str], width: int | None, *, repeat: bool
) -> int:
    """Write one table, or with ``repeat`` one every ``interval`` seconds until the reader leaves; the exit code.

    ``width`` is the most cells of a line; None: as many as it needs.
    """
    listing.take(gather(owners=listing.needs_owners))
    pause = min(FIRST_SECONDS, interval)
    try:
        while True:
            time.sleep(pause)
            pause = interval
            listing.take(gather(owners=listing.needs_owners))
            lines = [*plain_header(listing.readings), *_hidden(listing), "", *listing.plain(width), ""]
            if listing.lacking:
                lines[-1:] = [listing.lacking, ""]
            file.write("\n".join(lines))
            file.flush()
            if not repeat:
                return 0
            file.write("\n")
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())  # so that closing it at the end is no error
        return 0
    except KeyboardInterrupt:
        return 0


def _hidden(listing: Listing) -> list[str]:
    """Which GPUs are left out, if any are, and what is wrong with the words that say so."""
    only, visible = listing.only, listing.visible
    if only is None or visible is None:
        return []
    if only.value is None:
        return [NOT_SET]
    return [visible.problem or printable(f"only {VARIABLE}={only.value}")]
