"""What the kubelet's log directories tell by their names: which pod has a UID, and which container an id.

``/var/log/pods/NAMESPACE_POD_UID/CONTAINER/`` and ``/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log``, a link
to a file in the former (k8s.io/kubernetes, pkg/kubelet/kuberuntime). Any user may list them, and no name in them
can hold "_" or "/".
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from bongsu.sources.root import Root

_PODS = "var/log/pods"
_CONTAINERS = "var/log/containers"
_MOST = 20_000  # names read of a directory
_LOOK_AGAIN_SECONDS = 1.0
_SETTLED_SECONDS = 2.0  # a directory changed since may have changed again without its time showing it

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123
_UID = re.compile(r"[0-9A-Za-z-]{1,128}")
_CONTAINER_ID = re.compile(r"[0-9a-f]{12,128}")


class LoggedPod(NamedTuple):
    """The pod that a directory's name tells of."""

    namespace: str
    name: str
    uid: str


class LoggedContainer(NamedTuple):
    """The container that a link's name tells of, and its pod, from where the link leads."""

    pod: LoggedPod
    container: str


def is_label(name: str) -> bool:
    """Whether this can be the name of a namespace or container (RFC 1123 label)."""
    return _LABEL.fullmatch(name) is not None


def is_pod_name(name: str) -> bool:
    """Whether this can be the name of a pod (RFC 1123 subdomain)."""
    return len(name) <= 253 and all(map(is_label, name.split(".")))


def folded(uid: str) -> str:
    """A pod's UID as it is compared: a systemd slice has "_" for "-", and a static pod's hash comes with and without."""
    return uid.replace("_", "-").replace("-", "").lower()


def parse_directory(name: str) -> LoggedPod | None:
    """The pod of NAMESPACE_POD_UID, or None if that is not what this is."""
    parts = name.split("_")
    if len(parts) != 3 or not (is_label(parts[0]) and is_pod_name(parts[1]) and _UID.fullmatch(parts[2])):
        return None
    return LoggedPod(*parts)


def parse_link(name: str) -> tuple[str, str, str, str] | None:
    """Pod, namespace, container and container id of POD_NAMESPACE_CONTAINER-ID.log, or None.

    A name that would be longer than a file's may be was cut by the kubelet, in the id: that id is nobody's.
    """
    parts = name.removesuffix(".log").split("_")
    if len(parts) != 3 or not name.endswith(".log"):
        return None
    container, _, identity = parts[2].rpartition("-")
    if not (is_pod_name(parts[0]) and is_label(parts[1]) and is_label(container) and _CONTAINER_ID.fullmatch(identity)):
        return None
    return parts[0], parts[1], container, identity


class PodLogs:
    """The names in the two directories of a machine, listed again when they change. Never raises.

    A directory counts only if it belongs to whom the root directory belongs to, as the kubelet's does: another
    user could have made any names.
    """

    def __init__(self, rootfs: Root, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rootfs = rootfs
        self._pods = _Listed(rootfs, _PODS, clock)
        self._containers = _Listed(rootfs, _CONTAINERS, clock)
        self._by_uid: dict[str, LoggedPod | None] = {}  # None: several pods have it
        self._by_id: dict[str, str | None] = {}  # container id → name of the link

    @property
    def trouble(self) -> OSError | None:
        """Why the pods' directory could not be listed the last time."""
        return self._pods.trouble

    @property
    def looked(self) -> bool:
        """Whether anybody has asked yet."""
        return self._pods.looked

    def pod(self, uid: str) -> LoggedPod | None:
        """The one pod that has this UID."""
        names = self._pods.changed()
        if names is not None:
            self._by_uid = {}
            for name in names:
                pod = parse_directory(name)
                if pod is not None:
                    key = folded(pod.uid)
                    self._by_uid[key] = None if key in self._by_uid else pod
        return self._by_uid.get(folded(uid))

    def container(self, identity: str) -> LoggedContainer | None:
        """The container with this id and its pod, if what the link is called and where it leads agree."""
        names = self._containers.changed()
        if names is not None:
            self._by_id = {}
            for name in names:
                parsed = parse_link(name)
                if parsed is not None:
                    self._by_id[parsed[3]] = None if parsed[3] in self._by_id else name
        link = self._by_id.get(identity)
        parsed = parse_link(link) if link else None
        target = self._rootfs.link(f"{_CONTAINERS}/{link}") if link else None
        if parsed is None or target is None:
            return None
        parts = target.split("/")
        pod = parse_directory(parts[-3]) if len(parts) >= 3 else None
        if pod is None or (pod.name, pod.namespace, parts[-2]) != parsed[:3]:
            return None
        return LoggedContainer(pod, parsed[2])


class _Listed:
    """A directory whose names are read again only when it has changed."""

    def __init__(self, rootfs: Root, path: str, clock: Callable[[], float]) -> None:
        self._rootfs = rootfs
        self._path = path
        self._clock = clock
        self._next = float("-inf")
        self._stamp: tuple[int, int] | None = None
        self.looked = False
        self.trouble: OSError | None = None

    def changed(self) -> list[str] | None:
        """The names if they may be others than the last time (none, if there is no directory), else None."""
        now = self._clock()
        if now < self._next:
            return None
        self._next = now + _LOOK_AGAIN_SECONDS
        self.looked = True
        path = self._rootfs.join(self._path)
        try:
            status = os.stat(path)
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp == self._stamp:
                return None
            if status.st_uid != os.stat(self._rootfs.path).st_uid:
                raise PermissionError(0, "it belongs to another user than the root directory, so it is not believed")
            with os.scandir(path) as entries:
                names = [entry.name for entry in islice(entries, _MOST)]
        except OSError as error:
            self.trouble, self._stamp = error, None
            return []
        settled = time.time() - status.st_mtime > _SETTLED_SECONDS
        self.trouble, self._stamp = None, stamp if settled else None
        return names
