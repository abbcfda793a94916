"""The writer killed at random moments: what was committed is there, once, and the file is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from store_killing import ENOUGH, STAGES

HERE = Path(__file__).parent
KILLS = 100


@pytest.mark.timeout(900)  # on a slow machine it goes on until all stages were passed
def test_nothing_that_was_committed_is_lost_however_the_writer_dies(tmp_path: Path) -> None:
    """SIGKILL 100 times and more on one file, also while it seals, merges, lets go and compacts.

    After each: integrity_check is clean, every committed batch is there bit for bit and once (raw samples and minutes),
    nothing else is, and the end of each earlier run is marked.
    """
    script = HERE.parent / "store_killing.py"
    path = os.pathsep.join(str(place) for place in (HERE.parents[1] / "src", HERE.parent))
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "history.db"), str(KILLS), "1"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert [kill for kill in kills if kill["faults"]] == []
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(kills) >= KILLS
    doing = Counter(kill["while"].partition(":")[0] for kill in kills)
    sys.stdout.write(f"{KILLS} kills while {dict(doing)}, {kills[-1]['newest']} batches\n")
    assert set(doing) >= STAGES, doing
    assert kills[-1]["newest"] > ENOUGH
