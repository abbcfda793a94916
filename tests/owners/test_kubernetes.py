"""Names of pods: each way of knowing in its order, and never another pod's name."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import fake_kubelet
from bongsu.model.owner import By, Evidence, OwnerKind
from bongsu.owners.kubernetes import PodName, PodNames
from bongsu.owners.resolver import resolver_of
from bongsu.sources import kubelet
from bongsu.sources.kubelet_client import Devices, Kubelet
from bongsu.sources.root import Machine, Root
from fake_kubelet import FakeKubelet

UID = "0a1b2c3d-0000-4000-8000-00000000000a"
OTHER = "0a1b2c3d-0000-4000-8000-00000000000b"
HASH = "9aac5b5c8815def09a2ef9e37b89da55"
IDS = [digit * 64 for digit in "abcdef"]


class Task(NamedTuple):
    """A process as a caller knows it."""

    pid: int
    ppid: int
    start_ticks: int
    uid: int
    kernel: bool


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time as `PodNames` sees it."""
    return Clock()


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeKubelet]:
    """One kubelet for the tests that only change what it says."""
    one = FakeKubelet().start()
    yield one
    one.remove()


@pytest.fixture
def fake(shared: FakeKubelet) -> Iterator[FakeKubelet]:
    """A kubelet that says nothing yet and has no log directories."""
    shared.says()
    yield shared
    shutil.rmtree(shared.rootfs / "var/log", ignore_errors=True)


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine even an honest kubelet may need long."""
    monkeypatch.setattr(kubelet, "LONGEST_SECONDS", 60.0)


@pytest.fixture
def make(clock: Clock) -> Iterator[Callable[..., PodNames]]:
    """Makes `PodNames` of a root file system, and ends their children."""
    made = []

    def names(rootfs: Path, patience: float = 60.0) -> PodNames:
        root = Root(str(rootfs))
        made.append(PodNames(Machine(root, root, root, root), patience=patience, clock=clock))
        return made[-1]

    yield names
    for each in made:
        each.close()


def log(root: Path, namespace: str, pod: str, uid: str, container: str, identity: str) -> None:
    """What the kubelet makes for one container."""
    directory = f"var/log/pods/{namespace}_{pod}_{uid}/{container}"
    (root / directory).mkdir(parents=True)
    (root / "var/log/containers").mkdir(exist_ok=True)
    link = root / f"var/log/containers/{pod}_{namespace}_{container}-{identity}.log"
    link.symlink_to(f"/{directory}/0.log")


def ways(names: PodNames) -> dict[By, tuple[bool | None, str, str]]:
    """The state, as a person reads it."""
    return {way.by: (way.works, str(way.said), str(way.cure or "")) for way in names.state()}


def settled(names: PodNames, clock: Clock, uid: str, container: str = "") -> PodName | None:
    """The answer once the kubelet's has come, however slow this machine is."""
    for _ in range(1000):
        found = names.names(uid, container)
        if not names._kubelet.outstanding:
            return found
        clock.now += 0.5
        time.sleep(0.05)
    raise AssertionError("no answer came")


def test_the_pods_api_names_pod_and_container(fake: FakeKubelet, make: Callable[..., PodNames]) -> None:
    """With a Pods API the names are the kubelet's, for each way of writing the UID; the child is let go."""
    fake.says(fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0]}, init={"copy": IDS[1]}))
    names = make(fake.rootfs)
    seen = (Evidence(By.PODS_API, "shop/web-0"),)
    assert names.names(UID, IDS[0]) == PodName(UID, "web-0", "shop", "app", seen)
    underscored = UID.replace("-", "_")
    assert names.names(underscored, IDS[1]) == PodName(underscored, "web-0", "shop", "copy", seen)
    assert names.names(UID) == PodName(UID, "web-0", "shop", "", seen)
    assert names.pod_of_container(IDS[1]) == PodName(UID, "web-0", "shop", "copy", seen)
    assert names._kubelet.children == ()
    assert ways(names)[By.PODS_API] == (True, "1 pods", "")


def test_without_a_pods_api_the_log_directories_name_them(tmp_path: Path, make: Callable[..., PodNames]) -> None:
    """Where there is no socket no child is started, and names come from the log directories, as the evidence says."""
    log(tmp_path, "shop", "web-0", UID, "app", IDS[0])
    names = make(tmp_path)
    seen = (Evidence(By.POD_LOGS, f"shop_web-0_{UID}"),)
    assert names.names(UID, IDS[0]) == PodName(UID, "web-0", "shop", "app", seen)
    assert names.pod_of_container(IDS[0]) == PodName(UID, "web-0", "shop", "app", seen)
    assert names.names(UID, IDS[1]) == PodName(UID, "web-0", "shop", "", seen)
    assert names._kubelet.children == ()
    works, said, cure = ways(names)[By.PODS_API]
    assert works is False
    assert "there is no socket" in said
    assert "PodsAPI" in cure
    assert ways(names)[By.POD_LOGS][0] is True


def test_what_one_way_lacks_another_tells(fake: FakeKubelet, make: Callable[..., PodNames]) -> None:
    """A container that the kubelet does not tell yet is named by its log, and both are evidence."""
    fake.says(fake_kubelet.pod(UID, "web-0", "shop", {"app": ""}))
    log(fake.rootfs, "shop", "web-0", UID, "app", IDS[0])
    assert make(fake.rootfs).names(UID, IDS[0]) == PodName(
        UID, "web-0", "shop", "app", (Evidence(By.PODS_API, "shop/web-0"), Evidence(By.POD_LOGS, "app"))
    )


def test_pod_resources_names_no_pod(fake: FakeKubelet, make: Callable[..., PodNames]) -> None:
    """PodResources has no UIDs: even its only pod is not taken for the only UID. What devices it has, it tells."""
    gpu = fake_kubelet.devices("nvidia.com/gpu", ["GPU-1"], [1])
    fake.says(List=[fake_kubelet.resources("ml", "train", "main", gpu).hex()], GetAllocatableResources=[gpu.hex()])
    names = make(fake.rootfs)
    assert names.names(UID, IDS[0]) is None
    assert ways(names)[By.POD_RESOURCES][:2] == (False, "it tells no UID, so it can name no pod")
    allocation = names.devices()
    assert allocation is not None
    assert allocation.node == (Devices("nvidia.com/gpu", ("GPU-1",), (1,)),)
    assert [(each.namespace, each.pod, each.container, each.devices) for each in allocation.containers] == [
        ("ml", "train", "main", allocation.node)
    ]
    assert names._kubelet.children == ()


def test_nothing_known_is_none(tmp_path: Path, make: Callable[..., PodNames]) -> None:
    """Without kubelet and log directories there is no name, and each way says why."""
    names = make(tmp_path)
    assert [way.works for way in names.state()] == [None, False, None]
    assert names.names(UID, IDS[0]) is None
    assert names.pod_of_container(IDS[0]) is None
    assert [way.works for way in names.state()] == [False, False, False]
    assert "No such file" in ways(names)[By.POD_LOGS][1]


@pytest.mark.parametrize("uid", [HASH, "9aac5b5c-8815-def0-9a2e-f9e37b89da55"])
def test_a_static_pod_is_found_by_its_hash(uid: str, fake: FakeKubelet, make: Callable[..., PodNames]) -> None:
    """A mirror pod has another UID; its hash is what the cgroup has, with dashes or without."""
    notes = {"kubernetes.io/config.hash": HASH, "kubernetes.io/config.mirror": HASH}
    fake.says(fake_kubelet.pod(UID, "etcd-n1", "kube-system", {"etcd": IDS[0]}, annotations=notes))
    names = make(fake.rootfs)
    found = names.names(uid, IDS[0])
    assert found is not None
    assert (found.uid, found.name, found.container) == (uid, "etcd-n1", "etcd")
    by_container = names.pod_of_container(IDS[0])
    assert by_container is not None
    assert by_container.uid == HASH  # as the cgroup's path has it


def test_a_hash_that_a_pod_merely_claims_is_not_believed(fake: FakeKubelet, make: Callable[..., PodNames]) -> None:
    """Whoever makes a pod can write annotations: one that claims another's hash does not get its processes."""
    claim = {"kubernetes.io/config.hash": HASH}
    fake.says(fake_kubelet.pod(OTHER, "thief", "default", {"app": IDS[1]}, annotations=claim))
    names = make(fake.rootfs)
    assert names.names(HASH, IDS[0]) is None
    found = names.names(HASH, IDS[1])  # its own container, says the kubelet
    assert found is not None
    assert found.name == "thief"
    fake.says(
        fake_kubelet.pod(OTHER, "thief", "default", {"app": IDS[1]}, annotations=claim),
        fake_kubelet.pod(HASH, "etcd", "kube-system", {"etcd": IDS[0]}, annotations=claim),
    )
    found = make(fake.rootfs).names(HASH, IDS[0])
    assert found is not None
    assert found.name == "etcd"


def test_a_pod_replaced_by_one_of_its_name_stays_itself(
    fake: FakeKubelet, make: Callable[..., PodNames], clock: Clock
) -> None:
    """Of two pods with one name each UID has its own containers; the one that has gone keeps what it was called."""
    fake.says(fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0]}))
    names = make(fake.rootfs)
    first = names.names(UID, IDS[0])
    assert first is not None
    fake.says(fake_kubelet.pod(OTHER, "web-0", "shop", {"app2": IDS[1]}))
    clock.now += 700
    second = names.names(OTHER, IDS[1])
    assert second is not None
    assert (second.uid, second.container) == (OTHER, "app2")
    assert names.names(UID, IDS[0]) == first
    assert names.names(UID, IDS[1]) is None
    assert names.contradictions == 0


def test_a_container_of_another_pod_is_not_named(fake: FakeKubelet, make: Callable[..., PodNames]) -> None:
    """The kernel's path says which pod a container is in; the name of one that the kubelet has elsewhere is not given."""
    fake.says(fake_kubelet.pod(UID, "web-0", "shop"), fake_kubelet.pod(OTHER, "web-0", "shop", {"app": IDS[0]}))
    names = make(fake.rootfs)
    found = names.names(UID, IDS[0])
    assert found is not None
    assert (found.name, found.container) == ("web-0", "")
    assert names.contradictions == 1


def test_a_name_that_changes_is_not_believed(fake: FakeKubelet, make: Callable[..., PodNames], clock: Clock) -> None:
    """A UID that was one pod's is never another's: a kubelet that says so is not believed, for no container."""
    fake.says(fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0]}))
    names = make(fake.rootfs)
    assert names.names(UID, IDS[0]) is not None
    fake.says(fake_kubelet.pod(UID, "evil", "shop", {"app": IDS[0], "b": IDS[1]}))
    clock.now += 700
    assert names.names(UID, IDS[0]) is None
    assert names.names(UID, IDS[1]) is None
    assert names.contradictions == 2
    fake.says(fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0]}))
    clock.now += 700
    found = names.names(UID, IDS[0])
    assert found is not None
    assert found.name == "web-0"


def test_a_container_that_changes_its_name_or_pod_is_not_believed(
    fake: FakeKubelet, make: Callable[..., PodNames], clock: Clock
) -> None:
    """A container's id belongs to one pod and one name for ever; what differs later is unknown."""
    fake.says(fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0]}))
    names = make(fake.rootfs)
    before = names.names(UID, IDS[0])
    assert before is not None
    fake.says(fake_kubelet.pod(UID, "web-0", "shop", {"renamed": IDS[0]}))
    clock.now += 700
    after = names.names(UID, IDS[0])
    assert after is not None
    assert (after.name, after.container) == ("web-0", "")
    fake.says(fake_kubelet.pod(OTHER, "web-1", "shop", {"app": IDS[0]}))
    clock.now += 700
    assert names.pod_of_container(IDS[0]) is None


@pytest.mark.parametrize(
    "lie",
    [
        [fake_kubelet.pod(UID, "web-0", "shop"), fake_kubelet.pod(UID, "web-1", "shop")],
        [fake_kubelet.pod(UID, "Web_0", "shop")],
        [fake_kubelet.pod(UID, "web/../0", "shop")],
        [fake_kubelet.pod(UID, "web-0", "sh.op")],
        [fake_kubelet.pod(UID, "web-0\n", "shop")],
        [b"\xff" * 40],
        [fake_kubelet.pod("", "web-0", "shop"), fake_kubelet.pod("---", "web-0", "shop")],
    ],
)
def test_pods_that_make_no_sense_are_refused(
    lie: list[bytes], fake: FakeKubelet, make: Callable[..., PodNames]
) -> None:
    """One UID twice, names that no pod can have, garbage: unknown and counted, and the others are believed."""
    fake.says(*lie, fake_kubelet.pod(OTHER, "good", "shop"))
    names = make(fake.rootfs)
    assert names.names(UID) is None
    good = names.names(OTHER)
    assert good is not None
    assert good.name == "good"
    assert names._kubelet.pods is not None
    assert names._kubelet.pods.refused >= 1


def test_a_kubelet_that_contradicts_its_logs_is_not_believed(fake: FakeKubelet, make: Callable[..., PodNames]) -> None:
    """Where the Pods API and the log directory have different names for a UID, or a container, none is given."""
    fake.says(fake_kubelet.pod(UID, "liar", "shop"), fake_kubelet.pod(OTHER, "web-1", "shop", {"app": IDS[1]}))
    log(fake.rootfs, "shop", "web-0", UID, "app", IDS[0])
    log(fake.rootfs, "shop", "web-1", OTHER, "db", IDS[1])
    names = make(fake.rootfs)
    assert names.names(UID, IDS[0]) is None
    other = names.names(OTHER, IDS[1])
    assert other is not None
    assert (other.name, other.container) == ("web-1", "")
    assert names.contradictions == 2


def test_a_container_of_two_pods_is_nobodys(fake: FakeKubelet, make: Callable[..., PodNames]) -> None:
    """A container id that several pods claim names neither pod nor container."""
    fake.says(
        fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0]}),
        fake_kubelet.pod(OTHER, "web-1", "shop", {"db": IDS[0]}),
    )
    names = make(fake.rootfs)
    assert names.pod_of_container(IDS[0]) is None
    found = names.names(UID, IDS[0])
    assert found is not None
    assert (found.name, found.container) == ("web-0", "")


def test_an_unknown_pod_is_asked_about_seldom(fake: FakeKubelet, make: Callable[..., PodNames], clock: Clock) -> None:
    """However many pods nobody knows, and however often they are asked for, the kubelet is asked with growing pauses."""
    names = make(fake.rootfs)
    before = len(fake.asked)
    for second in range(600):
        clock.now = 10_240.0 + second
        for number in range(50):
            assert names.names(f"{number:032x}", IDS[0]) is None
    assert 5 <= len(fake.asked) - before <= 12
    asked = len(fake.asked)
    fake.says(fake_kubelet.pod("0" * 32, "late", "shop"))
    clock.now += 300
    found = names.names("0" * 32, IDS[0])
    assert found is not None
    assert found.name == "late"
    assert len(fake.asked) == asked + 1


def test_a_known_pod_is_asked_about_rarely(fake: FakeKubelet, make: Callable[..., PodNames], clock: Clock) -> None:
    """What is known costs the kubelet one question in ten minutes, and stays known when it has gone."""
    fake.says(fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0]}))
    names = make(fake.rootfs)
    before = len(fake.asked)
    found = names.names(UID, IDS[0])
    for _ in range(1199):
        clock.now += 1
        assert names.names(UID, IDS[0]) == found
    assert len(fake.asked) - before == 2
    fake.says(code="FAILED_PRECONDITION")
    clock.now += 700
    assert names.names(UID, IDS[0]) == found
    assert "not ready" in ways(names)[By.PODS_API][1]


def test_what_is_remembered_is_bounded(tmp_path: Path, make: Callable[..., PodNames], clock: Clock) -> None:
    """Ever new UIDs do not grow the memory."""
    names = make(tmp_path)
    for number in range(25_000):
        names.names(f"{number:032x}")
    assert len(names._known) <= 20_000


def test_a_kubelet_that_hangs_costs_one_wait_and_then_none(make: Callable[..., PodNames], clock: Clock) -> None:
    """While it stands still it is not asked twice, the logs are used, and when it goes on it is heard."""
    one = FakeKubelet().start()
    try:
        one.says(fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0]}))
        log(one.rootfs, "shop", "web-0", UID, "old", IDS[1])
        one.signal(signal.SIGSTOP)
        names = make(one.rootfs, 0.2)
        found = names.names(UID, IDS[0])
        assert found is not None
        assert (found.name, found.container) == ("web-0", "")
        assert ways(names)[By.PODS_API][:2] == (False, "the kubelet has not answered yet")
        children = names._kubelet.children
        assert len(children) == 1
        clock.now += 0.5
        names.names(UID, IDS[0])
        assert names._kubelet.children in {children, ()}
        one.signal(signal.SIGCONT)
        for _ in range(100):
            found = settled(names, clock, UID, IDS[0])
            if found is not None and found.container:
                break
            clock.now += 61
        assert found is not None
        assert found.container == "app"
        assert names._kubelet.children == ()
    finally:
        one.remove()


def test_a_late_answer_is_taken_by_whoever_tends(make: Callable[..., PodNames], clock: Clock) -> None:
    """A child whose answer comes late ends soon, also if nobody asks for that pod again."""
    one = FakeKubelet().start()
    try:
        one.says(fake_kubelet.pod(UID, "web-0", "shop"), delay=1.0)
        names = make(one.rootfs, 0.05)
        assert names.names(UID) is None
        for _ in range(1000):
            names.tend()
            if not names._kubelet.children:
                break
            time.sleep(0.05)
        assert names._kubelet.children == ()
        clock.now += 1
        assert names.names(UID) is not None
        assert one.asked == ["v1alpha1.Pods/ListPods"]
    finally:
        one.remove()


@pytest.mark.parametrize("directory", ["var/lib/k0s/kubelet", "var/snap/microk8s/common/var/lib/kubelet"])
def test_kubelets_of_other_makers_are_found(
    directory: str, fake: FakeKubelet, make: Callable[..., PodNames], clock: Clock
) -> None:
    """The socket is also looked for where k0s and MicroK8s have it; a file in its place is none."""
    with tempfile.TemporaryDirectory(prefix="kubelet-") as place:
        root = Path(place)
        (root / "var/lib/kubelet/pods-api").mkdir(parents=True)
        (root / "var/lib/kubelet/pods-api/pods-api.sock").write_text("")
        names = make(root)
        assert names.names(UID) is None
        assert ways(names)[By.PODS_API][1] == f"there is no socket {place}/var/lib/kubelet/pods-api/pods-api.sock"
        (root / directory).parent.mkdir(parents=True)
        (root / directory).symlink_to(fake.rootfs / "var/lib/kubelet")
        fake.says(fake_kubelet.pod(UID, "web-0", "shop"))
        clock.now += 300
        assert names.names(UID) is not None


def test_grpc_is_never_imported_here() -> None:
    """The process that asks for names does not carry gRPC: only its child does."""
    program = "import sys, bongsu.owners.kubernetes; print('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_kubelet_that_stops_and_starts_again_is_found(make: Callable[..., PodNames], clock: Clock) -> None:
    """One that crashed leaves a dead socket, which is said; after it has made a new one it is asked again."""
    one = FakeKubelet()
    try:
        names = make(one.rootfs)
        assert names.names(UID) is None
        assert "there is no socket" in ways(names)[By.PODS_API][1]
        one.says(fake_kubelet.pod(UID, "web-0", "shop"), fake_kubelet.pod(OTHER, "web-1", "shop"))
        one.start()
        clock.now += 300
        assert names.names(UID) is not None
        one.stop()
        clock.now += 300
        assert names.names(HASH) is None
        assert "no kubelet listens" in ways(names)[By.PODS_API][1]
        one.says(fake_kubelet.pod(HASH, "etcd", "kube-system"))
        one.start()
        clock.now += 300
        found = names.names(HASH)
        assert found is not None
        assert found.name == "etcd"
    finally:
        one.remove()


def test_without_grpcio_the_cure_is_said(
    fake: FakeKubelet, make: Callable[..., PodNames], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the package is missing the logs are used, the state names the extra, and a child is not started again soon."""
    (tmp_path / "grpc.py").write_text("raise ModuleNotFoundError(\"No module named 'grpc'\", name='grpc')")
    monkeypatch.syspath_prepend(str(tmp_path))
    log(fake.rootfs, "shop", "web-0", UID, "app", IDS[0])
    names = make(fake.rootfs)
    found = names.names(UID, IDS[0])
    assert found is not None
    assert found.evidence[0].by is By.POD_LOGS
    works, said, cure = ways(names)[By.PODS_API]
    assert works is False
    assert "grpcio" in said
    assert cure == "install it with `pip install 'bongsu[k8s]'`"


def test_a_socket_for_root_alone_is_said(
    tmp_path: Path, make: Callable[..., PodNames], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user whom the kubelet's directory is closed to reads that, and no child is started."""

    def refused(_path: str) -> None:
        raise PermissionError(13, "Permission denied")

    names = make(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", refused)
        names._kubelet.refresh()
    works, said, cure = ways(names)[By.PODS_API]
    assert works is False
    assert said.startswith("not allowed to use ")
    assert "root" in cure


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"garbage": "ffffffff"}, "makes no sense"), ({"huge": 100 << 20}, "larger than 32 MiB"),
        ({"service": "v9.Pods"}, "does not know"), ({"code": "INTERNAL"}, "failed: INTERNAL"),
    ],
)  # fmt: skip
def test_answers_of_no_use_are_told_in_words(
    behaviour: dict[str, object], words: str, fake: FakeKubelet, clock: Clock
) -> None:
    """Garbage, 100 MB, an unknown question and an error inside are told apart, and the pauses grow to a minute."""
    fake.says(**behaviour)
    before = len(fake.asked)
    asked = Kubelet(Root(str(fake.rootfs)), patience=60.0, clock=clock)
    try:
        for second in range(120):
            clock.now = 1000.0 + second
            asked.refresh()
        assert asked.pods is None
        assert asked.trouble is not None
        assert words in str(asked.trouble.why)
        assert 5 <= len(fake.asked) - before <= 18  # one that is not known is asked by three names
        assert asked.children == ()
    finally:
        asked.close()


def test_a_process_in_a_pod_has_a_full_owner(fake: FakeKubelet, tmp_path: Path) -> None:
    """From /proc/PID/cgroup over the kubelet to the owner: pod, namespace, container, runtime, and how each is known."""
    pod = f"kubepods-burstable-pod{UID.replace('-', '_')}.slice"
    path = f"/kubepods.slice/kubepods-burstable.slice/{pod}/cri-containerd-{IDS[0]}.scope"
    (tmp_path / "7").mkdir()
    (tmp_path / "stat").write_text("cpu  0 0\nbtime 1\n")
    (tmp_path / "7/cgroup").write_text(f"0::{path}\n")
    (tmp_path / "7/status").write_text("Name:\tapp\nUid:\t0\t0\t0\t0\n")
    (tmp_path / "7/cmdline").write_text("app\0")
    (tmp_path / "7/statm").write_text("1 1 1 1 0 1 0\n")
    (tmp_path / "7/stat").write_text("7 (app) S 1 7 7 0 -1 0 " + "0 " * 12 + "100 " + "0 " * 30 + "\n")
    machine = Machine(Root(str(tmp_path)), Root(str(tmp_path)), Root(str(fake.rootfs)), Root(str(tmp_path)))
    fake.says(fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0]}), delay=0.5)  # longer than a pass waits
    resolver = resolver_of(machine)
    assert [way.works for way in resolver.ways_to_name_pods()] == [None, False, None]
    assert resolver.resolve([Task(7, 1, 100, 0, False)])[7, 100].owner.id == UID
    seen = resolver.one(7, patience=60.0)
    assert seen is not None
    owner = seen.placed.owner
    assert (owner.kind, owner.id, owner.name, owner.namespace, owner.container, owner.runtime) == (
        OwnerKind.POD, UID, "web-0", "shop", "app", "containerd",
    )  # fmt: skip
    assert [each.by for each in owner.evidence] == [By.CGROUP, By.PODS_API]
    assert [way.works for way in resolver.ways_to_name_pods()] == [True, False, False]
