"""Names of containers, from the files of runtimes that may be broken, hostile, or on a server that is gone."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bongsu.model.owner import By
from bongsu.owners import container as module
from bongsu.owners.container import ContainerNames
from bongsu.sources import container_files
from bongsu.sources.root import Root

H, H2 = "4f" * 32, "0a" * 32
UID = 54_321
STORAGE = "var/lib/containers/storage/overlay-containers"


def _docker(top: Path, name: object, *, data: str = "var/lib/docker") -> Path:
    file = top / data / "containers" / H / "config.v2.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"ID": H, "Name": name, "Config": {"Env": ["SECRET=1"]}}))
    return file


def _podman(top: Path, containers: object, *, storage: str = STORAGE, file: str = "containers.json") -> Path:
    path = top / storage / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(containers))
    return path


def _home(top: Path) -> Path:
    (top / "etc").mkdir(exist_ok=True)
    (top / "etc/passwd").write_text(f"root:x:0:0::/root:/bin/sh\nbob:x:{UID}:{UID}::/home/bob:/bin/sh\n")
    return top / "home/bob/.local/share"


@pytest.fixture
def top() -> Iterator[Path]:
    """A directory that every user may enter; those of pytest are the tester's alone."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContainerNames:
    monkeypatch.setattr(module, "_GOOD_FOR_SECONDS", -1.0)
    return ContainerNames(Root(str(tmp_path)), patience=20)


def test_dockers_name_has_no_slash(tmp_path: Path, names: ContainerNames) -> None:
    """As `docker ps` shows it; what told it is said."""
    _docker(tmp_path, "/web")
    found = names.name("docker", H)
    assert found.name == "web"
    assert found.evidence is not None
    assert found.evidence.by is By.RUNTIME
    assert names.name("docker", H2) == ("", None)


def test_a_renamed_container_has_its_new_name(tmp_path: Path, names: ContainerNames) -> None:
    """A name is looked up again after a while."""
    _docker(tmp_path, "/web")
    assert names.name("docker", H).name == "web"
    _docker(tmp_path, "/shop")
    assert names.name("docker", H).name == "shop"


def test_podman_keeps_its_names_in_one_file(tmp_path: Path, names: ContainerNames) -> None:
    """Those of containers that do not survive a reboot stand in a second one."""
    _podman(tmp_path, [{"id": H, "names": ["web", "alias"]}, {"id": "x"}, 7, {"id": 1, "names": [2]}])
    _podman(tmp_path, [{"id": H2, "names": ["job"]}], file="volatile-containers.json")
    assert [names.name("podman", identity).name for identity in (H, H2, "x")] == ["web", "job", ""]


def test_some_runtimes_name_by_the_id_or_not_at_all(names: ContainerNames) -> None:
    """LXC's id is its name, a virtual machine's holds it, containerd has none."""
    assert names.name("lxc", "a-b-c").name == "a-b-c"
    assert names.name("nspawn", "a-b-c").name == "a-b-c"
    assert names.name("vm", "qemu-2-my-vm").name == "my-vm"
    assert names.name("vm", "100").name == "100"
    assert names.name("containerd", H).name == ""


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[" * 200_000, b"\xff\x00", b"[]", b'"x"', b'{"Name": 7}', b'{"Name": "\\ud800"}']
)
@pytest.mark.parametrize("runtime", ["docker", "podman"])
def test_a_broken_file_gives_no_name(tmp_path: Path, names: ContainerNames, text: bytes, runtime: str) -> None:
    """A file that was cut off, or holds something else, is no error."""
    (_docker(tmp_path, "") if runtime == "docker" else _podman(tmp_path, [])).write_bytes(text)
    assert names.name(runtime, H).name in {"", "\ud800"}


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, names: ContainerNames) -> None:
    """A fifo, a directory, a link and a file that is too large give no name, at once."""
    file = _docker(tmp_path, "/web")
    elsewhere = file.rename(tmp_path / "elsewhere")
    file.symlink_to(elsewhere)
    assert names.name("docker", H).name == ""
    file.unlink()
    os.mkfifo(file)
    assert names.name("docker", H).name == ""
    file.unlink()
    file.mkdir()
    assert names.name("docker", H).name == ""
    file.rmdir()
    with file.open("wb") as large:
        large.truncate(container_files._LARGEST + 1)
    assert names.name("docker", H).name == ""


@pytest.mark.needs_root
def test_a_users_own_container_is_named_by_the_users_own_file(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for only as that user's: the machine's own podman, and other users, do not know it."""
    monkeypatch.setattr(module, "_GOOD_FOR_SECONDS", -1.0)
    names = ContainerNames(Root(str(top)), patience=20)
    share = _home(top)
    _podman(share, [{"id": H, "names": ["mine"]}], storage="containers/storage/overlay-containers")
    _docker(share, "/small", data="docker")
    assert names.name("podman", H, UID).name == "mine"
    assert names.name("docker", H, UID).name == "small"
    assert names.name("podman", H).name == ""
    assert names.name("podman", H, UID + 1).name == ""


@pytest.mark.needs_root
def test_a_link_in_a_home_leads_to_nothing_that_the_user_may_not_read(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who links root's storage into his home gets no name of root's containers."""
    monkeypatch.setattr(module, "_GOOD_FOR_SECONDS", -1.0)
    names = ContainerNames(Root(str(top)), patience=20)
    file = _podman(top, [{"id": H, "names": ["secret"]}])
    file.parent.parent.chmod(0o700)
    share = _home(top)
    (share / "containers").mkdir(parents=True)
    (share / "containers/storage").symlink_to(file.parent.parent)
    assert names.name("podman", H).name == "secret"
    assert names.name("podman", H, UID).name == ""
    file.parent.parent.chmod(0o755)
    assert names.name("podman", H, UID).name == "secret"  # it was the mode that kept it


@pytest.mark.needs_root
def test_a_fifo_in_a_home_is_not_waited_for(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user puts in the place of the file makes nobody wait."""
    monkeypatch.setattr(module, "_GOOD_FOR_SECONDS", -1.0)
    names = ContainerNames(Root(str(top)), patience=20)
    folder = _home(top) / "containers/storage/overlay-containers"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "containers.json", 0o666)
    assert stat.S_ISFIFO((folder / "containers.json").stat().st_mode)
    assert names.name("podman", H, UID).name == ""


def test_a_home_that_hangs_costs_one_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a home does not answer, its containers have no name, and one child waits for it, not one for each question."""
    monkeypatch.setattr(container_files, "SERVICE", "worker_service:never")
    names = ContainerNames(Root(str(tmp_path)), patience=0.05)
    for _ in range(20):
        names._told.clear()
        assert names.name("podman", H, UID).name == ""
    assert len(names._worker.pids) == 1
    names._worker.close()
