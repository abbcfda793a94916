"""What containers are called: asked of the runtimes' own files, never of the runtimes."""

from __future__ import annotations

import time
from typing import NamedTuple

from bongsu.model.owner import By, Evidence
from bongsu.sources import container_files
from bongsu.sources.root import Root
from bongsu.sources.worker import Worker

_GOOD_FOR_SECONDS = 30.0  # a container may be renamed
_MOST = 10_000
_SPEAKING = {"lxc", "nspawn", "vm"}  # their id is the name


class Named(NamedTuple):
    """A name, "" if none is known, and what told it."""

    name: str
    evidence: Evidence | None = None


class ContainerNames:
    """Names of containers on the machine whose root file system this is. Never raises, never waits long.

    A user's own runtime keeps its files in the user's home: what they say is the user's word, and
    is read in a child process, since the home may lie on a server that is gone.
    """

    def __init__(self, rootfs: Root, *, patience: float = 0.4) -> None:
        self._rootfs = rootfs.path
        self._worker = Worker(container_files.SERVICE, patience=patience, most=2)
        self._told: dict[tuple[str, str, int | None], tuple[container_files.Names, float]] = {}

    def name(self, runtime: str, identity: str, user: int | None = None) -> Named:
        """What the container is called; ``user`` is whose it is where it is not the machine's own."""
        if runtime in _SPEAKING:
            return Named(identity.split("-", 2)[-1] if runtime == "vm" and "-" in identity else identity)
        if runtime not in {"docker", "podman"}:
            return Named("")
        question = (runtime, identity if runtime == "docker" else "", user)
        now = time.monotonic()
        told = self._told.get(question)
        if told is None or now - told[1] > _GOOD_FOR_SECONDS or (identity not in told[0] and now - told[1] > 1):
            if len(self._told) >= _MOST:
                self._told.clear()
            told = self._told[question] = (self._ask(runtime, identity, user), now)
        name = told[0].get(identity, "")
        return Named(name, Evidence(By.RUNTIME, f"{runtime}: {name}") if name else None)

    def _ask(self, runtime: str, identity: str, user: int | None) -> container_files.Names:
        if user is None or user == 0:
            try:
                return container_files.names(self._rootfs, runtime, identity)
            except OSError:
                return {}
        answer = self._worker.ask(((self._rootfs, runtime, identity, user),))[0]
        return answer if isinstance(answer, dict) else {}
