"""A cluster of real machines, as far as one kernel allows: nodes with systemd, sshd and a network of their own."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster import cgroups, network
from cluster.commands import ClusterError, run
from cluster.image import image
from cluster.node import HERE, Node

STATE = Path("/var/tmp/bongsu-test-cluster")
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_NODES_PYTHON = (3, 11)  # of Debian 12
_CORE = {"click", "markdown-it-py", "mdurl", "msgspec", "pygments", "pyyaml", "rich"}
_PATIENCE = 1800.0  # how long another run of these tests may take


class Cluster:
    """Nodes by name, each in a cgroup mode: ``Cluster({"head01": "v1", "compute01": "v2"})``.

    There is one on a machine at a time: who comes second waits. All that an interrupted run left is
    cleared first, and all is taken down by ``close``. What is kept is the image and the layers.
    """

    def __init__(self, nodes: Mapping[str, str]) -> None:
        _own_directory(STATE)
        self._disks = STATE / "nodes"
        self._layers: Sequence[Path] = ()
        self.nodes = {
            name: Node(name, number, self._disks / name, mode=mode)
            for number, (name, mode) in enumerate(nodes.items(), 1)
        }
        self._lock = _locked(STATE / "lock")
        try:
            _clear(self._disks)
            self._image = image(STATE)
            self._packages = _packages()
        except BaseException:
            os.close(self._lock)
            raise
        self.key = self._image.key  # changes when the image does

    def up(self, layers: Sequence[Path] = ()) -> None:
        """Boot all nodes from fresh disks, which have these layers (topmost first) over the image."""
        self._layers = layers
        self._disks.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=755,size=8g", "bongsu-test-cluster", self._disks)
        _more_inotify(64 + 16 * len(self.nodes))  # systemd and its daemons take some ten a node
        network.connect({node.name: node.number for node in self.nodes.values()})
        if not (STATE / "id_ed25519").exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bongsu", "-f", STATE / "id_ed25519")
        self._boot()

    def reset(self) -> None:
        """The disks as they were when the cluster came up, and all nodes booted from them."""
        self._hang_up()
        for node in self.nodes.values():
            node.stop()
        cgroups.clear()  # the kernel counts on in one that is found again: a new job 1 would have used what the last did
        self._boot()

    def keep(self, place: Path) -> None:
        """Power all nodes off, keep what is on their disks as a layer, and take the cluster down."""
        self._hang_up()
        unfinished = place.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        for node in self.nodes.values():
            node.stop(gently=True)
            node.keep(unfinished / node.name)
        unfinished.rename(place)
        self.down()

    def down(self) -> None:
        """Take all away that was made, except what is kept for the next run."""
        self._hang_up()
        for node in self.nodes.values():
            node.stop()
        _clear(self._disks)

    def close(self) -> None:
        """Take it down and let the next one begin."""
        try:
            self.down()
        finally:
            os.close(self._lock)

    def ssh(self, node: str, command: str, *, user: str = "root", check: bool = True, timeout: float = 60) -> str:
        """What a command in a node writes to its output, run by its sshd as this user.

        All commands of one user come through one login, which begins with the first of them.

        Raises:
            ClusterError: it failed and ``check`` is set, or took too long.
        """
        return run("ssh", "-F", self._disks / "ssh_config", "-l", user, node, command, check=check, timeout=timeout)

    def write(self, node: str, path: str, text: str) -> None:
        """Put a file into a node."""
        place = self.nodes[node].root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def bongsu(self, node: str, *arguments: str, user: str = "root", check: bool = True, timeout: float = 60) -> str:
        """What our program, of this checkout, writes in a node."""
        words = " ".join(("bongsu", *arguments))
        return self.ssh(node, words, user=user, check=check, timeout=timeout)

    def wait(self, node: str, command: str, *, seconds: float = 90) -> str:
        """Run a command again and again until it succeeds; what it then writes.

        Raises:
            ClusterError: it has not after so many seconds.
        """
        loop = f'for _ in $(seq {int(seconds * 5)}); do x=$({command}) && {{ echo "$x"; exit 0; }}; sleep .2; done; {command}'
        return self.ssh(node, loop, timeout=2 * seconds + 60)

    def _boot(self) -> None:
        hosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"
        hosts += "".join(f"{node.address} {node.name}\n" for node in self.nodes.values())
        key = (STATE / "id_ed25519.pub").read_text()
        for node in self.nodes.values():
            layers = [layer / node.name for layer in self._layers if (layer / node.name).is_dir()]
            node.prepare(self._image, layers, hosts=hosts, key=key, packages=self._packages)
            program = self._disks / node.name / "up" / "usr" / "local" / "bin" / "bongsu"
            program.parent.mkdir(parents=True)
            program.write_text(_PROGRAM)
            program.chmod(0o755)
        self._write_client()
        for node in self.nodes.values():
            node.start()
        for node in self.nodes.values():
            node.wait()

    def _write_client(self) -> None:
        """The settings of ssh: every host key is known before the first connection."""
        lines = [
            "Host *",
            f"  IdentityFile {STATE}/id_ed25519",
            f"  UserKnownHostsFile {self._disks}/known_hosts",
            f"  ControlPath {self._disks}/%r@%n.ssh",
            "  ControlMaster auto", "  ControlPersist 120", "  IdentitiesOnly yes", "  StrictHostKeyChecking yes",
            "  BatchMode yes", "  ConnectTimeout 10", "  LogLevel ERROR",
        ]  # fmt: skip
        for node in self.nodes.values():
            lines += [f"Host {node.name}", f"  HostName {node.address}", f"  HostKeyAlias {node.name}"]
        (self._disks / "ssh_config").write_text("\n".join(lines) + "\n")
        known = [f"{node.name} {node.host_key}\n" for node in self.nodes.values()]
        (self._disks / "known_hosts").write_text("".join(known))

    def _hang_up(self) -> None:
        """End the connections: the ends in the nodes are about to go without a word."""
        _hang_up(self._disks)


_PROGRAM = """#!/bin/sh
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/srv/bongsu:/srv/packages exec python3 -m bongsu "$@"
"""


def _own_directory(place: Path) -> None:
    """Others may write beside it: a directory that one of them made is not used."""
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise ClusterError(f"{place} is not a directory that only root may write to: remove it")


def _locked(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(lock)
                raise ClusterError(f"another run has held {path} for {_PATIENCE:g} s") from None
            time.sleep(0.5)
        else:
            return lock


def _packages() -> Path:
    """What our program needs, for the nodes' Python: this environment's, where it is of the same version."""
    if sys.version_info[:2] == _NODES_PYTHON:
        return Path(sysconfig.get_path("platlib"))
    place = STATE / "packages"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    # only the core's: pip judges conditions on the version of Python by its own, and the extras have such
    pinned = (HERE.parent.parent / "requirements" / "all.txt").read_text().replace("\\\n", "")
    wanted = [line for line in pinned.splitlines() if line.partition("==")[0] in _CORE]
    (place / "wanted.txt").write_text("\n".join(wanted) + "\n")
    version = ".".join(map(str, _NODES_PYTHON))
    run(
        sys.executable, "-m", "pip", "install", "-q", "--target", place, "--python-version", version,
        "--only-binary", ":all:", "--no-deps", "--require-hashes", "-r", place / "wanted.txt", timeout=600,
    )  # fmt: skip
    return place


def _more_inotify(needed: int) -> None:
    """Raise the machine's limit, and remember it for `_clear`."""
    before = STATE / "inotify"
    if int(_INOTIFY.read_text()) < needed:
        if not before.exists():
            before.write_text(_INOTIFY.read_text())
        _INOTIFY.write_text(str(needed))


def _hang_up(disks: Path) -> None:
    for socket in disks.glob("*.ssh"):
        run("ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", "none", check=False)
        socket.unlink(missing_ok=True)


def _clear(disks: Path) -> None:
    _hang_up(disks)
    cgroups.clear()
    network.clear()
    if disks.is_mount():
        run("umount", "--lazy", disks)
    if disks.is_dir():
        disks.rmdir()
    before = STATE / "inotify"
    if before.exists():
        _INOTIFY.write_text(before.read_text())
        before.unlink()
