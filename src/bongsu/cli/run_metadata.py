"""What is known of a run before its command starts: whose it is, where it runs, from which revision; nothing may wait."""

from __future__ import annotations

import contextlib
import os
import platform
import pwd
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bongsu import __version__
from bongsu.model.owner import Owner
from bongsu.model.run import Metadata
from bongsu.sources.redact import masked
from bongsu.sources.root import Machine

if TYPE_CHECKING:
    from bongsu.owners.resolver import Resolver
    from bongsu.owners.surroundings import Limits

_CGROUPS = "/sys/fs/cgroup"
_PATIENCE_SECONDS = 0.1  # for the owner; the command is waiting
_MOST_BYTES = 1 << 17
_STATUS_SECONDS = 0.3  # for git in a large tree
_ENDING_SECONDS = 0.1  # for one that is slow to be ended
_PREFIXES = ("SLURM_", "PBS_", "LSB_", "OMPI_COMM_WORLD_", "PMI_", "NCCL_", "MLFLOW_RUN_", "WANDB_RUN_")
_NAMES = frozenset({
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "VIRTUAL_ENV", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONPATH",
    "LOADEDMODULES", "SINGULARITY_NAME", "APPTAINER_NAME", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE",
    "MASTER_ADDR", "MASTER_PORT", "KUBERNETES_SERVICE_HOST", "POD_NAME", "POD_NAMESPACE", "NODE_NAME", "JOB_ID",
    "MALLOC_ARENA_MAX", "LD_PRELOAD", "LANG", "TZ", "CI", "GITHUB_RUN_ID", "CI_JOB_ID", "BUILD_ID",
})  # fmt: skip
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def gathered(
    run: str, command: tuple[str, ...], started: float, interval_seconds: float, *, name: str, tags: tuple[str, ...],
    message: str, experiment: str, functions: tuple[str, ...], attached: int = 0,
) -> Metadata:  # fmt: skip
    """What run.json holds. What cannot be found out at once stays unknown."""
    directory = ""
    with contextlib.suppress(OSError):  # of another user's process it is not known
        directory = os.readlink(f"/proc/{attached}/cwd") if attached else os.getcwd()
    revision = _Revision(directory)
    finding = _Owner(attached or os.getpid())
    words = _strings(f"/proc/{attached}/cmdline") if attached else list(command)
    around = dict(one.partition("=")[::2] for one in _strings(f"/proc/{attached}/environ")) if attached else os.environ
    parent = os.path.basename(os.environ.get("BONGSU_RUN_DIR", ""))
    known = Metadata(
        id=run, command=tuple(masked(words)), directory=directory, host=socket.gethostname(), user=_user(),
        started=started, zone=time.strftime("%z", time.localtime(started)), interval_seconds=interval_seconds,
        version=__version__, name=name, tags=tags, message=message, experiment=experiment, attached=bool(attached),
        pid=attached or None, boot_id=_text("/proc/sys/kernel/random/boot_id"), machine=_processor(),
        cpus=_cpus(attached), memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        kernel=f"{platform.system()} {platform.release()}", environment=_allowed(around), parent=parent,
        functions=functions, limits=_limits(),
    )  # fmt: skip
    commit, dirty = revision.answer()
    return _replaced(known, commit, dirty, finding.answer())


def _replaced(known: Metadata, commit: str, dirty: bool | None, owner: Owner | None) -> Metadata:
    import msgspec

    return msgspec.structs.replace(known, git_revision=commit, git_dirty=dirty, owner=owner)


class _Revision:
    """The revision that is checked out here, asked of git, without hooks; unknown where there is none, or it is slow.

    Asked by a thread: on a dead network file system neither starting git there nor killing it comes to an end.
    """

    def __init__(self, directory: str) -> None:
        self._until = time.monotonic() + _STATUS_SECONDS
        self._found: list[tuple[str, bool | None]] = []
        self._thread = threading.Thread(target=self._look, args=(directory,), daemon=True)
        if directory:
            with contextlib.suppress(RuntimeError):  # no memory for a thread (ulimit -v)
                self._thread.start()

    def answer(self) -> tuple[str, bool | None]:
        """The commit, empty if not known, and whether files differ from it, None if not known."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, self._until - time.monotonic()) + _ENDING_SECONDS)
        return self._found[0] if self._found else ("", None)

    def _look(self, directory: str) -> None:
        asked: list[subprocess.Popen[bytes]] = []
        questions = (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules"))
        with contextlib.suppress(OSError):  # there is no git, or the directory was removed
            asked.extend(
                subprocess.Popen(
                    [*_GIT, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    cwd=directory, env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
                )
                for words in questions
            )  # fmt: skip
        said = [self._said(process) for process in asked]
        if len(said) == 2 and said[0]:
            dirty = None if said[1] is None else bool(said[1].strip())
            self._found.append((said[0].decode("ascii", "replace").strip(), dirty))

    def _said(self, process: subprocess.Popen[bytes]) -> bytes | None:
        assert process.stdout is not None
        data = b""
        with process:
            while select.select([process.stdout], [], [], max(0.0, self._until - time.monotonic()))[0]:
                more = os.read(process.stdout.fileno(), 65536)
                data += more
                if not more or len(data) > 65536:
                    break
            else:
                process.kill()
                return None
            if more:
                process.kill()
                return data
            return data if process.wait() == 0 else None


class _Owner:
    """Whose a process is, found out beside everything else."""

    def __init__(self, pid: int) -> None:
        from bongsu.owners.resolver import resolver_of

        self._found: list[Owner] = []
        self._thread = threading.Thread(target=self._look, args=(resolver_of, pid), daemon=True)
        with contextlib.suppress(RuntimeError):  # no memory for a thread (ulimit -v)
            self._thread.start()

    def answer(self) -> Owner | None:
        """It; None where it could not be found out in time."""
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE_SECONDS)
        return self._found[0] if self._found else None

    def _look(self, resolver_of: Callable[[Machine], Resolver], pid: int) -> None:
        with contextlib.suppress(Exception):  # one answer of many; a run is not to fail for it
            seen = resolver_of(Machine.at()).one(pid, patience=_PATIENCE_SECONDS)
            if seen is not None:
                self._found.append(seen.placed.owner)


def _strings(path: str) -> list[str]:
    """The arguments or variables of a process that runs; none where they may not be read."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        text = file.read(_MOST_BYTES).rstrip(b"\0")
        return os.fsdecode(text).split("\0") if text else []
    return []


def _cpus(pid: int) -> int:
    """How many CPUs a process may use; 0 is this one."""
    try:
        return len(os.sched_getaffinity(pid))
    except OSError:
        return len(os.sched_getaffinity(0))


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _text(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
        return file.read().strip()
    return ""


def _processor() -> str:
    for line in _text("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "cpu model", "cpu"):  # x86, MIPS, POWER
            return value.strip()
    return platform.machine()


def _allowed(environment: Mapping[str, str]) -> dict[str, str]:
    """What of the environment says how the command ran; what looks like a secret is masked."""
    kept = {}
    for name, value in sorted(environment.items()):
        if name in _NAMES or name.startswith(_PREFIXES):
            kept[name] = masked(["env", f"{name}={value}"])[1].partition("=")[2]
    return kept


def _limits() -> dict[str, float]:
    """The CPUs and the memory that our cgroup and those above it allow."""
    limits: dict[str, float] = {}
    with contextlib.suppress(Exception):  # as of the owner
        from bongsu.owners.surroundings import Limits

        found = Limits()
        for line in _text("/proc/self/cgroup").splitlines():
            controllers, _, path = line.partition(":")[2].partition(":")
            found = found.and_those(_of_cgroup(controllers.split(","), path))
        if found.cores is not None:
            limits["cpus"] = found.cores
        if found.memory is not None:
            limits["memory_bytes"] = float(found.memory)
    return limits


def _of_cgroup(controllers: list[str], path: str) -> Limits:
    from bongsu.owners.surroundings import Limits, Surroundings
    from bongsu.sources.cgroup import UNIFIED

    around = Surroundings(Machine.at().sys, 0.0)
    found = Limits()
    for kind in (UNIFIED, "cpu"):
        if kind in controllers:
            base = os.path.join(_CGROUPS, kind) if kind else _CGROUPS
            found = found.and_those(around.limits(kind, base + path.rstrip("/"), base))
    if "memory" in controllers:
        from bongsu.sources import cgroup_v1
        from bongsu.sources.cgroup_use import Directory

        with contextlib.suppress(OSError), Directory(f"{_CGROUPS}/memory{path}") as directory:
            memory = cgroup_v1.memory(directory)
            found = found.and_those(Limits(memory=memory.limit if memory else None))
    return found
