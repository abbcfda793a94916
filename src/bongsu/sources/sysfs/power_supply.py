"""/sys/class/power_supply: batteries and power supplies (Documentation/ABI/testing/sysfs-class-power)."""

from __future__ import annotations

from bongsu.sources.root import Root

_AT = "class/power_supply"


def supplies(sys: Root) -> list[str]:
    """Their names."""
    return sys.names(_AT)


def files(sys: Root, supply: str) -> list[str]:
    """What a supply offers."""
    return sys.names(f"{_AT}/{supply}")


def number(sys: Root, supply: str, file: str) -> int:
    """A reading, in the file's own unit.

    Raises:
        OSError: it has no such reading now, or has gone.
        ValueError: it is no number.
    """
    return int(sys.read(f"{_AT}/{supply}/{file}"))


def word(sys: Root, supply: str, file: str) -> str:
    """What a supply says of itself; "" if it does not say."""
    try:
        return sys.attribute(f"{_AT}/{supply}/{file}") or ""
    except OSError:
        return ""
