"""Numbers as the kernel prints them: unsigned, decimal or hexadecimal, at most 64 bits wide."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

_OUT_OF_RANGE = "a number is negative or wider than 64 bits"


def counts(tokens: Iterable[bytes]) -> Sequence[int]:
    """Decimal tokens as integers.

    Raises:
        ValueError: one is not a number, is negative, or needs more than 64 bits.
    """
    try:
        return array("Q", map(int, tokens))
    except OverflowError:
        raise ValueError(_OUT_OF_RANGE) from None
    except ValueError as error:
        raise _no_number(error) from None


def count(token: bytes) -> int:
    """One decimal token as an integer; surrounding white space is allowed.

    Raises:
        ValueError: as `counts`.
    """
    try:
        number = int(token)
    except ValueError as error:
        raise _no_number(error) from None
    if not 0 <= number < 1 << 64:
        raise ValueError(_OUT_OF_RANGE)
    return number


def hexadecimals(tokens: Iterable[bytes]) -> Sequence[int]:
    """Tokens such as ``0000001f`` as integers.

    Raises:
        ValueError: as `counts`.
    """
    try:
        return array("Q", [int(token, 16) for token in tokens])
    except OverflowError:
        raise ValueError(_OUT_OF_RANGE) from None
    except ValueError as error:
        raise _no_number(error) from None


def _no_number(error: ValueError) -> ValueError:
    """The same in words for people; Python's own end with the token."""
    token = str(error).rpartition(": b")[2]
    return ValueError(f"{token[:80]} is not a number")
