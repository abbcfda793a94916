"""What `bongsu top` lists: processes, those on GPUs, or groups of which one may be opened; and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.text import Text

from bongsu.model.batch import Batch
from bongsu.model.process import ProcessRow
from bongsu.views import gpu_entries, gpu_groups, gpu_processes, groups, processes
from bongsu.views.gpu_entries import OnGpu
from bongsu.views.gpu_groups import GpuGroup
from bongsu.views.gpu_past import GpuPast
from bongsu.views.gpu_power import GpuPower
from bongsu.views.gpu_visible import CudaEnvironment, Visible
from bongsu.views.gpu_withheld import unlisted
from bongsu.views.groups import By, Group
from bongsu.views.header import Readings
from bongsu.views.owner_uses import owner_uses
from bongsu.views.printable import printable
from bongsu.views.processes import Entry, Order
from bongsu.views.rates import Rates

_ALL = ("processes", "process", "processes")  # table, collector, what people call it
_ON_GPUS = (gpu_entries.TABLE, gpu_entries.COLLECTOR, "processes on GPUs")


class Listing:
    """The lines of the table below the header, as the user chose them."""

    def __init__(
        self, order: Order, by: By = By.NONE, *, on_gpus: bool = False, only: CudaEnvironment | None = None, ascii_only: bool = False
    ) -> None:  # fmt: skip
        self.order = order
        self.by = by
        self.on_gpus = on_gpus  # then all lines are of processes on GPUs
        self.only = only  # GPUs that it hides are not shown
        self.opened: Group | GpuGroup | None = None  # whose processes are shown
        self.arguments = True  # shown where they were read
        self.rates = Rates()
        self._power = GpuPower()
        self._past = GpuPast()
        self.batch: Batch | None = None
        self._ascii = ascii_only
        self._words = ""  # the filter of the groups, while one is opened
        self._entries: Sequence[Entry | Group | OnGpu | GpuGroup] = ()

    def take(self, batch: Batch) -> None:
        """Show what this batch says."""
        self.batch = batch
        self.rates.take(batch)
        self._power.take(batch)
        self._past.take(batch)
        self.arrange()

    @property
    def grouped(self) -> bool:
        """Whether the lines are groups."""
        return self.by is not By.NONE and self.opened is None

    @property
    def needs_owners(self) -> bool:
        """Whether what owners use is to be read: only for who looks at it."""
        return self.grouped and self.by is By.OWNER and not self.on_gpus

    @property
    def readings(self) -> Readings:
        """What stands above the lines."""
        return Readings(self.batch, self.rates, self.only, self._past)

    @property
    def visible(self) -> Visible | None:
        """The GPUs that are shown; None where all are."""
        return None if self.only is None else self.readings.visible()

    @property
    def lacking(self) -> str:
        """Why there is nothing to list, or not all, where what it is made of was not read; else empty."""
        table, collector, what = _ON_GPUS if self.on_gpus else _ALL
        if self.batch is None:
            return ""
        if self.batch.table(table) is not None:
            return self._unlisted if self.on_gpus else ""
        for outcome in self.batch.outcomes:
            if outcome.collector == collector:
                return printable(outcome.error or outcome.no_data or "")
        return f"the collector `{collector}` is off: there are no {what} to show"

    @property
    def _unlisted(self) -> str:
        """On which GPUs the driver does not tell the processes; those that do not answer stand above as such."""
        part = None if self.batch is None else gpu_entries.part_of(self.batch)
        said = [] if part is None else [f"{one.said}; {one.cure}" if one.cure else one.said for one in unlisted(part)]
        return printable("; ".join(said))

    def arrange(self) -> None:
        """Make the lines anew."""
        rates = self.rates.processes()
        rows = rows_of(self.batch)
        if self.on_gpus:
            self._entries = () if self.batch is None else self._of_gpus(self.batch, rows)
            return
        if self.grouped:
            uses = owner_uses(self.batch, self.rates) if self.batch is not None and self.by is By.OWNER else None
            self._entries = groups.arrange(rows, rates, self.by, self.order, uses, ascii_only=self._ascii)
            return
        if self.opened is not None:
            rows = [row for row in rows if groups.key_of(row, self.by) == self.opened.key]
        self._entries = processes.arrange(rows, rates, self.order, ascii_only=self._ascii)

    def _of_gpus(self, batch: Batch, rows: Sequence[ProcessRow]) -> Sequence[OnGpu | GpuGroup]:
        visible = self.visible
        found = gpu_entries.entries(batch, rows, visible, self.rates.processes())
        if self.grouped:
            return gpu_groups.arrange(found, self.by, self.order, batch, self._power, visible)
        if self.opened is not None:
            found = [one for one in found if gpu_groups.key_of(one, self.by) == self.opened.key]
        return gpu_processes.arrange(found, rows, self.order, batch.time, ascii_only=self._ascii)

    def change(self, order: Order) -> None:
        """Use another order or filter."""
        self.order = order
        self.arrange()

    def group(self, by: By) -> None:
        """Group by this instead; what was opened is closed."""
        self.by, self.opened = by, None
        self.arrange()

    def turn_to_gpus(self, *, on_gpus: bool) -> None:
        """Show the processes on GPUs, or all; groups stay groups, and of one that is opened its own."""
        self.on_gpus = on_gpus
        self.arrange()

    def show_only(self, only: CudaEnvironment | None) -> None:
        """Show no GPU that this hides."""
        self.only = only
        self.arrange()

    def open(self, place: int) -> None:
        """Show the processes of the group on this line; the filter was for groups, and comes back with them."""
        entry = self._entries[place]
        if isinstance(entry, (Group, GpuGroup)):
            self.opened, self._words = entry, self.order.words
            self.change(replace(self.order, words=""))

    def back(self) -> None:
        """One step back: from a filter, from the processes of a group, from groups, from GPUs."""
        if self.order.words:
            self.change(replace(self.order, words=""))
        elif self.opened is not None:
            self.opened = None
            self.change(replace(self.order, words=self._words))
        elif self.by is not By.NONE:
            self.group(By.NONE)
        else:
            self.turn_to_gpus(on_gpus=False)

    def __len__(self) -> int:
        return len(self._entries)

    def process(self, place: int) -> ProcessRow | None:
        """The process of this machine on this line; None where it is a group, or cannot be seen from here."""
        entry = self._entries[place]
        if isinstance(entry, OnGpu):
            return entry.process
        return None if isinstance(entry, (Group, GpuGroup)) else entry.row

    def identity(self, place: int) -> object:
        """What stays the same of this line when others move."""
        entry = self._entries[place]
        if isinstance(entry, OnGpu):
            return entry.identity
        return entry.key if isinstance(entry, (Group, GpuGroup)) else entry.row.identity

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
            if self.grouped:
                return gpu_groups.heading(width, self.by, self.order)
            return gpu_processes.heading(width, self.order)
        return groups.heading(width, self.by, self.order) if self.grouped else processes.heading(width, self.order)

    def lines(self, first: int, count: int, width: int, selected: int) -> list[Text]:
        """So many lines, each of exactly ``width`` cells."""
        found = []
        for place, entry in enumerate(self._entries[first : first + count], first):
            chosen = place == selected
            if isinstance(entry, OnGpu):
                found.append(gpu_processes.line(entry, width, selected=chosen))
            elif isinstance(entry, GpuGroup):
                found.append(gpu_groups.line(entry, width, selected=chosen))
            elif isinstance(entry, Entry):
                found.append(processes.line(entry, width, selected=chosen, arguments=self.arguments))
            else:
                found.append(groups.line(entry, width, selected=chosen))
        return found

    def plain(self, width: int | None) -> list[str]:
        """All of it in lines for a pipe."""
        if self.on_gpus and self.grouped:
            sums = [entry for entry in self._entries if isinstance(entry, GpuGroup)]
            return gpu_groups.plain(sums, width, self.by, self.order)
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
