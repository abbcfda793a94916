"""NVIDIA's driver (libnvidia-ml.so.1), asked by a child process: one that hangs keeps nobody waiting.

Nothing of the driver is loaded here. `bongsu explain` shows the first line.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any, Protocol

import msgspec

from bongsu.model.batch import Why
from bongsu.model.message import Message
from bongsu.sources import nvidia, worker
from bongsu.sources.nvml import answers, decode, sleeping
from bongsu.sources.nvml.ended import RecentlyEnded
from bongsu.sources.nvml.reading import Gap, Snapshot, Xid
from bongsu.sources.root import Machine, Root

_SERVICE = "bongsu.sources.nvml.child:look"
_SAME = 0.5  # s; who asks again so soon gets the same look
_HANGS = 30.0  # s without an answer: killed, in case that frees it
_FIRST = 120.0  # s; a driver that is not kept in memory needs some to wake eight devices
_AGAIN, _AGAIN_MOST = 1.0, 60.0  # s between attempts at a driver that does not answer
_MISSING_AGAIN = 600.0  # s, where there is nothing to ask
_LOST_AGAIN = 60.0  # s; a device that comes back is seen only by who begins anew
_VERSION = "module/nvidia/version"


class NvmlReader:
    """One look at all GPUs at a time, shared by all who ask within half a second. Any thread may ask.

    ``patience`` is how long an answer is waited for (s; at most twice that, and 5 s more while a child starts);
    ``hangs`` after how long without an answer the child is killed. No second child is ever started beside
    one that the driver holds. With ``here`` false the files are those of another machine, whose GPUs cannot be asked.
    """

    def __init__(
        self, machine: Machine, *, patience: float = 1.0, hangs: float = _HANGS, same: float = _SAME, here: bool = True
    ) -> None:
        self._sys = machine.sys  # not the machine: its reader must go when it goes
        self._here = here
        self._hangs = hangs
        self._same = same
        self._lock = threading.Lock()
        self._worker = worker.Worker(_SERVICE, patience=patience, most=0)
        self._sleep = sleeping.Sleep(machine.sys)
        self._last: Snapshot | None = None
        self._looked = 0.0  # monotonic s of the last question
        self._good: Snapshot | None = None  # the last with devices
        self._pids: tuple[int, ...] = ()
        self._silent_since: float | None = None  # monotonic s: nothing was answered since
        self._open_since = 0.0  # monotonic s: the present child has been silent since
        self._answered = False  # whether the present child ever answered
        self._pause_until = 0.0
        self._pause = 0.0
        self._wanted = False  # whether somebody asks for a look in spite of the pause
        self._lost_since: float | None = None
        self._lost_pause = _LOST_AGAIN
        self._version: str | None = None
        self._xids: tuple[Xid, ...] = ()  # all that we heard of
        self._counted: dict[tuple[str, int], tuple[int, float]] = {}  # of them, by children that are no more
        self._ended = RecentlyEnded()

    @property
    def pids(self) -> tuple[int, ...]:
        """The child that asks the driver, and one that it holds."""
        return self._worker.pids

    def read(self) -> Snapshot:
        """A look, at most half a second old; while the driver hangs the last one, with its age and the reason."""
        with self._lock:
            now = time.monotonic()
            if self._last is None or now - self._looked >= self._same:
                self._last = self._look(now)
                self._looked = time.monotonic()
            return self._last

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._worker.close()

    def try_again(self) -> None:
        """Ask at the next look, though the driver failed or was not there a short time ago. Never waits."""
        self._wanted = True  # not the pause itself, which a look that is under way may set when it fails

    def _look(self, now: float) -> Snapshot:
        if not self._here:
            return _nothing(answers.NOT_THIS_MACHINE, "nvmlInit")
        self._notice_other_driver()
        self._sleep.look_around(now)
        wanted, self._wanted = self._wanted, False
        if now < self._pause_until and not wanted and self._last is not None:
            return self._last
        if not self._worker.pids and not _has_library():
            self._pause_until = now + _MISSING_AGAIN
            return _nothing(answers.LIBRARY_NOT_FOUND, f"dlopen {nvidia.LIBRARY}")
        if self._silent_since is None and self._sleep.all_asleep:
            self._rest()
            return self._sleep.look(self._good)
        answer = self._ask(now)
        if isinstance(answer, worker.Silent | worker.NotAsked):
            return self._silent()
        if isinstance(answer, worker.Failed):
            self._rest()
            self._pause_until = now + self._longer()
            return self._failed(decode.gap(answers.LOOK_FAILED, answer.text))
        if not isinstance(answer, Snapshot):
            if len(answer) == 2:
                return self._no_driver(now, answer)
            answer = self._with_xids(decode.snapshot(answer))
        self._pause = 0.0
        return self._good_look(now, answer)

    def _rest(self) -> None:
        self._worker.rest()
        # Also where the next child has this one's number: it counts from 0. One that hangs stays, and its count too.
        self._pids = self._worker.pids

    def _ask(self, now: float) -> Any:
        """What the child says. An answer that came late is followed by a fresh one; if that is late too, it stands, as a look."""
        answer = self._ask_once(now)
        if self._silent_since is None or isinstance(answer, worker.Silent | worker.NotAsked):
            return answer
        self._silent_since = None
        if isinstance(answer, worker.Failed) or len(answer) == 2:
            return self._ask_once(time.monotonic())
        late = self._with_xids(decode.snapshot(answer))  # before the child is asked again, and may be found dead
        fresh = self._ask_once(time.monotonic())
        if isinstance(fresh, worker.Silent | worker.NotAsked):
            return late  # its errors are counted already, and perhaps as those of a child that is no more
        self._ended.added(late)  # what is told once would be lost
        return fresh

    def _ask_once(self, now: float) -> Any:
        answer = self._worker.ask((self._sleep.awake,))[0]
        silent = isinstance(answer, worker.Silent | worker.NotAsked)
        if self._worker.pids != self._pids:  # another child, which counts from 0 and has all its time
            self._pids = self._worker.pids
            self._counted = {(xid.uuid, xid.xid): (xid.count, xid.last_time) for xid in self._xids}
            self._answered = False
            self._open_since = now
        if not silent:
            self._answered = True
        elif self._silent_since is None:
            self._silent_since = self._open_since = now
        return answer

    def _good_look(self, now: float, look: Snapshot) -> Snapshot:
        look = self._ended.added(look)
        if any(gpu.failed is not None and gpu.failed.why is Why.LOST for gpu in look.gpus):
            self._lost_since = self._lost_since or now
            if now - self._lost_since >= self._lost_pause:  # the library sees a device that returned only anew
                self._lost_since = None
                self._lost_pause = min(self._lost_pause * 2, _MISSING_AGAIN)
                self._rest()
        else:
            self._lost_since, self._lost_pause = None, _LOST_AGAIN
        look = self._sleep.add(self._named(look), self._good)
        self._good = look
        if self._silent_since is not None:  # this is the answer to an earlier question, and the next is open
            return self._silent()
        if self._sleep.wants_rest(look, now):
            self._rest()
        return look

    def _named(self, look: Snapshot) -> Snapshot:
        """A device that is lost tells no child its name; the one before knew it."""
        if self._good is None or all(gpu.uuid for gpu in look.gpus):
            return look
        known = {gpu.index: gpu for gpu in self._good.gpus}
        gpus = tuple(
            msgspec.structs.replace(known[gpu.index], values=(), instances=(), failed=gpu.failed)
            if not gpu.uuid and gpu.index in known
            else gpu
            for gpu in look.gpus
        )
        return msgspec.structs.replace(look, gpus=gpus)

    def _silent(self) -> Snapshot:
        now = time.monotonic()
        if now - self._open_since >= (self._hangs if self._answered else max(self._hangs, _FIRST)):
            self._worker.kill_hung()
        finding = Message(
            "NVIDIA's driver has not answered for {seconds} s", seconds=max(1, round(now - (self._silent_since or now)))
        )
        cure = Message(
            "see the kernel's log for NVRM and Xid lines; a driver that stays so needs a reset of the GPU or of the machine"
        )
        if self._good is None:
            return _nothing(answers.NO_ANSWER, "nvmlInit", finding, cure)
        age = max(time.time() - self._good.time, 0.001)
        return msgspec.structs.replace(self._good, stale_seconds=age, finding=finding, cure=cure)

    def _no_driver(self, now: float, failed: tuple[int, str]) -> Snapshot:
        """The driver as a whole does not answer: the child, with the library it loaded, goes, and later another tries."""
        self._rest()
        self._pause_until = now + (_MISSING_AGAIN if failed[0] < 0 else self._longer())
        return self._failed(decode.gap(*failed), failed[0])

    def _failed(self, gap: Gap, code: int = 0) -> Snapshot:
        finding, cure = _WORDS.get(code, (None, None))
        return Snapshot(time=time.time(), error=gap, finding=finding, cure=cure, xids=self._xids)

    def _longer(self) -> float:
        self._pause = min(self._pause * 2 or _AGAIN, _AGAIN_MOST)
        return self._pause

    def _with_xids(self, look: Snapshot) -> Snapshot:
        """Errors counted since we listen, not since this child does."""
        if self._counted:
            counted = dict(self._counted)
            for xid in look.xids:
                count, _ = counted.get((xid.uuid, xid.xid), (0, 0.0))
                counted[xid.uuid, xid.xid] = (count + xid.count, xid.last_time)
            xids = tuple(Xid(uuid, number, *told) for (uuid, number), told in counted.items())
            look = msgspec.structs.replace(look, xids=xids)
        self._xids = look.xids
        return look

    def _notice_other_driver(self) -> None:
        """After an upgrade the child's library is the old one; after any reload its handles are stale."""
        try:
            version = self._sys.attribute(_VERSION)
        except OSError:
            return
        if version == self._version or self._silent_since is not None:
            return
        if self._version is not None:
            self._rest()
        self._version = version
        self._pause_until = 0.0


_WORDS: dict[int, tuple[Message, Message]] = {
    answers.NO_BINDING: (
        Message("NVIDIA's driver is here, but nvidia-ml-py, with which it is read, is not installed"),
        Message("pip install 'bongsu[gpu]'"),
    ),
    answers.OTHER_BINDING: (
        Message("the installed module pynvml is not the one of nvidia-ml-py"),
        Message("pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py"),
    ),
    answers.LIBRARY_NOT_FOUND: (  # no child is started where there is none
        Message("NVIDIA's library {library} is here, but cannot be loaded", library=nvidia.LIBRARY),
        Message("it may be damaged, of another architecture, or lack a library of its own: see `ldd` of it"),
    ),
    answers.NO_PERMISSION: (
        Message("this user may not use NVIDIA's driver"),
        Message("let it read and write /dev/nvidiactl and /dev/nvidia0, or run as root"),
    ),
}


def _nothing(code: int, call: str, finding: Message | None = None, cure: Message | None = None) -> Snapshot:
    return Snapshot(time=time.time(), error=decode.gap(code, call), finding=finding, cure=cure)


def _has_library() -> bool:
    """Whether a child could load the library. It is looked for where this process runs, whatever machine's files are read."""
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return any(os.path.exists(os.path.join(folder, nvidia.LIBRARY)) for folder in folders if folder) or (
        nvidia.has_library(Root("/"))
    )


_lock = threading.Lock()
_readers: weakref.WeakKeyDictionary[Machine, Reader] = weakref.WeakKeyDictionary()


class Reader(Protocol):
    """Who looks at the GPUs of a machine."""

    def read(self) -> Snapshot:
        """The look of this moment, within its patience."""

    def close(self) -> None:
        """End what it started."""


def read_by(machine: Machine, reader: Reader) -> None:
    """Let this reader answer for a machine, before anybody asks: `demo.DemoReader` for a demonstration."""
    with _lock:
        _readers[machine] = reader


def reader_of(machine: Machine) -> Reader:
    """The one reader of a machine, whoever asks for it."""
    with _lock:
        found = _readers.get(machine)
        if found is None:
            found = _readers[machine] = NvmlReader(machine, here=machine.proc.live)
        return found


def try_again(machine: Machine) -> None:
    """Somebody may have made the driver work: what is not asked for a while is asked at the next look."""
    with _lock:
        reader = _readers.get(machine)
    if isinstance(reader, NvmlReader):
        reader.try_again()
