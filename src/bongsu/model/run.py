"""A recorded run as it is read back: what is known of it, its samples, processes and functions, and the report made of them."""

from __future__ import annotations

import msgspec

from bongsu.model.owner import Owner

SCHEMA = "bongsu-run/1"


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run before (and, in a report, after) it; the content of run.json.

    ``None`` is "not known" or "not yet". Texts that were not UTF-8 hold lone surrogates.
    """

    id: str
    command: tuple[str, ...]  # redacted; empty when attached to a process whose command may not be read
    directory: str  # where it was started
    host: str
    user: str
    started: float  # Unix s
    zone: str  # of the machine's clock, as "+0900"
    interval_seconds: float
    version: str  # of bongsu
    schema: str = SCHEMA
    name: str = ""  # the program's name, or what the user called it
    tags: tuple[str, ...] = ()
    message: str = ""
    experiment: str = ""  # the same for all runs of one `--repeat`
    attached: bool = False  # to a process that ran already
    attached_after_seconds: float | None = None  # how long that process had lived by then
    pid: int | None = None
    boot_id: str = ""
    machine: str = ""  # processor model
    cpus: int | None = None  # that the command may use
    memory_bytes: int | None = None
    kernel: str = ""
    git_revision: str = ""
    git_dirty: bool | None = None
    environment: dict[str, str] = {}  # only names of the allow-list
    owner: Owner | None = None
    limits: dict[str, float] = {}  # of the owner's cgroup: "cpus", "memory_bytes"
    parent: str = ""  # id of the run that this one is nested in
    functions: tuple[str, ...] = ()  # asked for by --functions
    ended: float | None = None  # Unix s
    exit_code: int | None = None  # as the shell sees it: 128 + signal
    signal: str = ""  # that ended it, as "SIGKILL"
    state: str = ""  # running, ended, lost (its monitor died before its end)


class CpuUse(msgspec.Struct, frozen=True, kw_only=True):
    """CPU time of the whole tree. Percentages are of one CPU, as in the source document (200 = two CPUs busy)."""

    total_seconds: float | None
    source: str  # cgroup, perf, wait4, sampled
    sources: dict[str, float] = {}  # what each way that was tried gave, in seconds
    residual_seconds: float | None = None  # total less what was attributed to processes: short-lived, unseen by name
    user_seconds: float | None = None
    system_seconds: float | None = None
    avg_percent: float | None = None
    max_percent: float | None = None


class MemoryUse(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of the whole tree. RSS counts shared pages once for each process; PSS and the cgroup do not."""

    peak_rss_bytes: int | None = None
    avg_rss_bytes: float | None = None
    peak_pss_bytes: int | None = None
    avg_pss_bytes: float | None = None
    peak_uss_bytes: int | None = None
    cgroup_peak_bytes: int | None = None
    cgroup_peak_anon_bytes: int | None = None
    largest_process_rss_bytes: int | None = None  # ru_maxrss of wait4
    avg_rss_mb: float | None = None  # 10^6 bytes; of the root process and its children, as in the source document
    max_rss_mb: float | None = None


class ChildrenUse(msgspec.Struct, frozen=True, kw_only=True):
    """The processes other than the first."""

    max_count: int | None = None
    started: int | None = None
    exited: int | None = None
    counted_by: str | None = None  # events: the kernel told of each; readings: who lived shorter than one may lack
    avg_cpu_percent: float | None = None
    avg_memory_mb: float | None = None


class IoUse(msgspec.Struct, frozen=True, kw_only=True):
    """Input and output: bytes to and from storage, and calls and bytes of read(2) and write(2) and their kin."""

    read_bytes: int | None = None
    write_bytes: int | None = None
    read_chars: int | None = None
    write_chars: int | None = None
    read_calls: int | None = None
    write_calls: int | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run cost."""

    wall_seconds: float | None
    cpu: CpuUse
    memory: MemoryUse
    children: ChildrenUse
    io: IoUse
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    max_threads: int | None = None
    max_open_files: int | None = None
    samples: int = 0
    survivors: tuple[Survivor, ...] = ()


class Survivor(msgspec.Struct, frozen=True, kw_only=True):
    """A process that lived on when the first one had ended, with its CPU time by then."""

    pid: int
    command: str
    cpu_seconds: float | None = None


class FunctionStat(msgspec.Struct, frozen=True, kw_only=True):
    """One function or span, over all processes that timed it. The first five are the source document's."""

    count: int
    total_time: float  # wall, s
    cpu_time: float | None  # s
    avg_time: float | None = None
    max_time: float | None = None
    min_time: float | None = None
    self_time: float | None = None
    self_cpu_time: float | None = None
    cpu_error: float = 0.0  # s; how far cpu_time may be off (adaptive clock)
    errors: int = 0  # calls that ended by an exception
    running: int = 0  # calls that had not ended when their process did, or when this was read
    processes: int = 1
    kind: str = "function"
    task: str = ""


class Point(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The whole tree at one time. Seconds, bytes and counts with a beginning are since the start of the run."""

    at_seconds: float
    cpu_seconds: float | None = None  # by the exact source
    attributed_cpu_seconds: float | None = None  # of processes known by name
    rss_bytes: int | None = None
    vms_bytes: int | None = None
    pss_bytes: int | None = None
    uss_bytes: int | None = None
    cgroup_bytes: int | None = None
    cgroup_anon_bytes: int | None = None
    cgroup_file_bytes: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    read_chars: int | None = None
    write_chars: int | None = None
    read_calls: int | None = None
    write_calls: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    threads: int | None = None
    processes: int | None = None
    started: int | None = None
    exited: int | None = None
    open_files: int | None = None
    children_rss_bytes: int | None = None  # of all but the first process
    children_cpu_seconds: float | None = None  # attributed to all but the first process
    unseen_cpu_seconds: float | None = None  # of children that known processes waited for and no reading saw


class Use(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One process at one time."""

    at_seconds: float
    cpu_seconds: float | None = None
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    threads: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    unseen_cpu_seconds: float | None = None


class ProcessRow(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the run, alive or dead; or many, see ``count``."""

    index: int  # its number in this run
    pid: int
    start_seconds: float  # since the start of the run; negative if it was there before (attached)
    parent: int | None = None  # index
    command: str = ""  # redacted
    executable: str = ""
    user: str = ""
    end_seconds: float | None = None  # None: it lived when the record ended
    exit_code: int | None = None
    signal: str = ""
    known_by: str = ""  # how its end is known: waited, event, vanished
    cpu_seconds: float | None = None
    unseen_cpu_seconds: float | None = None  # of its children that no reading saw: not in cpu_seconds
    cpu_share_ratio: float | None = None  # of the run's total
    peak_rss_bytes: int | None = None
    peak_pss_bytes: int | None = None
    threads: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    uses: tuple[Use, ...] = ()
    count: int = 1  # more: short-lived ones of one program, too many for rows of their own; from the first to the last
    lived_seconds: float | None = None  # of those, in sum


class MonitorUse(msgspec.Struct, frozen=True, kw_only=True):
    """What recording itself cost."""

    cpu_seconds: float | None = None
    rss_bytes: int | None = None
    samples: int = 0
    missed_samples: int = 0
    late_seconds: float | None = None  # the latest that a sample was
    errors: tuple[str, ...] = ()  # what could not be read or written


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened: a signal, a threshold, a stop, a gap, a torn record."""

    at_seconds: float
    what: str
    text: str


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one run, in the shape of the exported JSON."""

    metadata: Metadata
    summary: Summary
    function_stats: dict[str, FunctionStat] = {}
    samples: tuple[Point, ...] = ()
    processes: tuple[ProcessRow, ...] = ()
    monitor: MonitorUse = MonitorUse()
    events: tuple[Event, ...] = ()
    schema: str = SCHEMA
