"""A kubelet that says what a test wants, over the two unix sockets and in the protobuf of the real one.

It runs in a process of its own, since gRPC leaves threads behind. The messages are written from the public field
numbers (see bongsu.sources.kubelet) by a few lines of our own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent import futures
from pathlib import Path
from typing import Any

PODS = "var/lib/kubelet/pods-api/pods-api.sock"
RESOURCES = "var/lib/kubelet/pod-resources/kubelet.sock"


def varint(number: int) -> bytes:
    """A number as protobuf writes it; a negative one as 64 bits."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, value: int | str | bytes) -> bytes:
    """One field: a number, or the bytes of a text or submessage with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def pod(
    uid: str, name: str, namespace: str = "default", containers: dict[str, str] | None = None, *,
    init: dict[str, str] | None = None, ephemeral: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None, runtime: str = "containerd",
) -> bytes:  # fmt: skip
    """A core/v1 Pod with much around the fields that matter; ``containers`` are name → id."""
    notes = {"kubernetes.io/config.source": "api", **(annotations or {})}
    metadata = b"".join([
        field(1, name), field(2, f"{name}-"), field(3, namespace), field(5, uid), field(7, 3),
        field(8, field(1, 1_700_000_000)), field(11, field(1, "app") + field(2, name)),
        *(field(12, field(1, key) + field(2, value)) for key, value in notes.items()),
    ])  # fmt: skip
    secret = field(7, field(1, "PASSWORD") + field(2, "hunter2"))
    spec = b"".join(field(2, field(1, each) + field(2, "image") + secret) for each in containers or {})
    status = [field(1, "Running"), field(6, "10.0.0.7"), field(9, "Burstable")]
    for number, group in ((8, containers), (10, init), (13, ephemeral)):
        for each, identity in (group or {}).items():
            told = field(8, f"{runtime}://{identity}") if identity else b""
            status.append(field(number, field(1, each) + field(4, 1) + field(6, "image") + told))
    return field(1, metadata) + field(2, spec) + field(3, b"".join(status))


def devices(resource: str, ids: list[str], nodes: list[int]) -> bytes:
    """A ContainerDevices; the node 0 is written as real servers do, as an empty message."""
    topology = b"".join(field(1, field(1, node) if node else b"") for node in nodes)
    return field(1, resource) + b"".join(field(2, each) for each in ids) + field(3, topology)


def resources(namespace: str, name: str, container: str, *given: bytes) -> bytes:
    """A PodResources of one container with these devices."""
    used = field(1, container) + b"".join(field(2, each) for each in given) + field(3, b"\x01\x02")
    return field(1, name) + field(2, namespace) + field(3, used)


class FakeKubelet:
    """A root file system with a kubelet in it. What it answers may be changed while it runs."""

    def __init__(self) -> None:
        # Not pytest's tmp_path: a unix socket's path holds at most 107 bytes.
        self.rootfs = Path(tempfile.mkdtemp(prefix="kubelet-"))
        for each in (PODS, RESOURCES):
            (self.rootfs / each).parent.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.says()

    @property
    def pods_socket(self) -> str:
        """Where the Pods API listens."""
        return str(self.rootfs / PODS)

    @property
    def resources_socket(self) -> str:
        """Where PodResources listens."""
        return str(self.rootfs / RESOURCES)

    def says(self, *pods: bytes, **behaviour: Any) -> None:
        """From now on it has these pods; behaviours are in `_answer`."""
        text = json.dumps({"pods": [each.hex() for each in pods], **behaviour})
        (self.rootfs / "next").write_text(text)
        os.replace(self.rootfs / "next", self.rootfs / "scenario")

    @property
    def asked(self) -> list[str]:
        """The calls so far, in their order."""
        calls = self.rootfs / "asked"
        return calls.read_text().split() if calls.exists() else []

    def start(self) -> FakeKubelet:
        """Listen. A kubelet that was stopped makes its sockets anew."""
        for each in (PODS, RESOURCES):
            (self.rootfs / each).unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.rootfs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def signal(self, number: int) -> None:
        """Send it a signal: SIGSTOP makes one whose sockets are there and that does nothing."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it; the sockets stay behind, as those of a kubelet that crashed."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def remove(self) -> None:
        """End it and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.rootfs)


def _serve(root: Path) -> None:
    import grpc  # only the process that serves

    class Kubelet(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
            scenario = json.loads((root / "scenario").read_text())
            _, service, method = handler_call_details.method.split("/")
            with (root / "asked").open("a") as calls:
                calls.write(f"{service}/{method}\n")
            if service not in {scenario.get("service", "v1alpha1.Pods"), "v1.PodResourcesLister"}:
                return None  # answered with UNIMPLEMENTED

            def call(_request: bytes, context: grpc.ServicerContext) -> bytes:
                if "code" in scenario:
                    context.abort(getattr(grpc.StatusCode, scenario["code"]), scenario.get("details", ""))
                return _answer(scenario, method)

            return grpc.unary_unary_rpc_method_handler(call)

    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((Kubelet(),))
    for each in (PODS, RESOURCES):
        server.add_insecure_port(f"unix:{root / each}")
    server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()  # until the test ends, however it ends
    server.stop(None)


def _answer(scenario: dict[str, Any], method: str) -> bytes:
    time.sleep(scenario.get("delay", 0.0))
    if "garbage" in scenario:
        return bytes.fromhex(scenario["garbage"])
    if "huge" in scenario:
        return field(1, bytes(scenario["huge"]))
    items = scenario["pods"] if method == "ListPods" else scenario.get(method, [])
    return b"".join(field(1, bytes.fromhex(each)) for each in items)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
