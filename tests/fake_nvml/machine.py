"""A machine with the fake library: built with gcc where it is first needed, and told what to play."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from bongsu.sources.nvml.scenario import Scenario
from fake_nvml import flat

HERE = Path(__file__).parent
LIBRARY = "libnvidia-ml.so.1"
_SOURCES = ("library.c", "scenario.c", "scenario.h")
_FLAGS = (
    "-shared", "-fPIC", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Wno-deprecated-declarations",
    "-ffp-contract=off",  # the same numbers as Python's
)  # fmt: skip


class FakeNvml:
    """The fake library in a folder of its own, playing a scenario.

    ``environment`` makes a process that is started with it find the library. Time runs from `play`, unless it is
    frozen there; a scenario may be changed while it plays. With ``measured`` the library counts its calls and their CPU time.
    """

    def __init__(
        self, folder: Path, scenario: Scenario, frozen: float | None = None, *, measured: bool = False
    ) -> None:
        self.folder = folder
        self.environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
        self.scenario = scenario
        self.start = time.time()
        self._frozen = frozen
        shutil.copyfile(built(scenario.missing), folder / LIBRARY)
        if measured:
            (folder / "spent").write_bytes(bytes(16))
        self.play(scenario)

    def play(self, scenario: Scenario) -> None:
        """Play another scenario from now on, at the same time; ``missing`` stays what it was."""
        self.scenario = scenario
        flat.write(scenario, self.folder / "scenario.flat", self.start, self._frozen)

    def spent(self) -> tuple[int, float]:
        """How many calls ended until now in all processes, and the seconds of CPU that the library used, also for those that wait."""
        calls, nanoseconds = struct.unpack("=QQ", (self.folder / "spent").read_bytes())
        return calls, nanoseconds / 1e9

    def at(self, seconds: float | None) -> None:
        """Stop the time this long after the start; None lets it run."""
        self._frozen = seconds
        self.play(self.scenario)


def include_folder() -> str:
    """Where nvml.h is, of the package nvidia-nvml-dev; the test that needs it is skipped where it is not."""
    found = importlib.util.find_spec("nvidia")
    for place in (found.submodule_search_locations or ()) if found else ():
        for header in Path(place).glob("*/include/nvml.h"):
            return str(header.parent)
    pytest.skip("needs the Python package nvidia-nvml-dev")


def built(missing: tuple[str, ...] = ()) -> Path:
    """The library, without the symbols in ``missing``: built once for each content of its sources."""
    header = include_folder()
    if shutil.which("gcc") is None:
        pytest.skip("needs the Debian package gcc")
    mark = hashlib.sha256(repr((_FLAGS, missing)).encode() + (Path(header) / "nvml.h").read_bytes())
    for source in _SOURCES:
        mark.update((HERE / source).read_bytes())
    folder = Path(tempfile.gettempdir()) / f"bongsu-fake-nvml-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{mark.hexdigest()[:32]}.so"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            script = folder / "symbols.map"
            script.write_text(f"{{ global: nvml*; local: {''.join(f'{name}; ' for name in missing)}*; }};")
            fresh = folder / "fresh.so"
            subprocess.run(
                ["gcc", *_FLAGS, "-isystem", header, f"-Wl,-soname,{LIBRARY},--version-script={script}", "-o", fresh,
                 *(HERE / name for name in _SOURCES if name.endswith(".c")), "-lm", "-lpthread"],
                check=True,
            )  # fmt: skip
            fresh.rename(library)
    return library
