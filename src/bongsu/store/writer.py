"""Writes the store: a sink that takes batches at once and brings them to the disk in a thread of its own."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from bongsu.model.batch import Batch, Sample
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.store import file, place
from bongsu.store.catalogue import NOTHING, Catalogue, Stored, Unsaved
from bongsu.store.disk import Blocked, Broken, Disk, Left
from bongsu.store.facts import Facts, samples
from bongsu.store.hot import HotRow, unpack_ids
from bongsu.store.intake import Intake
from bongsu.store.lock import Lock
from bongsu.store.upkeep import Upkeep

_log = logging.getLogger("bongsu.store")
MB = 1024 * 1024
_AFTER_KILL_MS = 1000
_SAME_CLOCK_MS = 60_000  # a batch's time further from the clock than this is not of it (a replay, a test)
_TEND_AGAIN = 5.0  # seconds until upkeep that failed is tried again
_AGAIN = 1.0  # seconds until what did not succeed is tried again, at least
_END_SECONDS = 10.0  # the thread may be sealing when the end comes


class Writer:
    """The one writer of a store.

    A batch is turned into a row at once and waits in memory; every ``commit_every`` seconds (0: at once) the thread
    commits those that wait. Where the disk takes nothing they go on waiting, up to ten minutes of them or 64 MB: then
    the oldest are dropped and counted, and `write` raises. Readers in this process add what `pending` and `unsaved`
    give to what they find in the file.

    Args:
        path: the file; made with its directory where there is none.
        labels: what every series gets besides its own labels, such as ``job`` and ``instance``.
        raw_seconds: how long every sample is kept.
        minutes_seconds: how long one value a minute is kept.
        max_bytes: the most that the file and its log may take.
        commit_every: seconds between two commits; what was taken since the last is lost when the process is killed.
        durable: wait at each commit until it is on the disk, so that a power cut loses nothing that was committed.
        wal_limit: bytes of the log above which nothing is written while somebody reads from it; less where `file.log_limit`
            of ``max_bytes`` is less.
        most_bytes: bytes that may wait in memory.
        most_seconds: seconds of batches that may wait in memory.
        threaded: without a thread nothing is written but by `flush`.
        tell: for tests: hears what is done at this moment ("committing", "committed", "sealing" …) and the number of
            the newest row that is committed.

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
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._tell = tell
        self._pid = os.getpid()
        self._pending: deque[tuple[HotRow, float]] = deque()  # with the batch's monotonic time
        self._pending_bytes = 0
        self._problems: dict[str, Message] = {}
        self._state = threading.Lock()  # of all that `write` touches
        self._disk_free = threading.Lock()  # of the connection
        self._wake = threading.Event()
        self._closed = False
        self._committed = 0
        self._committed_to: int | None = None  # the time of the newest row: what is later is not to be sealed yet
        self._dropped = 0
        self._last_commit: float | None = None
        self._upkeep_seconds: float | None = None
        self._tend_again = 0.0  # on the monotonic clock
        self._gap = -1  # the number of the row that stands for those that were dropped
        self._standing: bytes | None = None  # what is to be written of it with the next commit
        self._lock = Lock(self.path)
        try:
            if kind := place.network_file_system(self.path):
                self._say("place", Message("{path} lies on a {kind} file system: SQLite's locks may fail there and the "
                                           "history with them; give a file on a local disk (store.path)",
                                           path=self.path, kind=kind))  # fmt: skip
            upkeep = Upkeep(
                raw_seconds=raw_seconds, minutes_seconds=minutes_seconds, max_bytes=max_bytes,
                tell=lambda step: tell(step, self._committed),
            )  # fmt: skip
            self._disk = Disk(
                self.path,
                upkeep,
                durable=durable,
                wal_limit=wal_limit,
                say=lambda message: self._say("file", message),
            )
            self._catalogue, self._left = self._look_into_file(labels)
        except BaseException:
            self._lock.release()
            raise
        self._seq = self._committed = self._left.seq
        self._latest = self._left.newest
        self._intake = Intake(self._catalogue)
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._work, name="bongsu-store", daemon=True)
            self._thread.start()

    def configure(self, *, raw_seconds: float, minutes_seconds: float, max_bytes: int, commit_every: float) -> None:
        """Other limits from now on, in the units that the class has; the next upkeep holds them."""
        self._commit_every = commit_every
        with self._disk_free:
            self._disk.configure(raw_seconds=raw_seconds, minutes_seconds=minutes_seconds, max_bytes=max_bytes)
        self._wake.set()

    @property
    def problem(self) -> Message | None:
        """What is wrong now, the gravest first."""
        problems = dict(self._problems)
        for subject in ("disk", "upkeep", "file", "clock", "double", "place"):
            if subject in problems:
                return problems[subject]
        return None

    def write(self, batch: Batch) -> None:
        """Take one batch; never waits for the disk.

        Raises:
            OSError: older batches had to be dropped for want of memory, or this is not the process that opened it.
        """
        if os.getpid() != self._pid:
            raise OSError("the history belongs to another process, of which this one was forked")
        with self._state:
            if self._closed:
                raise OSError("the history is closed")
            if self._seq == self._left.seq:
                self._mark_end_of_the_last(round(batch.time * 1000))
            row, standing = self._intake.take(batch, self._seq + 1)
            if standing is not None:
                self._standing = standing
            self._append(row, batch.monotonic)
            dropped = self._drop(batch.monotonic)
        self._look_at(row.ts)
        if self._commit_every <= 0:
            self._wake.set()
        if dropped:
            problem = self._problems.get("disk")
            raise OSError(f"{dropped} older batches were dropped: {problem or 'the disk is too slow'}")

    def pending(self) -> list[HotRow]:
        """The rows that are not in the file yet, in order. Take them before looking into the file."""
        with self._state:
            return [row for row, _ in self._pending]

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
                pending_batches=len(self._pending), pending_bytes=self._pending_bytes,
                dropped_batches=self._dropped, doubled_samples=self._intake.doubled, samples=self._intake.samples,
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
                raise OSError("the disk does not answer: the newest readings may be lost")
        with self._disk_free:
            self._commit(urgent=True)
            self._disk.close()
            self._lock.release()
        if self._pending:
            raise OSError(f"{len(self._pending)} batches could not be written: {self._problems.get('disk')}")

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

    def _drop(self, monotonic: float) -> int:
        """Let go of the oldest where too much waits; the first one stays as stale marks, so that the gap shows."""
        dropped = 0
        pending = self._pending
        while len(pending) > 2 and (
            self._pending_bytes > self._most_bytes or monotonic - pending[1][1] > self._most_seconds
        ):
            row, at = pending[0]
            if row.seq != self._gap:
                self._gap = row.seq
                marks = self._intake.end(row.layouts, row.ts, row.seq)
                if marks is not None:
                    pending[0] = (marks, at)
            else:
                self._pending_bytes -= pending[1][0].size
                del pending[1]
            dropped += 1
        self._dropped += dropped
        return dropped

    def _mark_end_of_the_last(self, ts: int) -> None:
        """The process before was killed: its series ended a second after its newest sample, or before ours begin."""
        newest = self._left.newest
        if not self._left.standing or newest is None:
            return
        end = newest + _AFTER_KILL_MS
        if ts > newest:
            end = max(newest + 1, min(end, ts - 1))
        self._append(self._intake.end(self._left.standing, end, self._seq + 1), 0.0)

    def _mark_the_end(self) -> None:
        newest = self._intake.newest
        if newest is None:
            return
        now = round(time.time() * 1000)
        end = now if newest < now <= newest + _SAME_CLOCK_MS else newest + 1
        self._append(self._intake.end(self._intake.layouts, end, self._seq + 1), 0.0)
        self._standing = b""

    def _append(self, row: HotRow | None, monotonic: float) -> None:
        if row is not None:
            self._seq = row.seq
            self._pending.append((row, monotonic))
            self._pending_bytes += row.size

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

    def _bring(self, now: int | None, *, urgent: bool = False) -> bool:
        with self._disk_free:
            done = self._commit(urgent=urgent)
            if done and not self._closed:
                now = self._committed_to if now is None else now
                if now is not None and time.monotonic() >= self._tend_again:
                    self._tend(now)
            return done

    def _commit(self, *, urgent: bool) -> bool:
        with self._state:
            rows = [row for row, _ in self._pending]
            standing = self._standing
            unsaved = self._catalogue.unsaved.copy()
        if not rows:
            return True
        self._tell("committing", self._committed)
        try:
            self._disk.commit(rows, standing, unsaved, urgent=urgent)
        except Broken as broken:
            return self._begin_anew(broken) and self._commit(urgent=urgent)
        except Blocked as blocked:
            self._say("disk", blocked.message)
            return False
        newest = rows[-1].seq
        self._committed_to = rows[-1].ts
        with self._state:
            while self._pending and self._pending[0][0].seq <= newest:
                self._pending_bytes -= self._pending.popleft()[0].size
            if self._standing is standing:
                self._standing = None
            self._catalogue.saved(unsaved)
        self._committed = newest
        self._last_commit = time.time()
        self._well("disk")
        self._tell("committed", newest)
        return True

    def _tend(self, now: int) -> None:
        started = time.perf_counter()
        try:
            if not self._disk.tend(now, self._commit_between):
                return
            stored = Stored.read(self._disk.connection)
        except Broken as broken:
            self._begin_anew(broken)
            return
        except Blocked as blocked:
            self._tend_again = time.monotonic() + _TEND_AGAIN
            self._say("upkeep", blocked.message)
            return
        except Exception as error:  # noqa: BLE001  what is in the file may be anything; taking batches goes on
            self._tend_again = time.monotonic() + 10 * _TEND_AGAIN
            self._say("upkeep", Message("{path} cannot be compressed: {kind}: {text}; `bongsu store verify` tells more",
                                        path=self.path, kind=type(error).__name__, text=str(error)))  # fmt: skip
            _log.debug("upkeep failed", exc_info=True)
            return
        self._upkeep_seconds = time.perf_counter() - started
        self._well("upkeep")
        with self._state:
            self._catalogue.forget(stored, used_layouts=self._used_layouts())

    def _commit_between(self) -> None:
        """Between two steps of a long upkeep: what has come in meanwhile."""
        if self._last_commit is not None and time.time() - self._last_commit >= self._commit_every:
            self._commit(urgent=False)

    def _begin_anew(self, broken: Broken) -> bool:
        """Another file takes the place of the broken one; what waits in memory goes into it."""
        if broken.reason is None:
            self._say("file", broken.message)
        try:
            self._disk.begin_anew(broken.reason)
        except Blocked as blocked:
            self._say("disk", blocked.message)
            return False
        with self._state:
            self._catalogue.forget(NOTHING, used_layouts=self._used_layouts())
            if self._standing is None:
                self._standing = self._intake.layouts
        return True

    def _used_layouts(self) -> set[int]:
        blobs = {row.layouts for row, _ in self._pending}
        blobs |= {self._intake.layouts, self._left.standing}
        return {number for blob in blobs for number in unpack_ids(blob)}

    def _look_at(self, ts: int) -> None:
        """Say what is odd about the newest batch, once."""
        latest = self._latest
        if latest is not None and ts < latest:
            self._say("clock", Message("the clock was set back by {seconds:.0f} s: readings of that time are kept "
                                       "twice over until it has caught up", seconds=(latest - ts) / 1000))  # fmt: skip
        else:
            self._latest = ts
            if "clock" in self._problems:
                self._well("clock")
        double = self._intake.double
        if double is not None:
            self._say(
                "double", Message("{metric} has the same labels twice in one reading: the first is kept", metric=double)
            )
        elif "double" in self._problems:
            self._well("double")

    def _say(self, subject: str, problem: Message) -> None:
        """Log a problem when it is new."""
        before = self._problems.get(subject)
        self._problems[subject] = problem
        if before is None or before.template != problem.template:
            _log.warning("%s", problem)

    def _well(self, subject: str) -> None:
        problem = self._problems.pop(subject, None)
        if problem is not None:
            _log.info("no longer so: %s", problem)
