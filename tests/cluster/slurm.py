"""Slurm on the nodes as its manual says by hand: munge, MariaDB, slurmdbd, slurmctld, slurmd, all from Debian's packages."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster.cluster import STATE, Cluster

HERE = Path(__file__).parent
HEAD = "head01"
# The head and one node see cgroups as most machines of Slurm's age do; on the other one systemd has the unified tree.
NODES = {HEAD: "v1", "compute01": "v1", "compute02": "v2"}
COMPUTE = {"compute01": "cgroup", "compute02": "linuxproc"}  # how each finds the processes of a job (ProctrackType)
USERS = ("alice", "bob")

_SLURM_CONF = """\
ClusterName=test
SlurmctldHost=head01
SlurmUser=slurm
AuthType=auth/munge
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
DebugFlags=NO_CONF_HASH
PrologFlags=Contain
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=60
MessageTimeout=30
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=128
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=head01
AccountingStorageEnforce=associations,limits,qos
JobAcctGatherFrequency=1
LaunchParameters=use_interactive_step
{tracking}
NodeName=compute01,compute02 CPUs=8 RealMemory=4096 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
SlurmdParameters=config_overrides
"""
_TRACKING = {
    "cgroup": "ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup\nJobAcctGatherType=jobacct_gather/cgroup",
    "linuxproc": "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/linux",
}
# 22.05 looks at cgroups even where nothing of it is configured, and stops at a unified tree without controllers
_CGROUP_CONF = {
    "cgroup": "CgroupPlugin=autodetect\nConstrainCores=no\nConstrainRAMSpace=yes\n",
    "linuxproc": "CgroupPlugin=cgroup/v1\n",
}
_SLURMDBD_CONF = """\
AuthType=auth/munge
DbdHost=head01
SlurmUser=slurm
LogFile=/var/log/slurm/slurmdbd.log
PidFile=/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=of-the-test
StorageLoc=slurm_acct_db
"""
_DATABASE = """\
[mysqld]
innodb_buffer_pool_size=128M
innodb_lock_wait_timeout=900
innodb_log_file_size=32M
innodb_flush_log_at_trx_commit=0
"""
_PACKAGES = "munge mariadb-server slurmdbd slurmctld slurm-client slurm-wlm-mysql-plugin"
_READY = '[ "$(sinfo -h -o %t | sort -u)" = idle ]'


def install(cluster: Cluster) -> None:
    """Install and start it on all nodes, with accounts for the users; returns when all nodes are idle."""
    with ThreadPoolExecutor(len(cluster.nodes)) as each:
        list(each.map(lambda name: _packages(cluster, name), cluster.nodes))
    key = cluster.ssh(HEAD, "base64 -w0 /etc/munge/munge.key").strip()
    for name in cluster.nodes:
        tracking = COMPUTE.get(name, "cgroup")
        cluster.write(name, "/etc/slurm/slurm.conf", _SLURM_CONF.format(tracking=_TRACKING[tracking]))
        cluster.write(name, "/etc/slurm/cgroup.conf", _CGROUP_CONF[tracking])
        cluster.ssh(
            name,
            f"set -e; umask 077; echo {key} | base64 -d >/etc/munge/munge.key; chown munge: /etc/munge/munge.key; umask 022;"
            "install -d -o slurm -g slurm /etc/slurm /var/log/slurm /var/lib/slurm/slurmctld; install -d /var/lib/slurm/slurmd;"
            "systemctl restart munge",
        )
    cluster.write(HEAD, "/etc/mysql/mariadb.conf.d/60-slurm.cnf", _DATABASE)
    cluster.write(HEAD, "/etc/slurm/slurmdbd.conf", _SLURMDBD_CONF)
    cluster.ssh(
        HEAD,
        "set -e; chmod 600 /etc/slurm/slurmdbd.conf; chown slurm: /etc/slurm/slurmdbd.conf;"
        "systemctl enable -q mariadb slurmdbd slurmctld; systemctl restart mariadb;"
        "mariadb -e \"create database slurm_acct_db; create user slurm@localhost identified by 'of-the-test';"
        ' grant all on slurm_acct_db.* to slurm@localhost"; systemctl restart slurmdbd',
    )
    cluster.wait(HEAD, "sacctmgr -n show cluster")
    cluster.ssh(HEAD, "systemctl restart slurmctld")
    cluster.wait(HEAD, "sacctmgr -n show cluster format=cluster | grep test")
    users = " ".join(("root", *USERS))
    cluster.ssh(
        HEAD, f"sacctmgr -i add account lab && for u in {users}; do sacctmgr -i add user $u account=lab || exit 1; done"
    )
    for name in COMPUTE:
        cluster.ssh(name, "systemctl enable -q slurmd; systemctl restart slurmd")
    wait_until_idle(cluster)


def up_with_slurm(cluster: Cluster) -> None:
    """Boot the nodes with Slurm installed. What the installation wrote is kept until an input of it changes."""
    inputs = [cluster.key.encode(), *(HERE.joinpath(name).read_bytes() for name in ("slurm.py", "boot.sh"))]
    kept = STATE / "layers"
    place = kept / f"slurm-{hashlib.sha256(b'/'.join(inputs)).hexdigest()[:12]}"
    if not place.is_dir():
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        cluster.up()
        install(cluster)
        cluster.keep(place)
    cluster.up([place])


def wait_until_idle(cluster: Cluster) -> None:
    """Until every node can take a job."""
    cluster.wait(HEAD, _READY)


def _packages(cluster: Cluster, name: str) -> None:
    wanted = _PACKAGES if name == HEAD else "munge slurmd slurm-client"
    install_them = f"export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && apt-get -y -qq install {wanted}"
    cluster.ssh(name, f"{install_them} >/tmp/apt.log 2>&1 || {{ tail -20 /tmp/apt.log; exit 1; }}", timeout=600)
