"""The rules of the house: names, sizes, documents, and what may not stand in a commit."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bongsu.cli.main import cli
from bongsu.collectors import COLLECTORS
from bongsu.collectors.agent import AgentCollector
from bongsu.collectors.left_out import LEFT_OUT
from bongsu.model import health
from bongsu.model.metric import MetricPattern, MetricSpec

HOUSE = Path(__file__).parent.parent
SOURCES = sorted((HOUSE / "src").rglob("*.py"))
TESTS = sorted((HOUSE / "tests").rglob("test_*.py"))
LONGEST = 400
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}


def _named(path: Path) -> str:
    return str(path.relative_to(HOUSE))


@pytest.mark.parametrize("path", SOURCES, ids=_named)
def test_a_module_is_one_idea(path: Path) -> None:
    """It says in its first sentence what it is for, is short, and is named for what it is."""
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "the module says nothing of itself"
    assert docstring.split("\n")[0].rstrip().endswith((".", "?", "!", ":")) or len(docstring.split("\n")) > 1
    assert len(text.splitlines()) <= LONGEST, f"more than {LONGEST} lines: is it still one idea?"
    assert path.stem not in NO_NAMES, "name it by what it is for"


@pytest.mark.parametrize("path", TESTS, ids=_named)
def test_a_test_states_its_rule(path: Path) -> None:
    """Each test has a docstring: the rule that it holds."""
    functions = [
        n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    silent = [n.name for n in functions if n.name.startswith("test_") and not ast.get_docstring(n)]
    assert not silent, f"no rule stated: {', '.join(silent)}"


def _collectors() -> Iterator[MetricSpec | MetricPattern]:
    for collector in COLLECTORS:
        yield from collector.specs
    yield from health.SPECS
    yield from AgentCollector.specs


def test_a_metric_name_has_one_spec() -> None:
    """Two specs of one name would be two types, helps or label sets of one metric."""
    seen: dict[str, object] = {}
    for spec in _collectors():
        name = spec.name if isinstance(spec, MetricSpec) else spec.pattern
        assert seen.setdefault(name, spec) is spec, f"{name} is specified twice"


def test_a_collector_is_named_as_its_file_and_says_what_it_is() -> None:
    """One word is file, settings key, label value and flag; the class docstring is shown to users."""
    for collector in COLLECTORS:
        assert collector.__module__ == f"bongsu.collectors.{collector.name}", collector
        assert collector.__doc__, collector
        assert isinstance(collector.on_by_default, bool)
        assert isinstance(collector.may_block, bool)
    names = [collector.name for collector in COLLECTORS]
    assert len(set(names)) == len(names)


def test_what_is_left_out_is_not_collected() -> None:
    """The list of what we leave out holds nothing that we have, and gives a reason for each."""
    names = {collector.name for collector in COLLECTORS}
    assert not names & LEFT_OUT.keys()
    assert all(len(reason) > 10 for reason in LEFT_OUT.values())


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _commands(child, f"{path} {name}")


def test_every_command_and_option_has_help() -> None:
    """A person can read what each command and each option is for."""
    for path, command in _commands(cli, "bongsu"):
        assert command.help, f"{path} has no help"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{path} {parameter.opts[0]} has no help"


@pytest.mark.parametrize("page", ["metrics.md", "commands.md"])
def test_the_generated_pages_are_up_to_date(page: str) -> None:
    """docs/metrics.md and docs/commands.md say what the code says (`make docs` writes them)."""
    code = "import sys, generate_docs; sys.stdout.write(generate_docs.PAGES[sys.argv[1]]())"
    made = subprocess.run(  # click remembers a command's options, also as another test has asked for them
        [sys.executable, "-c", code, page], env={**os.environ, "PYTHONPATH": str(HOUSE / "scripts")},
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    assert (HOUSE / "docs" / page).read_text() == made


def test_the_architecture_page_names_every_room_that_exists() -> None:
    """docs/ARCHITECTURE.md is true: each room of the house stands in it, and it is one page."""
    text = (HOUSE / "docs" / "ARCHITECTURE.md").read_text()
    package = HOUSE / "src" / "bongsu"
    rooms = [p.name for p in package.iterdir() if (p / "__init__.py").exists()]
    rooms += [p.name for p in package.glob("*.py") if not p.name.startswith("__")]
    assert [room for room in rooms if room not in text] == []
    assert len(text.splitlines()) <= 120


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [HOUSE / name for name in listed.stdout.decode().split("\0") if name and (HOUSE / name).is_file()]


def test_nothing_names_a_registry_or_a_path_of_one_machine() -> None:
    """A commit speaks of the project alone: no package registry's host, no path of the machine it was made on."""
    registries = r"\b(pypi|pythonhosted|npmjs|debian)\.(org|com|net)\b"
    banned = re.compile(rf"{registries}|(?<![\w}}])/(work|root|home/\w+)/|resolved\":\s*\"http".encode())
    allowed = re.compile(rb"/root/(\.|\$)|/(root|home)/(user|alice|bob)\b")
    found = []
    for path in _tracked():
        if path == Path(__file__) or path.suffix in {".png", ".woff2"}:
            continue
        found += [
            f"{_named(path)}:{n}: {line[:100]!r}"
            for n, line in enumerate(path.read_bytes().split(b"\n"), 1)
            if banned.search(line) and not allowed.search(line)
        ]
    assert found == []


def test_every_ignore_carries_its_reason() -> None:
    """`noqa` and `type: ignore` name what they ignore and say why on the same line."""
    ignore = re.compile(r"#\s*(noqa|type:\s*ignore|pragma: no cover)(?P<rest>.*)")
    reason = re.compile(r"^(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\[[a-z-]+(,\s*[a-z-]+)*\])(\s|$).*\w+ \w+")
    found = []
    for path in [*SOURCES, *TESTS]:
        if path == Path(__file__):
            continue
        for n, line in enumerate(path.read_text().splitlines(), 1):
            match = ignore.search(line)
            if match and not reason.match(match["rest"].replace("# type: ignore", "").replace("# noqa", "")):
                found.append(f"{_named(path)}:{n}: {line.strip()}")
    assert found == []


def test_the_headless_core_is_light() -> None:
    """`import bongsu` and the agent's rooms load neither a web server, a terminal library nor numpy."""
    code = (
        "import sys, bongsu, bongsu.agent, bongsu.collectors, bongsu.sinks.http; "
        "print([m for m in ('uvicorn', 'starlette', 'rich', 'numpy', 'yaml', 'psutil') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
