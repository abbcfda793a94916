"""What the records of a run hold, item by item: the one list that the monitor writes by and readers are checked against.

Times are seconds since the start of the run; all that adds up does so since then. None is "not known".
"""

from __future__ import annotations

#: The whole tree at one time. The names are those of `model.run.Point`.
SAMPLE = (
    "at_seconds",
    "cpu_seconds",
    "attributed_cpu_seconds",
    "rss_bytes",
    "vms_bytes",
    "pss_bytes",
    "uss_bytes",
    "cgroup_bytes",
    "cgroup_anon_bytes",
    "cgroup_file_bytes",
    "read_bytes",
    "write_bytes",
    "read_chars",
    "write_chars",
    "read_calls",
    "write_calls",
    "voluntary_switches",
    "involuntary_switches",
    "threads",
    "processes",
    "started",
    "exited",
    "open_files",
    "children_rss_bytes",
    "children_cpu_seconds",
    "unseen_cpu_seconds",
)
#: A process was seen for the first time; ``process`` is its number in this run, the first is 0.
BORN = ("at_seconds", "process", "pid", "start_seconds", "parent", "uid", "executable", "command")
#: A process became another program (execve).
BECAME = ("at_seconds", "process", "executable", "command")
#: One process at one time; left out while nothing of it changes. `model.run.Use`.
USE = (
    "at_seconds",
    "process",
    "cpu_seconds",
    "rss_bytes",
    "pss_bytes",
    "threads",
    "read_bytes",
    "write_bytes",
    "unseen_cpu_seconds",
)
#: A process ended. ``exit_code`` as the shell sees it; ``known_by`` is waited, event or vanished.
EXITED = (
    "at_seconds",
    "process",
    "exit_code",
    "signal",
    "cpu_seconds",
    "known_by",
    "unseen_cpu_seconds",
    "peak_rss_bytes",
    "read_bytes",
    "write_bytes",
)
#: A process that no reading came across, from its fork to its end at ``at_seconds``, as the kernel told.
BRIEF = ("at_seconds", "process", "pid", "start_seconds", "parent", "executable")
#: More of them, too many for lines of their own: those of one program so far, from the first fork to the
#: last end; ``process`` is the number of one of them.
MANY = ("at_seconds", "process", "executable", "processes", "start_seconds", "end_seconds", "lived_seconds")
#: A signal, a threshold, a stop, a gap.
EVENT = ("at_seconds", "what", "text")
#: What the monitor itself has used so far. Also what a record needs that may have no end: who counts the ``cpu_seconds``
#: of samples, and ``started``, the Unix time of second 0, just before the command was executed;
#: ``counted_by``: events, where the kernel told of each fork, or readings, which do not come across all.
MONITOR = (
    "at_seconds",
    "cpu_seconds",
    "rss_bytes",
    "samples",
    "missed",
    "late_seconds",
    "cpu_source",
    "started",
    "counted_by",
)
#: The end of the first process, and what is then known. ``sources``: way → CPU seconds of the tree.
END = (
    "at_seconds",
    "exit_code",
    "signal",
    "cpu_source",
    "sources",
    "user_cpu_seconds",
    "system_cpu_seconds",
    "maxrss_bytes",
    "cgroup_peak_bytes",
    "survivors",  # [pid, command, cpu_seconds] of each
)

COLUMNS: dict[str, tuple[str, ...]] = {
    "sample": SAMPLE,
    "born": BORN,
    "became": BECAME,
    "use": USE,
    "exited": EXITED,
    "brief": BRIEF,
    "many": MANY,
    "event": EVENT,
    "monitor": MONITOR,
    "end": END,
}
