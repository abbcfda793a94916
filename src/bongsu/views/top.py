"""`bongsu top`: this machine and its processes live in a terminal, or as a plain table in a pipe."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import IO

from rich.console import Console
from rich.text import Text

from bongsu.model.batch import Batch
from bongsu.model.errors import BongsuError
from bongsu.model.process import ProcessRow
from bongsu.sources.pidfd import send_signal
from bongsu.views import keys, processes
from bongsu.views.header import Readings, header, plain_header
from bongsu.views.printable import printable
from bongsu.views.processes import Entry, Order, Sort
from bongsu.views.rates import Identity, Rates
from bongsu.views.screen import Screen
from bongsu.views.terminal import Terminal

_ESCAPE_WAIT_SECONDS = 0.05  # a terminal sends the rest of a key's sequence sooner
_FIRST_SECONDS = 0.5  # rates need two readings: the second comes soon, whatever the interval

_HELP = (
    "Keys",
    "",
    "  c  by CPU          m  by memory       i  by reads and writes",
    "  t  by threads      p  by pid          u  by user",
    "  (the same key again turns the order round)",
    "",
    "  /  show only lines that hold these words; Esc ends it",
    "  T  tree            a  arguments, if they are read, or not",
    "  arrows, PgUp, PgDn, Home, End   choose a process",
    "  k  send it a signal, after asking",
    "  space  hold still  q  quit",
    "",
    "  CPU % is of one core: 800 means that eight are busy. MEM counts",
    "  shared pages for each process. A dash is what may not be read.",
)


def run_top(
    gather: Callable[[], Batch],
    *,
    interval: float = 2.0,
    repeat: bool = False,
    order: Order = Order(),  # noqa: B008  it is frozen, so all may share it
    may_signal: bool = True,
    output: IO[str] | None = None,
) -> int:
    """Show the machine until the user leaves; returns the exit code.

    ``gather`` is called every ``interval`` seconds in a thread of its own, so that a slow reading
    does not hold up the keys. Where the output is no terminal, or one that cannot move its cursor
    (TERM=dumb), one plain table is written, or with ``repeat`` one each interval until the reader
    leaves. ``may_signal`` is False where the processes shown are not those that our own numbers
    mean (another ``--procfs``).
    """
    file = output or sys.stdout
    console = Terminal(file=file)
    if not console.is_terminal or console.is_dumb_terminal:
        return _plain(gather, interval, file, order, repeat=repeat, console=console)
    keyboard = _keyboard()
    if keyboard is None:
        return _plain(gather, interval, file, order, repeat=repeat, console=console)
    try:
        return _Top(gather, interval, console, keyboard, order, may_signal=may_signal).run()
    finally:
        if keyboard != 0:
            os.close(keyboard)


class _Top:
    """The live view: what the user chose, and the newest batch."""

    def __init__(
        self, gather: Callable[[], Batch], interval: float, console: Console, keyboard: int, order: Order, *,
        may_signal: bool,
    ) -> None:  # fmt: skip
        self._feed = _Feed(gather, interval)
        self._screen = Screen(keyboard, console.file.fileno(), console)
        self._ascii = not console.encoding.lower().startswith("utf")
        self._order = order
        self._may_signal = may_signal
        self._rates = Rates()
        self._batch: Batch | None = None
        self._entries: list[Entry] = []
        self._chosen: Identity | None = None  # None: whatever stands first
        self._first = 0  # the entry on the table's first line
        self._page = 1
        self._typing: str | None = None  # the filter while it is typed
        self._asking: tuple[ProcessRow, signal.Signals] | None = None
        self._says = ""
        self._arguments = True  # shown where they were read
        self._helps = self._holds = self._done = False

    def run(self) -> int:
        decoder = keys.Keys()
        with self._screen.taken() as screen:
            self._feed.start(screen.wake)
            try:
                while not self._done and screen.left_by is None:
                    self._draw()
                    typed = screen.wait(_ESCAPE_WAIT_SECONDS if decoder.waiting else None)
                    pressed = decoder.feed(typed) if typed else decoder.flush()
                    for key in pressed:
                        self._press(key)
                    self._take()
            finally:
                self._feed.stop()
        if self._feed.failure is not None:
            raise self._feed.failure
        return 0 if screen.left_by in {None, signal.SIGINT} else 128 + int(screen.left_by or 0)

    def _take(self) -> None:
        """Take the newest batch, unless the user holds the view still."""
        if self._feed.failure is not None:
            self._done = True
        batch = self._feed.newest
        if batch is None or batch is self._batch or (self._holds and self._batch is not None):
            return
        self._batch = batch
        self._rates.take(batch)
        self._arrange()

    def _arrange(self) -> None:
        table = self._batch.table("processes") if self._batch else None
        rows = [row for row in table.rows if isinstance(row, ProcessRow)] if table else []
        self._entries = processes.arrange(rows, self._rates.processes(), self._order, ascii_only=self._ascii)

    @property
    def _place(self) -> int:
        """Where the chosen process stands; the first line if it is gone."""
        if self._chosen is not None:
            for place, entry in enumerate(self._entries):
                if entry.row.identity == self._chosen:
                    return place
        return 0

    def _press(self, key: str) -> None:
        self._says = ""
        if self._asking is not None:
            self._answer(key)
        elif self._typing is not None:
            self._type(key)
        elif self._helps:
            self._helps = False
            self._done = key == "q"
        else:
            self._command(key)

    def _command(self, key: str) -> None:
        steps = {
            keys.UP: -1, keys.DOWN: 1, keys.PAGE_UP: -self._page, keys.PAGE_DOWN: self._page,
            keys.HOME: -len(self._entries), keys.END: len(self._entries),
        }  # fmt: skip
        sort = next((sort for sort in Sort if sort.value == key), None)
        if sort is not None:
            turned = sort is self._order.sort and not self._order.turned
            self._order = replace(self._order, sort=sort, turned=turned)
            self._arrange()
        elif key in steps and self._entries:
            place = min(max(0, self._place + steps[key]), len(self._entries) - 1)
            self._chosen = self._entries[place].row.identity if place else None
        elif key == "q":
            self._done = True
        elif key in {"?", "h"}:
            self._helps = True
        elif key == "/":
            self._typing = self._order.words
        elif key == keys.ESCAPE:
            self._filter("")
        elif key == "T":
            self._order = replace(self._order, tree=not self._order.tree)
            self._arrange()
        elif key == "a":
            self._arguments = not self._arguments
        elif key == " ":
            self._holds = not self._holds
        elif key == "k" and self._entries:
            self._ask(self._entries[self._place].row)

    def _filter(self, words: str) -> None:
        self._order = replace(self._order, words=words)
        self._arrange()

    def _type(self, key: str) -> None:
        assert self._typing is not None
        if key == keys.ENTER:
            self._typing = None
        elif key == keys.ESCAPE:
            self._typing = None
            self._filter("")
        else:
            if key == keys.BACKSPACE:
                self._typing = self._typing[:-1]
            elif len(key) == 1:
                self._typing += key
            self._filter(self._typing)

    def _ask(self, row: ProcessRow) -> None:
        if not self._may_signal:
            self._says = "These processes are read through another --procfs: they cannot be signalled from here."
        elif row.kernel:
            self._says = f"{row.pid} is a thread of the kernel: it takes no signals."
        else:
            self._asking = (row, signal.SIGTERM)

    def _answer(self, key: str) -> None:
        assert self._asking is not None
        row, number = self._asking
        if key in {"9", "t"}:
            self._asking = (row, signal.SIGKILL if key == "9" else signal.SIGTERM)
            return
        self._asking = None
        if key != "y":
            self._says = "Nothing was signalled."
            return
        try:
            send_signal(row.pid, row.start_ticks, number)
        except BongsuError as error:
            self._says = str(error)
        else:
            self._says = f"{number.name} sent to {row.pid} {processes.program(row)}."

    def _draw(self) -> None:
        width, height = self._screen.size
        if self._helps:
            self._screen.draw([Text(text) for text in _HELP[: height - 1]] + [Text("any key goes back", style="dim")])
            return
        readings = Readings(self._batch, self._rates)
        lines = header(readings, width, height, ascii_only=self._ascii)
        lines.append(processes.heading(width, self._order))
        self._page = max(1, height - len(lines) - 1)
        place = self._place
        self._first = min(self._first, max(0, len(self._entries) - self._page))
        self._first = min(place, max(self._first, place - self._page + 1))
        shown = self._entries[self._first : self._first + self._page]
        lines += [
            processes.line(entry, width, selected=self._first + n == place, arguments=self._arguments)
            for n, entry in enumerate(shown)
        ]
        lines += [Text()] * (height - 1 - len(lines))
        lines.append(self._foot(width))
        self._screen.draw(lines)

    def _foot(self, width: int) -> Text:
        if self._asking is not None:
            row, number = self._asking
            words = printable(f"{number.name} to {row.pid} {processes.program(row)} of {row.user}?")
            other = "9 KILL instead" if number is signal.SIGTERM else "t TERM instead"
            answers = f"  y yes  {other}  n no" if width >= 64 else "  y n 9" if number is signal.SIGTERM else "  y n t"
            question = Text(words, style="bold red")
            question.truncate(width - len(answers), overflow="crop")
            question.append(answers, style="not bold")
            return question
        if self._typing is not None:
            return Text(f"/{printable(self._typing)}_", style="bold")
        if self._says:
            return Text(printable(self._says), style="bold")
        if self._batch is None:
            return Text("reading …" if not self._ascii else "reading ...", style="dim")
        foot = Text("? help  q quit  / filter  k signal  T tree", style="dim")
        if self._holds:
            foot = Text("held still, space goes on", style="bold")
        if self._order.words:
            foot = Text(f"/{printable(self._order.words)}: {len(self._entries)} shown, Esc shows all", style="bold")
        problem = self._problem()
        return Text(problem, style="bold yellow") if problem and not self._order.words else foot

    def _problem(self) -> str:
        """Why there are no processes, if there are none."""
        if self._entries or self._batch is None:
            return ""
        for outcome in self._batch.outcomes:
            if outcome.collector == "process":
                return printable(outcome.error or outcome.no_data or "")
        return "the collector `process` is off: there are no processes to show"


class _Feed:
    """Gathers in a thread of its own; the newest batch waits to be taken."""

    def __init__(self, gather: Callable[[], Batch], interval: float) -> None:
        self._gather = gather
        self._interval = interval
        self._ended = threading.Event()
        self.newest: Batch | None = None
        self.failure: BaseException | None = None

    def start(self, wake: Callable[[], None]) -> None:
        threading.Thread(target=self._work, args=(wake,), name="bongsu-top", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def _work(self, wake: Callable[[], None]) -> None:
        pause = min(_FIRST_SECONDS, self._interval)
        due = time.monotonic()
        try:
            while not self._ended.is_set():
                self.newest = self._gather()
                wake()
                due = max(due + pause, time.monotonic())
                pause = self._interval
                self._ended.wait(due - time.monotonic())
        except BaseException as error:  # noqa: BLE001  the main thread raises it
            self.failure = error
            wake()


def _plain(
    gather: Callable[[], Batch], interval: float, file: IO[str], order: Order, *, repeat: bool, console: Console
) -> int:
    rates = Rates()
    rates.take(gather())
    pause = min(_FIRST_SECONDS, interval)
    width = console.width if console.is_terminal else None
    try:
        while True:
            time.sleep(pause)
            pause = interval
            batch = gather()
            rates.take(batch)
            table = batch.table("processes")
            rows = [row for row in table.rows if isinstance(row, ProcessRow)] if table else []
            entries = processes.arrange(rows, rates.processes(), order, ascii_only=True)
            lines = [*plain_header(Readings(batch, rates)), "", *processes.plain(entries, width, order), ""]
            file.write("\n".join(lines))
            file.flush()
            if not repeat:
                return 0
            file.write("\n")
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())  # so that closing it at the end is no error
        return 0
    except KeyboardInterrupt:
        return 0


def _keyboard() -> int | None:
    """Standard input if it is a terminal, else the terminal that we were started from."""
    if os.isatty(0):
        return 0
    try:
        return os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
