"""What a user can set, as types: the keys of bongsu.yaml, their defaults, and what is allowed."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

# The description of a type is what an error message says is allowed.
Duration = Annotated[
    float,
    Meta(
        ge=0.1, le=86400, description="seconds from 0.1 to 86400, as a number or as 500ms, 5s, 2m, 1h",
        extra={"duration": True},
    ),
]  # fmt: skip
Span = Annotated[
    float,
    Meta(
        ge=60, le=20 * 365 * 86400, description="a time from 60 s to 20 years, as 12h, 7d, 4w or 1y",
        extra={"duration": True},
    ),
]  # fmt: skip
Wait = Annotated[
    float,
    Meta(
        ge=0, le=60, description="seconds from 0 to 60, as a number or as 500ms, 5s", extra={"duration": True}
    ),
]  # fmt: skip
Size = Annotated[
    int,
    Meta(
        ge=16 * 1024 * 1024, le=2**50, description="a size of 16 MiB or more, as bytes or as 500MiB, 2GiB",
        extra={"size": True},
    ),
]  # fmt: skip
Number = Annotated[float, Meta(description="a number, or a time as 500ms, 5s, 2m, 1h", extra={"duration": True})]
Port = Annotated[int, Meta(ge=0, le=65535, description="a port number from 1 to 65535, or 0 for any free one")]
Bytes = Annotated[int, Meta(ge=4096, description="a number of bytes, 4096 or more")]
Count = Annotated[int, Meta(ge=0, le=10_000, description="a whole number from 0 to 10000")]
Text = Annotated[str, Meta(min_length=1, description="a text that is not empty")]
Path = Annotated[str, Meta(min_length=1, pattern="^[^\x00]*$", description="a path", extra={"path": True})]
Switch = Annotated[bool, Meta(description="on or off")]
Level = Annotated[str, Meta(pattern="^(debug|info|warning|error)$", description="debug, info, warning or error")]
Names = tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+$", description="a host name")], ...]
LabelMap = dict[str, Annotated[str, Meta(description="a text")]]
Collectors = dict[str, Annotated[bool | dict[str, Any], Meta(description="off, on, or the collector's options")]]


# Two of these, the most that a gather waits, are less than the 10 s after which Prometheus gives up a scrape.
DEADLINE_SECONDS = 4.5


class Paths(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the machine's trees are mounted; moved to watch a host from a container, or a captured tree."""

    procfs: Path = "/proc"
    sysfs: Path = "/sys"
    rootfs: Path = "/"
    udev: Path | None = None


class JsonlSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of JSON for each reading round, in a file that is rotated."""

    path: Path
    max_bytes: Bytes = 64 * 1024 * 1024
    max_age: Duration = 86400.0
    keep: Count = 7
    compress: Switch = False
    fsync: Switch = False


class SinkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where readings go besides /metrics."""

    textfile: Path | None = None
    textfile_remove: Switch = False
    jsonl: JsonlSettings | None = None


class ProcessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table of processes, which costs more to read than the rest."""

    interval: Duration = 5.0


class OwnerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may be asked to find out who a process belongs to, beside its cgroup."""

    environment: Switch = True
    kubelet: Switch = True


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """History on disk, which PromQL and the page read. ``enabled`` None is the command's own: up yes, agent no."""

    enabled: Switch | None = None
    path: Path | None = None
    raw: Span = 7 * 86400.0
    minutes: Span = 90 * 86400.0
    max_bytes: Size = 2 * 1024**3
    commit_every: Wait = 5.0
    durable: Switch = False
    labels: LabelMap = msgspec.field(default_factory=dict)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that bongsu.yaml can hold. ``interval`` None is the command's own: up 1 s, agent 15 s."""

    interval: Duration | None = None
    host: Text = "127.0.0.1"
    port: Port = 9420
    data_dir: Path | None = None
    runs_dir: Path | None = None
    token: Switch = True
    web_config: Path | None = None
    allowed_hosts: Names = ()
    log_level: Level | None = None
    deadline: Duration = DEADLINE_SECONDS
    paths: Paths = Paths()
    demo: Path | None = None
    collector_defaults: Switch = True
    collectors: Collectors = msgspec.field(default_factory=dict)
    processes: ProcessSettings = ProcessSettings()
    owners: OwnerSettings = OwnerSettings()
    sinks: SinkSettings = SinkSettings()
    store: StoreSettings = StoreSettings()


MEANING: dict[tuple[str, ...], str] = {
    ("interval",): "How often the clock reads; without it 1 s for `bongsu up`, 15 s for `bongsu agent`.",
    ("host",): "The address to listen on; anything but loopback needs authentication.",
    ("port",): "The port to listen on.",
    ("data_dir",): "Where what must survive a restart is kept (the token, the history); "
                   "default $STATE_DIRECTORY, $XDG_STATE_HOME/bongsu or ~/.local/state/bongsu.",
    ("runs_dir",): "Where `bongsu run` keeps what it records, which the page shows; default runs in $STATE_DIRECTORY, "
                   "$XDG_STATE_HOME/bongsu or ~/.local/state/bongsu.",
    ("token",): "Whether the page asks for the token that the start line prints; off only on loopback.",
    ("web_config",): "A web config file of the Prometheus exporters: TLS and basic auth.",
    ("allowed_hosts",): "Names, besides this machine's own, that a browser may use for it.",
    ("log_level",): "How much is logged on stderr.",
    ("deadline",): "How long one collector may take before the others go on without it.",
    ("paths",): "Where the machine's trees are mounted.",
    ("paths", "procfs"): "The proc file system.",
    ("paths", "sysfs"): "The sys file system.",
    ("paths", "rootfs"): "The root file system.",
    ("paths", "udev"): "udev's database; default run/udev/data below rootfs.",
    ("demo",): "A scenario whose made-up GPUs are played in place of this machine's; `shipped` is the one that comes with "
               "Bongsu. Nothing of it is stored, and all that shows it says so.",
    ("collector_defaults",): "Whether the collectors that are on by default are on; off leaves only those named.",
    ("collectors",): "By collector name: off, on, or its options (bongsu explain NAME lists them).",
    ("processes",): "The table of processes.",
    ("processes", "interval"): "How often processes are read.",
    ("owners",): "How the Slurm job, pod, container, unit or user of a process is found, beside by its cgroup.",
    ("owners", "environment"): "Whether SLURM_JOB_ID may be looked for in the environment of processes; "
                               "nothing else in it is kept.",
    ("owners", "kubelet"): "Whether the kubelet on this machine may be asked what its pods are called.",
    ("sinks",): "Where readings go besides /metrics.",
    ("sinks", "textfile"): "A file for another exporter's textfile collector, replaced at each interval.",
    ("sinks", "textfile_remove"): "Whether that file is removed at the end, so that nobody goes on reading old values.",
    ("sinks", "jsonl"): "One line of JSON for each interval.",
    ("sinks", "jsonl", "path"): "The file to append to.",
    ("sinks", "jsonl", "max_bytes"): "Rotate when it has grown to this size.",
    ("sinks", "jsonl", "max_age"): "Rotate when it is this old.",
    ("sinks", "jsonl", "keep"): "How many rotated files stay.",
    ("sinks", "jsonl", "compress"): "Whether rotated files are compressed.",
    ("sinks", "jsonl", "fsync"): "Whether each line is on the disk before the next is taken: slower, survives power loss.",
    ("store",): "History on disk, for the page and PromQL.",
    ("store", "enabled"): "Whether history is kept; without it yes for `bongsu up`, no for `bongsu agent`.",
    ("store", "path"): "The file of the history; default history.db in data_dir.",
    ("store", "raw"): "How long every reading is kept.",
    ("store", "minutes"): "How long one value a minute (with lowest, highest, mean) is kept.",
    ("store", "max_bytes"): "The most that the file may take; the oldest readings go first.",
    ("store", "commit_every"): "How often readings are written to the file; those since then are lost if the process "
                               "is killed. 0 writes each at once.",
    ("store", "durable"): "Whether each write waits for the disk: slower, survives power loss.",
    ("store", "labels"): "Labels that every series is given, as a Prometheus gives them to a target; "
                         "default job: bongsu and instance: the host's name.",
}  # fmt: skip
