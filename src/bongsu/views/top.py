"""`bongsu top`: this machine and its processes live in a terminal, or as a plain table in a pipe."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from typing import IO

from rich.console import Console
from rich.text import Text

from bongsu.model.errors import BongsuError
from bongsu.model.process import ProcessRow
from bongsu.sources.pidfd import send_signal
from bongsu.views import keys, processes
from bongsu.views.feed import Feed, Gather
from bongsu.views.gpu_visible import NOT_SET, VARIABLE, CudaEnvironment
from bongsu.views.groups import By
from bongsu.views.header import header
from bongsu.views.listing import Listing
from bongsu.views.printable import printable
from bongsu.views.processes import Order
from bongsu.views.ruled import Sort
from bongsu.views.screen import Screen
from bongsu.views.terminal import Terminal
from bongsu.views.top_help import KEYS
from bongsu.views.top_plain import print_tables

_ESCAPE_WAIT_SECONDS = 0.05  # a terminal sends the rest of a key's sequence sooner


def run_top(
    gather: Gather,
    *,
    interval: float = 2.0,
    repeat: bool = False,
    once: bool = False,
    order: Order = Order(),  # noqa: B008  it is frozen, so all may share it
    by: By = By.NONE,
    on_gpus: bool = False,
    given: CudaEnvironment = CudaEnvironment(None),  # noqa: B008  it cannot change
    only_visible: bool = False,
    may_signal: bool = True,
    output: IO[str] | None = None,
) -> int:
    """Show the machine until the user leaves; returns the exit code.

    ``gather`` is called every ``interval`` seconds in a thread of its own, so that a slow reading
    does not hold up the keys. Where the output is no terminal, or one that cannot move its cursor
    (TERM=dumb), one plain table is written, or with ``repeat`` one each interval until the reader
    leaves; with ``once`` one table in a terminal too. ``only_visible`` leaves out the GPUs that the environment,
    ``given``, hides from CUDA. ``may_signal`` is False where the processes shown are not those that our own
    numbers mean (another ``--procfs``).
    """
    file = output or sys.stdout
    console = Terminal(file=file)
    keyboard = None if once or not console.is_terminal or console.is_dumb_terminal else _keyboard()
    if keyboard is None:
        listing = Listing(order, by, on_gpus=on_gpus, only=given if only_visible else None, ascii_only=True)
        width = console.width if console.is_terminal else None
        return print_tables(gather, interval, listing, file, width, repeat=repeat and not once)
    ascii_only = not console.encoding.lower().startswith("utf")
    listing = Listing(order, by, on_gpus=on_gpus, ascii_only=ascii_only)
    view = _Top(gather, interval, console, keyboard, listing, given, may_signal=may_signal)
    if only_visible:
        view.turn_to_visible()
    try:
        return view.run()
    finally:
        if keyboard != 0:
            os.close(keyboard)


class _Top:
    """The live view: what the user chose, and the newest batch."""

    def __init__(
        self, gather: Gather, interval: float, console: Console, keyboard: int, listing: Listing, given: CudaEnvironment, *,
        may_signal: bool,
    ) -> None:  # fmt: skip
        self._feed = Feed(gather, interval, owners=listing.needs_owners)
        self._screen = Screen(keyboard, console.file.fileno(), console)
        self._ascii = not console.encoding.lower().startswith("utf")
        self._list = listing
        self._given = given
        self._may_signal = may_signal
        self._chosen: object = None  # the line's identity; None: whatever stands first
        self._first = 0  # the entry on the table's first line
        self._page = 1
        self._typing: str | None = None  # the filter while it is typed
        self._asking: tuple[ProcessRow, signal.Signals] | None = None
        self._says = ""
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

    def turn_to_visible(self) -> None:
        """Show only the GPUs that CUDA would, or all again."""
        if self._given.value is None:
            self._says = NOT_SET
        else:
            self._list.show_only(None if self._list.only is not None else self._given)

    def _take(self) -> None:
        """Take the newest batch, unless the user holds the view still."""
        if self._feed.failure is not None:
            self._done = True
        batch, shown = self._feed.newest, self._list.batch
        if batch is None or batch is shown or (self._holds and shown is not None):
            return
        self._list.take(batch)

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
            keys.HOME: -len(self._list), keys.END: len(self._list),
        }  # fmt: skip
        order = self._list.order
        sort = next((sort for sort in Sort if sort.value == key), None)
        if sort is not None:
            turned = sort is order.sort and not order.turned
            self._list.change(replace(order, sort=sort, turned=turned))
        elif key in steps and len(self._list):
            place = min(max(0, self._list.place(self._chosen) + steps[key]), len(self._list) - 1)
            self._chosen = self._list.identity(place) if place else None
        elif key == "q":
            self._done = True
        elif key in {"?", "h"}:
            self._helps = True
        elif key == "/":
            self._typing = order.words
        elif key in {keys.ENTER, keys.ESCAPE, "o", "g"}:
            self._turn(key)
        elif key == "G":
            self._list.turn_to_gpus(on_gpus=not self._list.on_gpus)
            self._chosen = None
            self._feed.with_owners(owners=self._list.needs_owners)
        elif key == "V":
            self.turn_to_visible()
        elif key == "M":
            everybody = order.uid is None and not order.user
            self._list.change(replace(order, user="", uid=os.getuid() if everybody else None))
        elif key == "T":
            self._list.change(replace(order, tree=not order.tree))
        elif key == "a":
            self._list.arguments = not self._list.arguments
        elif key == " ":
            self._holds = not self._holds
        elif key == "k" and len(self._list):
            self._ask(self._list.process(self._list.place(self._chosen)))

    def _turn(self, key: str) -> None:
        """Go to groups, into one, or back out of it, where the same line is chosen again."""
        opened = self._list.opened
        if key == keys.ENTER:
            if self._list.grouped and len(self._list):
                self._list.open(self._list.place(self._chosen))
                self._chosen = None
        elif key == keys.ESCAPE:
            self._list.back()
            if opened is not None and self._list.opened is None:
                self._chosen = opened.key
        else:
            kinds = list(By)
            after = kinds[(kinds.index(self._list.by) + 1) % len(kinds)]
            self._list.group((By.NONE if self._list.needs_owners else By.OWNER) if key == "o" else after)
            self._chosen = None
        self._feed.with_owners(owners=self._list.needs_owners)

    def _filter(self, words: str) -> None:
        self._list.change(replace(self._list.order, words=words))

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

    def _ask(self, row: ProcessRow | None) -> None:
        if row is None:
            self._says = (
                "Signals go to processes: Enter shows those of this line."
                if self._list.grouped
                else "No process of that number can be seen from here: it takes no signal."
            )
        elif not self._may_signal:
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
            self._screen.draw([Text(text) for text in KEYS[: height - 1]] + [Text("any key goes back", style="dim")])
            return
        lines = header(self._list.readings, width, height, ascii_only=self._ascii)
        lines.append(self._list.heading(width))
        self._page = max(1, height - len(lines) - 1)
        place = self._list.place(self._chosen)
        self._first = min(self._first, max(0, len(self._list) - self._page))
        self._first = min(place, max(self._first, place - self._page + 1))
        lines += self._list.lines(self._first, self._page, width, place)
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
        if self._list.batch is None:
            return Text("reading …" if not self._ascii else "reading ...", style="dim")
        if self._holds:
            return Text("held still, space goes on", style="bold")
        problem = self._problem()
        if problem:
            return Text(problem, style="bold yellow")
        narrowed = self._narrowed()
        if narrowed:
            return Text(narrowed, style="bold")
        if self._list.grouped:
            return Text("? help  q quit  Enter its processes  Esc all processes  / filter  M mine", style="dim")
        if self._list.on_gpus:
            return Text("? help  q quit  G all processes  o owners  / filter  k signal  M mine  T tree", style="dim")
        return Text("? help  q quit  / filter  k signal  T tree  o owners  g group  M mine", style="dim")

    def _narrowed(self) -> str:
        """What is shown, where it is not all, and how to see more."""
        order, opened = self._list.order, self._list.opened
        said = [] if opened is None else [opened.name]
        if order.uid is not None or order.user:
            said.append("only mine" if not order.user else f"only {printable(order.user)}")
        if order.words:
            said.append(f"/{printable(order.words)}")
        if self._list.only is not None:
            said.append(printable(f"{VARIABLE}={self._list.only.value}"))
        if not said:
            return ""
        mine = order.uid is not None or order.user
        way = (
            "Esc shows all" if order.words else "Esc goes back" if opened is not None else f"{'M' if mine else 'V'} shows all"
        )  # fmt: skip
        return f"{', '.join(said)}: {len(self._list)} shown, {way}"

    def _problem(self) -> str:
        visible = self._list.visible
        return (visible.problem if visible is not None else "") or self._list.lacking


def _keyboard() -> int | None:
    """Standard input if it is a terminal, else the terminal that we were started from."""
    if os.isatty(0):
        return 0
    try:
        return os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
