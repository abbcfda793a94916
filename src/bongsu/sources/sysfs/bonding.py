"""/sys/class/net/*/bonding: bonded interfaces and their members (Documentation/networking/bonding.rst)."""

from __future__ import annotations

from bongsu.sources.root import Root


def masters(sys: Root) -> list[str] | None:
    """The names of the bonded interfaces; None where the bonding driver is not loaded.

    Raises:
        OSError: the list is there but cannot be read.
    """
    try:
        return [_text(name) for name in sys.read("class/net/bonding_masters").split()]
    except (FileNotFoundError, NotADirectoryError):
        return None


def members(sys: Root, master: str) -> dict[str, bool]:
    """Each member, and whether its link is up.

    Raises:
        OSError: the bond went away (FileNotFoundError) or cannot be read.
    """
    at = f"class/net/{master}"
    found = {}
    for name in sys.read(f"{at}/bonding/slaves").split():
        member = _text(name)
        try:
            state = sys.read(f"{at}/lower_{member}/bonding_slave/mii_status")
        except FileNotFoundError:
            state = sys.read(f"{at}/slave_{member}/bonding_slave/mii_status")  # its name before Linux 3.18
        found[member] = state.strip() == b"up"
    return found


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
