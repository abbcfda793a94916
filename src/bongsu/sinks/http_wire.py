"""HTTP/1.x as bytes (RFC 9112): reads a request's head strictly, writes a response's head."""

from __future__ import annotations

import re
import time
import urllib.parse
from http import HTTPStatus

from bongsu.sinks.http_message import MOST_BODY, Request, Response

_MOST_HEADERS = 100
_LONGEST_TARGET = 8 * 1024
_END = re.compile(rb"\r?\n\r?\n")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VERSION = re.compile(r"HTTP/([0-9])\.([0-9])")
_SINGLE = frozenset({"host", "authorization", "content-length"})
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Malformed(Exception):  # noqa: N818  reads as what it is in `raise Malformed(...)`
    """A request that cannot be answered otherwise than with this status; the text is for the client."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def head_end(received: bytes | bytearray) -> int | None:
    """Where the first request's head ends in what has been received; None where it has not ended."""
    match = _END.search(received)
    return match.end() if match else None


def parse(head: bytes) -> tuple[Request, bool]:
    """The request, and whether its connection can be kept for another once `body_length` bytes have been read.

    Raises:
        Malformed: what stands there is not a request that this server reads.
    """
    lines = [line.removesuffix("\r") for line in head.decode("latin-1").rstrip("\r\n").split("\n")]
    words = lines[0].split(" ")
    if len(words) != 3:
        raise Malformed(400, "The first line is not `METHOD TARGET HTTP/1.1`.")
    method, target, version = words
    matched = _VERSION.fullmatch(version)
    if not matched or not _TOKEN.fullmatch(method):
        raise Malformed(400, "The first line is not `METHOD TARGET HTTP/1.1`.")
    if matched[1] != "1":
        raise Malformed(505, "This server speaks HTTP/1.1.")
    if len(target) > _LONGEST_TARGET:
        raise Malformed(414, f"The target is longer than {_LONGEST_TARGET} bytes.")
    headers = _headers(lines[1:])
    http11 = matched[2] != "0"
    if http11 and "host" not in headers:
        raise Malformed(400, "HTTP/1.1 asks for a Host header.")
    path, query = _target(target)
    options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    keep = "close" not in options and (http11 or "keep-alive" in options)
    # Any other body is not read, so that what follows it cannot be mistaken for a request.
    if "transfer-encoding" in headers or (method != "POST" and headers.get("content-length", "0") != "0"):
        keep = False
    return Request(method, path, query, headers, http11), keep


def body_length(request: Request) -> int:
    """How many bytes of body are to be read: those of a POST.

    Raises:
        Malformed: there are too many, or there is no telling how many.
    """
    if request.method != "POST":
        return 0
    if "transfer-encoding" in request.headers:
        raise Malformed(411, "This server takes a body with Content-Length only.")
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise Malformed(400, "Content-Length is not a number of bytes.")
    if len(length) > 18 or int(length) > MOST_BODY:
        raise Malformed(413, f"The body is longer than {MOST_BODY} bytes.")
    return int(length)


def _headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > _MOST_HEADERS:
        raise Malformed(431, f"There are more than {_MOST_HEADERS} headers.")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or "\0" in value or "\r" in value:
            raise Malformed(400, "A header is not `Name: value`.")
        name, value = name.lower(), value.strip(" \t")
        if name in headers:
            if name in _SINGLE:
                raise Malformed(400, f"The header {name} stands twice.")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _target(target: str) -> tuple[str, str]:
    if not target.startswith("/"):
        scheme, _, rest = target.partition("://")
        if scheme.lower() not in {"http", "https"} or not rest:
            raise Malformed(400, "The target is neither a path nor an http URL.")
        _, slash, path = rest.partition("/")  # as proxies ask
        target = slash + path or "/"
    path, _, query = target.partition("#")[0].partition("?")
    return urllib.parse.unquote(path), query


def head_of(response: Response, connection: str) -> bytes:
    """The response's first line and headers, with ``Connection`` where it is not empty."""
    now = time.gmtime()
    # time.strftime would write the day and month in the language of the process.
    day = f"{_DAYS[now.tm_wday]}, {now.tm_mday:02} {_MONTHS[now.tm_mon - 1]} {now.tm_year}"
    date = f"Date: {day} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT"
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, '')}", date]
    lines += [f"{name}: {value}" for name, value in response.headers]
    if connection:
        lines.append(f"Connection: {connection}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
