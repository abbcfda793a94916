"""Takes the pictures of owners for README and docs: a real Slurm job on a node of the test cluster, as its page shows it.

Root makes the nodes (tests/cluster), alice submits a job that computes, holds memory that grows, and writes; `bongsu up`
runs on its node, and Debian's Chromium looks at it from within the node's network.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from screenshot import CHROMIUM, Picture, shoot

from cluster import slurm
from cluster.cluster import Cluster
from cluster.network import namespace

NODE = "compute01"
# One step computes and writes what it has learned now and then, the other loads its data.
_TRAIN = """\
import os, tempfile, time
held, turn = [], 0
with tempfile.TemporaryFile(dir="/var/tmp") as kept:
    while True:
        turn += 1
        end = time.monotonic() + 2 + turn % 3
        while time.monotonic() < end:
            sum(i * i for i in range(20_000))
        if len(held) < 22:
            held.append(bytearray(os.urandom(1 << 20)) * 26)
        if turn % 4 == 0:
            kept.seek(0)
            kept.write(held[0])
            kept.flush()
            os.fsync(kept.fileno())
        time.sleep(1 + turn % 2)
"""
_LOAD = """\
import time
while True:
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        sum(i * i for i in range(20_000))
    time.sleep(0.5)
"""
_JOB = """\
#!/bin/bash
#SBATCH --job-name=train-resnet --nodelist={node} --ntasks=2 --mem=640M
srun --ntasks=1 --mem=64M --overlap python3 load.py &
exec python3 train.py
"""
_UP = "systemd-run -q --unit=bongsu bongsu up --port 9420 --data-dir /run/bongsu"
_ADDRESS = "journalctl -q -o cat -u bongsu | grep -o 'http://[^ ]*' | head -1 | grep ."


def main() -> int:
    """Watch for ``--seconds``, then take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=100, help="how long the job is watched before")
    seconds = parser.parse_args().seconds
    if os.geteuid() != 0:
        print("job_pictures.py: only root can make the nodes; the pictures of owners stay as they are")
        return 0
    cluster = Cluster(slurm.NODES)
    try:
        slurm.up_with_slurm(cluster)
        slurm.wait_until_idle(cluster)
        for name, text in (("train.py", _TRAIN), ("load.py", _LOAD)):
            cluster.write(NODE, f"/home/alice/{name}", text)
        cluster.write(slurm.HEAD, "/home/alice/job.sh", _JOB.format(node=NODE))
        cluster.ssh(NODE, _UP)
        url = cluster.wait(NODE, _ADDRESS).strip()
        job = cluster.ssh(slurm.HEAD, "sbatch --parsable --chdir /home/alice job.sh", user="alice").strip()
        time.sleep(seconds)
        pictures: tuple[Picture, ...] = (
            ("up-owners", 1400, 700, "light", "#owners"),
            ("up-owner", 1400, 1180, "light", f"&owner=slurm/{job}#owners"),
        )
        with tempfile.TemporaryDirectory() as folder:
            within = Path(folder, "chromium")
            inside = shlex.join(["ip", "netns", "exec", namespace(NODE), CHROMIUM])
            within.write_text(f'#!/bin/sh\nexec {inside} "$@"\n')
            within.chmod(0o755)
            shoot(re.sub(r"\s.*", "", url), seconds, pictures, str(within))
    finally:
        cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
