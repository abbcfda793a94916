"""What an owner received and sent, where it has a network namespace of its own (network_namespaces(7))."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from bongsu.model.usage import InterfaceUse
from bongsu.owners.rising import Rising
from bongsu.sources.procfs import netdev
from bongsu.sources.procfs.process import TICKS_PER_SECOND, Process
from bongsu.sources.root import Root

Identity = tuple[int, int]
Key = TypeVar("Key", bound=Hashable)
_SETTLED_SECONDS = 10.0  # a container's first process enters its namespaces in its first moments
_LOOPBACK = b"lo"
# Interfaces of one owner that are told. Any user may make a namespace and in it as many as he likes, with any names.
_MOST_DEVICES = 32


class Networks(Generic[Key]):
    """Finds the namespaces that are one owner's alone, as far as we may look, and reads them.

    A namespace is looked up once for each process that has settled, and each time for the one
    through which it is read.
    """

    def __init__(self, proc: Root) -> None:
        self._proc = proc
        self._spaces: dict[Identity, str] = {}
        self._rises: dict[Key, dict[str, Rising]] = {}

    def read(self, members: Mapping[Key, Sequence[Process]], uptime: float) -> dict[Key, tuple[InterfaceUse, ...]]:
        """Interfaces, without loopback, of each owner that has namespaces of its own."""
        ours = {self._space("1"), self._space("self")}
        spaces: dict[Identity, str] = {}
        owner_of: dict[str, Key | None] = {}  # None: of several
        reader: dict[str, Process] = {}
        settled = (uptime - _SETTLED_SECONDS) * TICKS_PER_SECOND
        for key, processes in members.items():
            for process in processes:
                if process.kernel:
                    continue
                identity = (process.pid, process.start_ticks)
                space = self._spaces.get(identity)
                if space is None:
                    space = self._space(str(process.pid))
                if process.start_ticks < settled:
                    spaces[identity] = space
                if space in ours or not space:
                    continue
                if owner_of.setdefault(space, key) != key:
                    owner_of[space] = None
                elif space not in reader:
                    reader[space] = process
        self._spaces = spaces
        found: dict[Key, dict[str, tuple[float, float]]] = {}
        for space, alone in owner_of.items():
            if alone is not None:
                self._add(found.setdefault(alone, {}), reader[space], space)
        self._rises = {key: self._rises.get(key, {}) for key in found}
        return {key: self._counted(key, devices) for key, devices in found.items() if devices}

    def _space(self, pid: str) -> str:
        try:
            return os.readlink(self._proc.join(f"{pid}/ns/net"))
        except OSError:
            return ""  # ended, or not for us to know

    def _add(self, devices: dict[str, tuple[float, float]], process: Process, space: str) -> None:
        try:
            text = self._proc.read_once(f"{process.pid}/net/dev")
            rows = list(netdev.parse(text))
        except (OSError, ValueError):
            return
        if self._space(str(process.pid)) != space:  # it left, or its number was given to another
            self._spaces.pop((process.pid, process.start_ticks), None)
            return
        for name, columns in rows:
            if name != _LOOPBACK:
                device = name.decode("utf-8", "surrogateescape")
                received, sent = devices.get(device, (0, 0))
                devices[device] = (received + columns[0], sent + columns[8])

    def _counted(self, key: Key, devices: dict[str, tuple[float, float]]) -> tuple[InterfaceUse, ...]:
        rises = self._rises[key]
        if len(rises) + len(devices) > _MOST_DEVICES:
            for gone in rises.keys() - devices.keys():
                del rises[gone]
        counted = []
        for device, (received, sent) in devices.items():
            rise = rises.get(device)
            if rise is None:
                if len(rises) >= _MOST_DEVICES:
                    continue
                rise = rises[device] = Rising()
            numbers = rise.take(received, sent)
            counted.append(InterfaceUse(device, int(numbers[0] or 0), int(numbers[1] or 0)))
        return tuple(counted)
