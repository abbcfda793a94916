"""The reader of protobuf messages, beside Google's own library and against bytes that are no message."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

import fake_kubelet
from bongsu.sources.protobuf import Malformed, fields, signed, submessage, text

_FIELDS = st.integers(1, (1 << 29) - 1)
_VALUES = st.integers(0, (1 << 64) - 1) | st.binary(max_size=300)


@given(st.lists(st.tuples(_FIELDS, _VALUES), max_size=20))
def test_what_was_written_is_read(written: list[tuple[int, int | bytes]]) -> None:
    """Fields come back in their order with their values, whatever is next to them."""
    message = b"".join(fake_kubelet.field(number, value) for number, value in written)
    assert [(number, value if isinstance(value, int) else bytes(value)) for number, value in fields(message)] == written


@given(st.lists(st.tuples(_FIELDS, _VALUES), min_size=1, max_size=5), st.data())
def test_a_message_cut_off_is_malformed_or_shorter(written: list[tuple[int, int | bytes]], data: st.DataObject) -> None:
    """Of a message that was cut off only whole fields are read, and a field that was cut is an error."""
    message = b"".join(fake_kubelet.field(number, value) for number, value in written)
    read = []
    try:
        for number, value in fields(message[: data.draw(st.integers(0, len(message) - 1))]):
            read.append((number, value if isinstance(value, int) else bytes(value)))
    except Malformed:
        pass
    assert read == written[: len(read)]
    assert len(read) < len(written)


@given(st.binary(max_size=500))
def test_random_bytes_are_read_or_refused(message: bytes) -> None:
    """Any bytes end in fields or in Malformed, and there are never more fields than half the bytes."""
    count = 0
    try:
        for number, value in fields(message):
            count += 1
            assert 0 < number < 1 << 29
            assert not isinstance(value, int) or 0 <= value < 1 << 64
    except Malformed:
        pass
    assert 2 * count <= len(message)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"\x00\x01", "field 0"), (b"\x0a\x05abc", "cut off"), (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "cut off"),
        (b"\x08" + b"\x80" * 20, "64 bits"), (b"\x08" + b"\xff" * 9 + b"\x02", "64 bits"), (b"\x08", "does not end"),
        (b"\x0b\x0c", "wire type 3"), (b"\x0e\x01", "wire type 6"), (b"\x09\x01\x02", "cut off"), (b"\x0d\x01", "cut off"),
        (fake_kubelet.varint(1 << 32) + b"\x01", "no field"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused(message: bytes, why: str) -> None:
    """Each thing that the encoding forbids, or that nobody sends, is named."""
    with pytest.raises(Malformed, match=why):
        list(fields(message))


def test_values_of_the_wrong_kind_are_refused() -> None:
    """A text that is too long, not UTF-8 or a number is Malformed, and so are bytes where a number belongs."""
    assert text(memoryview("é".encode()), 2) == "é"
    for value in (memoryview(b"abc"), memoryview(b"\xff"), 7):
        with pytest.raises(Malformed):
            text(value, 2)
    with pytest.raises(Malformed):
        submessage(1)
    with pytest.raises(Malformed):
        signed(memoryview(b"1"))


@given(
    st.integers(-(1 << 63), (1 << 63) - 1), st.text(max_size=50), st.lists(st.text(max_size=9), max_size=4),
    st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 32) - 1), st.floats(allow_nan=False),
)  # fmt: skip
def test_googles_messages_are_read(
    number: int, word: str, words: list[str], fixed: int, small: int, real: float
) -> None:
    """What Google's library writes is read as it was meant: numbers, negative ones, texts, lists, submessages."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto2")
    kind = file.message_type.add(name="T")
    types = descriptor_pb2.FieldDescriptorProto
    for place, (name, type_) in enumerate(
        [("number", types.TYPE_INT64), ("word", types.TYPE_STRING), ("words", types.TYPE_STRING),
         ("fixed", types.TYPE_FIXED64), ("small", types.TYPE_FIXED32), ("real", types.TYPE_DOUBLE)], 1,
    ):  # fmt: skip
        label = types.LABEL_REPEATED if name == "words" else types.LABEL_OPTIONAL
        kind.field.add(name=name, number=place, type=type_, label=label)
    kind.field.add(name="inner", number=40_000, type=types.TYPE_MESSAGE, type_name=".t.T", label=types.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    make = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.T"))
    message = make(number=number, word=word, words=words, fixed=fixed, small=small, real=real, inner=make(number=1))
    read = list(fields(message.SerializeToString()))
    assert [number for number, _ in read] == [1, 2, *[3] * len(words), 4, 5, 6, 40_000]
    assert signed(read[0][1]) == number
    assert text(read[1][1], 200) == word
    assert [text(value, 36) for place, value in read if place == 3] == words
    assert (read[-4][1], read[-3][1]) == (fixed, small)
    assert [(place, value) for place, value in fields(submessage(read[-1][1]))] == [(1, 1)]
