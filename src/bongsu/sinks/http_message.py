"""What is asked and answered over HTTP, as plain values that any server can carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_BODY = 256 * 1024  # bytes of a POST that a server of ours reads; the longest queries have a few thousand


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``query`` is as it stands in the URL; names in ``headers`` are in lower case.

    ``body`` is read for POST only.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    http11: bool = True
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. ``headers`` hold Content-Length; for HEAD it counts the body that GET would have had."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str) -> str:
        """The header's value, "" where there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def plain(status: int, text: str, *headers: tuple[str, str]) -> Response:
    """An answer of one line of text."""
    body = f"{text}\n".encode("utf-8", "replace")
    length = ("Content-Length", str(len(body)))
    kind = ("Content-Type", "text/plain; charset=utf-8")
    return Response(status, (kind, ("X-Content-Type-Options", "nosniff"), *headers, length), body)
