"""The connection tracking table, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.conntrack import ConntrackCollector
from bongsu.model.batch import Absence, Sample
from bongsu.model.errors import NoData

OLD = (
    "entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error  "
    "expect_new expect_create expect_delete search_restart"
)
NEW = (
    "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  "
    "expect_new expect_create expect_delete search_restart"
)


def table(header: str, cpus: int) -> dict[str, str]:
    """The files of the netfilter module."""
    rows = [" ".join(f"{(cpu + 1) * 0x1000 + place:08x}" for place in range(17)) for cpu in range(cpus)]
    return {
        "proc/sys/net/netfilter/nf_conntrack_count": "123\n",
        "proc/sys/net/netfilter/nf_conntrack_max": "262144\n",
        "proc/net/stat/nf_conntrack": header + "\n" + "\n".join(rows) + "\n",
    }


@pytest.mark.parametrize("header", [OLD, NEW])
def test_equals_node_exporter(tmp_path: Path, header: str) -> None:
    """Fill, limit, and eight counts summed over 64 CPUs."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(table(header, 64))
    mine = ne.ours([ConntrackCollector(tree.machine)])
    assert ne.differences(ne.scrape(["conntrack"], tree.flags), mine) == []
    assert len(mine.values) == 10


def test_a_count_that_a_kernel_lacks_is_absent(tmp_path: Path) -> None:
    """Columns go by their names, so one that is not there is not given and shifts no other."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(table(OLD, 1) | {"proc/net/stat/nf_conntrack": "entries found drop\n00000001 00000002 00000003\n"})
    mine = ne.ours([ConntrackCollector(tree.machine)])
    assert {name: value for (name, _), value in mine.values.items() if "_stat_" in name} == {
        "node_nf_conntrack_stat_found": 2, "node_nf_conntrack_stat_drop": 3,
    }  # fmt: skip


def test_no_connection_tracking_is_said_in_words(tmp_path: Path) -> None:
    """A machine whose module is not loaded is no failure."""
    with pytest.raises(NoData, match="nf_conntrack"):
        list(ConntrackCollector(kernel_tree.Tree(tmp_path).machine).collect())


def test_a_table_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    """A row with fewer columns than the header is an error."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write(table(OLD, 2) | {"proc/net/stat/nf_conntrack": OLD + "\n00000001 0000\n"})
    with pytest.raises(ValueError, match="not a table"):
        list(ConntrackCollector(tree.machine).collect())


def test_a_kernel_without_the_table_of_counts_gives_the_fill_and_absences(tmp_path: Path) -> None:
    """Without CONFIG_NF_CONNTRACK_PROCFS fill and limit are known, and each count is absent with its reason."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({name: text for name, text in table(OLD, 1).items() if "net/stat" not in name})
    found = list(ConntrackCollector(tree.machine).collect())
    assert [type(item) for item in found] == [Sample] * 2 + [Absence] * 8
