"""Collectors that other packages bring, each installed into a folder of its own and read by the real `bongsu`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.command import ARGV, bongsu, complaint, environment

SAMPLE = Path(__file__).parents[1] / "fixtures" / "sample_collector"
_CLASS = """
from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec

ONE = MetricSpec("theirs_count", Kind.GAUGE, "A count.", ("kind",))

class Theirs:
    '''Theirs.'''
    name = "theirs"
    specs = (ONE,)
    may_block = False
    on_by_default = True
    def __init__(self, machine):
        pass
    def collect(self):
        yield Sample(ONE, ("a",), 1)
"""


def _package(
    place: Path, code: str = _CLASS, *, name: str = "theirs", value: str = "", package: str = "their_package"
) -> dict[str, str]:
    """Install a package of one module by hand; the environment in which it is found."""
    info = place / f"{package}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[bongsu.collectors]\n{name} = {value or f'{package}:Theirs'}\n")
    (place / f"{package}.py").write_text(code)
    return {"PYTHONPATH": str(place)}


def _failure(env: dict[str, str], name: str = "theirs") -> str:
    """Why a collector failed, while another went on."""
    done = bongsu("collect", "--once", env=env)
    assert done.returncode == 3, done.stderr
    assert f'bongsu_collector_success{{collector="{name}"}} 0' in done.stdout
    assert f'bongsu_collector_failures_total{{collector="{name}"}} 1' in done.stdout
    assert 'bongsu_collector_success{collector="loadavg"} 1' in done.stdout
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith(f"bongsu: {name}: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The sample package, built and installed by pip without a network."""
    source, place = tmp_path_factory.mktemp("source") / "sample", tmp_path_factory.mktemp("site")
    shutil.copytree(SAMPLE, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps",
         "--disable-pip-version-check", "--target", str(place), str(source)],
        check=True, timeout=170, env=environment(),
    )  # fmt: skip
    return {"PYTHONPATH": str(place)}


def test_the_sample_package_is_collected(sample: dict[str, str], tmp_path: Path) -> None:
    """An installed package's readings stand in the scrape; its option works as a flag and in the file, and the switches work."""
    (tmp_path / "waiting").touch()
    want = f'spool_files{{directory="{tmp_path}"}} 1\n'
    assert want in bongsu("collect", "--once", "--collector.spool.directory", str(tmp_path), env=sample).stdout
    settings = tmp_path.parent / f"{tmp_path.name}.yaml"
    settings.write_text(f"collectors: {{spool: {{directory: {tmp_path}}}}}\n")
    assert want in bongsu("collect", "--once", "spool", "-c", str(settings), env=sample).stdout
    assert 'collector="spool"' not in bongsu("collect", "--once", "--no-collector.spool", env=sample).stdout
    assert 'bongsu_collector_has_data{collector="spool"} 0' in bongsu("collect", "--once", "spool", env=sample).stdout
    settings.write_text("collectors: {spool: {directroy: x}}\n")
    assert "did you mean directory?" in complaint("collect", "--once", "-c", str(settings), env=sample)


def test_without_the_package_nothing_of_it_is_known() -> None:
    """The name of a collector that is not installed is refused as any other word."""
    assert complaint("collect", "--once", "spool").startswith("spool: there is no such collector")


def test_explain_knows_it_at_run_time(sample: dict[str, str]) -> None:
    """`explain` tells the collector, its package, its option and its metric, and the schema of the settings has its keys."""
    told = bongsu("explain", "spool", env=sample).stdout
    assert "the package sample-collector" in told.lower()
    assert "--collector.spool.directory" in told
    assert "spool_files" in told
    metric = bongsu("explain", "spool_files", env=sample).stdout
    assert "collector  spool" in metric
    assert "that of the package sample-collector" in metric
    schema = json.loads(bongsu("explain", "settings", "--json", env=sample).stdout)
    options = schema["$defs"]["Settings"]["properties"]["collectors"]["properties"]["spool"]["anyOf"][1]["properties"]
    assert options["directory"]["default"] == "/var/spool/sample"


def test_it_is_off_unless_its_class_says_on(tmp_path: Path) -> None:
    """A class without on_by_default is off; its flag turns it on."""
    env = _package(tmp_path, _CLASS.replace("    on_by_default = True\n", ""))
    assert "theirs_count" not in bongsu("collect", "--once", env=env).stdout
    assert 'theirs_count{kind="a"} 1' in bongsu("collect", "--once", "--collector.theirs", env=env).stdout


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("import Kind, MetricSpec", "import Kind, MetricSpec\nimport not_there_at_all", "No module named 'not_there_at_all'"),
        ("class Theirs:", "raise SystemExit(5)\nclass Theirs:", "SystemExit: 5"),
        ('"theirs_count"', '"theirs_ms"', "theirs_ms: use a base unit"),
        ('"theirs_count"', '"node_load1"', "the metric node_load1 is taken by the collector loadavg"),
        ('"theirs_count"', '"node_memory_Own_bytes"', "is taken by the collector meminfo"),
        ("specs = (ONE,)", "specs = (ONE, 'two')", "specs holds 'two', which is no MetricSpec"),
        ("(ONE,)", "[ONE]", "has no specs (a tuple of MetricSpec"),
        ('name = "theirs"', 'name = "other"', "calls itself 'other', its entry point theirs"),
        ("may_block = False", "may_block = None", "has no may_block"),
        ("def collect", "def gather", "has no method collect()"),
        ("(self, machine)", "(self, machine, *, many: list = ())", "the option many must be annotated bool, int, float or str"),
        ("(self, machine)", "(self, machine, *, many: int)", "many of __init__ must be keyword-only and have a default"),
        ("        pass\n", "        raise LookupError('no key')\n", "LookupError: no key"),
        ("        pass\n", "        from bongsu.model.errors import BadInput; raise BadInput('plain')\n", "BadInput: plain"),
        ('("a",), 1)', '("a", "b"), 1)', "theirs_count: the label values ('a', 'b') are not 1 texts"),
        ('("a",), 1)', '("a",), None)', "theirs_count: the value None is no number"),
        ("yield Sample(", "yield 7\n        yield Sample(", "collect() gave 7, which is neither Sample nor Absence"),
        ("yield Sample(", "yield Sample(ONE, ('a',), 2)\n        yield Sample(", "theirs_count came twice"),
        ("yield Sample(ONE", "yield Sample(MetricSpec('theirs_b', Kind.GAUGE, 'B.', ('k',))", "which is not in its specs"),
        ("yield Sample(ONE", "return 7\n    def other(self):\n        yield Sample(ONE", "collect() gave 7, not samples to go through"),
        ("yield Sample(", "raise KeyboardInterrupt\n        yield Sample(", "RuntimeError: it raised KeyboardInterrupt"),
        ("yield Sample(", "raise SystemExit(0)\n        yield Sample(", "it asked the program to end"),
    ],
)  # fmt: skip
def test_a_broken_one_fails_alone_and_says_why(tmp_path: Path, before: str, after: str, said: str) -> None:
    """Whatever is wrong with a package's collector is one line with its name, a counted failure, and no other's failure."""
    assert before in _CLASS
    assert said in _failure(_package(tmp_path, _CLASS.replace(before, after)))


def test_a_counter_below_0_is_refused(tmp_path: Path) -> None:
    """A gauge may be; a counter never."""
    below = _CLASS.replace('("a",), 1)', '("a",), -1)')
    assert 'theirs_count{kind="a"} -1' in bongsu("collect", "--once", env=_package(tmp_path / "gauge", below)).stdout
    counter = below.replace("theirs_count", "theirs_total").replace("Kind.GAUGE", "Kind.COUNTER")
    assert "theirs_total: the value -1 is below 0" in _failure(_package(tmp_path / "counter", counter))


def test_a_number_of_a_package_need_not_be_a_time(tmp_path: Path) -> None:
    """A float option takes any number by its flag as in the settings, and a time with its unit; anything else is refused."""
    code = _CLASS.replace("(self, machine)", "(self, machine, *, most: float = 0.5)").replace(
        "pass\n", "self.most = most\n"
    )
    env = _package(tmp_path, code.replace('("a",), 1)', '("a",), self.most)'))
    for given, value in (("0", "0.0"), ("-1.5", "-1.5"), ("0.05", "0.05"), ("500ms", "0.5"), ("2m", "120.0")):
        done = bongsu("collect", "--once", "theirs", f"--collector.theirs.most={given}", env=env)
        assert f'theirs_count{{kind="a"}} {value}\n' in done.stdout, (given, done.stderr)
    assert "give a number, or a time as 500ms" in complaint(
        "collect", "--once", "--collector.theirs.most", "much", env=env
    )


def test_a_broken_one_can_be_turned_off(tmp_path: Path) -> None:
    """--no-collector.NAME silences a collector that cannot even be imported; its line tells so."""
    env = _package(tmp_path, "import not_there_at_all")
    assert _failure(env).endswith("repair or uninstall the package, or say --no-collector.theirs")
    assert bongsu("collect", "--once", "--no-collector.theirs", env=env).stderr == ""


def test_a_name_of_ours_is_not_given_away(tmp_path: Path) -> None:
    """A package whose collector is named as ours is refused under its own name beside ours; that line's switch works."""
    env = _package(tmp_path, name="loadavg")
    line = _failure(env, "their_package:loadavg")
    assert "the name loadavg is taken by bongsu; give the collector another one" in line
    done = bongsu("collect", "--once", "--no-collector.their_package:loadavg", env=env)
    assert (done.returncode, done.stderr) == (0, "")


def test_of_two_packages_with_one_name_the_second_is_refused(tmp_path: Path) -> None:
    """The package that comes first by name has the collector's name; the other is told whose it is."""
    _package(tmp_path)
    env = _package(tmp_path, package="another")
    assert "is taken by the package another" in _failure(env, "their_package:theirs")


def test_unreadable_entry_points_are_a_failure_with_the_packages_name(tmp_path: Path) -> None:
    """A file of entry points that is not understood stops no command."""
    env = _package(tmp_path)
    (tmp_path / "their_package-1.dist-info" / "entry_points.txt").write_text("[bongsu.collectors]\nnonsense\n")
    assert "their_package" in _failure(env, "their_package")


def test_help_looks_for_no_packages(tmp_path: Path) -> None:
    """`bongsu --help` neither looks for collectors nor loads a package that brings one."""
    env = _package(tmp_path, "raise SystemExit('loaded')")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *ARGV[1:], "--help"], capture_output=True, text=True, check=True, timeout=150,
        env=environment(**env),
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "bongsu.cli.main" in loaded
    assert not loaded & {"bongsu.cli.installed", "importlib.metadata", "their_package"}


def test_where_nobody_brings_one_the_look_is_cheap() -> None:
    """Without such a package importlib.metadata, which takes longer than the look, is not imported."""
    code = "import sys; from bongsu.cli import wire; wire.classes(); print('importlib.metadata' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=150,
        env={**environment(), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )  # fmt: skip
    assert done.stdout == "False\n"


def test_status_says_which_collector_of_a_package_failed_and_why(tmp_path: Path) -> None:
    """One that cannot be imported, and one that fails when it is asked, are problems with their reason; one that works is none."""
    failing = _CLASS.replace("yield Sample", "raise OSError('the meter is off')\n        yield Sample")
    env = {
        "PYTHONPATH": ":".join(
            (
                _package(tmp_path / "one", "import no_such_module", name="broken", package="broken_package")["PYTHONPATH"],
                _package(tmp_path / "two", failing, package="failing_package")["PYTHONPATH"],
                _package(tmp_path / "three", _CLASS.replace("theirs", "fine"), name="fine", package="fine_package")["PYTHONPATH"],
            )
        )
    }  # fmt: skip
    done = bongsu("status", "--json", env=env)
    assert done.returncode == 1, done.stderr
    said = {one["text"].partition(" ")[0]: one["text"] for one in json.loads(done.stdout)["problems"]}
    assert "broken_package" in said["broken"]
    assert "no_such_module" in said["broken"]
    assert "the meter is off" in said["theirs"]
    assert "fine" not in said
    assert "broken" not in bongsu("status", "--no-collector.broken", "--no-collector.theirs", env=env).stdout


_PRINTING = (
    _CLASS.replace("import Sample", "import Sample; print('at import')", 1)
    .replace("        pass", "        print('when made')")
    .replace("        yield", "        print('before')\n        yield")
    + "        print('after')\n"
)


@pytest.mark.parametrize("form", ["prometheus", "json"])
def test_what_a_package_prints_is_not_among_the_readings(tmp_path: Path, form: str) -> None:
    """At import, when it is made, and while it reads: all goes to standard error, and what stands in the scrape is whole."""
    env = _package(tmp_path, _PRINTING)
    done = bongsu("collect", "--once", "theirs", "loadavg", "--format", form, env=env)
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["at import", "when made", "before", "after"]
    if form == "json":
        assert {"theirs", "loadavg"} <= {each["collector"] for each in json.loads(done.stdout)["collectors"]}
    else:
        lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        assert 'theirs_count{kind="a"} 1' in lines
        assert all(line.startswith(("theirs_count", "node_", "bongsu_")) for line in lines)
