"""Takes the pictures of the live page for README and docs: run it by `make screenshots`.

Starts `bongsu up` on a free port, gives the machine something to do for a minute or two, and opens
the page in Debian's Chromium, in both themes and on a small screen. The GPUs are those of a
demonstration. The pictures with a Slurm job are made by job_pictures.py.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright
from terminal_pictures import TRAINING

IMAGES = Path(__file__).parent.parent / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage",
]  # fmt: skip
Picture = tuple[str, int, int, str, str]  # name, width, height, theme, how the address goes on
PICTURES: tuple[Picture, ...] = (
    ("up", 1400, 1000, "light", ""),
    ("up-dark", 1400, 1000, "dark", ""),
    ("up-processes", 1400, 800, "light", "#processes"),
    ("up-health-dark", 1400, 800, "dark", "#health"),
    ("up-phone", 390, 844, "light", ""),
)
GPUS: tuple[Picture, ...] = (("up-gpus", 1400, 1000, "light", "#gpus"),)
RUN: Picture = ("up-run", 1400, 1500, "light", "")


def work(folder: Path, until: float) -> None:
    """Compute, write and read in turns, so that charts have something to show."""
    turn = 0
    while time.monotonic() < until:
        turn += 1
        end = time.monotonic() + 3
        while time.monotonic() < end:
            sum(i * i for i in range(20_000))
            time.sleep(0.01 if turn % 3 else 0.001)
        file = folder / "data"
        with file.open("wb") as out:
            for _ in range(20 * (turn % 4 + 1)):
                out.write(os.urandom(1 << 20))
            out.flush()
            os.fsync(out.fileno())
        time.sleep(turn % 5)


def shoot(url: str, seconds: float, pictures: Sequence[Picture] = PICTURES, chromium: str = CHROMIUM) -> None:
    """The pictures of the page at ``url``, of the last ``seconds``."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name, width, height, theme, at in pictures:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(url)  # it holds the token, which the address loses
            page.goto(f"{url.split('?', maxsplit=1)[0]}?range={seconds:.0f}&theme={theme}{at}")
            page.locator("#state", has_text=re.compile("^live$")).wait_for(timeout=15_000)
            page.wait_for_timeout(3000 if any(of in name for of in ("owner", "run", "gpus")) else 1500)
            path = IMAGES / f"{name}.png"
            page.screenshot(path=path)
            print(f"{path}: {path.stat().st_size} bytes")
        browser.close()


def record(runs: Path) -> None:
    """Record a training with its loaders, for the picture of its page."""
    (runs.parent / "train.py").write_text(TRAINING)
    argv = [sys.executable, "-m", "bongsu", "run", "--quiet", "--tag", "example", "--interval", "0.5"]
    argv += ["--functions", "train:load", "--runs-dir", str(runs), "--", Path(sys.executable).name, "train.py"]
    # The interpreter itself, and not a script that starts many others to find it.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    subprocess.run(argv, check=True, cwd=runs.parent, env=os.environ | {"PATH": path})


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """The address of the page, for the length of the block; what it keeps lies in ``folder``."""
    kept = ["--data-dir", str(folder), "--runs-dir", str(folder / "runs")]
    argv = [sys.executable, "-m", "bongsu", "up", "--port", "0", *kept, *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as up:
        try:
            assert up.stdout
            yield next(found[0] for line in up.stdout if (found := re.search(r"http://\S+", line)))
        finally:
            up.send_signal(signal.SIGTERM)


def main() -> int:
    """Watch for ``--seconds``, then take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=100, help="how long the machine is watched before")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with serving(folder) as url:
            threading.Thread(target=work, args=(folder, time.monotonic() + seconds + 20), daemon=True).start()
            time.sleep(seconds)
            shoot(url, seconds)
            record(folder / "runs")
            run = next(one for one in os.listdir(folder / "runs") if "-python" in one)
            name, width, height, theme, _ = RUN
            shoot(url, seconds, [(name, width, height, theme, f"&run={run}")])
        with serving(folder, "--demo") as url:
            time.sleep(seconds / 2)
            shoot(url, seconds, GPUS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
