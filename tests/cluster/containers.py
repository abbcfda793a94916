"""Real containers in a node: Docker, podman with crun and runc and as a user, containerd with the kubelet's cgroups, nspawn."""

from __future__ import annotations

from cluster.cluster import Cluster

POD = "7c9d1f3e-5a2b-4c8d-9e0f-112233445566"
# containers of containerd, and the pod that each is in: by the kubelet's cgroupfs and its systemd driver
PODS = {f"{7:064x}": POD, f"{8:064x}": POD.replace("7c9d", "8d9e")}

_TREE = r"""
set -e
tree=/run/tree
mkdir -p $tree/bin $tree/etc $tree/proc $tree/sys $tree/dev $tree/tmp $tree/usr/bin $tree/usr/lib
cp /bin/busybox $tree/bin
for program in sh sleep cat; do ln -sf busybox $tree/bin/$program; done
echo root:x:0:0::/:/bin/sh >$tree/etc/passwd
: >$tree/etc/os-release
tar -C $tree -cf /run/image.tar .
chmod 644 /run/image.tar
rm -rf /run/containers # podman remembers there what it found before
podman import -q /run/image.tar localhost/box:1
for runtime in crun runc; do
  podman --runtime $runtime run -d --name box-$runtime --network none @CRUN@ --pids-limit 0 localhost/box:1 sh -c 'sleep 600; true'
done
systemctl start docker
docker import /run/image.tar box:1
docker run -d --name docked --network none box:1 sh -c 'sleep 600; true'
systemd-run -q --unit=nspawned systemd-nspawn -q -D $tree -M web01 /bin/sh -c 'sleep 600; true'
loginctl enable-linger alice
"""
# A container cannot have a /proc of its own in a namespace whose /proc is partly covered, as a node's is: so the host's.
_ROOTLESS = r"""
set -e
podman import -q /run/image.tar localhost/box:1
podman run -d --name mine --pid host --pids-limit 0 --network none localhost/box:1 sh -c 'sleep 600; true'
"""
_PODS = r"""
set -e
podman save -q --format oci-archive -o /run/box.oci localhost/box:1
ctr -n k8s.io image import /run/box.oci
start() { # start POD ID OPTION…
  pod=$1 id=$2
  shift 2
  ctr -n k8s.io run -d --net-host --label io.kubernetes.pod.uid=$pod --label io.kubernetes.pod.name=trainer \
    --label io.kubernetes.pod.namespace=ml --label io.kubernetes.container.name=main "$@" localhost/box:1 $id sh -c 'sleep 600; true'
}
"""


def start(cluster: Cluster, node: str) -> None:
    """Start one of each kind that the node's cgroups allow: without controllers containerd makes none.

    Returns when each runs.
    """
    v1 = cluster.nodes[node].mode == "v1"
    # On v2 crun sets devices by a program in the kernel, for which nodes lack a right; --privileged asks for none.
    script = _TREE.replace("@CRUN@", "" if v1 else "--privileged")
    if v1:
        (first, pod), (second, other) = PODS.items()
        slice_of = f"kubepods-burstable-pod{other.replace('-', '_')}.slice:cri-containerd:{second}"
        script += _PODS
        script += f"start {pod} {first} --cgroup /kubepods/burstable/pod{pod}/{first} --memory-limit 67108864\n"
        script += f"start {other} {second} --runc-systemd-cgroup --cgroup {slice_of}\n"
    cluster.write(node, "/run/start.sh", script)
    cluster.ssh(
        node, "bash /run/start.sh </dev/null >/run/start.log 2>&1 || { tail -20 /run/start.log; exit 1; }", timeout=180
    )
    cluster.wait(node, "machinectl show web01 -p Leader --value")
    cluster.write(node, "/tmp/mine.sh", _ROOTLESS)
    cluster.wait(node, "test -e /run/user/2001/bus && echo yes")
    cluster.ssh(node, "bash /tmp/mine.sh </dev/null 2>&1", user="alice", timeout=180)
