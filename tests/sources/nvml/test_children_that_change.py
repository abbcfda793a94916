"""What is counted and asked while children hang, die and follow each other: each error once, each wish once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bongsu.model.batch import Why
from bongsu.sources.nvml import decode
from bongsu.sources.nvml import reader as module
from bongsu.sources.nvml.reading import Gap, Gpu, Snapshot, Xid
from bongsu.sources.root import Machine
from bongsu.sources.worker import Silent

Step = tuple[tuple[int, ...], Any]  # the children after the question, and the answer
FAILED = (9, "nvmlInit")  # nvmlReturn_t, call
SILENT = Silent(1.0)


def told(count: int, *, lost: bool = False) -> tuple[str, Snapshot, None]:
    """A child's answer with so many errors of one GPU."""
    failed = Gap(Why.LOST, "nvmlDeviceGetHandleByIndex", "NVML_ERROR_GPU_IS_LOST") if lost else None
    gpu = Gpu(index=0, uuid="GPU-a", name="NVIDIA H100", failed=failed)
    return "a look", Snapshot(time=1000.0, gpus=(gpu,), xids=(Xid("GPU-a", 79, count, 1000.0),)), None


class Children:
    """Stands for the worker: each question takes the next step of a play."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps: Iterator[Step] = iter(steps)
        self.pids: tuple[int, ...] = ()
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self._hangs = False

    def ask(self, _items: object) -> list[Any]:
        self.asked += 1
        self.meanwhile()
        self.pids, answer = next(self.steps)
        self._hangs = answer is SILENT
        return [answer]

    def rest(self) -> None:
        if not self._hangs:  # as the worker: what hangs is not idle
            self.pids = ()

    def close(self) -> None:
        self.pids = ()


@pytest.fixture
def reader_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Step]], tuple[module.NvmlReader, Children]]:
    """A reader of a play, on a machine with the library."""
    monkeypatch.setattr(module, "_has_library", lambda: True)
    monkeypatch.setattr(decode, "snapshot", lambda answer: answer[1])
    monkeypatch.setattr(module, "_LOST_AGAIN", 0.0)

    def made(steps: list[Step]) -> tuple[module.NvmlReader, Children]:
        reader, children = module.NvmlReader(Machine.at(), same=0.0), Children(steps)
        monkeypatch.setattr(reader, "_worker", children)
        return reader, children

    return made


@pytest.mark.parametrize(
    "steps",
    [
        # A late answer, and then the child is found dead and the next one is slow.
        [((1,), told(1)), ((1,), SILENT), ((1,), told(2)), ((2,), SILENT), ((2,), told(0)), ((2,), told(0))],
        # The GPU is lost, so that a new child is wanted, while the present one hangs.
        [((1,), told(1)), ((1,), SILENT), ((1,), told(2, lost=True)), ((1,), SILENT), ((1,), told(2)), ((1,), told(2))],
        # An idle child is let go, and the next has its number.
        [((1,), told(2, lost=True)), ((1,), told(0))],
    ],
    ids=["dead-after-late", "lost-while-it-hangs", "same-number"],
)
def test_an_error_is_counted_once(
    reader_with: Callable[[list[Step]], tuple[module.NvmlReader, Children]], steps: list[Step]
) -> None:
    """Two errors were told of; whoever asks the driver afterwards, there are two, and at no time were there more."""
    reader, children = reader_with(steps)
    counts = []
    while children.asked < len(steps):
        (xid,) = reader.read().xids
        counts.append(xid.count)
    assert counts == sorted(counts)
    assert counts[-1] == 2


def test_a_wish_during_a_look_that_fails_is_heard(
    reader_with: Callable[[list[Step]], tuple[module.NvmlReader, Children]],
) -> None:
    """What was mended while the driver was being asked is asked again at once; one wish is for one look."""
    reader, children = reader_with([((1,), FAILED), ((2,), FAILED), ((3,), told(0))])
    children.meanwhile = reader.try_again
    reader.read()
    children.meanwhile = lambda: None
    assert reader.read().error is not None
    assert children.asked == 2
    reader.read()
    assert children.asked == 2
    reader.try_again()
    assert reader.read().error is None
