"""What a user is called: /etc/passwd first, then the name service with a deadline, else the number."""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from bongsu.sources import nss
from bongsu.sources.root import Root
from bongsu.sources.worker import Silent, Worker

_LOOK_AGAIN_SECONDS = 1.0  # how soon a changed /etc/passwd, or a service that hung, is noticed
_GOOD_FOR_SECONDS = 600.0  # how long an answer of the name service is believed
_MOST_KNOWN = 20_000
_LONGEST_NUMBER = 10  # digits of 2³²


class KnownBy(enum.Enum):
    """How a name is known."""

    FILE = "/etc/passwd"
    NAME_SERVICE = "name service"
    NOBODY = "no name is known, this is the number"
    NO_ANSWER = "the name service does not answer, this is the number"


class UserName(NamedTuple):
    """A name, or the number as text, and how it is known."""

    name: str
    known_by: KnownBy


class Users:
    """Names of users on the machine whose root file system this is. Never raises, and never waits long.

    A name service that hangs costs one wait of at most a second, and then nothing until it answers:
    it is asked in a child process, one question at a time. On another root than ``/`` (a captured
    machine, the host seen from a container) our name service would answer for the wrong machine, so
    it is not asked.
    """

    def __init__(self, rootfs: Root, *, patience: float = 0.4, service: str = nss.SERVICE) -> None:
        self._rootfs = rootfs
        self._worker = Worker(service, patience=patience, most=0) if rootfs.path == "/" else None
        self._passwd: dict[int, str] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._looked = float("-inf")
        self._asked: dict[int, tuple[UserName, float]] = {}  # uid → answer, monotonic time until which it is believed

    def name(self, uid: int) -> str:
        """The name, or the number as text."""
        return self.look_up((uid,))[uid].name

    def look_up(self, uids: Iterable[int]) -> dict[int, UserName]:
        """The names of all these users, with one question to the name service for those that need it."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_AGAIN_SECONDS:
            self._looked = now
            self._read_passwd()
        found: dict[int, UserName] = {}
        unknown: list[int] = []
        for uid in uids:
            name = self._passwd.get(uid)
            if name is not None:
                found[uid] = UserName(name, KnownBy.FILE)
                continue
            asked = self._asked.get(uid)
            if asked is not None and now < asked[1]:
                found[uid] = asked[0]
            elif uid not in found:
                found[uid] = UserName(str(uid), KnownBy.NOBODY)
                unknown.append(uid)
        if unknown and self._worker is not None:
            found.update(self._ask(self._worker, unknown))
        return found

    def close(self) -> None:
        """End the child, if there is one."""
        if self._worker is not None:
            self._worker.close()

    def _ask(self, worker: Worker, uids: list[int]) -> dict[int, UserName]:
        answers = worker.ask(uids)
        if not any(isinstance(answer, Silent) for answer in answers):
            worker.rest()  # seldom needed, and a child costs memory
        if len(self._asked) > _MOST_KNOWN:
            self._asked.clear()
        now = time.monotonic()
        found = {}
        for uid, answer in zip(uids, answers, strict=True):
            if isinstance(answer, str):
                user, good_for = UserName(answer, KnownBy.NAME_SERVICE), _GOOD_FOR_SECONDS
            elif answer is None:
                user, good_for = UserName(str(uid), KnownBy.NOBODY), _GOOD_FOR_SECONDS
            else:  # it hangs, hung before this one's turn, or failed
                user, good_for = UserName(str(uid), KnownBy.NO_ANSWER), _LOOK_AGAIN_SECONDS
            found[uid] = user
            self._asked[uid] = (user, now + good_for)
        return found

    def _read_passwd(self) -> None:
        try:
            status = os.stat(self._rootfs.join("etc/passwd"))
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            text = self._rootfs.read_once("etc/passwd")
        except OSError:
            return  # being replaced, or none: what was known stays known
        self._stamp = stamp
        self._passwd = parse_passwd(text)


def parse_passwd(text: bytes) -> dict[int, str]:
    """Names by number from passwd(5); the first of several wins, as in the C library; other lines are passed over."""
    names: dict[int, str] = {}
    for line in text.split(b"\n"):
        fields = line.split(b":")
        if len(fields) < 4 or not fields[0] or fields[0][:1] in {b"+", b"-", b"#"}:
            continue
        if fields[2].isdigit() and len(fields[2]) <= _LONGEST_NUMBER:
            names.setdefault(int(fields[2]), fields[0].decode("utf-8", "surrogateescape"))
    return names
