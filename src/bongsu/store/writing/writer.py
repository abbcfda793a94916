"""Writes the store: a sink that takes batches at once and brings them to the disk in a thread of its own."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from bongsu.model.batch import Batch, Sample
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store.layout import file, place
from bongsu.store.layout.catalogue import NOTHING, Catalogue, Unsaved
from bongsu.store.layout.hot import HotRow, unpack_ids
from bongsu.store.layout.lock import Lock
from bongsu.store.writing.clock import Clock
from bongsu.store.writing.disk import AtCap, Blocked, Broken, Disk, Left
from bongsu.store.writing.facts import Facts, Limits, samples
from bongsu.store.writing.intake import Intake
from bongsu.store.writing.troubles import Troubles
from bongsu.store.writing.upkeep import Upkeep
from bongsu.store.writing.waiting import Waiting

_log = logging.getLogger("bongsu.store")
MB = 1024 * 1024
_AFTER_KILL_MS = 1000
_SAME_CLOCK_MS = 60_000  # a batch's time further from the clock than this is not of it (a replay, a test)
_TEND_AGAIN = 5.0  # seconds until upkeep that failed is tried again
_LITTLE = 100  # rows
_AGAIN = 1.0  # seconds until what did not succeed is tried again, at least
_END_SECONDS = 10.0  # the thread may be sealing when the end comes


class Writer:
    """The one writer of a store.

    A batch is turned into a row at once and waits in memory; every ``commit_every`` seconds (0: at once) the thread
    commits those that wait. Where the disk takes nothing they go on waiting, up to ten minutes or 64 MB: then
    the oldest are dropped and counted, and `write` raises. Readers in this process add what `pending` and `unsaved`
    give to what they find in the file.

    Args:
        path: the file; made with its directory where there is none.
        labels: what every series gets besides its own labels, such as ``job`` and ``instance``.
        raw_seconds: how long every sample is kept.
        minutes_seconds: how long one value a minute is kept.
        max_bytes: the most that the file and its log may take.
        commit_every: seconds between two commits; what was taken since the last is lost when the process is killed.
        durable: wait at each commit until it is on the disk, so that a power cut loses nothing that was committed
            (without it: the last commits since SQLite's checkpoint, of up to 4 MB of log; the file stays whole). With
            500 series at 1 Hz and a commit every 5 s it costs 0.04 s of CPU, 3 MB of writes (5 %) and 0.2 s of waiting
            an hour on a virtual SSD, in the store's own thread.
        wal_limit: bytes of the log above which nothing is written while somebody reads from it; less where `file.log_limit`
            of ``max_bytes`` is less.
        most_bytes: bytes that may wait in memory.
        most_seconds: seconds of batches that may wait in memory.
        threaded: without a thread nothing is written but by `flush`.
        tell: for tests: hears what is done now ("committing", "sealing" …) and the number of the newest committed row.

    Raises:
        BadInput: another process writes this store, or it cannot be used.
    """

    name = "store"

    def __init__(
        self, path: str, *, labels: Mapping[str, str], raw_seconds: float = 7 * 86400.0,
        minutes_seconds: float = 90 * 86400.0, max_bytes: int = 2048 * MB, commit_every: float = 5.0,
        durable: bool = False, wal_limit: int = 64 * MB, most_bytes: int = 64 * MB, most_seconds: float = 600.0,
        threaded: bool = True, tell: Callable[[str, int], None] = lambda _step, _seq: None,
    ) -> None:  # fmt: skip
        self.path = os.path.abspath(path)
        self._commit_every = commit_every
        self._tell = tell
        self._pid = os.getpid()
        self._waiting = Waiting(most_bytes, most_seconds, lambda row: self._intake.end(row.layouts, row.ts, row.seq))
        self._troubles = Troubles()
        self._state = threading.Lock()  # of all that `write` touches
        self._disk_free = threading.Lock()  # of the connection
        self._wake = threading.Event()
        self._closed = False
        self._committed = 0
        self._committed_to: int | None = None  # the time of the newest row: what is later is not to be sealed yet
        self._last_commit: float | None = None
        self._upkeep_seconds: float | None = None
        self._tend_again = 0.0  # on the monotonic clock
        self._at_cap = False  # whether the file must lose something before anything is written
        self._names_doubtful = False  # whether the file may lack what the catalogue believes it to have
        self._standing: bytes | None = None  # what is to be written of it with the next commit
        self._lock = Lock(self.path)
        try:
            if doubt := place.doubt(self.path):
                self._troubles.say("place", doubt)
            upkeep = Upkeep(
                raw_seconds=raw_seconds, minutes_seconds=minutes_seconds, max_bytes=max_bytes,
                tell=lambda step: tell(step, self._committed),
            )  # fmt: skip
            self._disk = Disk(
                self.path, upkeep, self._lock, durable=durable, wal_limit=wal_limit,
                say=lambda message: self._troubles.say("file", message),
            )  # fmt: skip
            self._catalogue, self._left = self._look_into_file(labels)
        except BaseException:
            self._lock.release()
            raise
        self._seq = self._committed = self._left.seq
        self._clock = Clock(self._left.newest)
        self._intake = Intake(self._catalogue)
        self._thread: threading.Thread | None = None
        if threaded:  # before anyone can ask: what the one before read last is no reading of now
            self._mark_end_of_the_last(round(time.time() * 1000))
            self._thread = threading.Thread(target=self._work, name="bongsu-store", daemon=True)
            self._thread.start()

    def configure(self, *, raw_seconds: float, minutes_seconds: float, max_bytes: int, commit_every: float) -> None:
        """Other limits from now on, in the units that the class has; the next upkeep holds them."""
        self._commit_every = commit_every
        with self._disk_free:
            self._disk.configure(raw_seconds=raw_seconds, minutes_seconds=minutes_seconds, max_bytes=max_bytes)
        self._wake.set()

    @property
    def limits(self) -> Limits:
        """What it may grow to, as it was told last."""
        upkeep = self._disk.upkeep
        return Limits(upkeep.raw_ms / 1000, upkeep.minutes_ms / 1000, upkeep.max_bytes, self._commit_every)

    @property
    def problem(self) -> Message | None:
        """What is wrong now, the gravest first."""
        return self._troubles.gravest

    def write(self, batch: Batch) -> None:
        """Take one batch; never waits for the disk.

        Raises:
            OSError: older batches had to be dropped for want of memory, or this is not the process that opened it.
        """
        if os.getpid() != self._pid:
            raise OSError(errno.EPERM, "the history belongs to the process of which this one was forked", self.path)
        with self._state:
            if self._closed:
                raise OSError(errno.EBADF, "the history is closed", self.path)
            if self._seq == self._left.seq:
                self._mark_end_of_the_last(round(batch.time * 1000))
            row, standing = self._intake.take(batch, self._seq + 1)
            if standing is not None:
                self._standing = standing
            dropped = self._append(row)
            self._look_at(row.ts, batch.monotonic)
        if self._commit_every <= 0:
            self._wake.set()
        if dropped:
            raise OSError(
                errno.EIO, "the disk has taken nothing for so long that the oldest readings are dropped", self.path
            )

    def pending(self) -> list[HotRow]:
        """The rows that are not in the file yet, in order. Take them before looking into the file."""
        with self._state:
            return self._waiting.rows

    def unsaved(self) -> Unsaved:
        """The metrics, series and layouts that the file does not know yet. Take them after `pending`, before the file."""
        with self._state:
            return self._catalogue.unsaved.copy()

    def flush(self, now_ms: int | None = None) -> bool:
        """Bring all that waits to the disk, and do what is due at ``now_ms`` (default: the time of the newest batch there).

        Returns whether nothing waits any more. In a threaded writer it takes the thread's place meanwhile.
        """
        return self._bring(now_ms)

    def facts(self) -> Facts:
        """How the store is now."""
        with self._state:
            return Facts(
                self.path, file_bytes=file.size(self.path), wal_bytes=file.size(self.path + "-wal"),
                series=len(self._catalogue), spans=dict(self._disk.spans), newest=self._intake.newest,
                pending_batches=len(self._waiting), pending_bytes=self._waiting.bytes,
                dropped_batches=self._waiting.dropped, doubled_samples=self._intake.doubled, samples=self._intake.samples,
                last_commit=self._last_commit, upkeep_seconds=self._upkeep_seconds, problem=self.problem,
            )  # fmt: skip

    def samples(self) -> Iterable[Sample]:
        """The store's readings of itself; `facts.SPECS` are their metrics."""
        return samples(self.facts())

    def close(self) -> None:
        """Mark the end of all series, write what waits, and let go of the file.

        Raises:
            OSError: what waits could not be written and is lost.
        """
        with self._state:
            if self._closed or os.getpid() != self._pid:
                return
            self._closed = True
            self._mark_the_end()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
            if self._thread.is_alive():
                raise OSError(errno.ETIMEDOUT, "the disk does not answer: the newest readings may be lost", self.path)
        with self._disk_free:
            self._commit(urgent=True)
            self._disk.close()
            self._lock.release()
        if self._waiting:
            raise OSError(errno.EIO, "the newest readings could not be written and are lost", self.path)

    def _look_into_file(self, labels: Mapping[str, str]) -> tuple[Catalogue, Left]:
        for attempt in (1, 2):
            catalogue = Catalogue(labels)
            try:
                catalogue.load(self._disk.connection)
                self._disk.look()
                return catalogue, self._disk.left()
            except sqlite3.Error as error:
                if attempt == 2 or not file.is_broken(error):
                    raise BadInput(
                        Message("{path}: {reason}; give another file (store.path)", path=self.path, reason=str(error))
                    ) from None
                self._disk.begin_anew(str(error))
        raise AssertionError

    def _mark_end_of_the_last(self, ts: int) -> None:
        """The process before was killed: its series ended a second after its newest sample, or before ours begin."""
        newest = self._left.newest
        if not self._left.standing or newest is None:
            return
        end = newest + _AFTER_KILL_MS
        if ts > newest:
            end = max(newest + 1, min(end, ts - 1))
        self._append(self._intake.end(self._left.standing, end, self._seq + 1))

    def _mark_the_end(self) -> None:
        newest = self._intake.newest
        if newest is None:
            return
        now = round(time.time() * 1000)
        end = now if newest < now <= newest + _SAME_CLOCK_MS else newest + 1
        self._append(self._intake.end(self._intake.layouts, end, self._seq + 1))
        self._standing = b""

    def _append(self, row: HotRow | None) -> int:
        if row is None:
            return 0
        self._seq = row.seq
        return self._waiting.add(row)

    def _work(self) -> None:
        done = True
        while not self._closed:
            self._wake.wait((self._commit_every or None) if done else max(self._commit_every, _AGAIN))
            self._wake.clear()
            try:
                done = self._bring(None)
            except Exception:  # noqa: BLE001  the thread goes on whatever one round meets
                _log.exception("a round of the history failed")
                done = False

    def _bring(self, now: int | None) -> bool:
        with self._disk_free:
            done = self._commit(urgent=False)
            if done and not self._closed:
                self._tend(now)
            elif self._at_cap:
                done = self._squeeze()
            return done

    def _squeeze(self) -> bool:
        """The file may not grow: write a little at a time, and between make room by sealing it and by what is old."""
        self._tend(None)
        while self._commit(urgent=False, most=_LITTLE):
            if not self._waiting:
                return True
            self._tend(None)
        return False

    def _commit(self, *, urgent: bool, again: bool = True, most: int | None = None) -> bool:
        with self._state:
            rows = self._waiting.rows[:most]
            standing = self._standing
            unsaved = self._catalogue.unsaved.copy()
        if not rows:
            return True
        self._tell("committing", self._committed)
        try:
            if self._names_doubtful:
                self._forget()
                return self._commit(urgent=urgent, most=most)
            self._disk.commit(rows, standing, unsaved, urgent=urgent)
        except Broken as broken:
            return self._begin_anew(broken) and again and self._commit(urgent=urgent, again=False, most=most)
        except Blocked as blocked:
            self._troubles.say("disk", blocked.message)
            self._at_cap = isinstance(blocked, AtCap)
            return False
        self._at_cap = False
        newest = rows[-1].seq
        self._committed_to = rows[-1].ts
        with self._state:
            self._waiting.written(newest)
            if self._standing is standing:
                self._standing = None
            self._catalogue.saved(unsaved)
        self._committed = newest
        self._last_commit = time.time()
        self._troubles.passed("disk")
        self._tell("committed", newest)
        return True

    def _tend(self, now: int | None, *, again: bool = True) -> None:
        if time.monotonic() < self._tend_again:
            return
        sure = self._clock.sure if now is None else now
        now = self._committed_to if now is None else now
        if now is None or sure is None:
            return
        started = time.perf_counter()
        try:
            if not self._disk.tend(now, sure, self._commit_between):
                return
            self._forget()
        except Broken as broken:
            self._begin_anew(broken)
            return
        except Blocked as blocked:
            self._names_doubtful = True
            if isinstance(blocked, AtCap) and again:  # its last steps have made room for the first ones
                self._tend(now, again=False)
                return
            self._tend_again = time.monotonic() + _TEND_AGAIN
            self._troubles.say("upkeep", blocked.message)
            return
        except Exception as error:  # noqa: BLE001  what is in the file may be anything; taking batches goes on
            self._names_doubtful = True
            self._tend_again = time.monotonic() + 10 * _TEND_AGAIN
            self._troubles.say("upkeep", Message("{path} cannot be compressed: {kind}: {text}; `bongsu store verify` tells more",
                                        path=self.path, kind=type(error).__name__, text=str(error)))  # fmt: skip
            _log.debug("upkeep failed", exc_info=True)
            return
        self._upkeep_seconds = time.perf_counter() - started
        self._troubles.passed("upkeep")

    def _forget(self) -> None:
        """What upkeep has deleted from the catalogue must not be referred to; nothing is committed until that is sure."""
        self._names_doubtful = True
        stored = self._disk.stored()
        with self._state:
            self._catalogue.forget(stored, used_layouts=self._used_layouts())
        self._names_doubtful = False

    def _commit_between(self) -> None:
        """Between two steps of a long upkeep: what has come in meanwhile."""
        if self._last_commit is not None and time.time() - self._last_commit >= self._commit_every:
            self._commit(urgent=False)

    def _begin_anew(self, broken: Broken) -> bool:
        """Another file takes the place of the broken one; what waits in memory goes into it."""
        if broken.reason is None:
            self._troubles.say("file", broken.message)
        try:
            self._disk.begin_anew(broken.reason)
        except Blocked as blocked:
            self._troubles.say("disk", blocked.message)
            return False
        with self._state:
            self._catalogue.forget(NOTHING, used_layouts=self._used_layouts())
            if self._standing is None:
                self._standing = self._intake.layouts
        self._names_doubtful = False
        return True

    def _used_layouts(self) -> set[int]:
        blobs = {row.layouts for row in self._waiting.rows}
        blobs |= {self._intake.layouts, self._left.standing}
        return {number for blob in blobs for number in unpack_ids(blob)}

    def _look_at(self, ts: int, monotonic: float) -> None:
        """Say what is odd about the newest batch, once."""
        odd = self._clock.tick(ts, monotonic)
        if odd is not None:
            self._troubles.say("clock", odd)
        else:
            self._troubles.passed("clock")
        double = self._intake.double
        if double is not None:
            self._troubles.say(
                "double",
                Message("{metric} has the same labels twice in one reading: the first is kept", metric=double),
            )
        else:
            self._troubles.passed("double")
