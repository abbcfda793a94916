"""/proc/net/rpc/nfs and nfsd: what the NFS client asked and the NFS server answered (net/sunrpc/stats.c)."""

from __future__ import annotations

from collections.abc import Sequence

from bongsu.sources.counts import counts
from bongsu.sources.root import Root

# In the order of the kernel's procedure tables, under the names that node_exporter gives them.
V2 = (
    "Null", "GetAttr", "SetAttr", "Root", "Lookup", "ReadLink", "Read", "WrCache", "Write", "Create", "Remove",
    "Rename", "Link", "SymLink", "MkDir", "RmDir", "ReadDir", "FsStat",
)  # fmt: skip
V3 = (
    "Null", "GetAttr", "SetAttr", "Lookup", "Access", "ReadLink", "Read", "Write", "Create", "MkDir", "SymLink",
    "MkNod", "Remove", "RmDir", "Rename", "Link", "ReadDir", "ReadDirPlus", "FsStat", "FsInfo", "PathConf", "Commit",
)  # fmt: skip
V4_CLIENT = (
    "Null", "Read", "Write", "Commit", "Open", "OpenConfirm", "OpenNoattr", "OpenDowngrade", "Close", "Setattr",
    "FsInfo", "Renew", "SetClientID", "SetClientIDConfirm", "Lock", "Lockt", "Locku", "Access", "Getattr", "Lookup",
    "LookupRoot", "Remove", "Rename", "Link", "Symlink", "Create", "Pathconf", "StatFs", "ReadLink", "ReadDir",
    "ServerCaps", "DelegReturn", "GetACL", "SetACL", "FsLocations", "ReleaseLockowner", "Secinfo", "FsidPresent",
    "ExchangeID", "CreateSession", "DestroySession", "Sequence", "GetLeaseTime", "ReclaimComplete", "LayoutGet",
    "GetDeviceInfo", "LayoutCommit", "LayoutReturn", "SecinfoNoName", "TestStateID", "FreeStateID", "GetDeviceList",
    "BindConnToSession", "DestroyClientID", "Seek", "Allocate", "DeAllocate", "LayoutStats", "Clone",
)  # fmt: skip
V4_OPERATIONS = (  # numbers 3 to 39 of RFC 7530
    "Access", "Close", "Commit", "Create", "DelegPurge", "DelegReturn", "GetAttr", "GetFH", "Link", "Lock", "Lockt",
    "Locku", "Lookup", "LookupRoot", "Nverify", "Open", "OpenAttr", "OpenConfirm", "OpenDgrd", "PutFH", "PutPubFH",
    "PutRootFH", "Read", "ReadDir", "ReadLink", "Remove", "Rename", "Renew", "RestoreFH", "SaveFH", "SecInfo",
    "SetAttr", "Verify", "Write", "RelLockOwner",
)  # fmt: skip
FIRST_OPERATION = 3

_COUNTED = frozenset({b"proc2", b"proc3", b"proc4", b"proc4ops"})  # these begin with how many numbers follow
_AT_LEAST = {b"net": 4, b"rpc": 3, b"rc": 3, b"fh": 1, b"io": 2, b"th": 1, b"ra": 12}


def read(proc: Root, path: str) -> dict[str, Sequence[int]]:
    """The numbers of each line by its first word; of ``proc…`` lines without the leading length.

    Lines that we do not know are left out: newer kernels add some.

    Raises:
        OSError: it cannot be read; FileNotFoundError where the module is not loaded.
        ValueError: it is not what the kernel writes.
    """
    found: dict[str, Sequence[int]] = {}
    for line in proc.read(path).split(b"\n"):
        words = line.split()
        if not words:
            continue
        key = words[0]
        if key in _COUNTED:
            numbers = counts(words[1:])
            if not numbers or numbers[0] != len(numbers) - 1:
                raise ValueError(f"{path}: the line {line[:40]!r} does not have as many numbers as it says")
            found[key.decode("ascii")] = numbers[1:]
        elif key in _AT_LEAST:
            numbers = counts(words[1:3] if key == b"th" else words[1:])  # th goes on with fractions
            if len(numbers) < _AT_LEAST[key]:
                raise ValueError(f"{path}: the line {line[:40]!r} is cut short")
            found[key.decode("ascii")] = numbers
    return found
