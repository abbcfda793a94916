"""Block devices, beside node_exporter's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.diskstats import DiskstatsCollector
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import BadInput
from bongsu.sources.root import Machine

DEVICES = (
    "ram0", "ram15", "loop0", "loop12", "fd0", "sda", "sda1", "sda12", "sdaa", "hdb2", "vda", "vda3", "xvdf", "xvdf1",
    "nvme0n1", "nvme0n1p2", "nvme10n1", "dm-0", "md127", "sr0", "mmcblk0", "mmcblk0p1", "zram0", "nbd0", "cciss!c0d0",
    "cciss!c0d0p1", 'q"uote', "back\\slash", "디스크", "x{y}=1",
)  # fmt: skip
UDEV = {
    "b8:5": "S:disk/by-id/x\nE:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\nE:ID_ATA_WRITE_CACHE_ENABLED=0\n"
    'E:ID_ATA_ROTATION_RATE_RPM=7200\nE:ID_PATH=pci-0000:00\nE:ID_WWN=0x5000\nE:ID_MODEL=MOD"EL\\\n'
    "E:ID_SERIAL=FULL_SERIAL\nE:ID_SERIAL_SHORT=SHORT\nE:ID_REVISION=R=1\nE:ID_FS_TYPE=ext4\nE:ID_FS_USAGE=filesystem\n"
    "E:ID_FS_UUID=1234\nE:ID_FS_VERSION=1.0\nG:systemd\nV:1\n",
    "b8:10": "E:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\nE:SCSI_IDENT_SERIAL=from scsi\nE:ID_SERIAL_SHORT=short\n",
    "b8:14": "E:ID_MODEL=네트 SSD\nE:ID_SERIAL=virtio only\nE:ID_FS_TYPE=\nE:NOVALUE\n",
    "b8:17": "E:DM_NAME=vg-lv\nE:DM_UUID=LVM-abc\nE:DM_VG_NAME=vg\nE:DM_LV_NAME=lv\nE:DM_LV_LAYER=\nE:ID_FS_TYPE=xfs\n",
}


def _tree(tmp_path: Path, columns: int = 17) -> kernel_tree.Tree:
    tree = kernel_tree.Tree(tmp_path)
    tree.flags.append(f"--path.udev.data={tmp_path}/root/run/udev/data")
    lines = [
        f"{8:4d} {minor:7d} {name} " + " ".join(str(minor * 1000 + column * 7 + 1234567) for column in range(columns))
        for minor, name in enumerate(DEVICES)
    ]
    tree.write({"proc/diskstats": "\n".join(lines) + "\n"})
    tree.write({f"root/run/udev/data/{name}": text for name, text in UDEV.items()})
    return tree


@pytest.mark.parametrize("columns", [11, 15, 17, 19])
def test_equals_node_exporter(tmp_path: Path, columns: int) -> None:
    """Kernels before 4.18, since 4.18, since 5.5 and to come: no column is made up, times and bytes to the last bit."""
    tree = _tree(tmp_path, columns)
    mine = ne.ours([DiskstatsCollector(tree.machine)])
    assert ne.differences(ne.scrape(["diskstats"], tree.flags), mine) == []
    assert ("node_disk_flush_requests_total" in mine.types) is (columns >= 17)
    assert ("node_disk_discards_completed_total" in mine.types) is (columns >= 15)
    families = {name for name in mine.types if "info" in name or "ata" in name}
    assert families == {
        "node_disk_info", "node_disk_filesystem_info", "node_disk_device_mapper_info", "node_disk_ata_write_cache",
        "node_disk_ata_write_cache_enabled", "node_disk_ata_rotation_rate_rpm",
    }  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        {"device_exclude": ""},
        {"device_exclude": "^(sd|dm)"},
        {"device_include": "^(sd|loop)"},
        {"device_include": "nvme"},
    ],
    ids=str,
)
def test_the_filters_choose_as_node_exporters(tmp_path: Path, options: dict[str, str]) -> None:
    """Include and exclude are searched; naming what to include sets the default exclusion aside."""
    tree = _tree(tmp_path)
    flags = [f"--collector.diskstats.{name.replace('_', '-')}={value or '^$'}" for name, value in options.items()]
    if "device_include" in options:
        flags.append("--collector.diskstats.device-exclude=")  # it refuses both, though one is its own default
    mine = ne.ours([DiskstatsCollector(tree.machine, **options)])
    assert ne.differences(ne.scrape(["diskstats"], [*tree.flags, *flags]), mine) == []
    assert mine.values


def test_four_thousand_disks(tmp_path: Path) -> None:
    """A file of many pages: every device is there."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/diskstats": "".join(f" 65 {n} dm-{n} " + f"{n} " * 17 + "\n" for n in range(4000))})
    mine = ne.ours([DiskstatsCollector(tree.machine)])
    assert ne.differences(ne.scrape(["diskstats"], tree.flags), mine) == []
    assert len(mine.values) == 4000 * 18


def test_lines_of_old_partitions_are_left_out(tmp_path: Path) -> None:
    """Before Linux 2.6.25 a partition has four columns of another meaning."""
    tree = _tree(tmp_path)
    tree.write({"proc/diskstats": "   8    1 sdz 5 6 7 8\n   8    0 sdy 1 2 3 4 5 6 7 8 9 10 11\n"})
    mine = ne.ours([DiskstatsCollector(tree.machine)])
    assert ne.differences(ne.scrape(["diskstats"], tree.flags), mine) == []
    assert {dict(key[1])["device"] for key in mine.values} == {"sdy"}


def test_an_unreadable_udev_entry_is_said_and_the_rest_is_there(tmp_path: Path) -> None:
    """One device's entry is a directory: its counters and all others remain."""
    tree = _tree(tmp_path)
    whole = len(list(DiskstatsCollector(tree.machine).collect()))
    (tmp_path / "root/run/udev/data/b8:6").mkdir()
    items = list(DiskstatsCollector(tree.machine, device_exclude="").collect())
    assert [item.labels[0] for item in items if isinstance(item, Absence)] == ["sda1"]
    assert len([item for item in items if isinstance(item, Sample)]) > whole


def test_what_udev_writes_later_is_seen(tmp_path: Path) -> None:
    """A disk that is formatted, renamed or forgotten meanwhile is described anew."""
    tree = _tree(tmp_path)
    collector = DiskstatsCollector(tree.machine)
    entry = tmp_path / "root/run/udev/data/b8:5"
    with ne.serving(["diskstats"], tree.flags) as scrape:
        for text in (UDEV["b8:5"], "E:ID_FS_TYPE=xfs\n", "E:ID_MODEL=new\n", "", None):
            if text is None:
                entry.unlink()
            else:
                (tmp_path / "new").write_text(text)
                (tmp_path / "new").replace(entry)
            assert ne.differences(scrape(), ne.ours([collector])) == []


def test_equals_node_exporter_on_this_machine() -> None:
    """The same devices and columns; values within 5 %, as disks go on working."""
    with ne.serving(["diskstats"]) as scrape:
        collector, standing = DiskstatsCollector(Machine.at()), "(?!node_disk_io_now)"
        differences = ne.at_rest(lambda: ne.differences(scrape(), ne.ours([collector]), tolerance=0.05, only=standing))
    assert differences == []
    assert os.path.exists("/proc/diskstats")


def test_a_device_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    """Its bytes are kept to be written as the format asks."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/diskstats": b" 8 0 a\xff 1 2 3 4 5 6 7 8 9 10 11\n"})
    assert {item.labels[0] for item in DiskstatsCollector(tree.machine).collect()} == {"a\udcff"}


def test_a_filter_that_does_not_compile_names_its_option(tmp_path: Path) -> None:
    """The user reads which option holds the mistake."""
    with pytest.raises(BadInput, match=r"--collector\.diskstats\.device-exclude: "):
        DiskstatsCollector(_tree(tmp_path).machine, device_exclude="*")
