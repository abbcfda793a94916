"""The answers of Prometheus' HTTP API (``/api/v1/…``) over a store, as a pure function that any server can call.

Grafana's Prometheus data source, promtool and Prometheus' clients speak it. What is asked is understood and what is
said is written as Prometheus 3 does it; https://prometheus.io/docs/prometheus/latest/querying/api/ describes it.
This module is light: what needs numpy is imported when the first question comes.
"""

from __future__ import annotations

import gzip
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from bongsu.model.errors import BadInput, BongsuError
from bongsu.model.message import Message
from bongsu.sinks.http import wants_gzip
from bongsu.sinks.http_message import Request, Response

if TYPE_CHECKING:
    from bongsu.store.series import Source

PREFIX = "/api/v1/"
LOOKBACK_MS = 300_000  # Prometheus' --query.lookback-delta
TIMEOUT_SECONDS = 120.0  # Prometheus' --query.timeout
AT_ONCE = 4  # more would only hold memory: they take turns in one interpreter
WAITING = 40  # a dashboard's panels all ask at once
_WORTH_COMPRESSING = 1400  # bytes: below it the answer fits one packet anyway
_STATUS = {
    "bad_data": 400, "unauthorized": 401, "forbidden": 403, "not_found": 404, "method_not_allowed": 405, "unsupported_media_type": 415,
    "execution": 422, "unsupported": 422, "timeout": 503, "unavailable": 503, "internal": 500,
}  # fmt: skip
# Prometheus knows no other words in errorType; clients may have a closed list of them.
_WORDS = {"unsupported": "execution", "method_not_allowed": "bad_data", "unsupported_media_type": "bad_data"}
_NO_STORE = Message("This runs without a history (--no-store), so there is nothing to query.")
_FORM = "application/x-www-form-urlencoded"
_log = logging.getLogger("bongsu.query")


class Refused(Exception):  # noqa: N818  reads as what it is in `raise Refused(...)`
    """A question that gets no answer; ``kind`` settles the status."""

    def __init__(self, kind: str, message: Message) -> None:
        super().__init__(str(message))
        self.kind = kind


class Turns:
    """Lets so many queries run at a time; some more wait, and others are turned away at once."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self.at_once = at_once
        self._most = at_once + waiting
        self._here = 0
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(at_once)

    def take(self, seconds: float) -> Self:
        """For ``with``, at once: one turn, waited for at most so long. Raises Refused."""
        with self._lock:
            if self._here >= self._most:
                raise Refused("unavailable", Message("Too many queries are in progress; try again later."))
            self._here += 1
        if not self._turns.acquire(timeout=max(0.0, seconds)):
            with self._lock:
                self._here -= 1
            raise Refused("timeout", Message("The query waited for its turn until its time was over."))
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._turns.release()
        with self._lock:
            self._here -= 1


def answer(
    request: Request,
    source: Source | None,
    *,
    version: str = "",
    turns: Turns | None = None,
    clock: Callable[[], float] = time.time,
    lookback_ms: int = LOOKBACK_MS,
    timeout_seconds: float = TIMEOUT_SECONDS,
    without: Message = _NO_STORE,
) -> Response:
    """The answer to one request below ``/api/v1/``. Waits while it is worked out; never raises.

    Args:
        request: what is asked, by GET, HEAD, or POST with a form (whose fields stand before those of the URL).
        source: where samples are; None where there is no store.
        version: Bongsu's own, for ``status/buildinfo``.
        turns: how many are answered at a time; None is no limit. The same object for all requests.
        clock: Unix seconds now, the time of an instant query that names none.
        lookback_ms: for how long a series has its last value when it has no newer one.
        timeout_seconds: the longest that a query may take, waiting included; ``timeout`` can only shorten it.
        without: what is said where ``source`` is None: why, and the cure.
    """
    try:
        text = _answered(request, source, version, turns, clock, lookback_ms, timeout_seconds, without)
        status = 200
    except Refused as refused:
        status, text = _refusal(refused.kind, str(refused))
    except BadInput as error:  # such as a pattern that is not understood
        status, text = _refusal("bad_data", str(error))
    except BongsuError as error:
        status, text = _refusal("unavailable", str(error))
    except Exception:  # noqa: BLE001  whatever fails below, the client gets an answer
        _log.exception("no answer to %s", request.path)
        status, text = _refusal("internal", "This failed, and it should not have; the log of this server says more.")
    allow = (("Allow", "GET, HEAD, POST"),) if status == 405 else ()
    return _response(request, status, text, *allow)


def _answered(
    request: Request, source: Source | None, version: str, turns: Turns | None, clock: Callable[[], float],
    lookback_ms: int, timeout_seconds: float, without: Message,
) -> str:  # fmt: skip
    if source is None:
        raise Refused("unavailable", without)
    try:
        from bongsu.sinks.query_answers import ROUTES, Asked, parameters_of  # noqa: PLC0415  loads numpy
        from bongsu.store.promql.values import PromqlError  # noqa: PLC0415  as above
    except ImportError as error:
        cure = Message("queries need the package {name}: pip install 'bongsu[store]'", name=error.name)
        raise Refused("unavailable", cure) from None
    path = request.path.removeprefix(PREFIX).rstrip("/")
    arguments: tuple[str, ...] = ()
    if path.startswith("label/") and path.endswith("/values") and len(path) > len("label//values"):
        path, arguments = "label", (path[len("label/") : -len("/values")],)
    route = ROUTES.get(path)
    if route is None or (path == "label" and not arguments):
        raise Refused("not_found", Message("There is nothing at {path} here.", path=repr(request.path[:200])))
    if request.method not in ({"GET", "HEAD", "POST"} if route.by_post else {"GET", "HEAD"}):
        raise Refused("method_not_allowed", Message("{method} is not understood here.", method=request.method))
    try:
        parameters = parameters_of(request.query, _form_of(request))
        asked = Asked(parameters, source, version, clock, lookback_ms, timeout_seconds, arguments)
        if turns is None or not route.reads:
            return route.answer(asked)
        until = time.monotonic() + asked.timeout
        with turns.take(asked.timeout):
            return route.answer(asked.within(until - time.monotonic()))
    except PromqlError as error:
        raise Refused(error.kind, error.message) from None


def _form_of(request: Request) -> str:
    if not request.body:
        return ""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise Refused(
            "unsupported_media_type",
            Message(
                "The body's type is {kind}; send {form}.", kind=repr(kind[:100]) if kind else "not given", form=_FORM
            ),
        )
    return request.body.decode("utf-8", "replace")


def _refusal(kind: str, text: str) -> tuple[int, str]:
    line = json.dumps(" ".join(text.split()), ensure_ascii=False)
    return _STATUS[kind], f'{{"status":"error","errorType":"{_WORDS.get(kind, kind)}","error":{line}}}'


def _response(request: Request, status: int, text: str, *more: tuple[str, str]) -> Response:
    body = text.encode("utf-8", "backslashreplace")  # what is left of bytes that are no UTF-8 is JSON's own \\udcxx
    headers = [
        ("Content-Type", "application/json"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        ("Vary", "Accept-Encoding"),
        *more,
    ]
    if len(body) >= _WORTH_COMPRESSING and wants_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    headers.append(("Content-Length", str(len(body))))
    return Response(status, tuple(headers), b"" if request.method == "HEAD" else body)
