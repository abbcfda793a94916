"""What all tests share: which programs they need, and what may be skipped in CI with its reason."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from bongsu.sources.nvml.scenario import Scenario
    from fake_nvml.machine import FakeNvml

# In CI the same examples each time, so that a green change stays green; elsewhere new ones, which find new faults.
_SLOW = (hypothesis.HealthCheck.too_slow,)  # a machine that does other things too makes examples slowly
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=_SLOW)
hypothesis.settings.register_profile("here", deadline=None, suppress_health_check=_SLOW)  # tests hold no timings
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
else:
    hypothesis.settings.load_profile("here")

# Tests press Ctrl-C and stop what they start; who runs them in the background (nohup, a shell's &) has these ignored.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

HERE = Path(__file__).parent
# program → Debian package, as `make test` installs them where it may
_PACKAGES = {
    line.split()[1]: line.split()[0]
    for line in (HERE.parent / "requirements" / "debian.txt").read_text().splitlines()
    if line and not line.startswith("#")
}
_ALLOWED = tuple(
    line.split(": ", 1)[0]
    for line in (HERE / "allowed_skips.txt").read_text().splitlines()
    if line and not line.startswith("#")
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test whose program is not installed is skipped; in CI a skipped test that is not listed is a failure."""
    report = yield
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, FileNotFoundError) and (package := _PACKAGES.get(os.path.basename(str(error.filename)))):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: needs the Debian package {package}")
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and os.environ.get("CI") and not item.nodeid.startswith(_ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, but not listed in tests/allowed_skips.txt: {report.longrepr}"
    return report


@pytest.fixture
def time_zone() -> Iterator[Callable[[str], None]]:
    """Sets the time zone of this process, and sets it back: what C holds of it does not follow the environment."""
    before = os.environ.get("TZ")

    def set_to(name: str | None) -> None:
        if name is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = name
        time.tzset()

    yield set_to
    set_to(before)


@pytest.fixture(autouse=True)
def same_zone_after() -> Iterator[None]:
    """A test that leaves another time zone behind fails itself, not the next one that reads the clock."""
    before = time.tzname
    yield
    assert time.tzname == before, "this test left another time zone behind: use the fixture time_zone"


@pytest.fixture
def fake_nvml(tmp_path: Path) -> Callable[..., FakeNvml]:
    """``fake_nvml(scenario, frozen=seconds)``: NVIDIA's library with no GPU behind it, which plays a scenario."""
    from fake_nvml.machine import FakeNvml

    def play(scenario: Scenario, frozen: float | None = None) -> FakeNvml:
        folder = tmp_path / "nvml"
        folder.mkdir()
        return FakeNvml(folder, scenario, frozen)

    return play


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked needs_root is skipped without root, and says so."""
    if item.get_closest_marker("needs_root") and os.geteuid() != 0:
        pytest.skip("needs root")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows the rows that tests recorded as ("table", (title, name, numbers)), from whichever process they come."""
    tables: dict[str, dict[str, dict[str, int]]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for key, value in report.user_properties:
                if key == "table":
                    title, name, numbers = value
                    tables.setdefault(title, {})[name] = numbers
    for title, rows in tables.items():
        from promql_compare import table

        terminalreporter.write_line("")
        terminalreporter.write_line(table(title, rows))
