"""/sys/class/hwmon: sensor chips and the files of their sensors (Documentation/hwmon/sysfs-interface.rst)."""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

from bongsu.sources.root import Root

_FILE = re.compile(r"([^0-9]+)([0-9]*)(?:_(.+))?")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9:_]")
KINDS = frozenset(
    {
        "vrm", "beep_enable", "update_interval", "in", "cpu", "fan", "pwm", "temp", "curr", "power", "energy",
        "humidity", "intrusion",
    }
)  # fmt: skip


class Attribute(NamedTuple):
    """One file of a sensor: ``temp1_crit`` has kind ``temp``, sensor ``temp1`` and element ``crit``."""

    kind: str
    sensor: str
    element: str  # "" for a file without one, as pwm1
    path: str  # below /sys


class Chip(NamedTuple):
    """A chip under the name that stays the same when drivers load in another order, and what it calls itself."""

    directory: str
    name: str
    own_name: str  # "" if it has none
    attributes: tuple[Attribute, ...]


def directories(sys: Root) -> list[str]:
    """The chips' folders in class/hwmon, sorted."""
    return [name for name in sys.names("class/hwmon") if sys.is_directory(f"class/hwmon/{name}")]


def chip(sys: Root, directory: str) -> Chip:
    """What a chip has. Files of old drivers lie at the device rather than at the chip.

    Raises:
        OSError: the chip has gone.
    """
    at = f"class/hwmon/{directory}"
    found = {(a.sensor, a.element): a for a in _attributes(sys, at)}
    if sys.is_directory(f"{at}/device"):
        found.update({(a.sensor, a.element): a for a in _attributes(sys, f"{at}/device")})
    own_name = cleaned(_content(sys, f"{at}/name") or "")
    return Chip(directory, _stable_name(sys, at) or own_name or _last_name(sys, at), own_name, tuple(found.values()))


def label(sys: Root, path: str) -> str | None:
    """What the driver calls the sensor; None if it does not say."""
    content = _content(sys, path)
    return None if content is None else content.strip("\n")


def cleaned(text: str) -> str:
    """The text in the characters that a metric name may have."""
    return _NOT_IN_A_NAME.sub("_", text.lower()).strip("_")


def _attributes(sys: Root, at: str) -> list[Attribute]:
    found = []
    for file in os.listdir(sys.join(at)):
        match = _FILE.fullmatch(file)
        if match is None or match[1] not in KINDS:
            continue
        path = f"{at}/{file}"
        try:
            mode = os.stat(sys.join(path)).st_mode
        except OSError:
            continue
        # Some, as temp1_reset_history, can only be written; `power` is the device's power management.
        if stat.S_ISREG(mode) and mode & 0o444:
            found.append(Attribute(match[1], f"{match[1]}{int(match[2] or 0)}", match[3] or "", path))
    return sorted(found)


def _stable_name(sys: Root, at: str) -> str:
    """Where the device sits: its bus or parent, and its own name; "" for a chip without a device."""
    try:
        device = os.path.realpath(sys.join(f"{at}/device"), strict=True)
    except OSError:
        return ""
    parent, own = os.path.split(device)
    own, parent = cleaned(own), cleaned(os.path.basename(parent))
    return f"{parent}_{own}" if parent and own else own


def _last_name(sys: Root, at: str) -> str:
    return cleaned(os.path.basename(os.path.realpath(sys.join(at), strict=True)))


def _content(sys: Root, path: str) -> str | None:
    try:
        return sys.read_once(path).decode("utf-8", "surrogateescape")
    except OSError:
        return None
