"""Five programs whose CPU time is easily missed, two seconds and more of it each, and what holds one of them while counters are opened."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import bongsu

_SRC = str(Path(bongsu.__file__).parents[1])

NAMES = ("sequential", "grandchildren", "orphans", "ignored", "threads")

# What each is: children of 20 ms one after another; grandchildren of a shell, two at a time; orphans by a double fork
# with a session of their own; children of a parent that ignores SIGCHLD; long children started by threads.
_PROGRAM = r"""
import os, signal, subprocess, sys, threading, time
name, count = sys.argv[1], int(sys.argv[2])
def burn(seconds):
    return [sys.executable, "-I", "-S", "-c", f"import time\nwhile time.process_time() < {seconds}: pass"]
short = burn(0.02)
if name == "sequential":
    for _ in range(count):
        subprocess.run(short, check=True)
elif name == "grandchildren":
    for _ in range(count // 2):
        subprocess.run(["/bin/sh", "-c", '"$@" & "$@" & wait', "sh", *short], check=True)
elif name == "orphans":
    for _ in range(count):
        ended, open_while_it_lives = os.pipe()
        os.set_inheritable(open_while_it_lives, True)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv(short[0], short)
            os._exit(0)
        os.close(open_while_it_lives)
        os.wait()
        os.read(ended, 1)
        os.close(ended)
elif name == "ignored":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in range(count):
        pid = os.posix_spawn(short[0], short, os.environ)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass
elif name == "threads":
    run = lambda: subprocess.run(burn(count / 160), check=True)
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
else:
    sys.exit(f"no such scenario: {name}")
time.sleep(0.2)  # the last one's memory is given back a moment after its pipe is closed
"""
#: Words before a command that make it run as nobody, without capabilities (as root only).
UNPRIVILEGED = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def scenario(name: str, *, python: str = sys.executable, count: int = 100) -> list[str]:
    """The command of a scenario; ``count`` times 20 ms, and the interpreters' starts beside."""
    return [python, "-I", "-S", "-c", _PROGRAM, name, str(count)]


@functools.cache
def anyones_python() -> str:
    """An interpreter that also nobody may execute: ours, or the system's."""
    for python in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") or ""):
        # a shell between: setpriv itself still finds programs with root's rights
        tried = [*UNPRIVILEGED, "sh", "-c", 'exec "$0" -c ""', python]
        if python and subprocess.run(tried, check=False, capture_output=True).returncode == 0:
            return python
    raise FileNotFoundError("an interpreter that every user may execute")


# Does what the monitor of a run does: holds a child until its counters are open and the one outside says so, waits for
# all below it, then tells. Written: the pid; read: a line; written: one line of JSON.
_HOLDER = r"""
import ctypes, json, os, sys, time
sys.path.insert(0, sys.argv[1])
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
held, release = os.pipe()
pid = os.fork()
if pid == 0:
    os.read(held, 1)
    os.execv(sys.argv[2], sys.argv[2:])
print(pid, flush=True)
sys.stdin.readline()
%(opens)s
os.write(release, b"g")
waited = 0.0
while True:
    try:
        ended, status, used = os.wait4(-1, 0)
    except ChildProcessError:
        break
    waited += used.ru_utime + used.ru_stime
    if ended == pid:
        code = os.waitstatus_to_exitcode(status)
%(tells)s
print(json.dumps(said), flush=True)
"""


class Held(NamedTuple):
    """How a held command is counted: what opens the counters of ``pid``, and what then makes ``said``, which is JSON.

    Both are statements; the second knows also ``waited`` (s, what all that was waited for used) and ``code``.
    """

    opens: str
    tells: str

    def run(self, argv: Sequence[str], *, grip: Callable[[int], None], before: Sequence[str] = ()) -> dict[str, Any]:
        """Run a command to its end; ``grip`` is handed its pid before it begins. ``before`` are words before the holder's."""
        code = _HOLDER % self._asdict()
        command = [*before, anyones_python(), "-I", "-S", "-c", code, _SRC, *argv]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/") as holder:
            try:
                assert holder.stdout is not None
                grip(int(holder.stdout.readline()))
                said: dict[str, Any] = json.loads(holder.communicate("\n")[0])
            finally:
                holder.kill()
        return said
