"""Processes and threads by state."""

from __future__ import annotations

from collections.abc import Iterator

from bongsu.model.batch import Sample
from bongsu.model.metric import Kind, MetricSpec, Vocabulary
from bongsu.sources.procfs import processes
from bongsu.sources.root import Machine


def _spec(name: str, text: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, Kind.GAUGE, text, labels, vocabulary=Vocabulary.NODE_EXPORTER)


THREADS = _spec("node_processes_threads", "Threads of all processes.")
MAX_THREADS = _spec("node_processes_max_threads", "Threads that the machine may have.")
STATE = _spec("node_processes_state", "Processes by the letter of their state, as ps shows it.", "state")
THREAD_STATE = _spec(
    "node_processes_threads_state", "Threads by the letter of their state, as ps shows it.", "thread_state"
)
PIDS = _spec("node_processes_pids", "Processes of the machine.")
MAX_PROCESSES = _spec("node_processes_max_processes", "Process numbers that the machine may give out.")


class ProcessesCollector:
    """Processes and threads by state; off by default, since it looks at every thread."""

    name = "processes"
    specs = (THREADS, MAX_THREADS, STATE, THREAD_STATE, PIDS, MAX_PROCESSES)
    may_block = False
    on_by_default = False

    def __init__(self, machine: Machine) -> None:
        self._proc = machine.proc

    def collect(self) -> Iterator[Sample]:
        """Numbers and limits, and a sample for each state that some process or thread is in."""
        states = processes.read(self._proc)
        max_threads, max_processes = processes.limits(self._proc)
        yield Sample(THREADS, (), states.thread_count)
        yield Sample(MAX_THREADS, (), max_threads)
        yield Sample(PIDS, (), states.processes.total())
        yield Sample(MAX_PROCESSES, (), max_processes)
        for state, number in states.processes.items():
            yield Sample(STATE, (state,), number)
        for state, number in states.threads.items():
            yield Sample(THREAD_STATE, (state,), number)
