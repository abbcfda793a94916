"""Hardware sensors, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import device_tree
import node_exporter as ne
from bongsu.collectors import hwmon
from bongsu.collectors.hwmon import HwmonCollector
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import BadInput, NoData
from bongsu.sources.root import Machine
from bongsu.sources.sysfs import hwmon as source


def _core(number: int, label: str) -> device_tree.Files:
    sensor = f"devices/platform/coretemp.0/hwmon/hwmon0/temp{number}"
    return {
        f"{sensor}_input": 41123 + number * 1009, f"{sensor}_crit": 100000, f"{sensor}_crit_alarm": 0,
        f"{sensor}_max": 84000, f"{sensor}_label": label,
    }  # fmt: skip


_CORETEMP: device_tree.Files = {
    "devices/platform/coretemp.0/hwmon/hwmon0/name": "coretemp",
    "devices/platform/coretemp.0/hwmon/hwmon0/device": "->../../../coretemp.0",
    "devices/platform/coretemp.0/uevent": "DRIVER=coretemp",
    "class/hwmon/hwmon0": "->../../devices/platform/coretemp.0/hwmon/hwmon0",
    **_core(1, "Package id 0"), **_core(2, "Core 0"), **_core(3, "Core 1"),
}  # fmt: skip
_NCT = "devices/platform/nct6775.656/hwmon/hwmon1"
_NCT6779: device_tree.Files = {
    "class/hwmon/hwmon1": f"->../../{_NCT}",
    f"{_NCT}/name": "nct6779",
    f"{_NCT}/device": "->../../../nct6775.656",
    f"{_NCT}/beep_enable": 1,
    f"{_NCT}/update_interval": 1007,
    f"{_NCT}/vrm": 110,
    f"{_NCT}/cpu0_vid": 1213,
    f"{_NCT}/in0_input": 1017,
    f"{_NCT}/in0_min": 0,
    f"{_NCT}/in0_max": 1743,
    f"{_NCT}/in0_alarm": 1,
    f"{_NCT}/in0_beep": 0,
    f"{_NCT}/fan1_input": 1098,
    f"{_NCT}/fan1_min": 0,
    f"{_NCT}/fan1_max": 5000,
    f"{_NCT}/fan1_target": 1200,
    f"{_NCT}/fan1_alarm": 0,
    f"{_NCT}/fan1_beep": 1,
    f"{_NCT}/fan1_pulses": 2,
    f"{_NCT}/fan1_fault": 0,
    f"{_NCT}/fan1_div": 8,
    f"{_NCT}/pwm1": 255,
    f"{_NCT}/pwm1_enable": 5,
    f"{_NCT}/pwm1_auto_point1_temp": 40000,
    f"{_NCT}/pwm1_freq": 25000,
    f"{_NCT}/intrusion0_alarm": 1,
    f"{_NCT}/intrusion0_beep": 0,
    f"{_NCT}/temp1_input": -5500,
    f"{_NCT}/temp1_type": 4,
    f"{_NCT}/temp1_offset": 0,
    f"{_NCT}/temp1_label": "SYSTIN °C!",
    f"{_NCT}/temp1_max_hyst": 75000,
    f"{_NCT}/temp7_input": None,
    f"{_NCT}/temp7_label": "PCH_DIM0",
    f"{_NCT}/temp8_input": "N/A",
    f"{_NCT}/power/control": "auto",
}
_OTHERS: device_tree.Files = {
    # an i2c chip of an old driver: its files lie at the device
    "devices/pci0000:00/i2c-0/0-0048/temp1_input": 23250,
    "devices/pci0000:00/i2c-0/0-0048/temp1_max": 80000,
    "devices/pci0000:00/i2c-0/0-0048/name": "lm75",
    "devices/pci0000:00/i2c-0/0-0048/hwmon/hwmon2/device": "->../../../0-0048",
    "class/hwmon/hwmon2": "->../../devices/pci0000:00/i2c-0/0-0048/hwmon/hwmon2",
    # a meter of power and energy, humidity and currents; no device, only a name
    "devices/virtual/hwmon/hwmon3/name": "Power-Meter 1\n",
    "devices/virtual/hwmon/hwmon3/power1_average": 345678901,
    "devices/virtual/hwmon/hwmon3/power1_average_interval": 1000,
    "devices/virtual/hwmon/hwmon3/power1_average_interval_max": 30000,
    "devices/virtual/hwmon/hwmon3/power1_accuracy": 980000,
    "devices/virtual/hwmon/hwmon3/power1_cap": 400000007,
    "devices/virtual/hwmon/hwmon3/power1_is_battery": 0,
    "devices/virtual/hwmon/hwmon3/energy1_input": 123456789012345,
    "devices/virtual/hwmon/hwmon3/energy12_input": 7,
    "devices/virtual/hwmon/hwmon3/humidity1_input": 45321,
    "devices/virtual/hwmon/hwmon3/curr1_input": 12345,
    "devices/virtual/hwmon/hwmon3/curr1_crit": 20001,
    "devices/virtual/hwmon/hwmon3/curr1_label": "",
    "devices/virtual/hwmon/hwmon3/energy1_label": b'bytes \xff"\\',
    "class/hwmon/hwmon3": "->../../devices/virtual/hwmon/hwmon3",
    # neither device nor name
    "devices/virtual/hwmon/hwmon4/temp1_input": 30000,
    "class/hwmon/hwmon4": "->../../devices/virtual/hwmon/hwmon4",
    # a sensor with a file of its own and an input
    "devices/virtual/hwmon/hwmon5/fan2": 77,
    "devices/virtual/hwmon/hwmon5/fan2_input": 1234,
    "devices/virtual/hwmon/hwmon5/temp3": 5000,
    "devices/virtual/hwmon/hwmon5/freq1_input": 1000000,
    "devices/virtual/hwmon/hwmon5/temp_nonsense": 1,
    "devices/virtual/hwmon/hwmon5/temp9_INPUT Odd-Näme": 9000,
    "class/hwmon/hwmon5": "->../../devices/virtual/hwmon/hwmon5",
    # what is no chip
    "class/hwmon/file": 1,
    "class/hwmon/dangling": "->../../nowhere",
}


def collected(machine: Machine) -> tuple[dict[tuple[str, str, str], float], list[Absence]]:
    """Values by (metric, chip, sensor), and absences."""
    items = list(HwmonCollector(machine).collect())
    values = {(i.spec.name, i.labels[0], i.labels[1]): i.value for i in items if isinstance(i, Sample)}
    return values, [item for item in items if isinstance(item, Absence)]


@pytest.mark.parametrize(
    "files", [_CORETEMP, _NCT6779, _OTHERS, {**_CORETEMP, **_NCT6779, **_OTHERS}],
    ids=["coretemp", "nct6779", "others", "all"],
)  # fmt: skip
def test_equals_node_exporter_on_the_same_tree(tmp_path: Path, files: device_tree.Files) -> None:
    """Chips, sensors, labels, units, types and values are node_exporter's, to the last bit."""
    machine = device_tree.build(tmp_path / "sys", files)
    theirs = ne.scrape(["hwmon"], [f"--path.sysfs={machine.sys.path}"])
    assert len(theirs.values) > 10
    assert ne.differences(theirs, ne.ours([HwmonCollector(machine)])) == []


def test_a_sensor_that_fails_is_absent_in_words(tmp_path: Path) -> None:
    """A reading that gives an error is an absence with its reason, never 0; the others are read."""
    values, absences = collected(device_tree.build(tmp_path / "sys", _NCT6779))
    assert [(absence.spec, absence.labels[1], absence.why) for absence in absences] == [
        (hwmon.TEMPERATURE, "temp7", Why.UNSUPPORTED)
    ]
    assert str(absences[0].reason) == "temp7 of platform_nct6775_656: Input/output error"
    assert ("node_hwmon_temp_celsius", "platform_nct6775_656", "temp7") not in values
    assert ("node_hwmon_temp_celsius", "platform_nct6775_656", "temp8") not in values
    assert values["node_hwmon_fan_rpm", "platform_nct6775_656", "fan1"] == 1098


def test_a_chip_that_goes_or_comes_is_noticed(tmp_path: Path) -> None:
    """A chip that is unloaded leaves no sample behind; one that is loaded is read at once."""
    machine = device_tree.build(tmp_path / "sys", _CORETEMP)
    collector = HwmonCollector(machine)
    assert {item.labels[0] for item in collector.collect()} == {"platform_coretemp_0"}
    (tmp_path / "sys/class/hwmon/hwmon0").unlink()
    device_tree.build(tmp_path / "sys", _NCT6779)
    assert {item.labels[0] for item in collector.collect()} == {"platform_nct6775_656"}
    (tmp_path / "sys" / _NCT / "fan1_input").unlink()
    gone = [item for item in collector.collect() if isinstance(item, Absence) and item.labels[1] == "fan1"]
    assert len(gone) == 1
    assert not [item for item in collector.collect() if item.labels[1] == "fan1" and item.spec.name.endswith("fan_rpm")]


def test_chips_can_be_left_out(tmp_path: Path) -> None:
    """The include and exclude expressions pick chips by the name in the label."""
    machine = device_tree.build(tmp_path / "sys", {**_CORETEMP, **_NCT6779})

    def chips(**options: str) -> set[str]:
        return {item.labels[0] for item in HwmonCollector(machine, **options).collect()}

    assert chips(chip_exclude="coretemp") == {"platform_nct6775_656"}
    assert chips(chip_include="^platform_coretemp") == {"platform_coretemp_0"}
    with pytest.raises(BadInput, match=r"--collector\.hwmon\.chip-include"):
        HwmonCollector(machine, chip_include="(")


def test_no_sensors_is_no_data(tmp_path: Path) -> None:
    """A machine without sensors is told so, with what could be done."""
    with pytest.raises(NoData, match="no hardware sensors") as told:
        list(HwmonCollector(device_tree.build(tmp_path / "sys", {})).collect())
    assert "lm-sensors" in str(told.value.cure)


@given(st.dictionaries(st.sampled_from(["temp1_input", "fan1_input", "name", "vrm"]), st.binary(max_size=40)))
def test_any_content_can_be_read(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    """Whatever the files hold, a collection ends without an exception."""
    tree = {f"class/hwmon/hwmon0/{name}": content for name, content in files.items()}
    machine = device_tree.build(tmp_path_factory.mktemp("fuzz") / "sys", {"class/hwmon/hwmon0/x": 1, **tree})
    for item in HwmonCollector(machine).collect():
        assert isinstance(item, Sample)


@given(st.text())
def test_cleaned_names_are_valid(text: str) -> None:
    """A cleaned text has only the characters of a metric name, and cleaning it again changes nothing."""
    once = source.cleaned(text)
    assert source.cleaned(once) == once
    assert set(once) <= set("abcdefghijklmnopqrstuvwxyz0123456789:_")
