"""/sys/class/nvme: NVMe controllers (Documentation/ABI/stable/sysfs-driver-nvme in part)."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.root import Root

_AT = "class/nvme"


class Controller(NamedTuple):
    """What a controller says of itself; "" for what it does not say."""

    name: str
    firmware: str
    model: str
    serial: str
    state: str  # live, resetting, connecting, deleting, dead …


def controllers(sys: Root) -> list[Controller]:
    """All controllers; one without a model and a state is going away and is left out."""
    found = []
    for name in sys.names(_AT):
        at = f"{_AT}/{name}"
        firmware, model, serial, state = (
            _word(sys, f"{at}/{file}") for file in ("firmware_rev", "model", "serial", "state")
        )
        if model or state:
            found.append(Controller(name, firmware, model, serial, state))
    return found


def _word(sys: Root, path: str) -> str:
    try:
        return sys.attribute(path) or ""
    except OSError:
        return ""
