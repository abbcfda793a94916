"""Interrupts by CPU and device, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import kernel_tree
import node_exporter as ne
from bongsu.collectors.interrupts import InterruptsCollector

TAIL = """ERR:          0
MIS:          7
"""


def interrupts(cpus: list[int]) -> str:
    """/proc/interrupts in the shapes of x86 and Arm."""
    lines = ["           " + " ".join(f"CPU{cpu:<7}" for cpu in cpus)]
    for place, (name, words) in enumerate(
        [
            ("  0", "IO-APIC   2-edge      timer"), (" 16", 'IO-APIC  16-fasteoi   ehci_hcd:usb1, "odd\\name"'),
            ("134", "PCI-MSI 524289-edge      mlx5_async0@pci:0000:3b:00.0"), (" 20", "GICv3"),
            ("NMI", "Non-maskable interrupts"), ("LOC", "Local timer interrupts"), ("IPI0", " Rescheduling interrupts"),
        ]
    ):  # fmt: skip
        lines.append(f"{name}:" + "".join(f"{cpu * 1000 + place * 3:>11}" for cpu in cpus) + f"   {words}")
    return "\n".join(lines) + "\n" + TAIL


def test_equals_node_exporter(tmp_path: Path) -> None:
    """Numbered and named interrupts of 64 CPUs; ERR and MIS belong to no CPU and are left out."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/interrupts": interrupts(list(range(64)))})
    mine = ne.ours([InterruptsCollector(tree.machine)])
    assert ne.differences(ne.scrape(["interrupts"], tree.flags), mine) == []
    assert len(mine.values) == 64 * 7


def test_an_offline_cpu_does_not_shift_the_others(tmp_path: Path) -> None:
    """The column's own number is the label; node_exporter 1.5 counts columns, and calls CPU 4 «1» here."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/interrupts": interrupts([0, 4])})
    collector = InterruptsCollector(tree.machine)
    assert {dict(labels)["cpu"] for _, labels in ne.ours([collector]).values} == {"0", "4"}
    tree.write({"proc/interrupts": interrupts([0, 1])})
    mine = ne.ours([collector])
    assert ne.differences(ne.scrape(["interrupts"], tree.flags), mine) == []
