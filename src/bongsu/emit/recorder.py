"""`recording`: a program that was not started by `bongsu run` has itself recorded, for a block or for good."""

from __future__ import annotations

import os
import sys

from bongsu.emit.start import journal
from bongsu.emit.timing import SWITCH, folder

TYPE_CHECKING = False  # as typing's, which takes long to import
if TYPE_CHECKING:
    from types import TracebackType

_SOURCES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # where this package is from
WAIT = 10.0  # seconds for the recorder to be there


class Recording:
    """Starts the recorder when the block begins, and ends it with the block.

    Attributes:
        folder: of the run; empty when nothing could be recorded, and then `problem` says why.
    """

    def __init__(self, name: str, interval: float, runs_dir: str | None) -> None:
        self._name, self._interval, self._runs_dir = name, interval, runs_dir
        self._pid = 0
        self._starter = os.getpid()
        self.folder = ""
        self.problem = ""

    def __enter__(self) -> Recording:  # noqa: PYI034  typing is not imported here
        if folder() or SWITCH.on:
            self.folder = folder()  # recorded already, by `bongsu run` or an outer block
            return self
        if os.environ.get("BONGSU_EMIT") == "off":
            return self
        try:
            self._start()
        except Exception as error:  # noqa: BLE001  a program does not fail for want of its recording
            self.problem = f"{type(error).__name__}: {error}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._pid or os.getpid() != self._starter:  # a child that was forked within: the recording goes on
            return
        try:
            SWITCH.turn(on=False)
            journal().pause()
            if os.environ.get("BONGSU_RUN_DIR") == self.folder:
                del os.environ["BONGSU_RUN_DIR"]
            self._stop()
        except Exception as fault:  # noqa: BLE001  a program does not fail for want of its recording
            self.problem = f"{type(fault).__name__}: {fault}"

    def _start(self) -> None:
        reading, writing = os.pipe()
        try:
            argv = [sys.executable, "-m", "bongsu", "run", "--attach", str(os.getpid()), "--quiet"]
            argv += ["--interval", f"{self._interval:g}", "--name", self._name, "--report-folder-to", str(writing)]
            runs = self._runs_dir or os.environ.get("BONGSU_RUNS_DIR")
            if runs:
                argv += ["--runs-dir", os.path.abspath(runs)]  # it runs elsewhere
            self._pid = _spawn(argv, writing)
        finally:
            os.close(writing)
        try:
            self.folder = _line(reading, WAIT)
        finally:
            os.close(reading)
        if not self.folder:
            self._stop()
            self._pid = 0
            self.problem = "the recorder did not start"
            return
        os.environ["BONGSU_RUN_DIR"] = self.folder
        journal(self.folder).resume(self.folder)
        SWITCH.turn(on=True)

    def _stop(self) -> None:
        """Tell the recorder that this is the end, and wait for its summary: it was started here, so it is waited for here."""
        import signal  # noqa: PLC0415  only what is recorded pays for it
        import time  # noqa: PLC0415  only what is recorded pays for it

        try:
            os.kill(self._pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            try:
                if os.waitpid(self._pid, os.WNOHANG)[0]:
                    return
            except ChildProcessError:
                return
            time.sleep(0.01)


def _spawn(argv: list[str], writing: int) -> int:
    """Start the recorder with nothing of ours but the descriptor that it reports to, in a session of its own."""
    import subprocess  # noqa: PLC0415  only what is recorded pays for it

    path = os.environ.get("PYTHONPATH", "")
    if path:  # an empty entry is this directory
        places = [os.path.abspath(place) for place in path.split(os.pathsep)]
        if os.path.basename(_SOURCES) not in {
            "site-packages",
            "dist-packages",
        }:  # found anyway, after the standard library
            places.insert(0, _SOURCES)
        path = os.pathsep.join(places)
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        pass_fds=(writing,), start_new_session=True, cwd="/", env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    process.returncode = 0  # we wait for it by its pid; the object is not to warn that it still runs
    return process.pid


def _line(fd: int, seconds: float) -> str:
    """The first line that comes; empty when none does in time, or the other end is closed."""
    import select  # noqa: PLC0415  only what is recorded pays for it
    import time  # noqa: PLC0415  only what is recorded pays for it

    end = time.monotonic() + seconds
    text = b""
    while b"\n" not in text:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return ""
        more = os.read(fd, 4096)
        if not more:
            return ""
        text += more
    return os.fsdecode(text.partition(b"\n")[0])


def recording(name: str = "", interval: float = 60.0, runs_dir: str | None = None) -> Recording:
    """Have this program and all its children recorded for a block.

    What was decorated by `timed` is timed from then on, wherever it was imported to, and so are `span` blocks; what is
    no Python function (a builtin, a partial) is not, for it was handed back as it is. Within a run that is
    recorded already this does nothing. It never fails: `problem` of what it gives says why nothing is recorded.

    Args:
        name: of the run.
        interval: seconds between two readings of the processes.
        runs_dir: where runs are kept; as `bongsu run` has it without.
    """
    return Recording(name or os.path.basename(sys.argv[0] if sys.argv else "") or "python", interval, runs_dir)
