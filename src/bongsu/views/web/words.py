"""Answers in words: a page for a browser, one JSON object for a program."""

from __future__ import annotations

import html

import msgspec
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from bongsu.model.message import Message
from bongsu.views.printable import printable

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>Bongsu: {status}</title></head>
<body><main><h1>{status}</h1><p>{what}</p><p>{cure}</p><p><a href="/">{again}</a></p></main></body></html>
"""
_KINDS = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    429: "unavailable",
    500: "internal",
    503: "unavailable",
}
_AGAIN = Message("Try again")


def json(value: object, status: int = 200) -> Response:
    """A JSON answer; NaN becomes null."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def refusal(scope: Scope, status: int, what: Message, cure: Message | None = None) -> Response:
    """What is wrong, and what to do about it: JSON below /api/, in Prometheus' shape below /api/v1/, else a page."""
    sentence, advice = printable(what), printable(cure) if cure is not None else ""
    if scope["path"].startswith("/api/v1/"):
        kind = _KINDS.get(status, "bad_data")
        return json({"status": "error", "errorType": kind, "error": f"{sentence} {advice}".rstrip()}, status)
    if scope["path"].startswith("/api/"):
        return json({"error": sentence, "cure": advice or None}, status)
    return HTMLResponse(
        _PAGE.format(
            status=status, what=html.escape(sentence), cure=html.escape(advice), again=html.escape(str(_AGAIN))
        ),
        status,
    )
