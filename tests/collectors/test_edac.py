"""Memory errors, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import device_tree
import node_exporter as ne
from bongsu.collectors import edac
from bongsu.collectors.edac import EdacCollector
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import NoData

_MC = "devices/system/edac/mc"


def controller(number: int, counts: tuple[int, int, int, int], rows: dict[int, tuple[int, int]]) -> device_tree.Files:
    """The files of one memory controller."""
    at = f"{_MC}/mc{number}"
    names = ("ce_count", "ce_noinfo_count", "ue_count", "ue_noinfo_count")
    files: device_tree.Files = {f"{at}/{name}": count for name, count in zip(names, counts, strict=True)}
    for row, (corrected, uncorrected) in rows.items():
        files |= {f"{at}/csrow{row}/ce_count": corrected, f"{at}/csrow{row}/ue_count": uncorrected}
    return files


def test_equals_node_exporter_on_the_same_tree(tmp_path: Path) -> None:
    """Controllers and rows have node_exporter's names, labels, types and values."""
    machine = device_tree.build(
        tmp_path / "sys",
        {
            **controller(0, (1, 2, 5, 6), {0: (3, 4), 1: (0, 0), 10: (7, 8)}),
            **controller(1, (0, 0, 0, 0), {}),
            **controller(12, (2**40, 0, 1, 0), {0: (2**40, 1)}),
            f"{_MC}/mc0/mc_name": "Skylake", f"{_MC}/mc0/dimm0/dimm_ce_count": 3, f"{_MC}/power/control": "auto",
        },
    )  # fmt: skip
    theirs = ne.scrape(["edac"], [f"--path.sysfs={machine.sys.path}"])
    assert ne.differences(theirs, ne.ours([EdacCollector(machine)])) == []
    assert len([key for key in theirs.values if key[0].startswith("node_edac_")]) == 20


def test_a_counter_that_fails_is_absent(tmp_path: Path) -> None:
    """A counter that is gone or broken is an absence, never 0; the others are given."""
    files = {**controller(0, (1, 2, 5, 6), {0: (3, 4)}), f"{_MC}/mc0/ce_count": "broken"}
    del files[f"{_MC}/mc0/ue_count"]
    items = list(EdacCollector(device_tree.build(tmp_path / "sys", files)).collect())
    assert len([item for item in items if isinstance(item, Sample)]) == 4
    assert [(i.spec, i.why, str(i.reason)) for i in items if isinstance(i, Absence)] == [
        (edac.CORRECTED, Why.FAILED, "mc0/ce_count holds no number"),
        (edac.UNCORRECTED, Why.UNSUPPORTED, "mc0/ue_count: No such file or directory"),
    ]


def test_no_controller_is_no_data(tmp_path: Path) -> None:
    """A machine without error reporting is told so."""
    with pytest.raises(NoData, match="no memory controller reports errors"):
        list(EdacCollector(device_tree.build(tmp_path / "sys", {})).collect())
