"""The answer of ``/api/history``: one metric over some time in few points, each with the band between low and high.

``metric=NAME`` is the only parameter that must be given. The others: ``by=a,b`` (sum over all other labels; without it
over all), ``where.LABEL=VALUE`` and ``not.LABEL=VALUE`` (only those series, not those), ``fold`` (last, avg or max, or
rate of a counter, which is its default; else avg), ``start`` and ``end`` (Unix seconds or RFC 3339; the hour before
now), ``points`` (900).

It says::

    {"metric": …, "kind": "gauge", "unit": "", "fold": "avg", "interval": 120, "tier": "1m", "band": "exact",
     "times": [1700000000, …], "series": [{"labels": {"device": "sda"}, "values": [0.5, null, …], "low": […],
     "high": […]}]}

A point is of the ``interval`` seconds that end at its time; null is a gap. ``tier`` is "raw" or "1m", the minutes that
older or longer times are told from. ``band`` is "outer" where low and high are bounds that need not have been reached.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from bongsu.model.errors import BongsuError, NotKnown
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.sinks.http_message import Request, Response

if TYPE_CHECKING:
    from bongsu.store.reading.history import History

PATH = "/api/history"
_NO_STORE = Message("This runs without a history (--no-store), so there is nothing to show.")
_log = logging.getLogger("bongsu.history")


def answer(
    request: Request,
    history: History | None,
    specs: Iterable[MetricSpec] = (),
    *,
    clock: Callable[[], float] = time.time,
    without: Message = _NO_STORE,
) -> Response:
    """The answer to one request for `PATH`. Waits while the store is read; never raises.

    Args:
        request: what is asked.
        history: what is stored; None where nothing is, which ``without`` explains.
        specs: metrics that are known whether or not something of them is stored.
        clock: Unix seconds now.
        without: what is said where there is no history.
    """
    status, said = 200, ""
    try:
        if request.method not in {"GET", "HEAD"}:
            status, said = 405, "This can only be read: use GET or HEAD."
        elif history is None:
            status, said = 503, str(without)
        else:
            from bongsu.sinks import history_answers  # noqa: PLC0415  loads numpy

            try:
                body = history_answers.answered(history, specs, request.query, clock)
            except history_answers.NoSuchMetric as error:
                status, said = 404, str(error)
    except NotKnown as error:
        status, said = 503, str(error)
    except BongsuError as error:
        status, said = 400, str(error)
    except Exception:  # noqa: BLE001  whatever fails below, the client gets an answer
        _log.exception("no answer to %s", request.path)
        status, said = 500, "This failed, and it should not have; the log of this server says more."
    if status != 200:
        body = json.dumps({"error": " ".join(said.split())}, ensure_ascii=False)
    content = body.encode("utf-8", "backslashreplace")
    headers = [
        ("Content-Type", "application/json"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ]
    if status == 405:
        headers.append(("Allow", "GET, HEAD"))
    headers.append(("Content-Length", str(len(content))))
    return Response(status, tuple(headers), b"" if request.method == "HEAD" else content)
