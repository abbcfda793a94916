"""Draws what checks answered: a table for eyes, alike answers on one line, and a JSON document for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bongsu.model.check import Result, State
from bongsu.views.columns import GAP, plain_console
from bongsu.views.json_text import json_text
from bongsu.views.printable import printable

FORMAT = 1  # of the JSON document; grows when a key changes its meaning or goes
_WORDS = {
    State.OK: ("ok", "green"),
    State.WARNING: ("warning", "yellow"),
    State.FAILED: ("failed", "bold red"),
    State.UNKNOWN: ("not known", "dim"),
}


def draw_checks(results: Sequence[Result], console: Console, *, demo: bool = False) -> None:
    """Print the table and a last line with the counts; what is not fine has its cure below it."""
    if demo:
        console.print(Text("DEMO: the GPUs are made up", style="bold reverse"))
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for title in ("check", "GPU", "state"):
        table.add_column(title, no_wrap=True)
    table.add_column("what is known")
    for (check, state, said, cure), places in _alike(results).items():
        word, style = _WORDS[state]
        text = Text(_plain(said, console))
        if cure and state is not State.OK:
            text.append(f"\n{_plain(cure, console)}", style="dim")
        table.add_row(Text(check), Text(_ranges(places)), Text(word, style=style), text)
    console.print(table)
    counts = Counter(result.state for result in results)
    told = ", ".join(f"{counts[state]} {word}" for state, (word, _) in _WORDS.items() if counts[state])
    console.print(Text(told, style="bold"))


def checks_json(results: Iterable[Result], exit_code: int, *, demo: bool = False) -> str:
    """One JSON object: ``format``, ``exit_code``, ``demo`` and ``results``.

    A result has ``check``, ``subject``, ``place`` (the GPU's index; "" for all together), ``uuid``, ``state`` (ok,
    warning, failed, unknown), ``message``, ``cure`` (or null), ``time`` (Unix s) and ``evidence``: the metrics it rests
    on, with their further labels and their value, null where there was none.
    """
    rows = [
        {
            "check": one.check,
            "subject": one.subject,
            "place": one.place,
            "uuid": one.uuid,
            "state": one.state,
            "message": str(one.message),
            "cure": None if one.cure is None else str(one.cure),
            "time": one.time,
            "evidence": one.evidence,
        }
        for one in results
    ]
    return json_text({"format": FORMAT, "exit_code": exit_code, "demo": demo, "results": rows})


def _alike(results: Iterable[Result]) -> dict[tuple[str, State, str, str], list[str]]:
    """Which places got the same answer of a check, in the order in which they came."""
    found: dict[tuple[str, State, str, str], list[str]] = {}
    for one in results:
        key = (one.check, one.state, str(one.message), "" if one.cure is None else str(one.cure))
        found.setdefault(key, []).append(one.place)
    return found


def _ranges(places: Iterable[str]) -> str:
    """``0-3,5`` for GPUs 0, 1, 2, 3 and 5; "all" for an answer about all together."""
    words: list[str] = []
    numbers = sorted({int(place) for place in places if place.isdigit()})
    for at, number in enumerate(numbers):
        if at and numbers[at - 1] == number - 1:
            first = words.pop().partition("-")[0]
            words.append(f"{first}-{number}")
        else:
            words.append(str(number))
    words += sorted({place for place in places if place and not place.isdigit()})
    return ",".join(words) or "all"


def _plain(text: str, console: Console) -> str:
    safe = printable(text)
    return safe.replace("°C", "C") if plain_console(console) else safe
