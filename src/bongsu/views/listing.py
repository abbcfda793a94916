"""What `bongsu top` lists: processes, those on GPUs, or groups of which one may be opened; and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.text import Text

from bongsu.model.batch import Batch
from bongsu.model.process import ProcessRow
from bongsu.views import gpu_processes, groups, processes
from bongsu.views.gpu_processes import OnGpu
from bongsu.views.groups import By, Group
from bongsu.views.owner_uses import owner_uses
from bongsu.views.processes import Entry, Order
from bongsu.views.rates import Rates


class Listing:
    """The lines of the table below the header, as the user chose them."""

    def __init__(self, order: Order, by: By = By.NONE, *, on_gpus: bool = False, ascii_only: bool = False) -> None:
        self.order = order
        self.by = by
        self.on_gpus = on_gpus  # then the processes on GPUs, whatever else is chosen
        self.opened: Group | None = None  # whose processes are shown
        self.arguments = True  # shown where they were read
        self.rates = Rates()
        self.batch: Batch | None = None
        self._ascii = ascii_only
        self._words = ""  # the filter of the groups, while one is opened
        self._entries: Sequence[Entry | Group | OnGpu] = ()

    def take(self, batch: Batch) -> None:
        """Show what this batch says."""
        self.batch = batch
        self.rates.take(batch)
        self.arrange()

    @property
    def grouped(self) -> bool:
        """Whether the lines are groups."""
        return self.by is not By.NONE and self.opened is None and not self.on_gpus

    @property
    def needs_owners(self) -> bool:
        """Whether what owners use is to be read: only for who looks at it."""
        return self.grouped and self.by is By.OWNER

    def arrange(self) -> None:
        """Make the lines anew."""
        rates = self.rates.processes()
        rows = rows_of(self.batch)
        if self.on_gpus:
            self._entries = gpu_processes.arrange(self.batch, rows, self.order)
            return
        if self.grouped:
            uses = owner_uses(self.batch, self.rates) if self.batch is not None and self.by is By.OWNER else None
            self._entries = groups.arrange(rows, rates, self.by, self.order, uses, ascii_only=self._ascii)
            return
        if self.opened is not None:
            rows = [row for row in rows if groups.key_of(row, self.by) == self.opened.key]
        self._entries = processes.arrange(rows, rates, self.order, ascii_only=self._ascii)

    def change(self, order: Order) -> None:
        """Use another order or filter."""
        self.order = order
        self.arrange()

    def group(self, by: By) -> None:
        """Group by this instead; what was opened is closed."""
        self.by, self.opened, self.on_gpus = by, None, False
        self.arrange()

    def turn_to_gpus(self, *, on_gpus: bool) -> None:
        """Show the processes on GPUs, or what was there before."""
        self.on_gpus = on_gpus
        self.arrange()

    def open(self, place: int) -> None:
        """Show the processes of the group on this line; the filter was for groups, and comes back with them."""
        entry = self._entries[place]
        if isinstance(entry, Group):
            self.opened, self._words = entry, self.order.words
            self.change(replace(self.order, words=""))

    def back(self) -> None:
        """One step back: from a filter, from GPUs, from the processes of a group, from groups."""
        if self.order.words:
            self.change(replace(self.order, words=""))
        elif self.on_gpus:
            self.turn_to_gpus(on_gpus=False)
        elif self.opened is not None:
            self.opened = None
            self.change(replace(self.order, words=self._words))
        else:
            self.group(By.NONE)

    def __len__(self) -> int:
        return len(self._entries)

    def process(self, place: int) -> ProcessRow | None:
        """The process of this machine on this line; None where it is a group, or cannot be seen from here."""
        entry = self._entries[place]
        if isinstance(entry, OnGpu):
            return entry.process
        return None if isinstance(entry, Group) else entry.row

    def identity(self, place: int) -> object:
        """What stays the same of this line when others move."""
        entry = self._entries[place]
        if isinstance(entry, OnGpu):
            return entry.identity
        return entry.key if isinstance(entry, Group) else entry.row.identity

    def place(self, identity: object) -> int:
        """Where that line stands; the first one if it is gone."""
        if identity is not None:
            for place in range(len(self._entries)):
                if self.identity(place) == identity:
                    return place
        return 0

    def heading(self, width: int) -> Text:
        """The line of titles."""
        if self.on_gpus:
            return gpu_processes.heading(width, self.order)
        return groups.heading(width, self.by, self.order) if self.grouped else processes.heading(width, self.order)

    def lines(self, first: int, count: int, width: int, selected: int) -> list[Text]:
        """So many lines, each of exactly ``width`` cells."""
        found = []
        for place, entry in enumerate(self._entries[first : first + count], first):
            chosen = place == selected
            if isinstance(entry, OnGpu):
                found.append(gpu_processes.line(entry, width, selected=chosen))
            elif isinstance(entry, Entry):
                found.append(processes.line(entry, width, selected=chosen, arguments=self.arguments))
            else:
                found.append(groups.line(entry, width, selected=chosen))
        return found

    def plain(self, width: int | None) -> list[str]:
        """All of it in lines for a pipe."""
        if self.on_gpus:
            return gpu_processes.plain([e for e in self._entries if isinstance(e, OnGpu)], width, self.order)
        if self.grouped:
            shown = [entry for entry in self._entries if isinstance(entry, Group)]
            return groups.plain(shown, width, self.by, self.order)
        return processes.plain([e for e in self._entries if isinstance(e, Entry)], width, self.order)


def rows_of(batch: Batch | None) -> list[ProcessRow]:
    """The processes of a batch."""
    table = batch.table("processes") if batch is not None else None
    return [row for row in table.rows if isinstance(row, ProcessRow)] if table is not None else []
