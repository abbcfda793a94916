"""Software RAID, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.mdadm import MdadmCollector
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData

# An array in each state, as the kernel writes it.
ARRAYS = {
    "raid6": "md3 : active raid6 sda1[8] sdh1[7] sdg1[6] sdf1[5] sde1[11] sdd1[3] sdc1[10] sdb1[9] sdd2[10](S) sdd3[11](S)\n"
    "      5853468288 blocks super 1.2 level 6, 64k chunk, algorithm 2 [8/8] [UUUUUUUU]\n",
    "linear": "md4 : active linear sda3[0] sdb3[1]\n      4883648 blocks super 1.2 64k rounding\n",
    "raid0": "md5 : active raid0 sda4[0] sdb4[1] sdc4[2]\n      3906250 blocks super 1.2 512k chunks\n",
    "recovery": "md6 : active raid1 sdb2[2](F) sdc[1](S) sda2[0]\n      195310144 blocks [2/1] [U_]\n"
    "      [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec\n",
    "degraded": "md7 : active raid6 sdb1[0] sde1[3] sdd1[2] sdc1[1](F)\n"
    "      7813735424 blocks super 1.2 level 6, 512k chunk, algorithm 2 [4/3] [U_UU]\n"
    "      bitmap: 0/30 pages [0KB], 65536KB chunk\n",
    "resync": "md8 : active raid1 sdb1[1] sda1[0] sdc[2](S) sde[3](S)\n      195310144 blocks [2/2] [UU]\n"
    "      [=>...................]  resync =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec\n",
    "pending": "md9 : active (auto-read-only) raid1 sdc2[2] sdd2[3]\n      523968 blocks super 1.2 [4/4] [UUUU]\n"
    "      \tresync=PENDING\n",
    "delayed": "md10 : active raid1 sdc3[2] sdd3[3]\n      523968 blocks super 1.2 [2/2] [UU]\n      \tresync=DELAYED\n",
    "check": "md11 : active raid10 sdd1[3] sda1[0] sdc1[2] sdb1[1]\n"
    "      19063968 blocks super 1.2 512K chunks 2 near-copies [4/4] [UUUU]\n"
    "      [============>........]  check = 64.6% (12331008/19063968) finish=0.1min speed=616549K/sec\n"
    "      bitmap: 1/1 pages [4KB], 65536KB chunk\n",
    "reshape": "md12 : active raid5 sda1[0] sdd1[4] sdc1[3] sdb1[1]\n"
    "      209584128 blocks super 1.2 level 5, 512k chunk, algorithm 2 [4/4] [UUUU]\n"
    "      [>....................]  reshape =  1.8% (1943424/104792064) finish=85.5min speed=20040K/sec\n",
    "read-only": "md13 : active (read-only) raid5 sda6[0] sdc6[2] sdb6[1]\n"
    "      1048576 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/3] [UUU]\n",
    "journal": "md14 : active raid5 sdc1[2](J) sdb1[1] sda1[0]\n"
    "      1024 blocks super 1.2 level 5, 512k chunk, algorithm 2 [2/2] [UU]\n",
    "named": "md_네트 : active raid1 sda9[0] sdb9[1]\n      7 blocks [2/2] [UU]\n",
}
INACTIVE = "md0 : inactive sda[0](S) sdb[1](S)\n      3186 blocks super 1.2\n"


def _tree(tmp_path: Path, *arrays: str) -> kernel_tree.Tree:
    tree = kernel_tree.Tree(tmp_path)
    text = "Personalities : [linear] [raid0] [raid1] [raid10] [raid6] [raid5] [raid4]\n"
    tree.write({"proc/mdstat": text + "\n".join(arrays) + "\nunused devices: <none>\n"})
    return tree


@pytest.mark.parametrize("name", [*ARRAYS, "all", "none"])
def test_equals_node_exporter(tmp_path: Path, name: str) -> None:
    """States, disks, sizes and progress of each kind of array, alone and together."""
    arrays = {"all": [*ARRAYS.values()], "none": []}.get(name) if name in {"all", "none"} else [ARRAYS[name]]
    tree = _tree(tmp_path, *(arrays or []))
    mine = ne.ours([MdadmCollector(tree.machine)])
    assert ne.differences(ne.scrape(["mdadm"], tree.flags), mine) == []
    assert len(mine.values) == 11 * len(arrays or [])


def test_how_many_disks_an_inactive_array_needs_is_not_known(tmp_path: Path) -> None:
    """Its other numbers are node_exporter's, but that one, which it gives as 0, is absent."""
    tree = _tree(tmp_path, INACTIVE, ARRAYS["raid6"])
    collector = MdadmCollector(tree.machine)
    problems = ne.differences(ne.scrape(["mdadm"], tree.flags), ne.ours([collector]))
    assert problems == ["missing: node_md_disks_required{'device': 'md0'} 0.0"]
    absent = [item for item in collector.collect() if isinstance(item, Absence)]
    assert [(item.labels, item.why) for item in absent] == [(("md0",), Why.UNSUPPORTED)]
    assert "mdadm --detail /dev/md0" in str(absent[0].cure)


@pytest.mark.parametrize(
    "bad",
    [
        "md1 : active raid1 sda[0]\n      lots of blocks [2/2] [UU]\n",
        "md1 : active raid1 sda[0]\n",
        "md1 : active raid1 sda[0]\n     \n",
        "md1 : active raid1 sda[0]\n      5 blocks [UU]\n",
        "md1 : active raid1 sda[0]\n      5 blocks [2/2] [UU]\n      [=>.] resync = 5%\n",
        "md1 :\n",
    ],
)
def test_an_array_that_is_not_understood_is_absent_and_the_others_are_there(tmp_path: Path, bad: str) -> None:
    """node_exporter loses all of them."""
    items = list(MdadmCollector(_tree(tmp_path, bad, ARRAYS["raid0"]).machine).collect())
    assert [(item.labels, item.why) for item in items if isinstance(item, Absence)] == [(("md1",), Why.FAILED)]
    assert {item.labels[0] for item in items if isinstance(item, Sample)} == {"md5"}


def test_no_driver_is_no_data(tmp_path: Path) -> None:
    """Without the file there is nothing to read, and that is said."""
    with pytest.raises(NoData, match="md driver"):
        list(MdadmCollector(kernel_tree.Tree(tmp_path).machine).collect())
