"""What `bongsu run` is asked for in numbers, names and limits, checked before anything begins."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.runs import quantities
from bongsu.runs.attach import began_us
from bongsu.runs.output_name import FIELD, FIELDS, filled
from bongsu.runs.thresholds import END, KINDS, RUN, WARN, Threshold, parsed

FORMATS = (".json", ".csv", ".html")
_READERS = {
    "size": quantities.size, "rate": quantities.rate, "duration": quantities.seconds, "percent": quantities.percent,
    "count": quantities.count,
}  # fmt: skip
_WRITTEN = {
    "size": "a size as 8GiB", "rate": "bytes a second as 50MB/s", "duration": "a duration as 10m",
    "percent": "percent of one CPU as 250%", "count": "a whole number",
}  # fmt: skip
_FUNCTIONS = re.compile(r"[\w.]+:(\*|[\w.]+)")
_SHORTEST, _LONGEST = 0.01, 86400.0  # s between two readings


def duration(option: str, text: str, *, shortest: float = 0.0, longest: float = 1e9) -> float:
    """Seconds. Raises BadInput."""
    value = quantities.seconds(text)
    if value is None or not shortest <= value <= longest:
        span = f" from {_plain(shortest)} to {_plain(longest)}" if longest < 1e9 else ""
        raise BadInput(
            Message(
                "{option} {text} is not allowed; give a duration{span}, as 0.5, 500ms, 10s or 5m",
                option=option, text=text, span=span,
            )
        )  # fmt: skip
    return value


def label(option: str, text: str) -> None:
    """Check what a run is to be called or found by. Raises BadInput."""
    if not text.strip():
        raise BadInput(
            Message("{option} {text!r} is empty; give a word to find the run by, or leave {option} out", option=option, text=text)
        )  # fmt: skip


def interval(option: str, text: str) -> float:
    """Seconds between two readings. Raises BadInput."""
    return duration(option, text, shortest=_SHORTEST, longest=_LONGEST)


def limits(given: Sequence[tuple[str, str]], alerts: Sequence[str], reaction: str) -> tuple[Threshold, ...]:
    """What ``--max-…`` and ``--alert`` ask for.

    Args:
        given: what, and above what, of each ``--max-…``; above it the program is ended.
        alerts: as ``rss>8GiB``.
        reaction: what an alert does: ``warn``, ``end``, or a command as a shell would take it apart.

    Raises:
        BadInput: one is not understood.
    """
    found = []
    for what, text in given:
        above = _READERS[KINDS[what].unit](text)
        if above is None:
            raise BadInput(
                Message("--max-{what} {text} is not allowed; give {written}",
                        what=what, text=text, written=_WRITTEN[KINDS[what].unit])
            )  # fmt: skip
        found.append(Threshold(what, above, END))
    action, argv = _reaction(reaction)
    for text in alerts:
        both = parsed(text, _READERS)
        if both is None:
            raise BadInput(_not_understood(text))
        found.append(Threshold(*both, action, argv))
    return tuple(found)


def output(template: str, *, many: bool = False) -> None:
    """Check a file name for the report, or those of ``many`` runs, and that it can be written there. Raises BadInput."""
    if not template.endswith(FORMATS):
        raise BadInput(
            Message(
                "--output {template}: its ending tells the format; let it end in .json, .csv or .html",
                template=template,
            )
        )
    unknown = [name for name in FIELD.findall(template) if name not in FIELDS]
    if unknown:
        raise BadInput(
            Message("--output {template}: {name} stands for nothing; there are {{id}}, {{name}}, {{exit_code}} and the "
                    "letters of strftime, as %Y%m%d", template=template, name="{" + unknown[0] + "}")
        )  # fmt: skip
    if many and "id" not in FIELD.findall(template):
        raise BadInput(
            Message("--output {template}: with --repeat each run would write over the report of the one before; "
                    "put {{id}} into its name", template=template)
        )  # fmt: skip
    directory = os.path.dirname(filled(template, 0.0, {})) or "."
    if not os.path.isdir(directory):
        raise BadInput(Message("--output {template}: there is no directory {directory}; make it first",
                               template=template, directory=directory))  # fmt: skip
    if not os.access(directory, os.W_OK | os.X_OK):
        raise BadInput(Message("--output {template}: this user may not write to {directory}; name another directory",
                               template=template, directory=directory))  # fmt: skip


def spares_us(pid: int, *, ends: bool) -> None:
    """Refuse limits that end the process that is attached to, and what it started, where we are among those. Raises BadInput."""
    if ends and began_us(pid):
        raise BadInput(
            Message("--attach {pid}: --max-... and --on-alert end would end it with all that it started, and this command is "
                    "among them; leave them out, or attach to another process", pid=pid)
        )  # fmt: skip


def functions(given: Sequence[str]) -> tuple[str, ...]:
    """The functions of ``--functions``, which may name several with commas. Raises BadInput."""
    found = tuple(one.strip() for text in given for one in text.split(",") if one.strip())
    for one in found:
        if not _FUNCTIONS.fullmatch(one):
            raise BadInput(
                Message(
                    "--functions {one} is not allowed; give MODULE:FUNCTION, MODULE:Class.method or MODULE:*", one=one
                )
            )
    return found


def _reaction(text: str) -> tuple[str, tuple[str, ...]]:
    if text in (WARN, END):
        return text, ()
    try:
        argv = tuple(shlex.split(text))
    except ValueError as error:
        raise BadInput(
            Message(
                "--on-alert {text} is not allowed: {reason}; close the quotation", text=text, reason=str(error).lower()
            )
        ) from None
    if not argv:
        raise BadInput(Message("--on-alert '' is not allowed; give warn, end, or a command with its arguments"))
    return RUN, argv


def _not_understood(text: str) -> Message:
    what, sign, value = text.partition(">")
    what = what.strip()
    if not sign:
        return Message("--alert {text} is not allowed; write a limit as 'rss>8GiB', in quotes", text=text)
    if what not in KINDS:
        return Message(
            "--alert {text}: {what} is no limit; there are {kinds}", text=text, what=what, kinds=", ".join(KINDS)
        )
    return Message("--alert {text}: {value} is not allowed; give {written}",
                   text=text, value=value.strip(), written=_WRITTEN[KINDS[what].unit])  # fmt: skip


def _plain(seconds: float) -> str:
    return f"{seconds:g} s"
