"""The parent's side of `kubelet`: asks seldom, waits little, and believes only pods that make sense."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bongsu.model.message import Message
from bongsu.sources import kubelet
from bongsu.sources.pod_logs import folded, is_label, is_pod_name
from bongsu.sources.root import Root
from bongsu.sources.worker import Failed, Silent, Worker

_SPACING_SECONDS = 2.0  # between two questions, however many ask
_NO_SOCKET_SECONDS = 5.0  # looking costs next to nothing
_LONGEST_PAUSE_SECONDS = 60.0  # after failures, which double it
_NO_GRPC_SECONDS = 600.0  # somebody may install it


class Pod(NamedTuple):
    """A pod of this node. ``hash`` and ``mirror`` are the annotations of static pods, which whoever makes a pod can set."""

    uid: str
    name: str
    namespace: str
    hash: str
    mirror: str
    containers: tuple[tuple[str, str], ...]  # name, container id


class Pods(NamedTuple):
    """What the kubelet said at one time. Of what it said twice and differently, nothing is kept."""

    at: float  # monotonic s
    by_uid: dict[str, Pod]  # by the folded UID
    by_container: dict[str, tuple[Pod, str]]  # container id → pod, name of the container
    by_hash: dict[str, tuple[Pod, ...]]  # all pods that claim it
    refused: int  # pods that made no sense, and contradictions


class Devices(NamedTuple):
    """Devices of one kind that belong together; ``ids`` are the device plugin's words, as GPU-… or MIG-…."""

    resource: str
    ids: tuple[str, ...]
    numa_nodes: tuple[int, ...]


class ContainerDevices(NamedTuple):
    """What a container was given. There is no UID: after a pod was replaced by one of its name, it may be the other's."""

    namespace: str
    pod: str
    container: str
    devices: tuple[Devices, ...]


class Allocation(NamedTuple):
    """Devices of this node and who has them; ``node`` is None where the kubelet does not tell."""

    containers: tuple[ContainerDevices, ...]
    node: tuple[Devices, ...] | None


class Trouble(NamedTuple):
    """Why the kubelet tells nothing, and what helps."""

    why: Message
    cure: Message | None = None


class Kubelet:
    """The kubelet of the machine whose root file system this is.

    A call waits at most ``patience`` seconds (longer only while a child starts on a machine that is out of
    breath), and only where a question is due. A kubelet that needs longer is heard by a later call. The child is
    let go after each answer: it holds 30 MB. One thread at a time may use it.
    """

    def __init__(
        self, rootfs: Root, *, patience: float = 0.3, clock: Callable[[], float] = time.monotonic,
        service: str = kubelet.SERVICE,
    ) -> None:  # fmt: skip
        self._worker = Worker(service, patience=patience)
        self._clock = clock
        self._ask_pods = _Question(self._worker, clock, "pods", _places(rootfs, kubelet.PODS_SOCKET))
        self._ask_devices = _Question(self._worker, clock, "devices", _places(rootfs, kubelet.RESOURCES_SOCKET))
        self.pods: Pods | None = None  # the newest answer
        self.allocation: Allocation | None = None

    @property
    def asked(self) -> bool:
        """Whether the Pods API was asked, or looked for."""
        return self._ask_pods.asked

    @property
    def trouble(self) -> Trouble | None:
        """Why the newest question about pods has no answer."""
        return self._ask_pods.trouble

    @property
    def outstanding(self) -> bool:
        """Whether an answer is still awaited."""
        return self._ask_pods.outstanding

    def refresh(self) -> None:
        """Ask for the pods if it is time to, or see whether the answer has come."""
        answer = self._ask_pods.put()
        if answer is not None:
            self.pods = _understood(*answer, at=self._clock())

    def refresh_devices(self) -> None:
        """The same for the devices."""
        answer = self._ask_devices.put()
        if answer is not None:
            containers, node = answer
            self.allocation = Allocation(
                tuple(ContainerDevices(space, pod, name, _devices(given)) for space, pod, name, given in containers),
                None if node is None else _devices(node),
            )

    @property
    def children(self) -> tuple[int, ...]:
        """The processes that ask at this moment."""
        return self._worker.pids

    def close(self) -> None:
        """End the child, if there is one."""
        self._worker.close()


class _Question:
    """One question, its pauses, and what came of it."""

    def __init__(self, worker: Worker, clock: Callable[[], float], what: str, places: tuple[str, ...]) -> None:
        self._worker = worker
        self._clock = clock
        self._what = what
        self._places = places
        self._path = places[0]  # of the socket that was found
        self._next = float("-inf")
        self._pause = _SPACING_SECONDS
        self.asked = False
        self.outstanding = False
        self.trouble: Trouble | None = None

    def put(self) -> Any:
        """The answer, or None: it is not time to ask, it has not come yet, or there is trouble."""
        now = self._clock()
        if now < self._next and not self.outstanding:
            return None
        self.asked = True
        self._next = now + _NO_SOCKET_SECONDS
        if not self.outstanding:
            self._path, error = _socket(self._places)
            if error is not None:
                self.trouble = _trouble(error.errno or 0, str(error), self._path)
                return None
        answer = self._worker.ask([(self._what, self._path, kubelet.LONGEST_SECONDS)])[0]
        now = self._clock()
        self.outstanding = isinstance(answer, Silent)
        if self.outstanding:
            self.trouble = Trouble(Message("the kubelet has not answered yet"))
            return None
        self._worker.rest()
        if isinstance(answer, tuple) and not isinstance(answer, Failed):
            self._pause = _SPACING_SECONDS
            self._next = now + self._pause
            self.trouble = None
            return answer
        number, text = (answer.number, answer.text) if isinstance(answer, Failed) else (kubelet.HANGS, "")
        self.trouble = _trouble(number, text, self._path)
        self._pause = _NO_GRPC_SECONDS if number == kubelet.NO_GRPC else min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        self._next = now + self._pause
        return None


def _places(rootfs: Root, name: str) -> tuple[str, ...]:
    return tuple(rootfs.join(f"{directory}/{name}") for directory in kubelet.DIRECTORIES)


def _socket(places: tuple[str, ...]) -> tuple[str, OSError | None]:
    """The first of these that is a socket; if there is none, the usual place and what is wrong there."""
    wrong: list[tuple[str, OSError]] = []
    for path in places:
        try:
            if stat.S_ISSOCK(os.stat(path).st_mode):
                return path, None
            wrong.append((path, FileNotFoundError(errno.ENOENT, "not a socket")))
        except OSError as error:
            wrong.append((path, error))
    return next((each for each in wrong if isinstance(each[1], PermissionError)), wrong[0])


def _understood(told: tuple[Any, ...], refused: int, *, at: float) -> Pods:
    by_uid: dict[str, Pod] = {}
    twice: set[str] = set()
    for each in told:
        pod = Pod(*each)
        key = folded(pod.uid)
        if not (key and is_pod_name(pod.name) and is_label(pod.namespace)):
            refused += 1
        elif key in by_uid or key in twice:
            refused += 1
            twice.add(key)
            by_uid.pop(key, None)
        else:
            by_uid[key] = pod
    by_container: dict[str, tuple[Pod, str]] = {}
    of_many: set[str] = set()
    claims: dict[str, list[Pod]] = {}
    for pod in by_uid.values():
        if pod.hash:
            claims.setdefault(folded(pod.hash), []).append(pod)
        for name, identity in pod.containers:
            if not is_label(name) or identity in of_many:
                refused += 1
            elif identity in by_container:
                refused += 1
                of_many.add(identity)
                del by_container[identity]
            else:
                by_container[identity] = (pod, name)
    return Pods(at, by_uid, by_container, {key: tuple(pods) for key, pods in claims.items()}, refused)


def _devices(told: tuple[Any, ...]) -> tuple[Devices, ...]:
    return tuple(Devices(*each) for each in told)


def _trouble(number: int, text: str, path: str) -> Trouble:
    if number in {errno.ENOENT, errno.ENOTDIR}:
        return Trouble(
            Message("there is no socket {path}", path=path),
            Message(
                "the Pods API is on by default since Kubernetes 1.37; before, set the kubelet's feature gate PodsAPI"
            ),
        )
    if number in {errno.EACCES, errno.EPERM}:
        return Trouble(Message("not allowed to use {path}", path=path), Message("run as root, as the kubelet wants it"))
    if number == kubelet.NO_GRPC:
        return Trouble(
            Message("asking the kubelet needs the package grpcio ({text})", text=text),
            Message("install it with `pip install 'bongsu[k8s]'`"),
        )
    if number == errno.ECONNREFUSED:
        return Trouble(Message("no kubelet listens at {path}", path=path))
    if number == kubelet.HANGS:
        return Trouble(Message("the kubelet does not answer"))
    if number == kubelet.NOT_SERVED:
        return Trouble(Message("the kubelet does not know this question ({text})", text=text))
    if number == kubelet.NOT_READY:
        return Trouble(Message("the kubelet is not ready to answer ({text})", text=text))
    if number == kubelet.TOO_LARGE:
        return Trouble(Message("the kubelet's answer is larger than {size} MiB", size=kubelet.LARGEST_ANSWER >> 20))
    if number == kubelet.GARBAGE:
        return Trouble(Message("the kubelet's answer makes no sense: {text}", text=text))
    return Trouble(Message("asking the kubelet failed: {text}", text=text))
