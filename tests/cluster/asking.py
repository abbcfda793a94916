"""Asks our program, in a node, for the owners of all its processes at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from bongsu.model.owner import Owner
from cluster.cluster import Cluster

_SCRIPT = r"""
import json, sys
import msgspec
from bongsu.owners.resolver import resolver_of
from bongsu.sources.procfs.process import Processes
from bongsu.sources.root import Machine

machine = Machine.at()
processes = [p for p in Processes(machine.proc, arguments=True).scan() if not p.kernel]
found = []
for process in processes:
    placed = resolver_of(machine).resolve([process])[process.pid, process.start_ticks]
    text = (process.arguments or b"").replace(b"\0", b" ").decode("utf-8", "replace").strip()
    found.append([process.pid, process.ppid, process.uid, process.comm, text, placed.owner])
sys.stdout.buffer.write(msgspec.json.encode(found))
"""
_PLACE = "/run/bongsu-owners.py"


class Asked(NamedTuple):
    """One process of a node."""

    pid: int
    ppid: int
    uid: int
    comm: str
    arguments: str
    owner: Owner


def owners(cluster: Cluster, node: str) -> list[Asked]:
    """All processes of a node that are not the kernel's, each with its owner."""
    cluster.write(node, _PLACE, _SCRIPT)
    command = f"PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/srv/bongsu:/srv/packages python3 {_PLACE}"
    return msgspec.json.decode(cluster.ssh(node, command), type=list[Asked])


def those(asked: list[Asked], which: Callable[[Asked], bool]) -> list[Asked]:
    """The processes of one kind; there must be some.

    Raises:
        AssertionError: there is none.
    """
    found = [one for one in asked if which(one)]
    assert found, "\n".join(f"{one.pid} {one.ppid} {one.uid} {one.comm} {one.arguments[:80]}" for one in asked)
    return found
