"""What can go wrong, as types: each carries the one line that the user will read."""

from __future__ import annotations

from bongsu.model.message import Message


class BongsuError(Exception):
    """Something failed that the user should know about; ``exit_code`` is the process's answer."""

    exit_code = 1

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return str(self.message)


class BadInput(BongsuError):  # noqa: N818  reads as what it is in `raise BadInput(...)`
    """The user gave something that cannot be used; the message says what, where, and the cure."""

    exit_code = 2


class NotKnown(BongsuError):  # noqa: N818  reads as what it is, as above
    """The question could not be answered (no permission, no such process, no connection)."""

    exit_code = 3


class NoData(BongsuError):  # noqa: N818  not an error but an answer: this machine has none
    """This machine has none of what a collector reads; says why and, where there is one, the cure."""

    def __init__(self, message: Message, cure: Message | None = None) -> None:
        super().__init__(message)
        self.cure = cure
