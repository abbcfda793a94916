"""What the memory manager counts, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.vmstat import VmstatCollector
from bongsu.model.errors import BadInput

NAMES = (
    "nr_free_pages", "nr_zone_inactive_anon", "pgpgin", "pgpgout", "pswpin", "pswpout", "pgfault", "pgmajfault",
    "pgalloc_normal", "oom_kill", "thp_fault_alloc", "workingset_refault_file", "nr_unstable", "pgsteal_kswapd",
)  # fmt: skip
VMSTAT = "".join(f"{name} {1_000_000_007 * place}\n" for place, name in enumerate(NAMES))


@pytest.mark.parametrize(
    "fields", ["", "^(oom_kill|pgpg|pswp|pg.*fault).*", "pg", "^thp_fault_alloc$", ".", "^nothing$"]
)
def test_equals_node_exporter(tmp_path: Path, fields: str) -> None:
    """The fields that the expression finds, untyped."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/vmstat": VMSTAT})
    mine = ne.ours([VmstatCollector(tree.machine, fields=fields)])
    assert ne.differences(ne.scrape(["vmstat"], [*tree.flags, f"--collector.vmstat.fields={fields}"]), mine) == []


def test_the_default_fields_are_node_exporters(tmp_path: Path) -> None:
    """Without the option, both choose the same."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/vmstat": VMSTAT})
    mine = ne.ours([VmstatCollector(tree.machine)])
    assert ne.differences(ne.scrape(["vmstat"], tree.flags), mine) == []
    assert len(mine.values) == 7


def test_fields_that_come_and_go_are_followed(tmp_path: Path) -> None:
    """What was learned of the file is learned anew when it changes."""
    tree = kernel_tree.Tree(tmp_path)
    collector = VmstatCollector(tree.machine)
    lines = VMSTAT.splitlines(keepends=True)
    with ne.serving(["vmstat"], tree.flags) as scrape:
        for text in (VMSTAT, "".join(lines[:6]), "".join(reversed(lines)), VMSTAT.replace("pgpgin", "pgpgzz"), VMSTAT):
            tree.write({"proc/vmstat": text})
            assert ne.differences(scrape(), ne.ours([collector])) == []


def test_an_expression_that_does_not_compile_names_its_option(tmp_path: Path) -> None:
    """The user reads which option holds the mistake."""
    with pytest.raises(BadInput, match=r"collector\.vmstat\.fields: "):
        VmstatCollector(kernel_tree.Tree(tmp_path).machine, fields="(")
