"""Names, prunes and compresses the rotated files of a growing file."""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import re
import threading
import time

_CHUNK = 1024 * 1024
_log = logging.getLogger("bongsu.jsonl")


class Rotation:
    """The rotated files beside ``path``: ``path.20261122T013445Z``, or the same with ``.gz``.

    Args:
        path: the file that grows.
        keep: how many rotated files stay; 0 removes a file as soon as it is rotated.
        compress: gzip them, in a thread of its own; what a stopped process left is done at the start.
    """

    def __init__(self, path: str, keep: int, compress: bool) -> None:
        self._path = path
        self._keep = keep
        self._compress = compress
        self._directory, base = os.path.split(path)
        self._rotated = re.compile(rf"{re.escape(base)}\.[0-9]{{8}}T[0-9]{{6}}Z(-[0-9]{{3}})?(\.gz)?")
        self._half_done = re.compile(rf"{re.escape(base)}\.[0-9]{{8}}T[0-9]{{6}}Z(-[0-9]{{3}})?\.gz\.tmp")
        self._stopping = threading.Event()
        self._worker: threading.Thread | None = None
        with contextlib.suppress(OSError):
            for name in os.listdir(self._directory):
                if self._half_done.fullmatch(name):
                    os.unlink(os.path.join(self._directory, name))
        self._compress_in_background()

    def files(self) -> list[str]:
        """The rotated files' paths, oldest first."""
        names = sorted(name for name in os.listdir(self._directory) if self._rotated.fullmatch(name))
        return [os.path.join(self._directory, name) for name in names]

    def rotate(self, now: float) -> None:
        """Move the growing file aside, and remove the oldest beyond ``keep``. Raises OSError if it cannot be moved."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        target, count = f"{self._path}.{stamp}", 0
        while os.path.exists(target) or os.path.exists(f"{target}.gz"):
            count += 1
            target = f"{self._path}.{stamp}-{count:03}"
        os.rename(self._path, target)
        files = self.files()
        for old in files[: max(0, len(files) - self._keep)]:
            with contextlib.suppress(FileNotFoundError):  # the compressing thread was quicker
                os.unlink(old)
        self._compress_in_background()

    def close(self) -> None:
        """Give up a compression under way; its file stays as it was."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.join(1.0)

    def _compress_in_background(self) -> None:
        if self._compress and (self._worker is None or not self._worker.is_alive()):
            self._worker = threading.Thread(target=self._compress_all, name="bongsu-gzip", daemon=True)
            self._worker.start()

    def _compress_all(self) -> None:
        try:
            while waiting := [path for path in self.files() if not path.endswith(".gz")]:
                if self._stopping.is_set() or not self._compress_one(waiting[0]):
                    return
        except OSError as error:
            _log.warning("a rotated file stays uncompressed: %s", error)

    def _compress_one(self, path: str) -> bool:
        half_done = f"{path}.gz.tmp"
        try:
            with open(path, "rb") as source, open(half_done, "xb") as file:
                with gzip.GzipFile("", "wb", 6, file, mtime=0) as target:
                    while chunk := source.read(_CHUNK):
                        if self._stopping.is_set():
                            return False
                        target.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            os.rename(half_done, f"{path}.gz")
            os.unlink(path)
        except FileNotFoundError:  # pruned meanwhile
            return True
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(half_done)
        return True
