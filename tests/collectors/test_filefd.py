"""Open files, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.filefd import FilefdCollector


@pytest.mark.parametrize("text", ["1024\t0\t1631329\n", "9\t0\t9223372036854775807\n"])
def test_equals_node_exporter(tmp_path: Path, text: str) -> None:
    """Handles and limit; the largest limit is the one of new distributions."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/sys/fs/file-nr": text})
    mine = ne.ours([FilefdCollector(tree.machine)])
    assert ne.differences(ne.scrape(["filefd"], tree.flags), mine) == []
    assert len(mine.values) == 2


@pytest.mark.parametrize("text", ["", "1024\t0\n", "a\tb\tc\n"])
def test_what_is_not_file_nr_is_refused(tmp_path: Path, text: str) -> None:
    """A truncated file is an error, never a zero."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"proc/sys/fs/file-nr": text})
    with pytest.raises(ValueError, match=r"file-nr|is not a number"):
        list(FilefdCollector(tree.machine).collect())
