"""Takes comments and spaces out of the page's own scripts and styles as they are loaded, so that less is sent.

Lines stay lines: a fault that a browser reports in line 70 is in line 70 of the file.
"""

from __future__ import annotations

import re

# Words after which an operand comes, so that a slash begins a regular expression (ECMA-262, §12.9.5).
_BEFORE_OPERAND = frozenset(
    [
        "await",
        "case",
        "delete",
        "do",
        "else",
        "in",
        "instanceof",
        "new",
        "of",
        "return",
        "throw",
        "typeof",
        "void",
        "yield",
    ]
)
_TEXT = r'"(?:[^"\\\n]|\\.)*" | \'(?:[^\'\\\n]|\\.)*\''
_SCRIPT = re.compile(
    rf"(?P<comment> //[^\n]* | /\*.*?\*/ ) | (?P<text> {_TEXT} ) | (?P<space> \s+ ) | (?P<word> [\w$]+ ) | (?P<mark> . )",
    re.VERBOSE | re.DOTALL,
)
_STYLE = re.compile(
    rf"(?P<comment> /\*.*?\*/ ) | (?P<text> {_TEXT} | url\([^)]*\) ) | (?P<space> \s+ ) | (?P<mark> [^\s\"'/u]+ | . )",
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)", re.DOTALL)  # up to its end, or the next expression in it


def script(text: str) -> str:
    """A module of JavaScript without comments and needless spaces. Raises ValueError where a text in it has no end.

    A slash after ``)`` or ``}`` is taken for a division, which it nearly always is.
    """
    made: list[str] = []
    open_braces: list[int] = []  # of the expression in each template around this place
    last = ""  # word or mark
    at = 0
    while at < len(text):
        found = _SCRIPT.match(text, at)
        assert found is not None  # a mark is anything
        kind, piece = found.lastgroup, found[0]
        if kind in {"comment", "space"}:
            _gap(made, piece)
            at = found.end()
            continue
        if piece == "/" and _operand_after(last):
            piece = last = _whole(_REGEX, text, at)
        elif piece == "`" or (piece == "}" and open_braces and not open_braces[-1]):
            if piece == "}":
                open_braces.pop()
            piece += _whole(_TEMPLATE, text, at + 1)
            if piece.endswith("${"):
                open_braces.append(0)
            last = piece[-1]
        else:
            if piece in {'"', "'"}:
                raise ValueError(f"a text has no end: {text[at : at + 40]!r}")
            if open_braces:
                open_braces[-1] += (piece == "{") - (piece == "}")
            last = f".{piece}" if last == "." else piece  # a.of is a name
        if made and made[-1] == " " and not _apart(made[-2], piece):
            made.pop()
        made.append(piece)
        at += len(piece)
    if open_braces:
        raise ValueError("a template has no end")
    return "".join(made)


def style(text: str) -> str:
    """A style sheet without comments and needless spaces."""
    made: list[str] = []
    for found in _STYLE.finditer(text):
        piece = found[0]
        if found.lastgroup in {"comment", "space"}:
            _gap(made, piece)
            continue
        # A space before ":" or "(", and around "+" or ">", may mean something.
        if made and made[-1] == " " and (made[-2][-1] in "{};,:" or piece[0] in "{};"):
            made.pop()
        made.append(piece)
    return "".join(made)


def _gap(made: list[str], piece: str) -> None:
    """What is left of a comment or space: its line ends, or else one space between two things of a line."""
    lines = piece.count("\n")
    if lines or piece.startswith("//"):
        if made and made[-1] == " ":
            made.pop()
        made.append("\n" * lines)
    elif made and not made[-1].endswith(("\n", " ")):
        made.append(" ")


def _apart(one: str, other: str) -> bool:
    """Whether two things of a script would be something else without the space between them."""
    a, b = one[-1], other[0]
    return (a in "+-/" and b in "+-/") or all(c.isalnum() or c in "_$" for c in (a, b))


def _operand_after(last: str) -> bool:
    """Whether an operand comes after that word or mark, where a slash would otherwise divide."""
    if last in _BEFORE_OPERAND or not last:
        return True
    return not (last[-1].isalnum() or last[-1] in "_$)]}`\"'/")


def _whole(pattern: re.Pattern[str], text: str, at: int) -> str:
    found = pattern.match(text, at)
    if found is None:
        raise ValueError(f"this has no end: {text[at - 1 : at + 40]!r}")
    return found[0]
