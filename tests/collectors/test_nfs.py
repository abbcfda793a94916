"""The NFS client, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.nfs import NfsCollector
from bongsu.model.errors import NoData


def line(name: str, count: int) -> str:
    """A line of the procedures of a version: how many, then the counts, each different."""
    return f"{name} {count} " + " ".join(str(1000 * (i + 1) + count) for i in range(count)) + "\n"


HEAD = "net 70 71 69 45\nrpc 1218785755 374636 1218815394\n"
WHOLE = HEAD + line("proc2", 18) + line("proc3", 22) + line("proc4", 59)


def _tree(tmp_path: Path, text: str) -> kernel_tree.Tree:
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/net/rpc/nfs": text})
    return tree


@pytest.mark.parametrize(
    "text", [WHOLE, HEAD + line("proc2", 18) + line("proc3", 22) + line("proc4", 76)], ids=["59", "76"]
)
def test_equals_node_exporter(tmp_path: Path, text: str) -> None:
    """Every procedure of versions 2, 3 and 4, under its name; newer kernels have more than are named."""
    tree = _tree(tmp_path, text)
    mine = ne.ours([NfsCollector(tree.machine)])
    assert ne.differences(ne.scrape(["nfs"], tree.flags), mine) == []
    assert len(mine.values) == 6 + 18 + 22 + 59


@pytest.mark.parametrize("text", [HEAD + line("proc3", 22) + line("proc4", 48), HEAD + line("proc4", 59), HEAD])
def test_what_the_kernel_does_not_count_is_not_zero(tmp_path: Path, text: str) -> None:
    """A version or procedure that it lacks gives no sample; node_exporter says 0; all else is equal."""
    tree = _tree(tmp_path, text)
    mine = ne.ours([NfsCollector(tree.machine)])
    problems = ne.differences(ne.scrape(["nfs"], tree.flags), mine)
    assert problems
    assert all(problem.startswith("missing: node_nfs_requests_total") for problem in problems)
    assert all(problem.endswith(" 0.0") for problem in problems)


def test_a_line_of_a_newer_kernel_is_passed_over(tmp_path: Path) -> None:
    """node_exporter gives up the whole file."""
    mine = ne.ours([NfsCollector(_tree(tmp_path, WHOLE + "newline 1 2 3\n").machine)])
    assert mine.values == ne.ours([NfsCollector(_tree(tmp_path, WHOLE).machine)]).values


@pytest.mark.parametrize(
    "text", ["net 70 71\n", "proc3 22 1 2\n", "proc3 22\n", "proc3\n", "rpc 1 x 3\n", "net -1 2 3 4\n"]
)
def test_a_file_cut_short_is_refused(tmp_path: Path, text: str) -> None:
    """Counts are never given to the wrong procedure."""
    with pytest.raises(ValueError):
        list(NfsCollector(_tree(tmp_path, text).machine).collect())


def test_no_client_is_no_data(tmp_path: Path) -> None:
    """Without the module there is nothing to read, and that is said."""
    with pytest.raises(NoData, match="no NFS client"):
        list(NfsCollector(kernel_tree.Tree(tmp_path).machine).collect())
