"""Reads protobuf messages field by field, strictly: whoever wrote them may be broken or lie."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's: this is also imported in a bare child
if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4 are the groups of proto2, which nobody sends
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_LARGEST_FIELD = (1 << 29) - 1
_LARGEST = (1 << 64) - 1


class Malformed(ValueError):  # noqa: N818  what is malformed is the message
    """These bytes are not the message that was expected."""


def fields(message: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message in their order: number, and a number or bytes. Those of a submessage are its bytes.

    Numbers are as on the wire, unsigned. Each step takes at least two bytes, so this ends.
    Source: protobuf.dev, "Encoding".

    Raises:
        Malformed: a length beyond the end, a number of more than 64 bits, field 0, a group.
    """
    data = memoryview(message)
    end = len(data)
    place = 0
    while place < end:
        key, place = _varint(data, place, end)
        field, wire = key >> 3, key & 7
        if not 0 < field <= _LARGEST_FIELD:
            raise Malformed(f"there is no field {field}")
        value: int | memoryview
        if wire == _VARINT:
            value, place = _varint(data, place, end)
        elif wire == _BYTES:
            size, place = _varint(data, place, end)
            if size > end - place:
                raise Malformed(f"field {field} is cut off")
            value = data[place : place + size]
            place += size
        elif wire in _SIZES:
            size = _SIZES[wire]
            if size > end - place:
                raise Malformed(f"field {field} is cut off")
            value = int.from_bytes(data[place : place + size], "little")
            place += size
        else:
            raise Malformed(f"field {field} has wire type {wire}")
        yield field, value


def submessage(value: int | memoryview) -> memoryview:
    """The bytes of a field that holds a message. Raises Malformed if it is a number."""
    if isinstance(value, int):
        raise Malformed("a number where a message belongs")
    return value


def text(value: int | memoryview, longest: int) -> str:
    """A string of at most ``longest`` bytes. Raises Malformed if it is longer, not UTF-8, or a number."""
    data = submessage(value)
    if len(data) > longest:
        raise Malformed(f"a text of {len(data)} bytes, {longest} are allowed")
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise Malformed("a text that is not UTF-8") from None


def signed(value: int | memoryview) -> int:
    """An int64, whose negative numbers are two's complement. Raises Malformed if it is no number."""
    if not isinstance(value, int):
        raise Malformed("bytes where a number belongs")
    return value - (1 << 64) if value >> 63 else value


def _varint(data: memoryview, place: int, end: int) -> tuple[int, int]:
    """A number of seven bits per byte, least significant first, and the place after it."""
    number = shift = 0
    while place < end:
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if number > _LARGEST:
                break
            return number, place
        shift += 7
        if shift > 63:
            break
    raise Malformed("a number that does not end, or of more than 64 bits")
