"""The list of mounts, as the kernel escapes it."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from bongsu.sources.procfs import mounts
from bongsu.sources.procfs.mounts import Mount


def mangled(name: bytes) -> bytes:
    """A name as the kernel's mangle_path writes it."""
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes([byte]) for byte in name)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.binary(max_size=20), st.booleans()), max_size=5))
def test_what_the_kernel_writes_is_read(given_mounts: list[tuple[bytes, bytes, bool]]) -> None:
    """Any bytes in a device or mount point come back as they were."""
    text = b"".join(
        b"%s %s ext4 %s,noatime 0 0\n" % (mangled(device), mangled(where), b"ro" if read_only else b"rw")
        for device, where, read_only in given_mounts
    )
    found = mounts.parse(text)
    assert [(mount.mountpoint, mount.read_only) for mount in found] == [(w, ro) for _, w, ro in given_mounts]
    devices = [mounts.unescaped(mount.device.encode("utf-8", "surrogateescape")) for mount in found]
    assert devices == [device for device, _, _ in given_mounts]


@given(st.binary(max_size=100))
def test_any_bytes_are_mounts_or_refused(text: bytes) -> None:
    """Whatever the file holds, it is understood or refused with a ValueError."""
    with contextlib.suppress(ValueError):
        assert all(isinstance(mount, Mount) for mount in mounts.parse(text))
