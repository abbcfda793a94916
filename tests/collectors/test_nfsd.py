"""The NFS server, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.nfsd import NfsdCollector
from bongsu.model.errors import NoData

RA = "ra 32 1 2 3 4 5 6 7 8 9 10 11\n"
HEAD = (
    "rc 9 6 18622\nfh 3 4 5 6 7\nio 157286400 72864\nth 8 5 0.000 0.100 0.000\nnet 18628 7 18629 6\nrpc 18628 1 2 3 4\n"
)


def line(name: str, count: int) -> str:
    """A line of the procedures of a version: how many, then the counts, each different."""
    return f"{name} {count} " + " ".join(str(1000 * (i + 1) + count) for i in range(count)) + "\n"


def _tree(tmp_path: Path, text: str) -> kernel_tree.Tree:
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/net/rpc/nfsd": text})
    return tree


@pytest.mark.parametrize("operations", [40, 59, 72])
def test_equals_node_exporter(tmp_path: Path, operations: int) -> None:
    """All lines of a server of NFS 4.0, 4.1 and 4.2."""
    text = HEAD + RA + line("proc2", 18) + line("proc3", 22) + line("proc4", 2) + line("proc4ops", operations)
    tree = _tree(tmp_path, text)
    mine = ne.ours([NfsdCollector(tree.machine)])
    assert ne.differences(ne.scrape(["nfsd"], tree.flags), mine) == []
    assert len(mine.values) == 16 + 17 + 21 + 33


def test_what_the_kernel_does_not_count_is_not_zero(tmp_path: Path) -> None:
    """New kernels have neither NFS 2 nor the read-ahead cache: no samples; node_exporter says 0; all else is equal."""
    tree = _tree(tmp_path, HEAD + line("proc3", 22) + line("proc4", 2) + line("proc4ops", 72))
    problems = ne.differences(ne.scrape(["nfsd"], tree.flags), ne.ours([NfsdCollector(tree.machine)]))
    assert len(problems) == 17 + 2
    assert all(problem.startswith("missing: ") and problem.endswith(" 0.0") for problem in problems)
    assert all("'proto': '2'" in problem or "read_ahead" in problem for problem in problems)


def test_a_line_of_a_newer_kernel_is_passed_over(tmp_path: Path) -> None:
    """Linux 6.7 adds wdeleg_getattr; node_exporter 1.5 gives up the whole file."""
    text = HEAD + line("proc4ops", 76) + "wdeleg_getattr 16\n"
    mine = ne.ours([NfsdCollector(_tree(tmp_path, text).machine)])
    assert len(mine.values) == 14 + 33


@pytest.mark.parametrize("text", ["rc 1 2\n", "th\n", "io 1\n", "proc4ops 40 1\n", "ra 1\n", "fh x\n"])
def test_a_file_cut_short_is_refused(tmp_path: Path, text: str) -> None:
    """Counts are never given to the wrong name."""
    with pytest.raises(ValueError):
        list(NfsdCollector(_tree(tmp_path, text).machine).collect())


def test_no_server_is_no_data(tmp_path: Path) -> None:
    """Without the module there is nothing to read, and that is said."""
    with pytest.raises(NoData, match="no NFS server"):
        list(NfsdCollector(kernel_tree.Tree(tmp_path).machine).collect())
