"""Names that a program makes as it goes take room that ends."""

from __future__ import annotations

from pathlib import Path

from bongsu.emit.ledger import MOST_PAIRS, OTHER_TASKS
from bongsu.records.run_reading import Record
from bongsu.runs import reporting
from programs import Program
from run_records import metadata


def test_names_times_tasks_have_an_end(tmp_path: Path) -> None:
    """A thousand names in a thousand tasks would be a million rows: after the first ten thousand the task is shared."""
    program = Program(tmp_path, """
import gc
from threading import Thread
from bongsu.emit import span, task, timed
from bongsu.emit.ledger import LEDGER
@timed
def work(): pass
def go(first, last):
    for number in range(first, last):
        for part in range(100):
            with span(f"part {part}", task=f"epoch {number}"): pass
        with task(f"step {number}"):
            work()
            for part in range(100):
                with span(f"part {part}"):
                    with span("within"): pass
def beside(*numbers):
    thread = Thread(target=go, args=numbers)
    thread.start(); thread.join()
go(0, 20); beside(20, 60)
LEDGER.write(); gc.collect(); before = len(gc.get_objects())  # what was written last is kept
go(60, 100); beside(100, 120)
LEDGER.write(); gc.collect(); print(len(gc.get_objects()) - before)
""")  # fmt: skip
    assert int(program.run()) < 1000
    made = program.functions()
    assert MOST_PAIRS < len(made.stats) <= MOST_PAIRS + 2 * 102
    assert sum(stat.count for stat in made.stats.values()) == 120 * (100 + 1 + 200)
    assert made.stats[f"work [{OTHER_TASKS}]"].count > 0
    said = [event.text for event in reporting.made_of(metadata(), Record(), made).events]
    assert any("calls in tasks have no row of their own" in text for text in said)


def test_tasks_without_end_are_written_seldom(tmp_path: Path) -> None:
    """What is new is written at once while a process is young, not in each new task: each writing reads all rows."""
    program = Program(tmp_path, """
from bongsu.emit import ledger, span, task
writes, write = [], ledger.LEDGER.write
def counted():
    writes.append(1)
    write()
ledger.LEDGER.write = counted
ledger.LEDGER.soon_at = ledger.LEDGER.write_at = float("inf")
for number in range(100):
    with task(f"step {number}"):
        for part in range(10):
            with span(f"part {part}"): pass
            ledger.LEDGER.soon_at = ledger.LEDGER.write_at = float("inf")
print(len(writes))
""")  # fmt: skip
    assert int(program.run()) < 500  # of a thousand
