"""The page's files as they are loaded: what a browser is told to ask for at once."""

from __future__ import annotations

import re
from pathlib import Path

from bongsu.views.web import static


def preloaded(html: bytes) -> list[str]:
    """What the page names as modules that it will need."""
    return re.findall(r'<link rel="modulepreload" href="/static/([^"]+)">', html.decode())


def on_demand(files: dict[str, static.StaticFile], named: list[str]) -> set[str]:
    """What modules load only when somebody wants it, and what that imports."""
    found = {one for name in named for one in re.findall(r'import\("\./([^"]+)"\)', files[name].plain.decode())}
    waiting = list(found)
    for name in waiting:  # grows meanwhile
        more = set(re.findall(r'from\s*"\./([^"]+)"', files[name].plain.decode())) - found - set(named)
        found |= more
        waiting += more
    return found


def test_the_page_names_each_of_its_modules_once() -> None:
    """None is found out only when another one has come: those are rounds in which nothing is drawn. Some come on demand."""
    files = static.load()
    named = preloaded(files["index.html"].plain)
    classic = set(re.findall(r'<script src="/static/([^"]+)"(?! type="module")', files["index.html"].plain.decode()))
    later = on_demand(files, named)
    assert {"runs.js", "run_page.js", "picture.js"} <= later
    assert not later & set(named)
    assert sorted([*named, *later]) == sorted({name for name in files if name.endswith(".js")} - classic)


def test_what_modules_import_is_named_and_nothing_else(tmp_path: Path) -> None:
    """Through any number of modules, in any way of writing it, round in circles too; not what is only said in words."""
    (tmp_path / "index.html").write_text('<p>\n<script src="/static/a.js" type="module"></script>\n')
    (tmp_path / "a.js").write_text(
        'import { one,\n  two } from "./b.js"; // from "./no.js"\nimport "./c.js";\nsay(one, two);\n'
    )
    (tmp_path / "b.js").write_text(
        'export { one } from "./c.js";\nimport * as all from "./d.js";\nexport const two = all;\n'
    )
    (tmp_path / "c.js").write_text('import { two } from "./b.js";\nexport const one = two;\n')
    (tmp_path / "d.js").write_text("export const three = 3;\n")
    (tmp_path / "alone.js").write_text('import { one } from "./c.js";\n')
    html = static.load(str(tmp_path))["index.html"].plain
    assert preloaded(html) == ["a.js", "b.js", "c.js", "d.js"]
    assert html.index(b"modulepreload") < html.index(b"<script")
