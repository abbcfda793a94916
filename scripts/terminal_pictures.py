"""Makes docs/images/top.svg, status.svg, report.svg and timeline.svg: the real programs in a real terminal (tmux), drawn by Rich.

As root it runs in a process and mount namespace of its own, so that the pictures show a machine with three programs at work
rather than whatever else runs where they are made.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).parent.parent / "docs" / "images"
BONGSU = Path(sys.executable).with_name("bongsu")
WIDTH = 96
INSIDE = "BONGSU_PICTURES_INSIDE"
PROGRAMS = {  # name → what it does with itself
    "train": "data = bytearray(300 << 20)\nwhile True: sum(i * i for i in range(10000))",
    "loader": "import time\nwhile True: sum(i * i for i in range(20000)); time.sleep(0.004)",
    "saver": "import os, time\nwhile True:\n  open('ck', 'wb').write(os.urandom(8 << 20)); time.sleep(1)",
}

TRAINING = """
import multiprocessing, os, subprocess, time

def load(until):
    while time.time() < until:
        sorted(i * 7919 % 100003 for i in range(60000))
        time.sleep(0.1)

if __name__ == "__main__":
    until = time.time() + 20
    loaders = []
    for _ in range(3):
        loaders.append(multiprocessing.Process(target=load, args=(until,)))
        loaders[-1].start()
        time.sleep(0.7)
    batches = []
    for epoch in range(4):
        batches.append(bytearray(80 << 20))
        end = time.time() + 3
        while time.time() < end:
            sum(i * i for i in range(10000))
        with open("checkpoint", "wb") as file:
            file.write(os.urandom(40 << 20))
        subprocess.run(["gzip", "-1", "-f", "checkpoint"])
    for loader in loaders:
        loader.join()
"""  # the run of the pictures: loaders beside a training that saves what it has after each epoch


def _tmux(*arguments: str) -> str:
    argv = ["tmux", "-L", "bongsu-pictures", *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextmanager
def at_work() -> Iterator[None]:
    """The programs of the pictures, for the length of the block."""
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for name, body in PROGRAMS.items():
            path = Path(folder, name)
            path.write_text(f"#!{sys.executable}\n{body}\n")
            path.chmod(0o755)
            started.append(subprocess.Popen([path], cwd=folder))
        try:
            yield
        finally:
            for process in started:
                process.kill()
                process.wait()


@contextmanager
def recorded() -> Iterator[str]:
    """A directory with one run in it, for the length of the block."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "train.py").write_text(TRAINING)
        argv = [
            str(BONGSU),
            "run",
            "--quiet",
            "--interval",
            "0.5",
            "--runs-dir",
            f"{folder}/runs",
            "--",
            "python3",
            "train.py",
        ]
        # The interpreter itself, and not a script that starts many others to find it.
        path = os.pathsep.join((str(BONGSU.parent), os.environ["PATH"]))
        subprocess.run(argv, cwd=folder, check=True, env=os.environ | {"PATH": path})
        yield f"{folder}/runs"


def picture(name: str, command: list[str], *, height: int, seconds: float, title: str) -> None:
    """Run the command in a terminal for so many seconds and keep what it then shows."""
    shell = f"{shlex.join([str(BONGSU), *command])}; exec sleep 30"
    _tmux("new-session", "-d", "-s", name, "-x", str(WIDTH), "-y", str(height), "sh", "-c", shell)
    try:
        time.sleep(seconds)
        screen = _tmux("capture-pane", "-e", "-p", "-t", name).rstrip("\n")
    finally:
        _tmux("kill-session", "-t", name)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(screen))
    IMAGES.mkdir(parents=True, exist_ok=True)
    # Rich names web fonts of a CDN: the picture is to be whole in itself.
    drawn = re.sub(r"@font-face \{[^}]*\}\s*", "", console.export_svg(title=title))
    (IMAGES / f"{name}.svg").write_text("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n")
    print(f"docs/images/{name}.svg")


if __name__ == "__main__":
    if os.geteuid() == 0 and INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        # What is mounted below /mnt is this machine's own affair.
        inside = 'for m in $(grep -o " /mnt/[^ ]*" /proc/self/mounts); do umount "$m"; done; exec "$@"'
        unshare = ["unshare", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child", "sh", "-c", inside, "sh"]
        os.execvp("unshare", [*unshare, sys.executable, *sys.argv])
    with at_work():
        picture("top", ["top"], height=16, seconds=6, title="bongsu top")
        picture("status", ["status"], height=44, seconds=4, title="bongsu status")
    with recorded() as runs:
        picture("report", ["report", "--runs-dir", runs], height=48, seconds=4, title="bongsu report")
        picture(
            "timeline", ["report", "timeline", "--runs-dir", runs], height=34, seconds=4, title="bongsu report timeline"
        )
