"""What is left out of scripts and styles before they are sent: comments and needless spaces, nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from pygments.lexer import Lexer  # type: ignore[import-untyped]  # it has no py.typed
from pygments.lexers.css import CssLexer  # type: ignore[import-untyped]  # it has no py.typed
from pygments.lexers.javascript import JavascriptLexer  # type: ignore[import-untyped]  # it has no py.typed
from pygments.token import Comment  # type: ignore[import-untyped]  # it has no py.typed

from bongsu.views.web import stripping
from bongsu.views.web.static import FOLDER, load
from live_page import page
from visiting import CHROMIUM, Visit

OURS = sorted(p for p in Path(FOLDER).iterdir() if p.suffix in {".js", ".css"})


def stripper(path: Path) -> Callable[[str], str]:
    """What strips files of that kind."""
    return stripping.script if path.suffix == ".js" else stripping.style


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("a = 1; // why\n  b = 2;", "a=1;\nb=2;"),
        ("/* one\n   two */ a", "\na"),
        ("a /* in between */ b", "a b"),
        ("a = 'it\\'s // none'; // one", "a='it\\'s // none';"),
        ('a = "/* none */";', 'a="/* none */";'),
        ('a = /[/"]\\/\\// // one\n.test(b)', 'a=/[/"]\\/\\//\n.test(b)'),
        ("return /  '/.test(a)", "return/  '/.test(a)"),
        ("a / b / c // one", "a/b/c"),
        ("(a) / b; c = '/'", "(a)/b;c='/'"),
        ("a[0] / 2 + b.of / 3 // '", "a[0]/2+b.of/3"),
        ("a + +b - -c / /d/.e", "a+ +b- -c/ /d/.e"),
        ("const { a } = await b; return $ in c", "const{a}=await b;return $ in c"),
        ("a = `  // none\n  /* none */ \\` `; // one", "a=`  // none\n  /* none */ \\` `;"),
        ("`$${a /* one */ + `  ${{ b: '}' }.b}  // none`}  // none`", "`$${a+`  ${{b:'}'}.b}  // none`}  // none`"),
        ("`${a.replace(/`/g, (c) => `\\x${c}`)}  //`  // one", "`${a.replace(/`/g,(c)=>`\\x${c}`)}  //`"),
        ("a\n\n\n  // one\n  b", "a\n\n\n\nb"),
    ],
)  # fmt: skip
def test_a_script_keeps_all_that_it_does(written: str, sent: str) -> None:
    """Marks of comments and quotes within texts, templates and regular expressions are none."""
    assert stripping.script(written) == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("a {\n  b: c; /* why */\n}", "a{\nb:c;\n}"),
        ('a::before { content: "/* none */  //"; } /* one\ntwo */ b', 'a::before{content:"/* none */  //";}\nb'),
        ("a { b: url(//c/*.svg) } /**/", "a{b:url(//c/*.svg)} "),
        ("a/**/b", "a b"),
        ("a > b :is(c, .d) + e { f: calc(1px + 2px) }", "a > b :is(c,.d) + e{f:calc(1px + 2px)}"),
    ],
)
def test_a_style_keeps_all_that_it_says(written: str, sent: str) -> None:
    """Marks of comments within texts and addresses are none."""
    assert stripping.style(written) == sent


@pytest.mark.parametrize("broken", ["a = 'b", 'a = "b\n"', "a = `b", "`${a", "a = /b\n", "`${`a`"])
def test_what_has_no_end_is_refused(broken: str) -> None:
    """A file that no browser would take is found when it is loaded, not sent in part."""
    with pytest.raises(ValueError, match="no end"):
        stripping.script(broken)


def tokens(lexer: Lexer, text: str) -> list[tuple[object, str]]:
    """All of the text but spaces and comments, as somebody else parts it."""
    style = isinstance(lexer, CssLexer)  # which calls a colon this or that, as spaces are around it
    return [
        ("" if style else kind, value)
        for kind, value in lexer.get_tokens(text)
        if kind not in Comment and value.strip()
    ]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_files_lose_comments_and_spaces_only(path: Path) -> None:
    """Another's lexer finds the same tokens in the same lines, and no comment."""
    written = path.read_text()
    sent = stripper(path)(written)
    lexer = JavascriptLexer() if path.suffix == ".js" else CssLexer()
    for before, after in zip(written.split("\n"), sent.split("\n"), strict=True):
        assert "".join(after.split()) in "".join(before.split()) or "/*" in before
    assert tokens(lexer, sent) == tokens(lexer, written)
    assert not [value for kind, value in lexer.get_tokens(sent) if kind in Comment and value != "!important"]
    assert load()[path.name].plain == sent.encode()


def test_what_others_made_is_sent_as_it_is() -> None:
    """The licence of uPlot stands in a comment, and stays."""
    for path in Path(FOLDER, "vendor").glob("*.*s"):
        assert load()[f"vendor/{path.name}"].plain == path.read_bytes()


@pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="there is no chromium here")
def test_every_module_is_read_by_a_browser(browser: Browser) -> None:
    """Also those that the page would load later, or not at all."""
    with page() as running, Visit(browser, running) as visit:
        running.tick(2)
        names = [path.name for path in OURS if path.suffix == ".js"]
        visit.page.evaluate("names => Promise.all(names.map(name => import(`/static/${name}`)))", names)
        sheets = visit.page.evaluate("[...document.styleSheets].map(sheet => sheet.cssRules.length)")
        assert len(sheets) >= 2
        assert min(sheets) > 0
        visit.clean()
