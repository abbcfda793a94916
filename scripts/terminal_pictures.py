"""Makes docs/images/top.svg and status.svg: the real programs in a real terminal (tmux), drawn by Rich."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).parent.parent / "docs" / "images"
BONGSU = Path(sys.executable).with_name("bongsu")
WIDTH = 96


def _tmux(*arguments: str) -> str:
    return subprocess.run(
        ["tmux", "-L", "bongsu-pictures", *arguments], check=True, capture_output=True, text=True
    ).stdout


def picture(name: str, command: list[str], *, height: int, seconds: float, title: str) -> None:
    """Run the command in a terminal for so many seconds and keep what it then shows."""
    shell = f"{shlex.join([str(BONGSU), *command])}; sleep 30"
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
    picture("top", ["top"], height=28, seconds=5, title="bongsu top")
    picture("status", ["status"], height=36, seconds=4, title="bongsu status")
