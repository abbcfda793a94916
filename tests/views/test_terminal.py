"""What commands print ends where its words end."""

from __future__ import annotations

import io

import pytest
from rich.table import Table
from rich.text import Text

from bongsu.views.terminal import Terminal
from cli.command import bongsu


def printed(*things: object, end: str = "\n", soft_wrap: bool = False) -> str:
    """The text that a terminal of ours gets."""
    file = io.StringIO()
    Terminal(file=file, soft_wrap=soft_wrap).print(*things, end=end)
    return file.getvalue()


def test_no_line_of_a_table_ends_in_blanks() -> None:
    """Rich fills each line up to the width of its column; blanks within a line, and empty lines, stay."""
    table = Table(box=None, pad_edge=False)
    table.add_column("name")
    table.add_column("what is known")
    table.add_row("first", "a longer sentence\nof two lines")
    table.add_row("", "")
    table.add_row("last one", "short")
    lines = printed(table).split("\n")
    assert lines == [
        "name      what is known", "first     a longer sentence", "          of two lines", "", "last one  short", "",
    ]  # fmt: skip


@pytest.mark.parametrize("soft_wrap", [False, True])
def test_words_stay_as_they_are(soft_wrap: bool) -> None:
    """Blanks before and between words are told; so is what another line is printed after."""
    assert printed(Text("  a  "), Text("  b  \n\n  c "), soft_wrap=soft_wrap) == "  a     b\n\n  c\n"
    assert printed(Text("wait: "), end="", soft_wrap=soft_wrap) == "wait: "


def test_blanks_that_are_seen_stay() -> None:
    """On a ground of their own, reversed or underlined, blanks are a picture."""
    for style in ("on red", "reverse", "underline"):
        assert printed(Text("bar   ", style=style)) == "bar   \n"
    assert printed(Text("bar   ", style="bold")) == "bar\n"


@pytest.mark.parametrize(
    "command",
    [
        ("check", "node", "--demo"), ("status", "--demo"), ("top", "--once", "--demo"), ("owner", "1"),
        ("collect", "--once", "--format", "table", "cpu"), ("explain", "gpu"), ("report", "--help"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_view_ends_a_line_in_blanks(command: tuple[str, ...]) -> None:
    """Lines are copied, compared and searched."""
    lines = bongsu(*command).stdout.split("\n")
    assert len(lines) > 2
    assert [line for line in lines if line != line.rstrip()] == []
