"""A scope of the user's own systemd around a process that already runs (org.freedesktop.systemd1(5)).

Standard library only, as all that the monitor imports.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import NoReturn

_PATIENCE = 5.0  # s; for the bus and for systemd together
_CALL = (
    "busctl", "--user", "--quiet", "--timeout=4", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))",
)  # fmt: skip


class Scope:
    """A running scope with a keeper in it: systemd removes a scope, and its counters, when its last process ends.

    The keeper is a child of ours that ends when we do, whatever way we end.
    """

    def __init__(self, keeper: int, alive: int) -> None:
        self.keeper = keeper
        self._alive = alive

    def end(self) -> None:
        """Let the keeper go; systemd removes the scope as soon as nobody is left in it."""
        if self._alive < 0:
            return
        os.close(self._alive)
        self._alive = -1
        with contextlib.suppress(ChildProcessError):  # somebody who waits for all children had it
            os.waitpid(self.keeper, 0)


def start(unit: str, pid: int) -> Scope | str:
    """Put a process of ours into a new scope of this name, and wait until it is there; or why not."""
    unit = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in unit)
    if not os.environ.get("XDG_RUNTIME_DIR") and not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return "there is no user session (XDG_RUNTIME_DIR is not set)"
    if not _in_own_slice():
        return "the run is not in a session of its user's: systemd is not asked to take it out of a job or service"
    held, alive = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        _keep(held)
    os.close(held)
    scope = Scope(keeper, alive)
    deadline = time.monotonic() + _PATIENCE
    why = _called(
        (
            *_CALL, unit, "fail", "4",
            "Description", "s", f"bongsu run {unit}", "PIDs", "au", "2", str(pid), str(keeper),
            "Delegate", "b", "true", "CollectMode", "s", "inactive-or-failed", "0",
        ),
        deadline,
    )  # fmt: skip
    while not why and not (_inside(pid, unit) and _inside(keeper, unit)):
        if time.monotonic() > deadline:
            why = "systemd did not start the scope in time"
        time.sleep(0.005)
    if why:
        scope.end()
        return why
    return scope


def _keep(held: int) -> NoReturn:
    """Do nothing until our parent ends."""
    try:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # what a terminal sends to the program's group
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.dup2(held, 0)
        os.closerange(1, min(1 << 16, os.sysconf("SC_OPEN_MAX")))
        while os.read(0, 1):
            pass
    finally:
        os._exit(0)


def _called(argv: tuple[str, ...], deadline: float) -> str:
    """Run a program to its end; what went wrong, or nothing."""
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=null, setsigmask=())
    except OSError as error:
        return f"{argv[0]} cannot be started: {error.strerror}"
    process = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(process, select.POLLIN)
    in_time = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
    os.close(process)
    if not in_time:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not in_time:
        return f"{argv[0]} did not answer in time"
    return f"systemd's user manager did not start a scope ({argv[0]} ended with {status})" if status else ""


def _in_own_slice() -> bool:
    """Whether our groups are all this user's, so that a scope of the user's takes nothing from a batch system or service."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            paths = [line.rstrip("\n").split(":", 2)[2] for line in file]
    except (OSError, IndexError):
        return False
    own = f"/user.slice/user-{os.getuid()}.slice"
    return any(path.startswith(f"{own}/") for path in paths) and all(
        f"{own}/".startswith(f"{path.rstrip('/')}/") or path.startswith(own) for path in paths
    )


def _inside(pid: int, unit: str) -> bool:
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            return f"/{unit}" in file.read()
    except OSError:
        return False
