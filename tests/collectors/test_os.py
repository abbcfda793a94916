"""The distribution, beside node_exporter's."""

from __future__ import annotations

from pathlib import Path

import pytest

import kernel_tree
import node_exporter as ne
from bongsu.collectors.os import OsCollector
from bongsu.model.errors import NoData
from bongsu.sources import os_release

UBUNTU = """PRETTY_NAME="Ubuntu 22.04.4 LTS"
NAME="Ubuntu"
VERSION_ID="22.04"
VERSION="22.04.4 LTS (Jammy Jellyfish)"
VERSION_CODENAME=jammy
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://example.org/?a=b#c"
"""
AMAZON = """NAME="Amazon Linux"
VERSION="2023"
ID="amzn"
ID_LIKE="fedora"
VERSION_ID="2023"
PLATFORM_ID="platform:al2023"
PRETTY_NAME="Amazon Linux 2023.4.20240416"
VENDOR_NAME="AWS"
SUPPORT_END="2028-03-15"
BUILD_ID=
"""
ROLLING = """# a comment with = in it

NAME='Arch "Linux"'
ID=arch   # trailing words
export BUILD_ID=rolling
VARIANT="a \\"quoted\\" back\\\\slash"
  IMAGE_ID  =  spaces around  \t
IMAGE_VERSION=33
VARIANT_ID="#not a comment"
"""


@pytest.mark.parametrize("place", ["etc", "usr/lib"])
@pytest.mark.parametrize("text", [UBUNTU, AMAZON, ROLLING, "", "ID=x\nVERSION_ID=8.10.2\n", "VERSION_ID=0\nNAME=z\n"])
def test_equals_node_exporter(tmp_path: Path, place: str, text: str) -> None:
    """All names, and the version as far as it is a number, from either place."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({f"root/{place}/os-release": text})
    assert ne.differences(ne.scrape(["os"], tree.flags), ne.ours([OsCollector(tree.machine)])) == []


def test_etc_comes_first_and_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """The administrator's file hides the distribution's; an upgrade shows without a restart."""
    tree = kernel_tree.Tree(tmp_path)
    collector = OsCollector(tree.machine)
    with ne.serving(["os"], tree.flags) as scrape:
        for files in (
            {"root/usr/lib/os-release": AMAZON}, {"root/etc/os-release": UBUNTU}, {"root/etc/os-release": ROLLING},
        ):  # fmt: skip
            tree.write(files)
            assert ne.differences(scrape(), ne.ours([collector])) == []


def test_escapes_that_the_format_allows_are_read(tmp_path: Path) -> None:
    """os-release(5) lets a file escape $ and back-quotes; node_exporter 1.5 refuses the whole file for them."""
    assert os_release.parse('NAME="a \\$b \\`c\\` \\"d\\""\n') == {"NAME": 'a $b `c` "d"'}


@pytest.mark.parametrize("text", ["NAME\n", 'NAME="no end\n', "=x\n", "1A=b\n", "\x00\x01\x02"])
def test_what_is_no_assignment_is_refused_with_its_line(text: str) -> None:
    """The error names the line."""
    with pytest.raises(ValueError, match="os-release line 1"):
        os_release.parse(text)


def test_no_file_is_said_in_words(tmp_path: Path) -> None:
    """A machine without the file is no failure."""
    with pytest.raises(NoData, match="os-release"):
        list(OsCollector(kernel_tree.Tree(tmp_path).machine).collect())


def test_a_version_that_no_number_holds_is_no_version(tmp_path: Path) -> None:
    """Four hundred digits are not a version of infinity."""
    tree = kernel_tree.Tree(tmp_path)
    tree.write({"root/etc/os-release": "ID=x\nVERSION_ID=" + "9" * 400 + "\n"})
    names = {name for name, _ in ne.ours([OsCollector(tree.machine)]).values}
    assert names == {"node_os_info"}
