"""Composes the page of a run: one file with its styles, script and data, which may load nothing and run nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources

from bongsu.model.run import RunReport
from bongsu.views import web
from bongsu.views.json_text import json_text
from bongsu.views.owned import sentence
from bongsu.views.printable import printable
from bongsu.views.run_html.content import FUNCTION_KEYS, PROCESS_KEYS, document
from bongsu.views.run_report import command, facts, heading

_OWN = ("words.js", "range.js", "charts.js", "gantt.js", "tables.js", "start.js")
_SHARED = "units.js"  # of the live page: numbers read the same there and here
_UPLOT = "vendor/uplot-1.6.32.min"
_MODULES = re.compile(r"^import [^;]*;\n|^export (?=const|function|class|let)", re.MULTILINE)


def page(report: RunReport) -> str:
    """The page, complete. ASCII but for what its styles and scripts hold."""
    style = "\n".join((_shared(f"{_UPLOT}.css"), _shared("tokens.css"), _own("page.css")))
    words, *rest = (_own(name) for name in _OWN)
    parts = (_shared(f"{_UPLOT}.js"), words, _MODULES.sub("", _shared(_SHARED)), *rest)
    script = "\n".join(('"use strict";', *parts))
    about = document(report)
    data = json_text({**about, "keys": {"processes": PROCESS_KEYS, "functions": FUNCTION_KEYS}})
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    places = {
        "policy": _text(policy), "title": _text(command(report.metadata)), "style": style, "script": script,
        "heading": "\n".join(f"<p>{_text(line)}</p>" for line in _heading(report)), "facts": _facts(report),
        "notes": "\n".join(f"<p>{_text(note)}</p>" for note in about["notes"]),
        # A text in JSON may hold "</script>" or "<!--"; JSON has another way to write these three characters.
        "data": data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
        "version": _text(report.metadata.version),
    }  # fmt: skip
    return re.sub(r"\{\{(\w+)\}\}", lambda place: places[place[1]], _own("page.html"))


def _heading(report: RunReport) -> list[str]:
    lines = heading(report)
    owner = report.metadata.owner
    return lines if owner is None else [*lines, f"owner: {sentence(owner)}"]


def _facts(report: RunReport) -> str:
    rows = []
    for title, lines in facts(report):
        said = "".join(f"<dd>{_text(re.sub(' {2,}', ' ', line))}</dd>" for line in lines)
        rows.append(f"<div><dt>{_text(title)}</dt>{said}</div>")
    return "\n".join(rows)


def _text(text: str) -> str:
    return html.escape(printable(text), quote=True).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _own(name: str) -> str:
    return (resources.files(__package__) / "static" / name).read_text(encoding="utf-8")


def _shared(name: str) -> str:
    folder = resources.files(web) / "static"
    return folder.joinpath(*name.split("/")).read_text(encoding="utf-8")
