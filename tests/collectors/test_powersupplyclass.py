"""Batteries and power supplies, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import device_tree
import node_exporter as ne
from bongsu.collectors import powersupplyclass
from bongsu.collectors.powersupplyclass import PowersupplyclassCollector
from bongsu.model.batch import Absence, Why
from bongsu.model.errors import NoData

_AT = "class/power_supply"
_AC: device_tree.Files = {f"{_AT}/AC/online": 0, f"{_AT}/AC/type": "Mains", f"{_AT}/AC/uevent": "POWER_SUPPLY_NAME=AC"}
_BATTERY: device_tree.Files = {
    **{f"{_AT}/BAT0/{file}": 1_000_003 + 7 * place for place, file in enumerate(powersupplyclass._NUMBERS)},
    f"{_AT}/BAT0/temp": -12,
    f"{_AT}/BAT0/current_now": -1500000,
    **{f"{_AT}/BAT0/{file}": f" some {file} " for file in powersupplyclass._WORDS},
    f"{_AT}/BAT0/cycle_count": 0,
    f"{_AT}/BAT0/alarm": 2503000,
}


def test_equals_node_exporter_on_the_same_tree(tmp_path: Path) -> None:
    """Every number and word that a supply can offer has node_exporter's name, type and value."""
    machine = device_tree.build(tmp_path / "sys", {**_AC, **_BATTERY})
    theirs = ne.scrape(["powersupplyclass"], [f"--path.sysfs={machine.sys.path}"])
    assert ne.differences(theirs, ne.ours([PowersupplyclassCollector(machine)])) == []
    assert len([key for key in theirs.values if key[0].startswith("node_power_supply_")]) == 52


def test_supplies_can_be_left_out(tmp_path: Path) -> None:
    """The expression of supplies to ignore is node_exporter's."""
    machine = device_tree.build(tmp_path / "sys", {**_AC, **_BATTERY})
    flags = [f"--path.sysfs={machine.sys.path}", "--collector.powersupply.ignored-supplies=^BAT"]
    mine = ne.ours([PowersupplyclassCollector(machine, ignored_supplies="^BAT")])
    assert ne.differences(ne.scrape(["powersupplyclass"], flags), mine) == []
    assert len(mine.values) == 2


def test_a_reading_that_fails_is_absent(tmp_path: Path) -> None:
    """A number that cannot be read or is none is an absence in words; the rest of the supply is read."""
    machine = device_tree.build(tmp_path / "sys", {**_AC, f"{_AT}/AC/voltage_now": None, f"{_AT}/AC/temp": "warm"})
    absences = [item for item in PowersupplyclassCollector(machine).collect() if isinstance(item, Absence)]
    assert sorted((str(absence.reason), absence.why) for absence in absences) == [
        ("temp of AC holds no number", Why.FAILED), ("voltage_now of AC: Input/output error", Why.UNSUPPORTED),
    ]  # fmt: skip


def test_no_supplies_is_no_data(tmp_path: Path) -> None:
    """A machine whose supplies do not report is told so."""
    with pytest.raises(NoData, match="no batteries or power supplies"):
        list(PowersupplyclassCollector(device_tree.build(tmp_path / "sys", {})).collect())
