"""The books of a run: whose CPU time, input and output, and switches are whose, each counted once.

A process's own time is what its threads used. The time of children it has waited for comes to it in one lump, and
with it that of their children; what of a lump was seen as a process's own before is taken off, and the rest is the
part of its children that no reading saw. Pure, and the standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable

from bongsu.sources.procfs.ledger import Ledger

Flow = tuple[int, int, int, int, int, int]  # chars read, written, calls of each, bytes from and to storage
NO_FLOW: Flow = (0, 0, 0, 0, 0, 0)


class Book:
    """What is booked to one process.

    Attributes:
        number: of the process in this run.
        parent: the book of its parent, None if that is not of the run.
        own_ns: CPU time of its own; unseen_ns: of children that it waited for and that no reading saw.
        flow: its input and output and those of children it has waited for; None if we may not know.
        switches: voluntary and involuntary, of its threads.
    """

    __slots__ = (
        "before_flow", "before_ns", "below", "children", "children_ns", "flow", "had_children", "heir", "number", "open",
        "own_ns", "parent", "switches", "total_ns", "unseen_ns",
    )  # fmt: skip

    def __init__(
        self, number: int, parent: Book | None, before_ns: int = 0, before_children_ns: int = 0, grain_ns: int = 0
    ) -> None:
        self.number = number
        self.parent = parent
        self.before_ns = before_ns
        self.own_ns = self.unseen_ns = 0
        self.children = Ledger(before_children_ns, grain_ns)
        self.children.own = 0
        self.children_ns = before_children_ns
        self.had_children = before_children_ns > 0
        self.open = True
        self.heir: Book | None = None  # who is given what comes too late
        self.total_ns = -1  # what wait4 said, with all it had waited for
        self.before_flow: Flow = NO_FLOW
        self.flow: Flow | None = None
        self.switches = (0, 0)
        self.below = (0, 0)  # switches of ended processes that it has waited for


class Accounts:
    """The books of all processes that are alive, and the sums of all that ever were: it does not grow with the dead.

    Attributes:
        own_ns: CPU time of processes that are known by name.
        unseen_ns: of children of known processes that no reading saw, and the end of those that it did.
        waited_ns: what wait4 gave us, with all that was waited for below.
    """

    def __init__(self, grain_ns: int = 0) -> None:
        """``grain_ns``: by less than this the time of children is rounded down where `read` is given it."""
        self._grain_ns = grain_ns
        self.own_ns = self.unseen_ns = self.waited_ns = 0
        self.born = self.ended_count = 0
        self.switches = (0, 0)
        self._lost_flow = NO_FLOW  # of ended processes whose parents were not given it
        self._touched: set[Book] = set()
        self._owed: set[Book] = set()  # have a credit that still counts

    def open(
        self, parent: Book | None, *, number: int | None = None, before_ns: int = 0, before_children_ns: int = 0
    ) -> Book:
        """A process was found, which may have a number. What it had used before the run (attached) is not the run's."""
        number = self.number() if number is None else number
        if parent is not None:
            parent.had_children = True
        return Book(number, parent, before_ns, before_children_ns, self._grain_ns)

    def number(self) -> int:
        """The number of a process that is new to the run."""
        self.born += 1
        return self.born - 1

    def read(self, book: Book, own_ns: int, children_ns: int) -> None:
        """What the kernel says a living process has used, and the children that it has waited for."""
        own_ns -= book.before_ns
        if own_ns > book.own_ns:
            self.own_ns += own_ns - book.own_ns
            book.own_ns = own_ns
        if children_ns > book.children_ns:
            book.children_ns = children_ns
            self._touched.add(book)

    def died(self, book: Book, own_ns: int) -> None:
        """It has ended, and this is all that its own threads used: what `reaped` will tell beyond it was its children's."""
        self.read(book, own_ns, book.children_ns)
        book.had_children = True

    def reaped(self, book: Book, total_ns: int, switches: tuple[int, int]) -> None:
        """We waited for it: what it and all below it that was waited for had used."""
        book.total_ns = total_ns
        self.waited_ns += total_ns
        seen = (book.switches[0] + book.below[0], book.switches[1] + book.below[1])
        self._switched(max(0, switches[0] - seen[0]), max(0, switches[1] - seen[1]))
        self._shut(book, None)
        self._touched.add(book)

    def reaped_unknown(self, total_ns: int, switches: tuple[int, int]) -> None:
        """We waited for a process that no reading had seen."""
        self.waited_ns += total_ns
        self.unseen_ns += total_ns
        self._switched(*switches)

    def ended(self, book: Book, *, waited: bool) -> None:
        """It is gone; ``waited``: its parent of the run was given what it used."""
        parent = book.parent
        while parent is not None and not parent.open and parent.total_ns < 0:
            parent = parent.heir
        if not waited:
            parent = None
        self._shut(book, parent)
        if parent is None:
            if book.flow is not None:
                self._lost_flow = _plus(self._lost_flow, minus(book.flow, book.before_flow))
            return
        ledger = book.children
        parent.children.owe(book.before_ns + book.own_ns + ledger.raw + ledger.credit + ledger.old_credit)
        parent.below = (
            parent.below[0] + book.switches[0] + book.below[0],
            parent.below[1] + book.switches[1] + book.below[1],
        )
        self._touched.add(parent)

    def settle(self) -> None:
        """All that was read and ended at this time is known: book the lumps."""
        touched = self._touched | self._owed
        self._touched = set()
        self._owed = set()
        for book in touched:
            if book.total_ns >= 0:
                self._settle_reaped(book)
            elif book.open:
                self._unseen(book, book.children.gain(book.children_ns))
                if book.children.credit or book.children.old_credit:
                    self._owed.add(book)

    def used_flow(self, alive: Iterable[Book], waited_for: Flow | None) -> Flow | None:
        """Input and output of the run; ``waited_for`` is that of all that we waited for. None if nothing may be known."""
        total = self._lost_flow
        known = waited_for is not None or total != NO_FLOW
        if waited_for is not None:
            total = _plus(total, waited_for)
        for book in alive:
            if book.flow is not None:
                known = True
                total = _plus(total, minus(book.flow, book.before_flow))
        return total if known else None

    def switched(self, book: Book, voluntary: int, involuntary: int) -> None:
        """The switches of a process's threads that live; those of threads that ended are not forgotten."""
        more = (max(0, voluntary - book.switches[0]), max(0, involuntary - book.switches[1]))
        book.switches = (book.switches[0] + more[0], book.switches[1] + more[1])
        self._switched(*more)

    def _shut(self, book: Book, heir: Book | None) -> None:
        book.open = False
        book.heir = heir
        self._touched.discard(book)
        self._owed.discard(book)
        self.ended_count += 1

    def _settle_reaped(self, book: Book) -> None:
        ledger = book.children
        rest = book.total_ns - book.before_ns - book.own_ns - ledger.raw - ledger.credit - ledger.old_credit
        if rest <= 0:
            return
        if book.had_children or book.children_ns:
            self._unseen(book, rest)
        else:  # nothing tells of a child: its own last moments
            book.own_ns += rest
            self.own_ns += rest

    def _unseen(self, book: Book, ns: int) -> None:
        book.unseen_ns += ns
        self.unseen_ns += ns

    def _switched(self, voluntary: int, involuntary: int) -> None:
        self.switches = (self.switches[0] + voluntary, self.switches[1] + involuntary)


def _plus(a: Flow, b: Flow) -> Flow:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5])


def minus(a: Flow, b: Flow) -> Flow:
    """What came to a flow since it was ``b``."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3], a[4] - b[4], a[5] - b[5])
