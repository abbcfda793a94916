"""Processes and owners of every kind, for tests of those who show them."""

from __future__ import annotations

from bongsu.model.batch import Batch, Table
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.process import ProcessRow
from bongsu.model.usage import DeviceUse, From, OwnerRow, Usage
from readings import batch, part

MIB = 1024**2
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\n\r[red]x[/red]\udcff\u202e"
JOB = Owner(OwnerKind.SLURM, "42", "train", step="0", user="alice")
POD = Owner(OwnerKind.POD, "0f-1", "trainer-0", "ml", "main", user="bob", runtime="containerd")
KIND = Owner(OwnerKind.POD, "0f-1", inside=f"docker {'d' * 64}", user="bob")
WEB = Owner(OwnerKind.CONTAINER, "c" * 64, "web", user="root", runtime="docker")
OLLAMA = Owner(OwnerKind.UNIT, "ollama.service", user="ollama")
ALICE = Owner(OwnerKind.USER, "1000", "alice", user="alice", unit="session-3.scope")
EVIL = Owner(OwnerKind.CONTAINER, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
KERNEL = Owner(OwnerKind.UNKNOWN, "", "kernel")
OWNERS = (JOB, POD, KIND, WEB, OLLAMA, ALICE, EVIL, KERNEL)
_UIDS = {"alice": 61000, "bob": 61001, "root": 0, "ollama": 61002}  # nobody who runs tests has these


def rows(seconds: float = 0.0) -> tuple[ProcessRow, ...]:
    """Two processes of each owner, with pids 10 and 11, 20 and 21 …; the first uses a tenth of a core for each owner."""
    found = []
    for place, owner in enumerate(OWNERS, 1):
        for n in (0, 1):
            pid = place * 10 + n
            work = seconds * place / 10 if n == 0 else 0.0
            user = owner.user or "root"
            name = "python" if n else f"prog{place}"
            found.append(
                ProcessRow(
                    pid, 1, user, _UIDS.get(user, 7), name, "S", 0.0, pid, 2, work, place * MIB, 0, 0, None,
                    owner is KERNEL, owner=owner,
                )
            )  # fmt: skip
    return tuple(found)


def owners(seconds: float = 0.0) -> tuple[OwnerRow, ...]:
    """The job at its limits by its cgroup, the others by their processes, and a job that has ended."""
    job = Usage(
        2, 50.0, From.CGROUP, 100 + 2 * seconds, cpu_periods=int(1e5 * (1 + seconds)), cpu_throttled_periods=int(5e4 * seconds),
        cpu_limit_cores=2.0, memory_from=From.CGROUP, memory_bytes=1000 * MIB, working_set_bytes=950 * MIB,
        memory_limit_bytes=1000 * MIB, io_from=From.CGROUP, io=(DeviceUse("sda", int(MIB * seconds), 0),), tasks=95,
        tasks_limit=100,
    )  # fmt: skip
    others = [
        OwnerRow(
            owner, Usage(2, 50.0, From.PROCESSES, 0.01 * place * seconds, memory_from=From.PROCESSES, memory_bytes=place * MIB)
        )
        for place, owner in enumerate(OWNERS[1:], 2)
    ]  # fmt: skip
    return (OwnerRow(JOB, job), OwnerRow(Owner(OwnerKind.SLURM, "41"), job, ended=True), *others)


def look(seconds: float, *, with_owners: bool = True) -> Batch:
    """What was read so many seconds after the first look."""
    parts = [part({}, seconds, collector="process", tables=(Table("processes", rows(seconds)),))]
    if with_owners:
        parts.append(part({}, seconds, collector="owner", tables=(Table("owners", owners(seconds)),)))
    return batch(seconds, *parts)
