"""Builds what the agent runs: the setup behind /metrics alone, and the one with the live page."""

from __future__ import annotations

import functools
import gc
import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

from bongsu.agent import Agent, Server, Setup
from bongsu.cli import data_dir, history, up_file, wire
from bongsu.cli.settings_file import Loaded
from bongsu.collectors.agent import AgentCollector, AgentCounts
from bongsu.collectors.told import Told
from bongsu.model.contract import Sink
from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.model.metric import MetricSpec
from bongsu.model.settings import Settings
from bongsu.sinks import history_api, http, http_message, query_api
from bongsu.sinks.exposition import Exposition
from bongsu.sources.nvml.reader import read_by, reader_of, try_again
from bongsu.sources.root import Machine

if TYPE_CHECKING:
    from bongsu.sinks.web_config import WebConfig
    from bongsu.store.reading.history import History
    from bongsu.store.reading.reader import Reader
    from bongsu.store.recent import Recent
    from bongsu.store.writing.writer import Writer
    from bongsu.views.web.live import Live
    from bongsu.views.web.runs import RunsApi

_log = logging.getLogger("bongsu.serve")
UP_INTERVAL, AGENT_INTERVAL = 1.0, 15.0
Handler = Callable[[http_message.Request], http_message.Response]


class Access(NamedTuple):
    """How a server is protected; ``token_file`` is where the token is kept, None where it is not."""

    token: str | None
    web_config: WebConfig | None
    loopback: bool
    token_file: str | None = None


class Past(NamedTuple):
    """The history on disk: who writes it, and two ways to read it."""

    writer: Writer
    reader: Reader
    history: History


class Page(NamedTuple):
    """What the live page shows: the last hour, all that is live, and recorded runs."""

    recent: Recent
    live: Live
    runs: RunsApi | None


class Kept(NamedTuple):
    """What a setup hands on to the next one, as far as the settings still ask for the same."""

    loaded: Loaded
    machine: Machine
    which: Hashable  # what the machine was made of
    access: Access
    past: Past | None
    page: Page | None


class Builder:
    """Makes setups for the agent: each call reads the settings anew.

    ``page`` adds the live page. What a reload does not change (the server, the last hour, the history,
    and the machine with all that was found out and counted of it) is kept.
    """

    def __init__(self, load: Callable[[], Loaded], *, page: bool) -> None:
        self._load = load
        self._page = page
        self.counts = AgentCounts()
        self._noted: str | None = None  # the directory in which it is noted where the page is

    def __call__(self, previous: Setup | None) -> Setup:
        """A setup from the settings as they are now. Raises BadInput."""
        loaded = self._load()
        settings = loaded.settings
        before: Kept | None = None if previous is None else previous.kept
        interval = settings.interval or (UP_INTERVAL if self._page else AGENT_INTERVAL)
        which = (settings.paths, settings.demo, _stamp(settings.demo))
        machine = _machine(loaded, which, before)
        collecting = [*wire.collectors(loaded, machine), AgentCollector(self.counts)]
        place = (
            settings.host, settings.port, settings.token, settings.web_config, _stamp(settings.web_config),
            settings.allowed_hosts, settings.runs_dir, settings.demo, interval if self._page else None, history.wanted(loaded, page=self._page),
        )  # fmt: skip
        moves = previous is None or previous.place != place  # a page's last hour goes with its interval
        if previous is not None and moves:
            # The server before the present one is a knot of references, which the collector of garbage comes to only
            # after dozens of reloads: 30 MB more by then.
            gc.collect()
        access = protection(settings, page=self._page) if before is None or moves else before.access
        if self._page:
            _check_page()
        sinks: list[Sink] = wire.sinks(loaded)
        # From here on nothing fails but the history: it has a lock that would be left behind.
        past = _past(loaded, page=self._page, before=None if before is None else before.past)
        page = None
        if self._page:
            page = (
                _page_sinks(interval, past, _runs_dir(settings))
                if before is None or moves or not before.page
                else before.page
            )
            sinks = [page.recent, page.live, *sinks]
        if past is not None:
            from bongsu.store.writing import facts

            collecting.append(Told("store", facts.SPECS, past.writer.samples))
            sinks = [past.writer, *sinks]
        return Setup(
            wire.gatherer(loaded, collecting), tuple(sinks), interval,
            functools.partial(self._serve, settings, access, page, past), place, Kept(loaded, machine, which, access, past, page),
        )  # fmt: skip

    def _serve(self, settings: Settings, access: Access, kept: Page | None, past: Past | None, agent: Agent) -> Server:
        # The page has a guard of its own; who must show a credential may call the server by any name.
        config = access.web_config
        guarded = kept is not None or access.token is not None or (config is not None and config.authenticates)
        hosts = None if guarded else _hosts(settings)
        handler = functools.partial(_answer, agent, Exposition(), threading.BoundedSemaphore(http.MAX_SCRAPES), hosts)
        ask = _asking(past)
        if kept is None:
            return _metrics_server(settings, access, functools.partial(_either, handler, ask, hosts))
        server = _page_server(settings, access, handler, ask, kept)
        self._note(settings, access, server.port)
        return server

    def _note(self, settings: Settings, access: Access, port: int) -> None:
        """Let `bongsu report open` find the page; where the state cannot be written, or in a demonstration, it will not."""
        self.forget()
        if settings.demo is not None:
            return
        state, runs = settings.data_dir or data_dir.default_directory(os.environ), _runs_dir(settings)
        if state is None or runs is None:
            return
        try:
            os.makedirs(state, mode=0o700, exist_ok=True)
            up_file.note(state, address(settings, access, port), runs)
        except OSError as error:
            _log.debug("%s: %s; `bongsu report open` will not find this page", state, (error.strerror or "").lower())
        else:
            self._noted = state

    def forget(self) -> None:
        """The page is gone, and so is the note of where it was."""
        if self._noted is not None:
            up_file.forget(self._noted)
            self._noted = None


def _machine(loaded: Loaded, which: Hashable, before: Kept | None) -> Machine:
    """The one of before, or with its reader of GPUs: what is counted of it must not begin again. Raises BadInput."""
    if before is None or before.which != which:
        return wire.machine(loaded)
    try_again(before.machine)
    if loaded.settings.owners == before.loaded.settings.owners:
        return before.machine
    machine = wire.machine(loaded)  # owners are found in another way
    read_by(machine, reader_of(before.machine))
    return machine


def _stamp(path: str | None) -> tuple[int, int] | None:
    """What tells that a file was written again."""
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def protection(settings: Settings, *, page: bool) -> Access:
    """Who may see what. Raises BadInput where strangers could see something."""
    web_config = None
    if settings.web_config is not None:
        from bongsu.sinks.web_config import load

        web_config = load(settings.web_config)
    loopback = is_loopback(settings.host)
    keeps_strangers_out = web_config is not None and web_config.authenticates
    if not loopback and not settings.token and not keeps_strangers_out:
        raise BadInput(
            Message(
                "--no-token --host {host}: beyond loopback nothing is served without authentication; leave out "
                "--no-token, or give users in --web.config.file",
                host=settings.host,
            )
        )  # fmt: skip
    # Without a page there is only /metrics, which is open on loopback and may have users beyond it.
    wants_token = settings.token and (page or not (loopback or keeps_strangers_out))
    if not wants_token:
        return Access(None, web_config, loopback)
    token = data_dir.token(settings.data_dir, os.environ, shown=page)  # only a page's address shows it
    if token.note is not None:
        _log.warning("%s", token.note)
    return Access(token.value, web_config, loopback, token.path)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address. Raises BadInput where it is no address of any kind."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise BadInput(
            Message("--host {host}: this is not a name or address of this machine; 127.0.0.1 is", host=host)
        ) from None
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def address(settings: Settings, access: Access, port: int) -> str:
    """The URL to open, with the token where there is one."""
    host = settings.host
    if host in {"0.0.0.0", "::"}:  # noqa: S104  a comparison, nothing is bound here
        host = socket.gethostname()
    if ":" in host:
        host = f"[{host}]"
    secure = access.web_config is not None and access.web_config.tls is not None
    query = f"?token={access.token}" if access.token else ""
    return f"{'https' if secure else 'http'}://{host}:{port}/{query}"


def _runs_dir(settings: Settings) -> str | None:
    """Where runs are that the page shows; None for a user without a home who named no place."""
    state = data_dir.default_directory(os.environ)
    place = settings.runs_dir or (os.path.join(state, "runs") if state else None)
    return None if place is None else os.path.abspath(place)


def _hosts(settings: Settings) -> frozenset[str]:
    own = socket.gethostname().lower()
    return frozenset({own, own.partition(".")[0], settings.host.lower(), *map(str.lower, settings.allowed_hosts)})


def _answer(
    agent: Agent,
    exposition: Exposition,
    scrapes: threading.BoundedSemaphore,
    hosts: frozenset[str] | None,
    request: http_message.Request,
) -> http_message.Response:
    return http.answer(
        request, gather=agent.gather, names=agent.names, exposition=exposition, scrapes=scrapes, allowed_hosts=hosts
    )


def _past(loaded: Loaded, *, page: bool, before: Past | None) -> Past | None:
    """The history that the settings ask for; ``before`` where it is the same. Raises BadInput."""
    writer = history.kept(loaded, page=page, running=None if before is None else before.writer)
    if writer is None:
        return None
    if before is not None and writer is before.writer:
        return before
    from bongsu.store.reading.history import History
    from bongsu.store.reading.reader import Reader

    reader = Reader(writer.path, pending=writer.pending, unsaved=writer.unsaved)
    return Past(writer, reader, History(reader))


def _asking(past: Past | None) -> Handler:
    """What answers questions about the history: PromQL clients, and pages that draw it."""
    from bongsu import __version__

    promql = functools.partial(
        query_api.answer, source=None if past is None else past.reader, version=__version__, turns=query_api.Turns(),
    )  # fmt: skip
    specs = [spec for cls in wire.classes() for spec in cls.specs if isinstance(spec, MetricSpec)]
    charts = functools.partial(history_api.answer, history=None if past is None else past.history, specs=specs)

    def ask(request: http_message.Request) -> http_message.Response:
        return charts(request) if request.path == history_api.PATH else promql(request)

    return ask


def _either(
    metrics: Handler, ask: Handler, hosts: frozenset[str] | None, request: http_message.Request
) -> http_message.Response:
    """Metrics or history, by the path; a name that is not ours is refused for both.

    A page elsewhere could make a browser on this machine ask for what takes long, though it could not read the answer:
    browsers say so.
    """
    if not request.path.startswith((query_api.PREFIX, history_api.PATH)) or (
        hosts is not None and not http.host_allowed(request.headers.get("host"), hosts)
    ):
        return metrics(request)
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return http_message.plain(403, "Questions from pages of other sites are not answered.")
    return ask(request)


def _bearer_only(token: str, handler: Handler, request: http_message.Request) -> http_message.Response:
    """Answers those who carry the token, as Prometheus does with ``authorization: credentials_file``."""
    import hmac

    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(value.strip().encode(), token.encode()):
        return handler(request)
    return http_message.plain(
        401, "This asks for the token: Authorization: Bearer …", ("WWW-Authenticate", 'Bearer realm="bongsu"')
    )


def _metrics_server(settings: Settings, access: Access, handler: Handler) -> Server:
    from bongsu.sinks.http_server import MetricsServer

    if access.token is not None:
        handler = functools.partial(_bearer_only, access.token, handler)
    return MetricsServer(settings.host, settings.port, handler, access.web_config)


def _check_page() -> None:
    """Raises BadInput where packages for the page are missing."""
    try:
        import bongsu.views.web.live  # noqa: F401  only to see that it can be
    except ImportError as error:
        raise BadInput(
            Message(
                "the live page needs the package {name}; install it with `pip install 'bongsu[web]'`, or use "
                "`bongsu agent`, which has no page",
                name=error.name,
            )
        ) from None  # fmt: skip


def _page_sinks(interval: float, past: Past | None, place: str | None) -> Page:
    from bongsu.boards.host import HOST
    from bongsu.runs import export_json
    from bongsu.runs.watched import Watched
    from bongsu.store.recent import Recent
    from bongsu.views.web.live import Live
    from bongsu.views.web.own import Kept
    from bongsu.views.web.runs import RunsApi

    recent = Recent(HOST.queries, interval=interval)
    about = {cls.name: wire.first_line(cls).replace("``", "") for cls in wire.classes()}  # the page knows no markup
    runs = None if place is None else Watched(place)
    members = dict if runs is None else runs.members
    api = None if runs is None else RunsApi(runs, export_json.text)
    if past is None:
        return Page(recent, Live(recent, [HOST], about=about, members=members), api)
    writer = past.writer
    live = Live(
        recent, [HOST], about=about, past=past.history, trouble=lambda: writer.problem,
        store=lambda: Kept(writer.facts(), writer.limits), members=members,
    )  # fmt: skip
    return Page(recent, live, api)


def _page_server(settings: Settings, access: Access, handler: Handler, ask: Handler, page: Page) -> Server:
    from bongsu import __version__
    from bongsu.views.web import access as web
    from bongsu.views.web.app import create_app
    from bongsu.views.web.server import WebServer, listen

    config = access.web_config
    permits = config.permits if config is not None and config.asks_password else None
    rules = web.Access(
        access.token, permits, loopback=access.loopback, hosts=_hosts(settings),
        trusted=config is not None and config.authenticates, headers=() if config is None else config.headers,
        admits_one_more=None if config is None else config.admits,
    )  # fmt: skip
    app = create_app(page.live, rules, metrics=handler, api=ask, runs=page.runs, version=__version__)
    return WebServer(app, page.live, listen(settings.host, settings.port), tls=None if config is None else config.tls)
