"""The page's addresses: HTML, JSON, the event stream, and /metrics handed on to the one who renders it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bongsu.model.errors import BongsuError
from bongsu.model.message import Message
from bongsu.sinks import http_message
from bongsu.views.web import static, words
from bongsu.views.web.access import Access, Guard
from bongsu.views.web.facts import facts
from bongsu.views.web.live import Live
from bongsu.views.web.runs import LIST, PATHS, without
from bongsu.views.web.stream import EventResponse
from bongsu.views.web.workers import Answer, Workers

_MOST_POINTS = 2000
_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.0, 366 * 86400.0
_LAST_TIME = 1e11  # Unix seconds, in the year 5138: what is beyond is a mistake
_BODY_SECONDS = 10.0  # for all of what a POST carries
_RUNS_SECONDS = 10.0  # for which a question about runs may wait for a disk
_log = logging.getLogger("bongsu.web")


def create_app(
    live: Live,
    access: Access,
    *,
    metrics: Answer | None = None,
    api: Answer | None = None,
    runs: Answer | None = None,
    version: str = "",
) -> Guard:
    """The web application of one machine.

    ``live`` is the sink that is given each batch, ``access`` says who may see what. ``metrics``
    answers ``/metrics`` and ``/-/…``, ``api`` all below ``/api/v1/`` and ``/api/history``; they may wait, and are called
    in threads, so that neither holds up the other; ``runs`` (`runs.RunsApi`) what is asked about recorded runs, in threads of
    its own, since a disk may hang::

        recent = Recent(HOST.queries, interval=settings.interval)
        live = Live(recent, [HOST], about={c.name: first_line_of(c) for c in collectors})
        metrics = functools.partial(http.answer, gather=…, names=…, exposition=…)
        api = functools.partial(query_api.answer, source=…)
        app = create_app(live, Access(token, loopback=True), metrics=metrics, api=api)
        server = WebServer(app, live, socket, tls=None)      # views/web/server.py
        agent = Agent(…, sinks=[recent, live, …])

    Addresses: ``/``, ``/static/…``, ``/api/status``, ``/api/board?name=&seconds=&points=`` (or ``from=&to=``),
    ``/api/processes``, ``/api/owners``, ``/api/gpus``, ``/api/stream``, ``/api/history``, ``/api/v1/…``,
    ``/api/runs``, ``/api/run``, ``/api/run/report``; nothing changes anything.
    """
    files = static.load()

    def page(request: Request) -> Response:
        return files["index.html"].answer(request.headers)

    def file(request: Request) -> Response:
        found = files.get(request.path_params["path"])
        if found is None:
            raise HTTPException(404)
        return found.answer(request.headers)

    def status(_: Request) -> Response:
        return words.json(
            {
                "version": version,
                "boards": [{"name": d.board.name, "title": str(d.board.title)} for d in live.drawings.values()],
                **facts(live.batch),
                **live.health(),
                "full": live.hub.full,
            }
        )

    def board(request: Request) -> Response:
        name = request.query_params.get("name", next(iter(live.drawings), ""))
        drawing = live.drawings.get(name)
        if drawing is None:
            known = ", ".join(live.drawings)
            raise HTTPException(
                404, str(Message("there is no board {name!r}; there are: {known}", name=name, known=known))
            )
        points = int(_number(request, "points", 900.0, 2.0, _MOST_POINTS))
        fixed = _fixed(request) if {"from", "to"} & request.query_params.keys() else None
        seconds = _number(request, "seconds", 900.0, _SHORTEST_SECONDS, _LONGEST_SECONDS)
        try:
            if fixed is None:
                return words.json(drawing.history(time.time() - seconds, points))
            return words.json(drawing.between(*fixed, points))
        except BongsuError as error:  # the history cannot be read, and says why
            raise HTTPException(503, str(error)) from error

    def processes(_: Request) -> Response:
        return words.json(live.processes())

    def owners(_: Request) -> Response:
        return words.json(live.owners())

    def gpus(_: Request) -> Response:
        return words.json(live.gpus())

    async def stream(request: Request) -> Response:
        if live.hub.full:
            return words.refusal(request.scope, 503, Message("Too many pages are open; close one and try again."))
        live.attach(asyncio.get_running_loop())
        first = await run_in_threadpool(live.first_events)
        return EventResponse(live.hub.events(request.headers.get("last-event-id", ""), first))

    async def scrape(request: Request) -> Response:
        if metrics is None:
            raise HTTPException(404)
        return _handed_back(await run_in_threadpool(metrics, _asked(request)))

    async def ask(request: Request) -> Response:
        if workers is None:
            raise HTTPException(404)
        return _handed_back(await _worked_out(workers, _asked(request, await _body(request))))

    async def recorded(request: Request) -> Response:
        if shelf is None and request.url.path == LIST:
            return words.json(without())
        if shelf is None:
            raise HTTPException(404)
        try:
            async with asyncio.timeout(_RUNS_SECONDS):
                return _handed_back(await _worked_out(shelf, _asked(request)))
        except TimeoutError:
            raise HTTPException(
                503, str(Message("The directory of runs does not answer; is its disk there?"))
            ) from None

    workers = None if api is None else Workers(api)
    shelf = None if runs is None else Workers(runs, at_once=2, waiting=20)
    app = Starlette(
        routes=[
            Route("/", page),
            Route("/static/{path:path}", file),
            Route("/api/status", status),
            Route("/api/board", board),
            Route("/api/processes", processes),
            Route("/api/owners", owners),
            Route("/api/gpus", gpus),
            Route("/api/stream", stream),
            Route("/api/v1/{path:path}", ask, methods=["GET", "POST"]),
            Route("/api/history", ask),
            *(Route(path, recorded) for path in PATHS),
            Route("/metrics", scrape),
            Route("/-/healthy", scrape),
            Route("/-/ready", scrape),
        ],
        exception_handlers={HTTPException: _in_words, Exception: _failed},
    )
    return Guard(app, access, workers)


async def _worked_out(workers: Workers, request: http_message.Request) -> http_message.Response:
    """The answer of a worker. Raises HTTPException where too many wait, and what the answer raises."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[http_message.Response] = loop.create_future()

    def take(said: http_message.Response | Exception) -> None:
        if answered.done():  # whoever asked is gone
            return
        if isinstance(said, Exception):
            answered.set_exception(said)
        else:
            answered.set_result(said)

    def done(said: http_message.Response | Exception) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(take, said)

    if not workers.begin(request, done):
        raise HTTPException(503, str(Message("Too many queries are in progress; try again later.")))
    return await answered


def _asked(request: Request, body: bytes = b"") -> http_message.Request:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return http_message.Request(request.method, request.url.path, request.url.query, headers, body=body)


async def _body(request: Request) -> bytes:
    """What a POST carries. Raises HTTPException where that is too much, or does not come."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > http_message.MOST_BODY:
                    raise HTTPException(
                        413, str(Message("The body is longer than {most} bytes.", most=http_message.MOST_BODY))
                    )
    except TimeoutError:
        raise HTTPException(408, str(Message("The body did not come in time."))) from None
    except ClientDisconnect:
        raise HTTPException(400, str(Message("The body ended early."))) from None
    return bytes(body)


def _handed_back(said: http_message.Response) -> Response:
    answer = Response(said.body, said.status)
    answer.raw_headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in said.headers]
    return answer


def _number(request: Request, name: str, default: float, least: float, most: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise HTTPException(
            400,
            str(
                Message("{name}={text!r}: give a number from {least:g} to {most:g}",
                        name=name, text=text, least=least, most=most)
            ),
        )  # fmt: skip
    return value


def _fixed(request: Request) -> tuple[float, float]:
    """The span from one Unix time to another. Raises HTTPException where that is none."""
    if "seconds" in request.query_params:
        raise HTTPException(400, str(Message("give either seconds, or from and to")))
    if "from" not in request.query_params:
        raise HTTPException(400, str(Message("from is missing: give the Unix time at which to begin, in seconds")))
    since = _number(request, "from", 0.0, 0.0, _LAST_TIME)
    until = _number(request, "to", time.time(), 0.0, _LAST_TIME)
    if not _SHORTEST_SECONDS <= until - since <= _LONGEST_SECONDS:
        raise HTTPException(
            400,
            str(
                Message("from={since:.15g} to={until:.15g}: the end must be 1 second to 366 days later",
                        since=since, until=until)
            ),
        )  # fmt: skip
    return since, until


async def _in_words(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and error.detail == "Not Found":
        return words.refusal(request.scope, 404, Message("There is no such page."))
    return words.refusal(request.scope, error.status_code, Message("{detail}", detail=error.detail))


async def _failed(request: Request, error: Exception) -> Response:
    _log.error("%s failed", request.url.path, exc_info=error)
    return words.refusal(
        request.scope, 500, Message("This failed, and it should not have."), Message("The log says more.")
    )
