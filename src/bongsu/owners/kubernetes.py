"""What the pod behind a UID is called: asked of the kubelet, read from its log directories, never guessed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from bongsu.model.message import Message
from bongsu.model.owner import By, Evidence
from bongsu.sources.kubelet_client import Allocation, Kubelet, Pod
from bongsu.sources.pod_logs import PodLogs, folded
from bongsu.sources.root import Machine

PATIENCE_SECONDS = 0.3  # for the kubelet; a late answer is taken at a later look
_GOOD_FOR_SECONDS = 600.0  # a name is looked up anew after this: it cannot change, so a change is a lie
_FIRST_PAUSE_SECONDS = 2.0  # a pod's processes are there moments before its name
_LONGEST_PAUSE_SECONDS = 256.0
_AWAITED_SECONDS = 0.5  # how soon a late answer is looked for
_MOST_KNOWN = 20_000


class PodName(msgspec.Struct, frozen=True, gc=False):
    """What a pod and one of its containers are called. ``container`` is "" while that is not known."""

    uid: str  # as asked for; of `pod_of_container` as it would stand in the cgroup's path
    name: str
    namespace: str
    container: str
    evidence: tuple[Evidence, ...]


class Way(NamedTuple):
    """How one way of knowing fares: None if nobody needed it yet."""

    by: By
    works: bool | None
    said: Message
    cure: Message | None = None


class _Entry(NamedTuple):
    answer: PodName | None
    until: float  # monotonic s; then it is looked up again
    pause: float
    awaited: bool  # the kubelet had not answered: once it has, this is of no use


class PodNames:
    """Names of the pods of one machine.

    The order: the kubelet's Pods API, then the names of its log directories. PodResources tells no UID, and a pod
    may be replaced by one of the same name: it can name no pod, so for names it is not asked. Where the ways
    contradict each other, nothing is believed. A call seldom waits, and then at most ``patience`` seconds: see
    `Kubelet`. What is not known is asked again after pauses that grow from 2 s to 4 min.

    One thread at a time may use it.
    """

    def __init__(
        self, machine: Machine, *, patience: float = PATIENCE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._kubelet = Kubelet(machine.rootfs, patience=patience, clock=clock)
        self._logs = PodLogs(machine.rootfs, clock=clock)
        self._known: dict[tuple[str, str], _Entry] = {}
        self._first_told: dict[str, tuple[str, str]] = {}
        self._contradicted = False  # what was looked at last
        self.contradictions = 0  # lookups in which two ways told different things

    def names(self, uid: str, container_id: str = "") -> PodName | None:
        """The pod with this UID and the container in it, or None while the pod's name is not known.

        ``uid`` is as in the cgroup's path, also a static pod's config hash, with "-", "_" or neither between.
        """
        entry = self._known.get((uid, container_id))
        if entry is not None and self._holds(entry):
            return entry.answer
        return self._looked_up((uid, container_id), entry, self._by_uid)

    def pod_of_container(self, container_id: str) -> PodName | None:
        """The pod that has this container: for a path that holds no UID."""
        entry = self._known.get(("", container_id))
        if entry is not None and self._holds(entry):
            return entry.answer
        return self._looked_up(("", container_id), entry, self._by_container)

    @property
    def awaited(self) -> bool:
        """Whether the kubelet was asked and has not answered yet."""
        return self._kubelet.outstanding

    def tend(self) -> None:
        """Take a late answer if one has come. Called now and then, no child is left waiting with its memory."""
        if self._kubelet.outstanding:
            self._kubelet.refresh()

    def devices(self) -> Allocation | None:
        """The devices of the node's containers by PodResources, as new as 2 s; None while that is not known."""
        self._kubelet.refresh_devices()
        return self._kubelet.allocation

    def state(self) -> tuple[Way, ...]:
        """Which ways of knowing names work, and why the others do not."""
        trouble, pods = self._kubelet.trouble, self._kubelet.pods
        if not self._kubelet.asked:
            api = Way(By.PODS_API, None, Message("not asked yet"))
        elif trouble is not None:
            api = Way(By.PODS_API, False, trouble.why, trouble.cure)
        else:
            api = Way(By.PODS_API, True, Message("{count} pods", count=0 if pods is None else len(pods.by_uid)))
        error = self._logs.trouble
        if not self._logs.looked:
            logs = Way(By.POD_LOGS, None, Message("not looked at yet"))
        elif error is not None:
            said = Message("/var/log/pods cannot be listed: {reason}", reason=error.strerror)
            logs = Way(By.POD_LOGS, False, said)
        else:
            logs = Way(By.POD_LOGS, True, Message("/var/log/pods can be listed"))
        resources = Way(By.POD_RESOURCES, False, Message("it tells no UID, so it can name no pod"))
        return api, resources, logs

    def close(self) -> None:
        """End the child, if there is one."""
        self._kubelet.close()

    def _holds(self, entry: _Entry) -> bool:
        return self._clock() < entry.until and not (entry.awaited and not self._kubelet.outstanding)

    def _looked_up(
        self, key: tuple[str, str], entry: _Entry | None, look: Callable[[str, str], PodName | None]
    ) -> PodName | None:
        pods = self._kubelet.pods
        self._contradicted = False
        found = look(*key) if pods is not None and self._clock() < pods.at + _GOOD_FOR_SECONDS else None
        if found is None or not _complete(found, key):
            self._kubelet.refresh()
            self._contradicted = False
            found = look(*key)
        before = None if entry is None else entry.answer
        if before is not None and not self._contradicted and (found is None or not found.container):
            found = before  # the pod has gone since, or nobody can be asked: what it was called remains true
        self.contradictions += self._contradicted
        self._remember(key, entry, found)
        return found

    def _remember(self, key: tuple[str, str], entry: _Entry | None, found: PodName | None) -> None:
        now = self._clock()
        pause = _FIRST_PAUSE_SECONDS if entry is None else entry.pause
        if found is not None and _complete(found, key):
            until, pause = now + _GOOD_FOR_SECONDS, _FIRST_PAUSE_SECONDS
        elif self._kubelet.outstanding:
            until = now + _AWAITED_SECONDS
        else:  # on a common grid, so that one answer serves all that wait
            until = (now // pause + 1) * pause
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        if len(self._known) >= _MOST_KNOWN and key not in self._known:
            self._known.clear()
            self._first_told.clear()
        self._known[key] = _Entry(found, until, pause, self._kubelet.outstanding)

    def _by_uid(self, uid: str, container_id: str) -> PodName | None:
        told = self._pod_told(uid, container_id)
        logged = self._logs.pod(uid)
        if told is not None and logged is not None and (told.namespace, told.name) != (logged.namespace, logged.name):
            self._contradicted = True
            return None
        evidence = []
        if told is not None:
            evidence.append(Evidence(By.PODS_API, f"{told.namespace}/{told.name}"))
        elif logged is not None:
            evidence.append(Evidence(By.POD_LOGS, "_".join(logged)))
        pod = told or logged
        if pod is None:
            return None
        if not self._same_as_ever(folded(uid), (pod.namespace, pod.name)):
            return None
        container, by = self._container(uid, container_id) if container_id else ("", None)
        if by is not None and all(each.by is not by for each in evidence):
            evidence.append(Evidence(by, container))
        return PodName(uid, pod.name, pod.namespace, container, tuple(evidence))

    def _pod_told(self, uid: str, container_id: str) -> Pod | None:
        """The pod with this UID or config hash, as the Pods API tells.

        An annotation alone proves nothing: whoever makes a pod writes it. A mirror pod does: the kubelet runs no
        pod of others that calls itself one. So does the container's id, which the kubelet writes.
        """
        pods = self._kubelet.pods
        if pods is None:
            return None
        key = folded(uid)
        found = pods.by_uid.get(key)
        if found is not None:
            return found
        holder = pods.by_container.get(container_id, (None, ""))[0]
        static = [pod for pod in pods.by_hash.get(key, ()) if folded(pod.mirror) == key or pod is holder]
        return static[0] if len(static) == 1 else None

    def _container(self, uid: str, container_id: str) -> tuple[str, By | None]:
        """The name of a pod's container, and who told; "" if nobody knows, or they contradict each other."""
        told, logged = "", ""
        holder = self._kubelet.pods.by_container.get(container_id) if self._kubelet.pods is not None else None
        link = self._logs.container(container_id)
        wrong = False
        if holder is not None:
            told, wrong = holder[1], folded(uid) not in {folded(holder[0].uid), folded(holder[0].hash)}
        if link is not None:
            logged, wrong = link.container, wrong or folded(link.pod.uid) != folded(uid)
        if wrong or (told and logged and told != logged):
            self._contradicted = True
            return "", None
        found = told or logged
        if not found or not self._same_as_ever(container_id, (folded(uid), found)):
            return "", None
        return found, By.PODS_API if told else By.POD_LOGS

    def _same_as_ever(self, identity: str, told: tuple[str, str]) -> bool:
        """Whether this is what was told about it the first time. No UID and no container id is ever used twice."""
        same = self._first_told.setdefault(identity, told) == told
        self._contradicted = self._contradicted or not same
        return same

    def _by_container(self, _uid: str, container_id: str) -> PodName | None:
        holder = self._kubelet.pods.by_container.get(container_id) if self._kubelet.pods is not None else None
        if holder is not None:
            pod = holder[0]
            mirrors = pod.hash if pod.mirror and folded(pod.mirror) == folded(pod.hash) else ""
            found = self._by_uid(mirrors or pod.uid, container_id)
        else:
            link = self._logs.container(container_id)
            found = None if link is None else self._by_uid(link.pod.uid, container_id)
        return found if found is not None and found.container else None


def _complete(found: PodName, key: tuple[str, str]) -> bool:
    return bool(found.container) or not key[1]
