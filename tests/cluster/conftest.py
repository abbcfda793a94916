"""Fixtures: `cluster`, three nodes; `slurm`, the same with Slurm, where each test begins with a cluster that is new and idle."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import slurm as slurm_by_hand
from cluster.cluster import STATE, Cluster

HERE = Path(__file__).parent
# The head and one node see cgroups as most machines of Slurm's age do; on the other one systemd has the unified tree.
NODES = {"head01": "v1", "compute01": "v1", "compute02": "v2"}
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
    made = Cluster(NODES)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def slurm_layer(machines: Cluster) -> Cluster:
    """The nodes with Slurm installed, running. What the installation wrote is kept until an input of it changes."""
    inputs = [machines.key.encode(), *(HERE.joinpath(name).read_bytes() for name in ("slurm.py", "boot.sh"))]
    kept = STATE / "layers"
    place = kept / f"slurm-{hashlib.sha256(b'/'.join(inputs)).hexdigest()[:12]}"
    if not place.is_dir():
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        machines.up()
        slurm_by_hand.install(machines)
        machines.keep(place)
    machines.up([place])
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
