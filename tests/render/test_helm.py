"""The chart as `bongsu render helm` writes it: whole, and never over what somebody changed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from bongsu import __version__
from bongsu.model.errors import BadInput
from bongsu.render import helm
from cli.command import bongsu, complaint


def test_the_chart_is_written_as_a_folder(tmp_path: Path) -> None:
    """All its files, readable by others as any file is, with a record that sha256sum(1) understands; nothing beside it."""
    done = bongsu("render", "helm", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/bongsu written. Now: helm install bongsu {tmp_path}/bongsu" in done.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["bongsu"]
    chart = tmp_path / "bongsu"
    assert {str(each.relative_to(chart)) for each in chart.rglob("*") if each.is_file()} == {*helm.files(), helm.RECORD}
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "templates/daemonset.yaml"} <= helm.files().keys()
    for line in (chart / helm.RECORD).read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((chart / name).read_bytes()).hexdigest() == digest
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(chart.stat().st_mode) == 0o777 & ~mask
    assert stat.S_IMODE((chart / "Chart.yaml").stat().st_mode) == 0o666 & ~mask


def test_the_versions_are_ours() -> None:
    """The chart and the image that it asks for are this version's."""
    about = yaml.safe_load(helm.files()["Chart.yaml"])
    assert (about["version"], about["appVersion"]) == (__version__, __version__)


def test_what_we_wrote_is_replaced(tmp_path: Path) -> None:
    """A chart of an earlier version, as it was written, gives way without a question, files that are no more included."""
    old = tmp_path / "bongsu"
    (old / "templates").mkdir(parents=True)
    (old / "templates" / "gone.yaml").write_text("old\n")
    digest = hashlib.sha256(b"old\n").hexdigest()
    (old / helm.RECORD).write_text(f"{digest}  templates/gone.yaml\n")
    helm.write(str(tmp_path))
    assert not (old / "templates" / "gone.yaml").exists()
    assert (old / "Chart.yaml").exists()
    helm.write(str(tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["bongsu"]


@pytest.mark.parametrize("what", ["changed", "added", "removed", "foreign", "file", "link"])
def test_what_somebody_did_there_is_kept(tmp_path: Path, what: str) -> None:
    """A file that was changed, added or removed, or a thing that is not ours, is left alone and named; --force replaces it."""
    chart = tmp_path / "bongsu"
    if what in {"changed", "added", "removed"}:
        helm.write(str(tmp_path))
        name = {"changed": "values.yaml", "added": "templates/own.yaml", "removed": "Chart.yaml"}[what]
        if what == "removed":
            (chart / name).unlink()
        else:
            (chart / name).write_text("mine: true\n")
        says = f"{chart}: {name} was {what} since it was written; "
    elif what == "foreign":
        chart.mkdir()
        says = "this was not written by `bongsu render helm`; "
    elif what == "file":
        chart.write_text("mine\n")
        says = "this was not written by `bongsu render helm`; "
    else:
        (tmp_path / "elsewhere").mkdir()
        chart.symlink_to("elsewhere")
        says = "this was not written by `bongsu render helm`; "
    assert says in complaint("render", "helm", "--output", str(tmp_path))
    if what in {"changed", "added"}:
        assert (chart / name).read_text() == "mine: true\n"
    assert bongsu("render", "helm", "--output", str(tmp_path), "--force").returncode == 0
    assert chart.is_dir()
    assert not chart.is_symlink()
    assert not (chart / "templates" / "own.yaml").exists()
    assert (chart / "values.yaml").read_bytes() == helm.files()["values.yaml"]
    if what == "link":
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_no_file_is_neither_read_nor_shown(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a link to a secret, a record that is no text: each is refused, and none waited for."""
    helm.write(str(tmp_path))
    chart = tmp_path / "bongsu"
    (tmp_path / "secret").write_text("hunter2hunter2\n")
    os.mkfifo(chart / "pipe")
    assert "pipe was added since it was written" in complaint("render", "helm", "--output", str(tmp_path))
    (chart / "pipe").unlink()
    (chart / "link").symlink_to(tmp_path / "secret")
    assert "link was added since it was written" in complaint("render", "helm", "--output", str(tmp_path))
    assert "hunter2" not in "\n".join(helm.difference(str(tmp_path)))
    (chart / "link").unlink()
    (chart / helm.RECORD).write_bytes(b"\xff\xfe")
    assert "this was not written by" in complaint("render", "helm", "--output", str(tmp_path))


def test_diff_shows_and_writes_nothing(tmp_path: Path) -> None:
    """--diff gives a unified diff of what would change, nothing for what is as it would be."""
    done = bongsu("render", "helm", "--output", str(tmp_path), "--diff")
    assert done.returncode == 0
    assert "+++ b/bongsu/Chart.yaml" in done.stdout
    assert list(tmp_path.iterdir()) == []
    helm.write(str(tmp_path))
    (tmp_path / "bongsu" / "Chart.yaml").write_bytes(
        helm.files()["Chart.yaml"].replace(b"name: bongsu", b"name: mine\x1b[2J")
    )
    (tmp_path / "bongsu" / "own").write_text("x\n")
    done = bongsu("render", "helm", "--output", str(tmp_path), "--diff")
    changed = [line for line in done.stdout.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    assert changed == ["-name: mine\\x1b[2J", "+name: bongsu", "-x"]


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The complaint names the option and the reason."""
    said = complaint("render", "helm", "--output", str(tmp_path / "no"))
    assert said == f"--output {tmp_path}/no: no such file or directory; give a directory that you may write to"


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new chart cannot take its place, the old one is there again."""
    helm.write(str(tmp_path))
    rename, moved = os.rename, []

    def failing(source: str, target: str) -> None:
        moved.append(target)
        if len(moved) == 2:
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(BadInput, match="no space left on device"):
        helm.write(str(tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["bongsu"]
    helm._check_ours(str(tmp_path / "bongsu"))


def test_every_value_is_in_the_schema_and_has_a_word() -> None:
    """values.yaml and values.schema.json name the same keys, at each level that the schema closes."""
    chart = helm.files()

    def same(values: dict[str, Any], schema: dict[str, Any], at: str) -> None:
        properties = schema["properties"]
        assert values.keys() == properties.keys() - {"global"}, at
        for key, value in values.items():
            inner = properties[key]
            if inner.get("additionalProperties") is False and key != "resources":
                same(value, inner, f"{at}.{key}")

    same(yaml.safe_load(chart["values.yaml"]), json.loads(chart["values.schema.json"]), "")
