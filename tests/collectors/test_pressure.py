"""Pressure, beside node_exporter's."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.pressure import PressureCollector
from bongsu.model.errors import NoData
from bongsu.sources.root import Root


def psi(some: int, full: int | None) -> str:
    """A file of /proc/pressure."""
    text = f"some avg10=0.10 avg60=2.00 avg300=3.85 total={some}\n"
    return text if full is None else text + f"full avg10=0.20 avg60=3.00 avg300=4.95 total={full}\n"


@pytest.mark.parametrize("some", [0, 6592654, 14036781, 999999999999999])
def test_equals_node_exporter_to_the_last_digit(tmp_path: Path, some: int) -> None:
    """Microseconds become seconds in the same two steps; old kernels have no `full` for CPU."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(
        {
            "proc/pressure/cpu": psi(some, None if some % 2 else 0), "proc/pressure/io": psi(some + 1, some // 3),
            "proc/pressure/memory": psi(some + 2, some // 7),
        }
    )  # fmt: skip
    mine = ne.ours([PressureCollector(tree.machine)])
    assert ne.differences(ne.scrape(["pressure"], tree.flags), mine) == []
    assert len(mine.values) == 5


def test_a_kernel_without_psi_is_said_in_words(tmp_path: Path) -> None:
    """No /proc/pressure is no failure; the user reads why and what to do."""
    with pytest.raises(NoData, match="CONFIG_PSI") as caught:
        list(PressureCollector(kernel_tree.Tree(tmp_path).machine).collect())
    assert "CONFIG_PSI" in str(caught.value.cure)


def test_psi_switched_off_at_boot_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are there and answer EOPNOTSUPP: the cure is a word on the kernel's command line."""

    def refuse(_self: Root, _relative: str) -> NoReturn:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    machine = kernel_tree.Tree(tmp_path).machine
    monkeypatch.setattr(Root, "read", refuse)
    with pytest.raises(NoData, match="switched off") as caught:
        list(PressureCollector(machine).collect())
    assert "psi=1" in str(caught.value.cure)
