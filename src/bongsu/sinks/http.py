"""The answer to an HTTP request for metrics, as a pure function: a web page and a headless server both use it.

What it answers:

- ``/metrics``: text 0.0.4, or OpenMetrics 1.0 where Accept names it and does not prefer text. ``collect[]=NAME``
  (may be repeated) picks collectors, ``exclude[]=NAME`` leaves collectors out; both as node_exporter has them.
- ``/``: a page with links. ``/-/healthy`` and ``/-/ready``: for supervisors.

The Host header is checked, on every path, where ``allowed_hosts`` is given: a web page of a foreign site may have
its name point to 127.0.0.1 (DNS rebinding) and would then read what a loopback port says. Such a page always sends
a *name*, so addresses and ``localhost`` pass without being listed. Where every request has shown a token, a password
or a client certificate before it comes here, there is nothing to check: such a page has none of them.
"""

from __future__ import annotations

import gzip
import html
import ipaddress
import logging
import threading
import urllib.parse
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from bongsu.model.batch import Batch
from bongsu.sinks.exposition import OPENMETRICS_TYPE, TEXT_TYPE, Exposition
from bongsu.sinks.http_message import Request, Response, plain
from bongsu.sinks.http_server import MetricsServer

__all__ = ["MAX_AGE", "MAX_SCRAPES", "Gather", "MetricsServer", "Request", "Response", "answer", "host_allowed"]

MAX_AGE = 0.9  # seconds; a little less than 1, so that a scrape every second never gets the same part twice
MAX_SCRAPES = 40  # as node_exporter's --web.max-requests
_WORTH_COMPRESSING = 1000  # bytes: below it the answer fits one packet anyway
_MOST_FIELDS = 300
_OPENMETRICS = "application/openmetrics-text"
_log = logging.getLogger("bongsu.http")


class Gather(Protocol):
    """`Gatherer.gather`, or something like it."""

    def __call__(self, *, max_age: float = 0.0, only: Iterable[str] | None = None) -> Batch: ...  # noqa: D102  its class says it


def answer(
    request: Request,
    *,
    gather: Gather,
    names: Sequence[str],
    exposition: Exposition,
    scrapes: threading.Semaphore | None = None,
    allowed_hosts: Collection[str] | None = None,
    ready: Callable[[], bool] | None = None,
    title: str = "Bongsu",
) -> Response:
    """The answer to one request. Waits while collectors are asked; never raises.

    Args:
        request: what is asked.
        gather: asks the collectors; called with ``only`` where the request picks some.
        names: the collectors' names, as ``gather`` takes them.
        exposition: renders; the same object for all requests, since it remembers.
        scrapes: admits so many scrapes at a time (`MAX_SCRAPES` is a good number); the rest get 503.
        allowed_hosts: names by which this server may be called besides addresses and localhost; None allows all.
        ready: for ``/-/ready``; None means ready as soon as it answers.
        title: heading of the page of links.
    """
    if allowed_hosts is not None and not host_allowed(request.headers.get("host"), allowed_hosts):
        response = plain(
            421, "This server is not known by that name: ask for it by address or as localhost, or allow the name."
        )
    elif request.path == "/metrics":
        response = _only_reading(request) or _metrics(request, gather, names, exposition, scrapes)
    elif request.path in {"/", "/-/healthy", "/-/ready"}:
        response = _only_reading(request) or _page(request.path, names, ready, title)
    else:
        response = plain(404, "There is nothing here; metrics are at /metrics.")
    if request.method == "HEAD":
        return Response(response.status, response.headers)
    return response


def _only_reading(request: Request) -> Response | None:
    if request.method in {"GET", "HEAD"}:
        return None
    return plain(405, "This can only be read: use GET or HEAD.", ("Allow", "GET, HEAD"))


def _metrics(
    request: Request,
    gather: Gather,
    names: Sequence[str],
    exposition: Exposition,
    scrapes: threading.Semaphore | None,
) -> Response:
    try:
        only = _picked(request.query, names)
    except ValueError as error:
        return plain(400, str(error))
    if scrapes is not None and not scrapes.acquire(blocking=False):
        return plain(503, "Too many scrapes are in progress; try again later.", ("Retry-After", "1"))
    try:
        batch = gather(max_age=MAX_AGE) if only is None else gather(max_age=MAX_AGE, only=only)
        openmetrics = _wants_openmetrics(request.headers.get("accept", ""))
        body = exposition.text(batch, openmetrics)
    except Exception:  # noqa: BLE001  whatever a collector or the renderer does, the connection gets an answer
        _log.exception("a scrape failed")
        return plain(500, "The scrape failed; the log of this server says why.")
    finally:
        if scrapes is not None:
            scrapes.release()
    headers = [
        ("Content-Type", OPENMETRICS_TYPE if openmetrics else TEXT_TYPE),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        ("Vary", "Accept, Accept-Encoding"),
    ]
    if len(body) >= _WORTH_COMPRESSING and wants_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, compresslevel=1, mtime=0)  # level 6 takes three times the CPU for a tenth less
        headers.append(("Content-Encoding", "gzip"))
    headers.append(("Content-Length", str(len(body))))
    return Response(200, tuple(headers), body)


def _page(path: str, names: Sequence[str], ready: Callable[[], bool] | None, title: str) -> Response:
    if path == "/-/healthy":
        return plain(200, "healthy")
    if path == "/-/ready":
        return plain(200, "ready") if ready is None or ready() else plain(503, "not ready yet")
    heading = html.escape(title)
    links = "\n".join(
        f'<li><a href="metrics?{html.escape(urllib.parse.urlencode({"collect[]": name}))}">{html.escape(name)}</a></li>'
        for name in names
    )
    body = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{heading}</title></head>\n<body>\n'
        f'<h1>{heading}</h1>\n<p><a href="metrics">Metrics</a> for Prometheus. '
        f'<a href="-/healthy">Healthy?</a> <a href="-/ready">Ready?</a></p>\n'
        f"<h2>Metrics of one collector</h2>\n<ul>\n{links}\n</ul>\n</body></html>\n"
    ).encode()
    return Response(
        200,
        (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Length", str(len(body))),
        ),
        body,
    )


def _picked(query: str, names: Sequence[str]) -> list[str] | None:
    """The collectors that the query picks, None for all. Raises ValueError with the line for the user.

    As in node_exporter, a name in ``exclude[]`` that is no collector leaves nothing out, and that is no error.
    """
    if not query:
        return None
    try:
        fields = urllib.parse.parse_qs(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise ValueError(f"The query has more than {_MOST_FIELDS} fields.") from None
    wanted, unwanted = fields.get("collect[]", []), fields.get("exclude[]", [])
    if wanted and unwanted:
        raise ValueError("Use either collect[] or exclude[], not both.")
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(f"collect[]={unknown[0][:100]!a}: there is no such collector here; known: {', '.join(names)}")
    if wanted:
        return wanted
    return [name for name in names if name not in unwanted] if unwanted else None


def _wants_openmetrics(accept: str) -> bool:
    """Whether OpenMetrics is named in Accept (RFC 9110, 12.5.1) and text is not preferred to it."""
    openmetrics = text = 0.0
    text_rank = -1
    for kind, parameters, quality in _weighted(accept):
        version = parameters.get("version", "")
        if kind == _OPENMETRICS:
            if version in {"", "0.0.1", "1.0.0"}:  # 0.0.1 is the same text under an older name
                openmetrics = max(openmetrics, quality)
        elif kind in {"text/plain", "text/*", "*/*"}:
            rank = ("*/*", "text/*", "text/plain").index(kind)
            if rank > text_rank:
                text, text_rank = quality, rank
            elif rank == text_rank:
                text = max(text, quality)
    return openmetrics > 0 and openmetrics >= text


def wants_gzip(accept_encoding: str) -> bool:
    """Whether Accept-Encoding (RFC 9110, 12.5.3) allows gzip and does not prefer the plain body."""
    qualities = {coding: quality for coding, _, quality in _weighted(accept_encoding)}
    others = qualities.get("*", 0.0)
    chosen = qualities.get("gzip", qualities.get("x-gzip", others))
    return chosen > 0 and chosen >= qualities.get("identity", 0.0)


def _weighted(header: str) -> list[tuple[str, dict[str, str], float]]:
    """The items of a header such as Accept with their parameters and weights; one that is malformed is skipped."""
    items = []
    for item in header.split(","):
        name, *rest = item.split(";")
        parameters = {}
        for parameter in rest:
            key, _, value = parameter.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            continue
        if name.strip() and 0 <= quality <= 1:
            items.append((name.strip().lower(), parameters, quality))
    return items


def host_allowed(host: str | None, allowed: Collection[str]) -> bool:
    """Whether a Host header names this server: an address, which cannot be rebound, localhost, or one of ``allowed``."""
    if host is None:  # HTTP/1.0 without one: not a browser
        return True
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    name = name.rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or name in allowed:  # RFC 6761: never leaves the machine
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
