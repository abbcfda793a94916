"""Memory, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.meminfo import MeminfoCollector

MEMINFO = """MemTotal:       2113541892 kB
MemFree:        1998877665 kB
MemAvailable:   2001122334 kB
Buffers:            1234 kB
Active:            56789 kB
Inactive:           9876 kB
Active(anon):       5432 kB
Inactive(anon):        0 kB
Active(file):     777777 kB
Inactive(file):   888888 kB
Committed_AS:      12345 kB
VmallocTotal:   34359738367 kB
HugePages_Total:    1024
HugePages_Free:     1000
HugePages_Rsvd:        3
HugePages_Surp:        1
Hugepagesize:       2048 kB
Hugetlb:         2097152 kB
DirectMap4k:      362336 kB
DirectMap1G:    2013265920 kB
"""


def test_every_field_equals_node_exporter(tmp_path: Path) -> None:
    """Numbers in kB become bytes, Active(anon) becomes Active_anon, and HugePages_* stay counts."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/meminfo": MEMINFO})
    mine = ne.ours([MeminfoCollector(tree.machine)])
    assert ne.differences(ne.scrape(["meminfo"], tree.flags), mine) == []
    assert len(mine.values) == MEMINFO.count("\n")
    assert mine.values["node_memory_HugePages_Total", ()] == 1024
    assert mine.values["node_memory_Active_anon_bytes", ()] == 5432 * 1024


def test_fields_that_come_go_and_change_places_are_followed(tmp_path: Path) -> None:
    """What was learned of the file is learned anew when it changes, also when it keeps its length."""
    tree = kernel_tree.Tree(tmp_path)
    collector = MeminfoCollector(tree.machine)
    lines = MEMINFO.splitlines(keepends=True)
    with ne.serving(["meminfo"], tree.flags) as scrape:
        for text in (
            MEMINFO,
            "".join(lines[:5]),
            "".join(reversed(lines)),
            MEMINFO.replace("Buffers", "NewThing"),
            MEMINFO,
        ):
            tree.write({"proc/meminfo": text})
            assert ne.differences(scrape(), ne.ours([collector])) == []


@pytest.mark.parametrize(
    "text",
    ["", "MemTotal: 5 kB\nMemFr", "MemTotal 5 kB\nB: 1\n", "A: 5 MB\nB: 1\n", "A: x kB\nB: 1\n", "A: -1 kB\nB: 2\n"],
)
def test_what_is_not_meminfo_is_refused(tmp_path: Path, text: str) -> None:
    """A truncated or foreign file is an error, never a shorter truth."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/meminfo": text})
    with pytest.raises(ValueError, match=r"meminfo|is not a number|negative"):
        list(MeminfoCollector(tree.machine).collect())
