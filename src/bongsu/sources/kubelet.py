"""What the kubelet of this node says about its pods and their devices, asked in a worker's child over gRPC.

The child is left with 30 MB by ``grpcio``, so only it imports that, and it should not be kept. Only names and
ids leave it: a pod's description also holds the environment of its containers, with their secrets.

Sources: k8s.io/kubelet/pkg/apis/pods/v1alpha1/api.proto (KEP-4188) and podresources/v1/api.proto for the calls;
the field numbers in k8s.io/api/core/v1/generated.proto and k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto.
"""

from __future__ import annotations

import errno

from bongsu.sources.protobuf import Malformed, fields, signed, submessage, text

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from typing import Any

SERVICE = "bongsu.sources.kubelet:ask"
# Where a kubelet keeps its things unless told otherwise, then where k0s and MicroK8s tell it to.
DIRECTORIES = ("var/lib/kubelet", "var/lib/k0s/kubelet", "var/snap/microk8s/common/var/lib/kubelet")
PODS_SOCKET = "pods-api/pods-api.sock"
RESOURCES_SOCKET = "pod-resources/kubelet.sock"

LONGEST_SECONDS = 5.0  # a good time to give the kubelet; who asks need not wait so long, see `Worker`
LARGEST_ANSWER = 32 << 20  # 500 pods of 60 kB
_LARGEST_POD = 2 << 20  # the API server's store takes no object of more than 1.5 MiB
_MOST_PODS = 10_000
_MOST_ITEMS = 1_000  # containers of a pod, devices of a container
_LONGEST_NAME = 253  # of anything in Kubernetes (RFC 1123 subdomain)
_LONGEST_ID = 512  # of a container with its runtime, or of a device

# The first is what Kubernetes 1.36 and 1.37 call it. The others are for the day when it is renamed, as such APIs
# are when they grow up; a kubelet that does not know a name says so.
_PODS_SERVICES = ("v1alpha1.Pods", "v1beta1.Pods", "v1.Pods")
_RESOURCES_SERVICE = "v1.PodResourcesLister"
_HASH = "kubernetes.io/config.hash"
_MIRROR = "kubernetes.io/config.mirror"

# What went wrong, as an errno: that is what a worker's child can tell. A socket's own errors are among them.
NO_GRPC = errno.ENOPKG
HANGS = errno.ETIMEDOUT
TOO_LARGE = errno.EMSGSIZE
NOT_SERVED = errno.EOPNOTSUPP
GARBAGE = errno.EBADMSG
NOT_READY = errno.EAGAIN


def ask(question: tuple[str, str, float]) -> tuple[Any, ...]:
    """Answers ("pods", socket, seconds) or ("devices", socket, seconds), where each call may take so many seconds.

    Pods: a tuple of (uid, name, namespace, config.hash, config.mirror, ((container, container id), …)), and the
    number of pods that could not be understood. Devices: a tuple of (namespace, pod, container, devices), and the
    devices that the node has, None if this kubelet does not tell; devices are ((resource, (device id, …),
    (NUMA node, …)), …).

    Raises:
        OSError: the socket's error, or one of the constants above.
    """
    what, path, seconds = question
    _knock(path, seconds)
    try:
        if what == "pods":
            return _pods(_call(path, _PODS_SERVICES, "ListPods", seconds))
        return _allocated(_call(path, (_RESOURCES_SERVICE,), "List", seconds)), _allocatable(path, seconds)
    except Malformed as error:
        raise OSError(GARBAGE, str(error)) from None


def _knock(path: str, seconds: float) -> None:
    """Raises the OSError of a socket that is not there or not for us; gRPC would not say which, and costs much more."""
    import socket  # noqa: PLC0415  only the child needs it

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.settimeout(seconds)
        try:
            knocking.connect(path)
        except TimeoutError:
            raise OSError(HANGS, "it does not accept connections") from None


def _call(path: str, services: tuple[str, ...], method: str, seconds: float) -> bytes:
    from urllib.parse import quote  # noqa: PLC0415  only the child needs it

    try:
        import grpc  # noqa: PLC0415  an extra, and 20 MB
    except ImportError as error:
        raise OSError(NO_GRPC, str(error)) from None
    options = [
        ("grpc.max_receive_message_length", LARGEST_ANSWER),
        ("grpc.enable_retries", 0),
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.default_authority", "localhost"),  # else the path, which servers in Go refuse
    ]
    with grpc.insecure_channel(f"unix:{quote(path)}", options=options) as channel:
        for service in services:
            try:
                call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{service}/{method}")
                return call(b"", timeout=seconds)
            except grpc.RpcError as error:
                code, details = error.code(), error.details() or ""
                if code is grpc.StatusCode.UNIMPLEMENTED and service != services[-1]:
                    continue
                number = {
                    grpc.StatusCode.UNIMPLEMENTED: NOT_SERVED,
                    grpc.StatusCode.DEADLINE_EXCEEDED: HANGS,
                    grpc.StatusCode.FAILED_PRECONDITION: NOT_READY,  # it has just started
                    grpc.StatusCode.PERMISSION_DENIED: errno.EACCES,
                    # also what a caller is told who asks too often
                    grpc.StatusCode.RESOURCE_EXHAUSTED: TOO_LARGE if "larger than max" in details else NOT_READY,
                }.get(code, errno.EIO)
                raise OSError(number, f"{code.name}: {details}"[:300]) from None
    raise AssertionError("there is always a service to ask")


def _pods(answer: bytes) -> tuple[tuple[tuple[Any, ...], ...], int]:
    pods: list[tuple[Any, ...]] = []
    bad = 0
    for field, value in fields(answer):
        if field != 1:
            continue
        if len(pods) + bad >= _MOST_PODS:
            raise Malformed(f"more than {_MOST_PODS} pods")
        try:
            pods.append(_pod(submessage(value)))
        except Malformed:
            bad += 1
    return tuple(pods), bad


def _pod(message: memoryview) -> tuple[Any, ...]:
    if len(message) > _LARGEST_POD:
        raise Malformed("a pod larger than pods can be")
    name = namespace = uid = ""
    annotations: dict[str, str] = {}
    containers: list[tuple[str, str]] = []
    for part, value in fields(message):
        if part == 1:  # metadata
            for field, inner in fields(submessage(value)):
                if field == 1:
                    name = text(inner, _LONGEST_NAME)
                elif field == 3:
                    namespace = text(inner, _LONGEST_NAME)
                elif field == 5:
                    uid = text(inner, _LONGEST_NAME)
                elif field == 12:
                    _annotate(submessage(inner), annotations)
        elif part == 3:  # status; 8, 10 and 13 are its containers, init and ephemeral containers
            for field, inner in fields(submessage(value)):
                if field in {8, 10, 13}:
                    containers.append(_container(submessage(inner)))
    if not (name and namespace and uid) or len(containers) > _MOST_ITEMS:
        raise Malformed("a pod without a name, or with too many containers")
    known = tuple(container for container in containers if all(container))  # one without an id is not there yet
    return uid, name, namespace, annotations.get(_HASH, ""), annotations.get(_MIRROR, ""), known


def _annotate(entry: memoryview, annotations: dict[str, str]) -> None:
    """Note one annotation if it is one of the two that tell of a static pod; others may be long and secret."""
    key = content = memoryview(b"")
    for field, value in fields(entry):
        if field == 1:
            key = submessage(value)
        elif field == 2:
            content = submessage(value)
    for wanted in (_HASH, _MIRROR):
        if key == wanted.encode():
            annotations[wanted] = text(content, _LONGEST_NAME)


def _container(status: memoryview) -> tuple[str, str]:
    name = identity = ""
    for field, value in fields(status):
        if field == 1:
            name = text(value, _LONGEST_NAME)
        elif field == 8:
            identity = text(value, _LONGEST_ID).partition("://")[2]
    return name, identity


def _allocated(answer: bytes) -> tuple[tuple[Any, ...], ...]:
    found: list[tuple[Any, ...]] = []
    for field, pod in fields(answer):
        if field != 1:
            continue
        name = namespace = ""
        containers = []
        for part, value in fields(submessage(pod)):
            if part == 1:
                name = text(value, _LONGEST_NAME)
            elif part == 2:
                namespace = text(value, _LONGEST_NAME)
            elif part == 3:
                containers.append(_used(submessage(value)))
        found += [(namespace, name, container, devices) for container, devices in containers if devices]
        if len(found) > _MOST_PODS:
            raise Malformed(f"more than {_MOST_PODS} containers with devices")
    return tuple(found)


def _used(container: memoryview) -> tuple[str, tuple[Any, ...]]:
    name = ""
    devices = []
    for field, value in fields(container):
        if field == 1:
            name = text(value, _LONGEST_NAME)
        elif field == 2:
            devices.append(_devices(submessage(value)))
    return name, tuple(devices[:_MOST_ITEMS])


def _allocatable(path: str, seconds: float) -> tuple[Any, ...] | None:
    try:
        answer = _call(path, (_RESOURCES_SERVICE,), "GetAllocatableResources", seconds)
    except OSError as error:
        if error.errno == NOT_SERVED:
            return None
        raise
    devices = [_devices(submessage(value)) for field, value in fields(answer) if field == 1]
    return tuple(devices[:_MOST_PODS])


def _devices(message: memoryview) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    resource = ""
    ids = []
    nodes = []
    for field, value in fields(message):
        if field == 1:
            resource = text(value, _LONGEST_ID)
        elif field == 2:
            ids.append(text(value, _LONGEST_ID))
        elif field == 3:  # topology: its nodes, each with its number; 0 is not written
            for part, node in fields(submessage(value)):
                if part == 1:
                    nodes.append(next((signed(n) for place, n in fields(submessage(node)) if place == 1), 0))
    return resource, tuple(ids[:_MOST_ITEMS]), tuple(nodes[:_MOST_ITEMS])
