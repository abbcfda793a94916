"""The runs of one directory, for somebody who looks again and again: what has not changed is not read again."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from bongsu import __version__
from bongsu.model.errors import BongsuError
from bongsu.model.run import RunReport
from bongsu.records import functions, run_folder, run_list
from bongsu.records.run_following import Following
from bongsu.records.run_list import RunRow
from bongsu.runs import reporting

_REMEMBERED = 4  # reports of runs that are over; one of a day may have a hundred thousand samples
_LIST_SECONDS = 1.0  # for which a list is good enough for the next one who asks
_SHARE = 0.05  # of the time, that reading one live run may take
_MEMBERS_SECONDS = 10.0  # after which somebody who asks for members has them looked up again
_BORN = 8  # process ids of live runs are told for so many runs at most


class Watched:
    """The runs of this user in a directory. Used from several threads; each call may wait for the disk.

    Attributes:
        directory: where they are; it need not be there yet.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._listed: tuple[float, list[RunRow]] | None = None
        self._live: dict[str, _Live] = {}
        self._over: OrderedDict[str, tuple[object, RunReport]] = OrderedDict()
        self._members: Mapping[int, tuple[float, str]] = {}
        self._looking = False

    def listed(self) -> list[RunRow]:
        """One row for each run, newest first.

        Raises:
            NotKnown: the directory may not be read.
        """
        with self._lock:
            now = time.monotonic()
            if self._listed is None or now - self._listed[0] >= _LIST_SECONDS:
                found = run_list.rows(self.directory, self._row, __version__)
                self._listed = (time.monotonic(), [row for row in found if _is_ours(self._folder(row.id))])
                going = {row.id for row in found if row.state == run_folder.RUNNING}
                self._live = {name: live for name, live in self._live.items() if name in going}
                self._members = self._alive()
            return self._listed[1]

    def report(self, run: str) -> RunReport | None:
        """One run; None if there is none of that id.

        Raises:
            BadInput: it cannot be read, or a newer version wrote it.
            OSError: it may not be read.
        """
        if not run_folder.ID.fullmatch(run) or "/" in run or "\0" in run:
            return None
        folder = self._folder(run)
        if not _is_ours(folder):
            return None
        with self._lock:
            if run in self._live or run_folder.is_written(folder):
                made = self._going(run)
                if made.metadata.state == run_folder.RUNNING:
                    return made
                self._live.pop(run, None)
            return self._ended(run)

    def members(self) -> Mapping[int, tuple[float, str]]:
        """The processes of runs that go on: pid → Unix time of its start, and its run. Never waits: as of the last look."""
        last = self._listed
        if not self._looking and (last is None or time.monotonic() - last[0] >= _MEMBERS_SECONDS):
            self._looking = True  # and it stays so while a disk hangs
            threading.Thread(target=self._look, name="bongsu-runs", daemon=True).start()
        return self._members

    def _look(self) -> None:
        with contextlib.suppress(BongsuError, OSError):  # whoever asks for the list is told
            self.listed()
        self._looking = False

    def _folder(self, run: str) -> str:
        return os.path.join(self.directory, run)

    def _row(self, folder: str) -> RunRow:
        run = os.path.basename(folder)
        try:
            if _is_ours(folder) and run_folder.is_written(folder):
                made = self._going(run)
                return reporting.row_of(run, made.metadata, made.summary)
        except Exception:  # noqa: BLE001  what is wrong with it is said by the one who reads it whole
            self._live.pop(run, None)
        return reporting.row(folder)

    def _going(self, run: str) -> RunReport:
        live = self._live.get(run)
        if live is None:
            live = self._live[run] = _Live(self._folder(run))
        return live.report()

    def _ended(self, run: str) -> RunReport:
        folder = self._folder(run)
        stamp = tuple(sorted((e.name, e.stat().st_mtime_ns, e.stat().st_size) for e in os.scandir(folder)))
        known = self._over.pop(run, None)
        if known is None or known[0] != stamp:
            known = (stamp, reporting.read_run(folder))
        if known[1].metadata.state != run_folder.RUNNING:
            self._over[run] = known
            while len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)
        return known[1]

    def _alive(self) -> dict[int, tuple[float, str]]:
        found: dict[int, tuple[float, str]] = {}
        for run, live in list(self._live.items())[:_BORN]:
            if live.made is None:
                continue
            for row in live.made.processes:
                if row.end_seconds is None and row.pid:
                    found[row.pid] = (live.made.metadata.started + row.start_seconds, run)
        return found


class _Live:
    """A run that goes on, as far as it was read."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._following = Following(folder, reporting.user_of)
        self._due = 0.0
        self._sizes: dict[str, int] = {}
        self._timed: functions.Functions | None = None
        self.made: RunReport | None = None

    def report(self) -> RunReport:
        """What is known by now; the same again while reading it would take too much of the time.

        Raises:
            BadInput: a newer version wrote it.
            OSError: it may not be read.
        """
        began = time.monotonic()
        if self.made is not None and began < self._due:
            return self.made
        metadata = run_folder.read_metadata(self._folder)
        if metadata is None:
            return reporting.read_run(self._folder)
        record = self._following.look()
        state = run_folder.state(self._folder, ended=record.end is not None, interval_seconds=metadata.interval_seconds)
        self.made = reporting.made_of(msgspec.structs.replace(metadata, state=state), record, self._functions())
        took = time.monotonic() - began
        self._due = 0.0 if state != run_folder.RUNNING else began + took / _SHARE
        return self.made

    def _functions(self) -> functions.Functions:
        """What was timed, read again where more of it was written. A line that is being written is not a torn one."""
        with os.scandir(self._folder) as entries:
            sizes = {e.name: e.stat().st_size for e in entries if e.name.startswith("functions-")}
        if self._timed is None or sizes != self._sizes:
            self._timed = functions.read(self._folder)._replace(damaged=0)
            self._sizes = sizes
        return self._timed


def _is_ours(folder: str) -> bool:
    """Whether this user made it: what others have recorded is theirs, also where it may be read."""
    try:
        status = os.stat(folder, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
