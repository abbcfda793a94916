"""Renders a hardened systemd unit for the agent; what each setting costs in readings stands beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

NAME = "bongsu.service"
_PLAIN = re.compile(r"[A-Za-z0-9_@:,./=+$%-]+")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}\$?")

_UNIT = """\
# Written by `bongsu render systemd`. Install it with:
#   sudo cp {name} /etc/systemd/system/ && sudo systemctl daemon-reload && sudo systemctl enable --now {name}
# Own changes go into a drop-in (systemctl edit {name}), which a newly rendered file leaves alone.
# {exposure}

[Unit]
Description=Bongsu agent: readings of this machine for Prometheus
{after}

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5
# The agent tells systemd that its clock still goes round; a hung one is started anew.
WatchdogSec=60
# It ends within 2 s of SIGTERM; the rest is for a machine on its knees.
TimeoutStopSec=10

{user}
StateDirectory=bongsu
StateDirectoryMode=0700
UMask=0077
{capabilities}
NoNewPrivileges=yes

# A monitor must not become the load that it reports.
MemoryMax=256M
TasksMax=128
CPUWeight=50

# Files: all can be looked at, none changed{but_writable}. The sizes of file systems stay true, which
# ProtectHome=yes would not allow: it hides /home behind an empty one.
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateMounts=yes
{writable}\
{devices}
DevicePolicy=closed

# The kernel: /proc and /sys are read, never written. ProtectProc= and ProcSubset= stay off: they would
# hide other users' processes, and /proc/meminfo with all its like. ProtectClock= stays off, and adjtimex is let
# through: asking how well the clock is kept is the same call as setting it, which needs a capability that
# this service has not. ProtectHostname= stays off: it would freeze the name under which readings are sent.
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=adjtimex clock_adjtime
SystemCallErrorNumber=EPERM
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes

# Network: scrapes, the journal and name services (AF_UNIX), addresses of interfaces (AF_NETLINK).
# PrivateNetwork= stays off: it would show a network with nothing in it. PrivateUsers= stays off: it would
# show every user as nobody.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
{addresses}
[Install]
WantedBy=multi-user.target
"""
_NO_DEVICES = """\
# Devices: none; sensors and disks are read in /sys. GPUs of NVIDIA are read through theirs: render it with --gpu.
PrivateDevices=yes"""
_GPU_DEVICES = """\
# Devices: those of NVIDIA's driver alone, by their names in /proc/devices (a path here may hold no *).
PrivateDevices=no
DeviceAllow=char-nvidia* rw"""
_LOOPBACK = """\
# Only this machine may connect. If users are looked up in LDAP without sssd or nslcd, allow its server here,
# or their processes are shown under numbers.
IPAddressDeny=any
IPAddressAllow=localhost
"""
_PTRACE = "CAP_SYS_PTRACE"
_BIND = "CAP_NET_BIND_SERVICE"
_READ = "CAP_DAC_READ_SEARCH"


def unit(
    command: Sequence[str],
    *,
    user: str | None = None,
    loopback: bool = True,
    port: int = 9420,
    writable: Sequence[str] = (),
    process_io: bool = False,
    root_files: bool = False,
    gpu: bool = False,
) -> str:
    """The unit's text.

    Args:
        command: program and arguments, the program with its full path.
        user: an existing user to run as; None lets systemd make one while the service runs.
        loopback: whether only this machine may connect.
        port: the one to listen on; one below 1024 needs CAP_NET_BIND_SERVICE (ip(7)).
        writable: directories that sinks write to.
        process_io: give CAP_SYS_PTRACE, which reading the IO of other users' processes needs (proc_pid_io(5)).
        root_files: give CAP_DAC_READ_SEARCH, for what only root may read: energy counters, serial numbers,
            file systems mounted below private directories.
        gpu: let it use the devices of NVIDIA's driver, which reading GPUs needs.

    Raises:
        BadInput: the program's path is not full, or a name or path cannot stand in a unit.
    """
    if not command[0].startswith("/"):
        raise BadInput(
            Message("--program {path}: a unit needs the full path, such as /opt/bongsu/bin/bongsu", path=command[0])
        )
    if user is not None and not _USER.fullmatch(user):
        raise BadInput(Message("--user {user!r} is not allowed; give the name of a user, such as bongsu", user=user))
    if user == "nobody":
        raise BadInput(
            Message(
                "--user nobody: files of users that the kernel cannot name, as on NFS, belong to nobody too; give a "
                "user made for this, or leave --user out and systemd makes one"
            )
        )
    low = 0 < port < 1024
    asked = ((_BIND, low), (_PTRACE, process_io), (_READ, root_files))
    extra = " ".join(name for name, wanted in asked if wanted)
    return _UNIT.format(
        name=NAME,
        exposure=_exposure(loopback=loopback, low=low, process_io=process_io, root_files=root_files, gpu=gpu),
        after="After=network.target" if loopback else "Wants=network-online.target\nAfter=network-online.target",
        command=" ".join(_word(part.replace("$", "$$")) for part in command),  # only commands have variables
        user="DynamicUser=yes" if user is None else f"User={user}",
        capabilities=_capabilities(extra, port=port if low else None, process_io=process_io, root_files=root_files),
        but_writable=" but those named below" if writable else "",
        writable="".join(f"ReadWritePaths={_word(path)}\n" for path in writable) + "\n",
        devices=_GPU_DEVICES if gpu else _NO_DEVICES,
        addresses=_LOOPBACK if loopback else "",
    )


def _exposure(*, loopback: bool, low: bool, process_io: bool, root_files: bool, gpu: bool) -> str:
    """What `systemd-analyze security` will say, as it was measured with systemd 252."""
    raising = [
        what
        for what, given in (
            ("a host beyond loopback", not loopback), ("a port below 1024", low), ("--process-io", process_io),
            ("--root-files", root_files), ("--gpu", gpu),
        )
        if given
    ]  # fmt: skip
    if not raising or raising == ["a host beyond loopback"]:
        return "`systemd-analyze security` gives it an exposure below 2.0."
    return (
        f"`systemd-analyze security` gives it an exposure of up to 2.8: {', '.join(raising)} raised it from below 2.0."
    )


def _capabilities(names: str, *, port: int | None, process_io: bool, root_files: bool) -> str:
    lines = []
    if port is not None:
        lines.append(f"# Port {port} is below 1024, where only root may listen: that takes CAP_NET_BIND_SERVICE.")
    if not process_io:
        lines.append("# No capability: what processes of other users read and write is not known (--process-io).")
    if not root_files:
        lines.append("# Files that only root may read are absent: energy counters, serial numbers (--root-files).")
    lines.append(f"CapabilityBoundingSet={names}")
    if names:
        lines.append(f"AmbientCapabilities={names}")
    return "\n".join(lines)


def _word(text: str) -> str:
    """One word of a unit's line: % begins a specifier, and quotes keep the rest together (systemd.syntax(7))."""
    if any(ord(character) < 0x20 or character == "\x7f" for character in text):
        raise BadInput(Message("{text!r}: a control character cannot stand in a unit", text=text))
    text = text.replace("%", "%%")
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
