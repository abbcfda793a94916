"""Thermal zones and what cools them, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import device_tree
import node_exporter as ne
from bongsu.collectors import thermal_zone
from bongsu.collectors.thermal_zone import ThermalZoneCollector
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData


def zone(number: int, kind: str, temperature: int | str | None, **files: str) -> device_tree.Files:
    """The files of one zone."""
    at = f"class/thermal/thermal_zone{number}"
    more = {f"{at}/{name}": value for name, value in files.items()}
    return {f"{at}/type": kind, f"{at}/policy": "step_wise", f"{at}/temp": temperature, **more}


def cooler(number: int, kind: str, state: int | str, most: int) -> device_tree.Files:
    """The files of one cooling device."""
    at = f"class/thermal/cooling_device{number}"
    return {f"{at}/type": kind, f"{at}/cur_state": state, f"{at}/max_state": most}


def test_equals_node_exporter_on_the_same_tree(tmp_path: Path) -> None:
    """Zones and cooling devices have node_exporter's names, labels, types and values, below zero too."""
    machine = device_tree.build(
        tmp_path / "sys",
        {
            **zone(0, "acpitz", 27800), **zone(1, "x86_pkg_temp", 49001, mode="enabled", passive="0"),
            **zone(10, "iwlwifi", -5500), **zone(2, 'odd "zone"', 0),
            **cooler(0, "Processor", 3, 10), **cooler(1, "intel_powerclamp", -1, 100),
        },
    )  # fmt: skip
    theirs = ne.scrape(["thermal_zone"], [f"--path.sysfs={machine.sys.path}"])
    assert ne.differences(theirs, ne.ours([ThermalZoneCollector(machine)])) == []
    assert len([key for key in theirs.values if key[0].startswith("node_thermal") or "cooling" in key[0]]) == 8


def test_one_zone_that_fails_stops_no_other(tmp_path: Path) -> None:
    """A sensor that is off, or answers no number, is an absence in words; the other zones are read."""
    files = {**zone(0, "a", None), **zone(1, "b", "much"), **zone(2, "c", 41000), **cooler(0, "Fan", "", 3)}
    machine = device_tree.build(tmp_path / "sys", files)
    items = list(ThermalZoneCollector(machine).collect())
    assert [(i.labels, i.value) for i in items if isinstance(i, Sample)] == [(("2", "c"), 41.0)]
    assert [(i.spec, i.labels, i.why, str(i.reason)) for i in items if isinstance(i, Absence)] == [
        (thermal_zone.TEMPERATURE, ("0", "a"), Why.UNSUPPORTED, "thermal_zone0: Input/output error"),
        (thermal_zone.TEMPERATURE, ("1", "b"), Why.FAILED, "thermal_zone1 holds no number"),
        (thermal_zone.COOLING, ("0", "Fan"), Why.FAILED, "cooling_device0 holds no number"),
    ]


def test_a_zone_that_changes_is_read_anew(tmp_path: Path) -> None:
    """When zones come or go, their types are learned again."""
    machine = device_tree.build(tmp_path / "sys", zone(0, "a", 1000))
    collector = ThermalZoneCollector(machine)
    assert [item.labels for item in collector.collect()] == [("0", "a")]
    device_tree.build(tmp_path / "sys", {**zone(0, "b", 1000), **zone(1, "c", 2000)})
    assert [item.labels for item in collector.collect()] == [("0", "b"), ("1", "c")]


def test_no_zones_is_no_data(tmp_path: Path) -> None:
    """A machine without thermal zones is told so."""
    with pytest.raises(NoData, match="no thermal zones"):
        list(ThermalZoneCollector(device_tree.build(tmp_path / "sys", {})).collect())
