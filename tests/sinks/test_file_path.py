"""Which file a path means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.sinks.file_path import resolved
from bongsu.sinks.jsonl import JsonlSink
from bongsu.sinks.textfile import TextfileSink

STRANGER = 12345


def test_links_are_followed_as_the_kernel_follows_them(tmp_path: Path) -> None:
    """Relative, absolute and chained links, in the middle and at the end, lead where realpath(3) says."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "to_b").symlink_to("a/b")
    (tmp_path / "a" / "b" / "up").symlink_to("../../to_b/../x.prom")
    (tmp_path / "absolute").symlink_to(tmp_path / "a")
    for path in ("to_b/up", "absolute/b/./c.prom", "absolute/../to_b//c.prom", "a/b/new"):
        assert resolved(f"{tmp_path}/{path}", "--textfile") == os.path.realpath(f"{tmp_path}/{path}")
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(BadInput, match=r"--textfile .*/round: too many levels of symbolic links; give another path"):
        resolved(f"{tmp_path}/round", "--textfile")


def test_a_path_of_nothing_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty path, or one that ends in a slash after a directory, is a directory."""
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", f"{tmp_path}/"):
        with pytest.raises(BadInput, match="this is a directory; give the path of a file"):
            resolved(path, "--textfile")


@pytest.mark.needs_root
def test_a_strangers_link_in_a_shared_directory_is_not_followed(tmp_path: Path) -> None:
    """Both sinks refuse it at the start, and leave the file that it points to alone; elsewhere links are fine."""
    precious = tmp_path / "precious"
    precious.write_text("mine\n")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    for name, target in (("x", precious), ("dir", tmp_path)):
        (shared / name).symlink_to(target)
        os.lchown(shared / name, STRANGER, STRANGER)
    for path in (shared / "x", shared / "dir" / "precious"):
        for sink in (TextfileSink, JsonlSink):
            with pytest.raises(BadInput, match="is a link that another user made where everybody may; remove it"):
                sink(str(path), option="path")
    assert precious.read_text() == "mine\n"
    assert sorted(os.listdir(shared)) == ["dir", "x"]
    shared.chmod(0o755)
    assert resolved(str(shared / "x"), "path") == str(precious)
    shared.chmod(0o1777)
    os.lchown(shared / "x", 0, 0)
    assert resolved(str(shared / "x"), "path") == str(precious)
