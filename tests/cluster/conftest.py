"""Fixtures: `cluster`, three nodes; `slurm`, the same with Slurm, where each test begins with a cluster that is new and idle."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import slurm as slurm_by_hand
from cluster.cluster import Cluster

HERE = Path(__file__).parent
_PROGRAMS = ("mmdebstrap", "dpkg-scanpackages", "ssh", "ip", "unshare", "setpriv")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests in here need root; the first of them may have to make the image, or to wait for another run."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.needs_root)
            item.add_marker(pytest.mark.timeout(3600 if item is items[0] else 600))


@pytest.fixture(scope="session")
def machines() -> Iterator[Cluster]:
    """The nodes, not yet running."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for program in _PROGRAMS:
        if shutil.which(program) is None:
            raise FileNotFoundError(errno.ENOENT, "not installed", program)  # tests/conftest.py knows its package
    made = Cluster(slurm_by_hand.NODES)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def slurm_layer(machines: Cluster) -> Cluster:
    """The nodes with Slurm installed, running."""
    slurm_by_hand.up_with_slurm(machines)
    return machines


@pytest.fixture(scope="session")
def cluster(slurm_layer: Cluster) -> Cluster:
    """Running nodes, which all tests share: a test removes what it starts. Slurm is installed but need not be idle."""
    return slurm_layer


@pytest.fixture
def fresh(slurm_layer: Cluster) -> Cluster:
    """Nodes that just booted from fresh disks."""
    slurm_layer.reset()
    return slurm_layer


@pytest.fixture
def slurm(fresh: Cluster) -> Cluster:
    """Slurm with idle nodes and no job, as just installed."""
    slurm_by_hand.wait_until_idle(fresh)
    return fresh


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows what tests recorded as ("said", line)."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for key, value in report.user_properties:
                if key == "said":
                    terminalreporter.write_line(str(value))
