"""NVMe controllers, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import device_tree
import node_exporter as ne
from bongsu.collectors.nvme import NvmeCollector
from bongsu.model.errors import NoData


def drive(name: str, **files: str) -> device_tree.Files:
    """The files of one controller, as drives pad them."""
    whole = {"firmware_rev": "1B2QEXP7", "model": "Samsung SSD 970 PRO 512GB     ", "serial": "S680HF8N190894I",
             "state": "live", "cntlid": "1997", **files}  # fmt: skip
    return {f"class/nvme/{name}/{file}": content for file, content in whole.items()}


def test_equals_node_exporter_on_the_same_tree(tmp_path: Path) -> None:
    """Drives have node_exporter's labels, trimmed, with odd characters and a drive that is dying."""
    machine = device_tree.build(
        tmp_path / "sys",
        {**drive("nvme0"), **drive("nvme1", state="dead", serial='a"b\\c'), **drive("nvme10", model="Größe 1")},
    )
    theirs = ne.scrape(["nvme"], [f"--path.sysfs={machine.sys.path}"])
    assert ne.differences(theirs, ne.ours([NvmeCollector(machine)])) == []
    assert len([key for key in theirs.values if key[0] == "node_nvme_info"]) == 3


def test_a_drive_that_does_not_tell_all_is_shown(tmp_path: Path) -> None:
    """What a drive does not say is left out; a drive that says nothing is going away."""
    files = drive("nvme0")
    del files["class/nvme/nvme0/serial"]
    machine = device_tree.build(tmp_path / "sys", {**files, "class/nvme/nvme1/uevent": ""})
    assert [item.labels for item in NvmeCollector(machine).collect()] == [
        ("nvme0", "1B2QEXP7", "Samsung SSD 970 PRO 512GB", "", "live")
    ]


def test_no_drives_is_no_data(tmp_path: Path) -> None:
    """A machine without NVMe is told so."""
    with pytest.raises(NoData, match="no NVMe drives"):
        list(NvmeCollector(device_tree.build(tmp_path / "sys", {})).collect())
