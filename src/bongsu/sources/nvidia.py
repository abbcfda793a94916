"""What NVIDIA's driver has put on a machine: device nodes and the library that reads the devices."""

from __future__ import annotations

from bongsu.sources.root import Root

LIBRARY = "libnvidia-ml.so.1"
# Beside what the linker's cache names: containers get the library mounted, and some systems have no cache.
_FOLDERS = (
    "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib", "usr/local/nvidia/lib64",
    "usr/lib/wsl/lib", "run/opengl-driver/lib",
    # where NVIDIA's GPU operator and Google's node image keep what only containers are given
    "run/nvidia/driver/usr/lib/x86_64-linux-gnu", "run/nvidia/driver/usr/lib/aarch64-linux-gnu",
    "run/nvidia/driver/usr/lib64", "home/kubernetes/bin/nvidia/lib64",
)  # fmt: skip


def nodes(rootfs: Root) -> list[str]:
    """The nodes of devices, such as ``nvidia0``; those that stand for no device (``nvidiactl``) left out."""
    return [name for name in rootfs.names("dev") if name.startswith("nvidia") and name[len("nvidia") :].isdigit()]


def has_library(rootfs: Root) -> bool:
    """Whether a program could load `LIBRARY`: the linker's cache (ld.so(8)) names a file that is there, or a usual folder has it."""
    try:
        words = rootfs.read_once("etc/ld.so.cache").split(b"\0")
    except OSError:
        words = []
    named = {
        word.lstrip(b"/").decode("utf-8", "surrogateescape") for word in words if word.endswith(b"/" + LIBRARY.encode())
    }
    return any(map(rootfs.exists, (*named, *(f"{folder}/{LIBRARY}" for folder in _FOLDERS))))
