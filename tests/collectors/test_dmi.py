"""Firmware information, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.dmi import DmiCollector
from bongsu.model.errors import NoData
from bongsu.sources.sysfs import dmi


@pytest.mark.parametrize("missing", [(), ("product_uuid", "board_serial", "bios_release"), dmi.FILES[1:]])
def test_equals_node_exporter(tmp_path: Path, missing: tuple[str, ...]) -> None:
    """All names that the firmware has; spaces are trimmed, bytes that are not UTF-8 are shown as such."""
    tree = kernel_tree.Tree(tmp_path)
    texts = {name: f' the {name}, "quoted" \\ '.encode() for name in dmi.FILES}
    texts |= {"product_name": b"A\xffB", "product_sku": b"", "board_vendor": "Größe 한".encode()}
    tree.write({f"sys/class/dmi/id/{name}": text + b"\n" for name, text in texts.items() if name not in missing})
    tree.write({"sys/class/dmi/id/chassis_type": "23\n", "sys/class/dmi/id/modalias": "dmi:x\n"})
    mine = ne.ours([DmiCollector(tree.machine)])
    assert ne.differences(ne.scrape(["dmi"], tree.flags), mine) == []
    assert len(mine.values) == 1


def test_no_dmi_is_said_in_words(tmp_path: Path) -> None:
    """A machine whose firmware describes nothing is no failure."""
    with pytest.raises(NoData, match="DMI"):
        list(DmiCollector(kernel_tree.Tree(tmp_path).machine).collect())
