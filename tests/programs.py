"""Runs small Python programs as a run that is recorded does, and reads what they wrote of their functions."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from bongsu.emit import environment
from bongsu.records.functions import Functions, read

SOURCES = Path(__file__).parent.parent / "src"
_OURS = ("BONGSU_RUN_DIR", "BONGSU_RUN_FUNCTIONS", "BONGSU_EMIT", "PYTHONPATH")


class Program:
    """A program in a folder of its own, and the folder of its run."""

    def __init__(self, folder: Path, text: str, **modules: str) -> None:
        self.folder = folder
        self.run_folder = folder / "run"
        self.run_folder.mkdir()
        self.path = folder / "app.py"
        self.path.write_text(textwrap.dedent(text))
        for name, module in modules.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(module))

    def environment(self, *functions: str, bongsu: bool = True, **more: str) -> dict[str, str]:
        """What it is started with; ``bongsu``: whether its interpreter has Bongsu."""
        clean: Mapping[str, str] = {key: value for key, value in os.environ.items() if key not in _OURS}
        before = {**clean, "PYTHONPATH": str(SOURCES)} if bongsu else clean
        return {**before, **environment(str(self.run_folder), functions, before), **more}

    def start(self, *arguments: str, python: str = sys.executable, **kwargs: object) -> subprocess.Popen[str]:
        """Start it; its output is a pipe."""
        kwargs.setdefault("env", self.environment())
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # options are handed through
            [python, *(arguments or (str(self.path),))], cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs
        )  # fmt: skip

    def run(self, *arguments: str, **kwargs: object) -> str:
        """Run it to its end: what it printed. It must not fail nor complain."""
        process = self.start(*arguments, **kwargs)  # type: ignore[arg-type]  # options are handed through
        out, complaints = process.communicate(timeout=380)
        assert complaints == ""
        assert process.returncode == 0
        return out

    def functions(self) -> Functions:
        """What it wrote."""
        return read(str(self.run_folder))
