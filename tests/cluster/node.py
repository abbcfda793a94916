"""One node: its disk, its first process, and whether it answers."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from cluster import cgroups, network
from cluster.commands import ClusterError, run
from cluster.image import Image

HERE = Path(__file__).parent
_POWER_OFF = signal.SIGRTMIN + 4  # systemd(1)


class Node:
    """A machine of the cluster, as far as one kernel allows: own processes, network, disk, cgroups, uptime, systemd.

    ``mode`` is how it sees cgroups: "v1" (the host's controllers and a v2 tree without any, as
    systemd's hybrid layout) or "v2" (the unified tree alone).
    """

    def __init__(self, name: str, number: int, directory: Path, *, mode: str) -> None:
        self.name = name
        self.number = number
        self.address = network.address(number)
        self.mode = mode
        self.host_key = ""
        self._directory = directory
        self._groups = cgroups.Groups((), ())
        self._supervisor: subprocess.Popen[bytes] | None = None

    @property
    def first(self) -> int | None:
        """The host's number of the node's first process: the one below its supervisor that is 1 for itself."""
        todo = [self._supervisor.pid] if self._supervisor else []
        while todo:
            pid = todo.pop()
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                numbers = next(line for line in status.splitlines() if line.startswith("NSpid")).split()[1:]
                if len(numbers) > 1 and numbers[-1] == "1":
                    return pid
                todo += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            except (OSError, StopIteration):
                continue
        return None

    @property
    def root(self) -> Path:
        """The node's root file system, while it runs."""
        return Path(f"/proc/{self.first}/root")

    def prepare(self, image: Image, layers: Sequence[Path], *, hosts: str, key: str, packages: Path) -> None:
        """An empty disk over the layers (topmost first) and the image, with what makes this node itself."""
        for part in ("up", "work", "root"):
            shutil.rmtree(self._directory / part, ignore_errors=True)
            (self._directory / part).mkdir(parents=True)
        etc = self._directory / "up" / "etc"
        (etc / "ssh").mkdir(parents=True)
        own = self._directory / "ssh_host_ed25519_key"
        if not own.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", own)
        self.host_key = " ".join(own.with_suffix(".pub").read_text().split()[:2])
        shutil.copy(own, etc / "ssh")
        (etc / "ssh" / "authorized_keys").write_text(key)
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "hosts").write_text(hosts)
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        self._groups = cgroups.groups(self.name)
        environment = {
            "NAME": self.name,
            "NETWORK": network.namespace(self.name),
            "LOWER": ":".join(map(str, (*layers, image.base))),
            "REPOSITORY": image.repository,
            "SOURCE": HERE.parent.parent / "src",
            "PACKAGES": packages,
            "MODE": self.mode,
            "CGROUPS": " ".join(map(str, self._groups.directories)),
            "CONTROLLERS": " ".join(self._groups.controllers),
        }
        lines = [f"{name}={shlex.quote(str(value))}\n" for name, value in environment.items()]
        (self._directory / "env").write_text("".join(lines))

    def start(self) -> None:
        """Begin to boot. If this process ends, in whatever way, the node ends with it."""
        with (self._directory / "run.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "sh", HERE / "supervise.sh", self._directory],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            )  # fmt: skip

    def wait(self, seconds: float = 90) -> None:
        """Until its sshd answers.

        Raises:
            ClusterError: it does not, or the node ended.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._supervisor is None or self._supervisor.poll() is not None:
                log = (self._directory / "run.log").read_text(errors="replace")
                raise ClusterError(f"{self.name} ended:\n{log[-2000:]}")
            try:
                with socket.create_connection((self.address, 22), 1) as connection:
                    if connection.recv(4) == b"SSH-":
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise ClusterError(f"{self.name}: no sshd after {seconds:g} s")

    def stop(self, *, gently: bool = False) -> None:
        """Cut the power, or first ask its systemd to power off."""
        if self._supervisor is None:
            return
        if gently and (first := self.first) is not None:
            os.kill(first, _POWER_OFF)
            try:
                self._supervisor.wait(30)
            except subprocess.TimeoutExpired:
                print(f"{self.name} did not power off in 30 s", file=sys.stderr)  # noqa: T201  shown if the test fails
        if (first := self.first) is not None:
            os.kill(first, signal.SIGKILL)  # the kernel ends the whole namespace; its end is waited for below
        try:
            self._supervisor.wait(30)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        self._supervisor = None

    def keep(self, place: Path) -> None:
        """Copy what was changed on its disk, to be a layer of another one. It must be stopped."""
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        run("cp", "-a", self._directory / "up", place, timeout=600)
