"""The cluster that other tests stand on is what it claims to be: separate machines, a real Slurm, real limits."""

from __future__ import annotations

import json

from cluster.cluster import Cluster


def test_nodes_are_separate_machines(cluster: Cluster) -> None:
    """Each node has its own name, boot and processes, and its systemd has started everything."""
    seen = set()
    for node in cluster.nodes:
        state = cluster.wait(node, "systemctl is-system-running --wait")
        seen.add((cluster.ssh(node, "hostname"), cluster.ssh(node, "cat /proc/sys/kernel/random/boot_id")))
        assert state.strip() == "running"
        assert cluster.ssh(node, "cat /proc/1/comm").strip() == "systemd"
    assert len({name for name, _ in seen}) == len({boot for _, boot in seen}) == len(cluster.nodes)


def test_our_program_runs_in_a_node(cluster: Cluster) -> None:
    """The checkout's program answers in a node, from the node's own Python, and tells of that node."""
    for node in cluster.nodes:
        shown = json.loads(cluster.bongsu(node, "status", "--json"))
        assert node in json.dumps(shown)


def test_a_job_is_accounted(slurm: Cluster) -> None:
    """A user's job on both nodes ends well, and the database says so."""
    job = slurm.ssh("head01", "cd /tmp && sbatch -W --parsable -N2 --wrap 'srun hostname'", user="alice").strip()
    assert slurm.wait("head01", f"sacct -n -X -j {job} -o state,nnodes | grep COMPLETED").split() == ["COMPLETED", "2"]


def test_a_memory_limit_is_the_kernels(slurm: Cluster) -> None:
    """A step that takes more memory than its job asked for is killed by the kernel."""
    command = "srun -w compute01 --mem=100 python3 -c 'bytearray(400 << 20)' 2>&1"
    assert "Out Of Memory" in slurm.ssh("head01", command, check=False)
