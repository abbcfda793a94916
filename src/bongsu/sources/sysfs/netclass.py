"""/sys/class/net: what a network interface is and how its link is (Documentation/ABI/testing/sysfs-class-net).

An interface has some 20 files. On the machine we run on, netlink tells most of them for all interfaces at once;
what it does not tell is read from the files, and so is everything of a captured tree.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bongsu.sources import netlink
from bongsu.sources.root import NO_ANSWER, Root, may_not_read

CLASS = "class/net"
WORDS = ("address", "broadcast", "duplex", "operstate", "ifalias")
NUMBERS = (
    "addr_assign_type", "carrier", "carrier_changes", "carrier_up_count", "carrier_down_count", "dev_id", "dormant",
    "flags", "ifindex", "iflink", "link_mode", "mtu", "name_assign_type", "netdev_group", "speed", "tx_queue_len",
    "type",
)  # fmt: skip
# Not told by netlink: these change with the address or the name only …
_ORIGINS = ("addr_assign_type", "dev_id", "name_assign_type")
# … these at any time, and these only where the interface is switched on.
_WHEN_UP = ("dormant", "speed")
_LOOPBACK = 772  # ARPHRD_LOOPBACK
_GONE = frozenset({errno.ENOENT, errno.ENODEV, errno.ENOTDIR})


class Interface(NamedTuple):
    """One interface: the texts of `WORDS` (None for a file that is not there), the numbers by file name."""

    name: str
    words: tuple[str | None, ...]
    numbers: dict[str, int]


class Failed(NamedTuple):
    """An interface that could not be read."""

    name: str
    error: OSError


class _Known(NamedTuple):
    """What is remembered of an interface that netlink tells: its paths, and where its address and name came from."""

    number: int
    address: str
    at: str
    origins: dict[str, int]


class NetclassReader:
    """Reads all interfaces whose names are wanted, again and again."""

    def __init__(self, sys: Root, wanted: Callable[[str], bool]) -> None:
        self._sys = sys
        self._wanted = wanted
        self._files: dict[str, tuple[bytes | None, frozenset[str]]] = {}  # by name: its number's file, what it offers
        self._known: dict[str, _Known] = {}
        self._turn = 0

    def read(self) -> Iterator[Interface | Failed] | None:
        """Each interface in the order of names, without those that go away meanwhile; None where there is no sysfs.

        Raises:
            OSError: the interfaces are there but cannot be listed.
        """
        try:
            with os.scandir(self._sys.join(CLASS)) as entries:
                # bonding_masters is a file that lies among them.
                found = sorted(entry.name for entry in entries if not entry.is_file(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return None
        names = [name for name in found if self._wanted(name)]
        return self._each(names)

    def _each(self, names: list[str]) -> Iterator[Interface | Failed]:
        links = self._links(names)
        self._turn += 1
        for place, name in enumerate(names):
            try:
                if links is None:
                    interface = self._from_files(name)
                else:
                    # One interface in turn has even that read anew which hardly ever changes.
                    fresh = place == self._turn % len(names)
                    interface = self._from_netlink(links[name], fresh=fresh)
            except OSError as error:
                self._files.pop(name, None)
                self._known.pop(name, None)
                if error.errno not in _GONE:
                    yield Failed(name, error)
                continue
            if interface is not None:
                yield interface

    def _links(self, names: list[str]) -> dict[str, netlink.Link] | None:
        """What netlink tells, if it speaks of the very interfaces that lie in this sysfs.

        A sysfs may be of another network namespace (a host's, seen from a container), so each interface's number and
        address are compared when it is first seen; the loopback interface, alike everywhere, proves nothing.
        """
        if not self._sys.live:
            return None
        try:
            links = {link.name: link for link in netlink.links()}
        except (OSError, ValueError):
            return None
        if len(self._known) > 2 * len(names) + 100:
            self._known = {name: self._known[name] for name in names if name in self._known}
        proven = False
        for name in names:
            link = links.get(name)
            if link is None:
                return None
            known = self._known.get(name)
            if known is None or known.number != link.numbers["ifindex"] or known.address != link.address:
                if not self._is_here(link):
                    return None
                self._known[name] = _Known(link.numbers["ifindex"], link.address, f"{CLASS}/{name}", {})
            proven = proven or link.numbers["type"] != _LOOPBACK
        return links if proven else None

    def _is_here(self, link: netlink.Link) -> bool:
        try:
            index = self._value(f"{CLASS}/{link.name}/ifindex")
            address = self._value(f"{CLASS}/{link.name}/address")
        except OSError:
            return False
        return index == b"%d" % link.numbers["ifindex"] and address == link.address.encode()

    def _from_netlink(self, link: netlink.Link, *, fresh: bool) -> Interface:
        _, _, at, origins = self._known[link.name]
        if fresh or not origins:
            origins.clear()
            origins.update(self._numbers(at, _ORIGINS))
        numbers = link.numbers | origins | self._numbers(at, ("flags",))
        duplex: str | None = ""
        if link.up:
            numbers |= self._numbers(at, _WHEN_UP)
            duplex = _text(self._value(f"{at}/duplex"))
        return Interface(link.name, (link.address, link.broadcast, duplex, link.operstate, link.ifalias), numbers)

    def _from_files(self, name: str) -> Interface | None:
        at = f"{CLASS}/{name}"
        index, offered = self._files.get(name, (None, frozenset()))
        if not offered or index != self._value(f"{at}/ifindex"):
            with os.scandir(self._sys.join(at)) as entries:
                offered = frozenset(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
            if not offered:
                return None
            if "ifindex" in offered:  # else there is no telling when it is another one
                self._files[name] = self._value(f"{at}/ifindex"), offered
        words = tuple(_text(self._value(f"{at}/{word}")) if word in offered else None for word in WORDS)
        return Interface(name, words, self._numbers(at, [file for file in NUMBERS if file in offered]))

    def _numbers(self, at: str, files: tuple[str, ...] | list[str]) -> dict[str, int]:
        found = {}
        for file in files:
            value = self._value(f"{at}/{file}")
            if value is not None and (number := _number(value)) is not None:
                found[file] = number
        return found

    def _value(self, path: str) -> bytes | None:
        """One attribute; None where the interface does not tell (a link that is down has no speed) or forbids it."""
        try:
            return self._sys.read(path).strip()
        except OSError as error:
            if error.errno in _GONE or not (error.errno in NO_ANSWER or may_not_read(error)):
                raise
            return None


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "surrogateescape")


def _number(text: bytes) -> int | None:
    """A decimal or 0x number; None for anything else."""
    try:
        number = int(text, 16) if text[:2] == b"0x" else int(text)
    except ValueError:
        return None
    return number if abs(number) < 1 << 63 else None
