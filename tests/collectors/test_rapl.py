"""Energy counters, beside node_exporter's."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import device_tree
import node_exporter as ne
from bongsu.collectors.rapl import RaplCollector
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData


def zone(folder: str, name: str, energy: int | str) -> device_tree.Files:
    """The files of one zone."""
    at = f"class/powercap/{folder}"
    return {f"{at}/name": name, f"{at}/energy_uj": energy, f"{at}/max_energy_range_uj": 262143328850}


_TWO_PACKAGES: device_tree.Files = {
    "class/powercap/intel-rapl/enabled": 1,
    **zone("intel-rapl:0", "package-0", 240422366267), **zone("intel-rapl:0:0", "core", 118821284256),
    **zone("intel-rapl:0:1", "dram", 7), **zone("intel-rapl:1", "package-1", 240422366268),
    **zone("intel-rapl:1:0", "core", 0), **zone("intel-rapl:1:1", "dram", 262143328849),
    **zone("intel-rapl:2", "package-0-die-1", 12345678), **zone("intel-rapl:3", "psys", 1),
    **zone("intel-rapl-mmio:0", "package-0", 99),
}  # fmt: skip


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can look into, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("zone_label", [False, True])
def test_equals_node_exporter_on_the_same_tree(tmp_path: Path, zone_label: bool) -> None:
    """Several packages and zones of one name have node_exporter's names, indexes, paths and values."""
    machine = device_tree.build(tmp_path / "sys", _TWO_PACKAGES)
    flags = [f"--path.sysfs={machine.sys.path}", *(["--collector.rapl.enable-zone-label"] if zone_label else [])]
    theirs = ne.scrape(["rapl"], flags)
    assert ne.differences(theirs, ne.ours([RaplCollector(machine, enable_zone_label=zone_label)])) == []
    assert len([key for key in theirs.values if key[0].startswith("node_rapl_")]) == 9


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_without_permission_it_says_so_with_the_cure(open_folder: Path) -> None:
    """Where only root may read energy, each zone is an absence that says why and what helps."""
    machine = device_tree.build(open_folder / "sys", zone("intel-rapl:0", "package-0", 5))
    (open_folder / "sys/class/powercap/intel-rapl:0/energy_uj").chmod(0o400)
    os.seteuid(65534)
    try:
        items = list(RaplCollector(machine).collect())
    finally:
        os.seteuid(0)
    assert len(items) == 1
    assert isinstance(items[0], Absence)
    assert items[0].why is Why.FORBIDDEN
    assert str(items[0].reason) == "energy of package 0: Permission denied"
    assert "CAP_DAC_READ_SEARCH" in str(items[0].cure)
    assert [type(item) for item in RaplCollector(machine).collect()] == [Sample]


def test_a_broken_counter_stops_no_other(tmp_path: Path) -> None:
    """A zone whose counter fails is absent; the others are read."""
    files = {**zone("intel-rapl:0", "package-0", "x"), **zone("intel-rapl:1", "package-1", 2_500_000)}
    items = list(RaplCollector(device_tree.build(tmp_path / "sys", files)).collect())
    assert [item.value for item in items if isinstance(item, Sample)] == [2.5]
    assert [str(item.reason) for item in items if isinstance(item, Absence)] == ["energy of package 0 holds no number"]


@pytest.mark.parametrize("files", [{}, {"class/powercap/intel-rapl/enabled": 1}])
def test_no_zones_is_no_data(tmp_path: Path, files: device_tree.Files) -> None:
    """A machine without energy counters is told so."""
    with pytest.raises(NoData, match="no energy counters"):
        list(RaplCollector(device_tree.build(tmp_path / "sys", files)).collect())
