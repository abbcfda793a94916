"""Asking a kubelet: what it says, and each way in which it can fail to say anything."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fake_kubelet
from bongsu.sources import kubelet
from bongsu.sources.protobuf import Malformed
from bongsu.sources.worker import Failed, Silent, Worker
from fake_kubelet import FakeKubelet

UID = "0a1b2c3d-0000-4000-8000-00000000000a"
IDS = [digit * 64 for digit in "abcdef"]


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeKubelet]:
    """One kubelet for the tests that only change what it says."""
    one = FakeKubelet().start()
    yield one
    one.remove()


@pytest.fixture
def fake(shared: FakeKubelet) -> FakeKubelet:
    """A kubelet that says nothing yet."""
    shared.says()
    return shared


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A child with gRPC, patient as this machine may be busy."""
    one = Worker(kubelet.SERVICE, patience=60.0)
    yield one
    one.close()


def ask(worker: Worker, what: str, path: str) -> Any:
    """One question's answer."""
    return worker.ask([(what, path, 60.0)])[0]


def test_pods_come_with_their_names_and_containers(fake: FakeKubelet, worker: Worker) -> None:
    """Of a pod come its ids, names, the two annotations of static pods, and all kinds of containers that run."""
    static = {"kubernetes.io/config.hash": "f" * 32, "kubernetes.io/config.mirror": "e" * 32, "note": "x" * 9000}
    fake.says(
        fake_kubelet.pod(UID, "web-0", "shop", {"app": IDS[0], "waiting": ""}, init={"copy": IDS[1]},
                         ephemeral={"debugger": IDS[2]}, runtime="cri-o"),
        fake_kubelet.pod("u2", "etcd", "kube-system", annotations=static),
    )  # fmt: skip
    assert ask(worker, "pods", fake.pods_socket) == (
        (
            (UID, "web-0", "shop", "", "", (("app", IDS[0]), ("copy", IDS[1]), ("debugger", IDS[2]))),
            ("u2", "etcd", "kube-system", "f" * 32, "e" * 32, ()),
        ),
        0,
    )  # fmt: skip


def test_secrets_stay_in_the_child(fake: FakeKubelet, worker: Worker) -> None:
    """What a pod's containers have in their environment is not among the answers."""
    fake.says(fake_kubelet.pod(UID, "web-0", containers={"app": IDS[0]}))
    assert b"hunter2" in fake_kubelet.pod(UID, "web-0", containers={"app": IDS[0]})
    assert "hunter2" not in repr(ask(worker, "pods", fake.pods_socket))


def test_devices_come_with_their_numa_nodes(fake: FakeKubelet, worker: Worker) -> None:
    """PodResources gives each container's devices and those of the node; containers without any are left out."""
    gpus = fake_kubelet.devices("nvidia.com/gpu", ["GPU-1", "GPU-2"], [0, 1])
    mig = fake_kubelet.devices("nvidia.com/mig-1g.10gb", ["MIG-7"], [1])
    fake.says(
        List=[fake_kubelet.resources("ml", "train", "main", gpus, mig).hex(),
              fake_kubelet.resources("ml", "web", "main").hex()],
        GetAllocatableResources=[gpus.hex()],
    )  # fmt: skip
    given_gpus = ("nvidia.com/gpu", ("GPU-1", "GPU-2"), (0, 1))
    assert ask(worker, "devices", fake.resources_socket) == (
        (("ml", "train", "main", (given_gpus, ("nvidia.com/mig-1g.10gb", ("MIG-7",), (1,)))),),
        (given_gpus,),
    )


def test_a_renamed_service_is_found(fake: FakeKubelet, worker: Worker) -> None:
    """A kubelet that has only a later version of the Pods API is asked by that name."""
    fake.says(fake_kubelet.pod(UID, "web-0"), service="v1.Pods")
    assert ask(worker, "pods", fake.pods_socket)[0][0][1] == "web-0"


@pytest.mark.parametrize(
    ("behaviour", "number"),
    [
        ({"code": "FAILED_PRECONDITION", "details": "Kubelet is initializing"}, kubelet.NOT_READY),
        ({"code": "RESOURCE_EXHAUSTED", "details": "rejected by rate limit"}, kubelet.NOT_READY),
        ({"code": "PERMISSION_DENIED"}, errno.EACCES),
        ({"code": "INTERNAL"}, errno.EIO),
        ({"service": "v2.Pods"}, kubelet.NOT_SERVED),
        ({"garbage": "ffffffff"}, kubelet.GARBAGE),
        ({"garbage": "0801"}, 0),  # a number where pods belong: one that is not understood
        ({"huge": 100 << 20}, kubelet.TOO_LARGE),
    ],
)
def test_what_went_wrong_is_told(fake: FakeKubelet, worker: Worker, behaviour: dict[str, Any], number: int) -> None:
    """A refusal, garbage and an answer of 100 MB each have their own number; the child lives on."""
    fake.says(**behaviour)
    answer = ask(worker, "pods", fake.pods_socket)
    if number:
        assert isinstance(answer, Failed)
        assert answer.number == number, answer
    else:
        assert answer == ((), 1)
    fake.says()
    assert ask(worker, "pods", fake.pods_socket) == ((), 0)


def test_one_bad_pod_does_not_hide_the_others(fake: FakeKubelet, worker: Worker) -> None:
    """Pods that make no sense are counted: without a name, with one too long or not UTF-8, too large."""
    good = fake_kubelet.pod(UID, "web-0")
    fake.says(
        b"\xff\xff", good, fake_kubelet.pod("u", ""), fake_kubelet.pod("u", "n" * 254),
        fake_kubelet.field(1, fake_kubelet.field(1, b"\xff")), good + fake_kubelet.field(9, bytes(3 << 20)),
    )  # fmt: skip
    pods, bad = ask(worker, "pods", fake.pods_socket)
    assert [pod[1] for pod in pods] == ["web-0"]
    assert bad == 5


def test_a_socket_that_cannot_be_had_is_told_without_grpc() -> None:
    """No socket, or one where nobody listens, is the socket's own error, and gRPC is not even loaded for it."""
    with tempfile.TemporaryDirectory(prefix="kubelet-") as place:
        program = (
            "import sys, errno\nfrom bongsu.sources import kubelet\n"
            "for name in ('none', 'dead'):\n"
            "    try: kubelet.ask(('pods', sys.argv[1] + '/' + name, 60.0))\n"
            "    except OSError as error: print(errno.errorcode[error.errno])\n"
            "print('grpc' in sys.modules)"
        )
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(f"{place}/dead")
        done = subprocess.run([sys.executable, "-c", program, place], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ENOENT", "ECONNREFUSED", "False"]


@pytest.mark.needs_root
def test_a_socket_for_root_alone_is_not_allowed() -> None:
    """A user who may not write to the socket is told so, not that nobody answers."""
    one = FakeKubelet().start()
    program = (
        "import errno, os, socket, sys\nfrom bongsu.sources import kubelet\nos.setuid(65534)\n"
        "try: kubelet.ask(('pods', sys.argv[1], 60.0))\nexcept OSError as error: print(errno.errorcode[error.errno])"
    )
    try:
        one.rootfs.chmod(0o755)
        os.chmod(one.pods_socket, 0o600)
        done = subprocess.run(
            [sys.executable, "-c", program, one.pods_socket], capture_output=True, text=True, check=True
        )
    finally:
        one.remove()
    assert done.stdout == "EACCES\n"


def test_without_grpcio_that_is_said(fake: FakeKubelet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where grpcio is not installed the answer is that, and nothing else breaks."""
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(OSError) as caught:
        kubelet.ask(("pods", fake.pods_socket, 60.0))
    assert caught.value.errno == kubelet.NO_GRPC
    assert "grpc" in str(caught.value)


def test_a_slow_kubelet_is_heard_later() -> None:
    """One that takes longer than the asker waits is not asked again: its answer comes with a later question."""
    one = FakeKubelet().start()
    worker = Worker(kubelet.SERVICE, patience=0.05)
    try:
        one.says(fake_kubelet.pod(UID, "web-0"), delay=1.0)
        answer = ask(worker, "pods", one.pods_socket)
        assert isinstance(answer, Silent)
        for _ in range(600):
            answer = ask(worker, "pods", one.pods_socket)
            if not isinstance(answer, Silent):
                break
            time.sleep(0.05)
        assert answer[0][0][1] == "web-0"
        assert one.asked == ["v1alpha1.Pods/ListPods"]
    finally:
        worker.close()
        one.remove()


def test_a_kubelet_that_hangs_is_given_up() -> None:
    """One whose process stands still is told to hang after the longest time, by the child itself."""
    one = FakeKubelet().start()
    program = (
        "import sys\nfrom bongsu.sources import kubelet\n"
        "try: kubelet.ask(('pods', sys.argv[1], 0.5))\nexcept OSError as error: print(error.errno)"
    )
    try:
        one.signal(signal.SIGSTOP)
        done = subprocess.run(
            [sys.executable, "-c", program, one.pods_socket], capture_output=True, text=True, check=True
        )
    finally:
        one.remove()
    assert done.stdout == f"{kubelet.HANGS}\n"


@given(st.binary(max_size=400), st.sampled_from(["whole", "pod", "list"]))
def test_random_answers_are_understood_or_malformed(answer: bytes, where: str) -> None:
    """Whatever bytes stand for the answer, or in a pod of it, nothing but Malformed comes of it."""
    if where == "pod":
        answer = fake_kubelet.field(1, fake_kubelet.field(1, answer) + fake_kubelet.field(3, answer))
    try:
        kubelet._pods(answer)
    except Malformed:
        assert where != "pod"
    with contextlib.suppress(Malformed):
        kubelet._allocated(fake_kubelet.field(1, fake_kubelet.field(3, answer)) if where == "list" else answer)
