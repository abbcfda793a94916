"""`bongsu up` and `bongsu agent`: watch this machine until told to stop."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bongsu.cli.options import ObservingCommand, demo_option, keep_given, loaded, machine_options, setting

if TYPE_CHECKING:
    from bongsu.agent import Agent
    from bongsu.cli.serve import Access, Kept

_Function = TypeVar("_Function", bound=Callable[..., Any])

UP = """Watch this machine: a live page, and /metrics for Prometheus.

The page is for this machine only and asks for the token in the address that is printed. Ctrl-C stops it.

\b
Examples:
  bongsu up                            look at this machine
  bongsu up --port 8080 --interval 5   another port, a slower clock
  bongsu up --host 0.0.0.0 --web.config.file web.yml
                                       for others too, with TLS and users
  bongsu up --retention 3d,1y          keep every reading for 3 days, one a minute for a year
  bongsu up -c bongsu.yaml             settings in a file; SIGHUP reads it again
  bongsu up --demo                     with 8 GPUs that are made up, and marked as such
"""
AGENT = """Watch this machine without a page: /metrics for Prometheus, and the sinks of the settings.

Reads when it is asked; where there are sinks (a textfile, JSON lines) also every 15 s. Made to run as a
service: `bongsu render systemd` writes the unit, SIGHUP reads the settings again.

\b
Examples:
  bongsu agent                         http://127.0.0.1:9420/metrics
  bongsu agent -c /etc/bongsu.yaml     settings in a file
  bongsu agent --host 0.0.0.0 --web.config.file web.yml
"""


def _keep_retention(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        raw, comma, minutes = value.partition(",")
        keep_given(ctx, ("store", "raw"), raw.strip(), "--retention")
        if comma:
            keep_given(ctx, ("store", "minutes"), minutes.strip(), "--retention")


def _serving_options(command: _Function) -> _Function:
    for option in reversed(
        (
            setting("interval", "--interval", metavar="SECONDS", help="How often to read: 0.5, 5s, 1m."),
            setting("port", "--port", metavar="PORT", help="The port to listen on; 0 takes a free one.  [default: 9420]"),
            setting("host", "--host", metavar="ADDRESS", help="The address to listen on.  [default: 127.0.0.1]"),
            setting("web_config", "--web.config.file", "--web-config", metavar="FILE", help="TLS and users."),
            setting(
                "allowed_hosts", "--allowed-host", metavar="NAME", multiple=True,
                help="A name by which a browser may call this machine; may be repeated.",
            ),
            setting("data_dir", "--data-dir", metavar="DIR", help="Where the token and the history are kept."),
            setting(
                "store.enabled", "--store/--no-store", default=None,
                help="Keep history on disk, or not.  [default: up does, agent does not]",
            ),
            click.option(
                "--retention", metavar="RAW[,MINUTES]", expose_value=False, callback=_keep_retention,
                help="How long to keep every reading, and one a minute: 3d or 3d,1y.  [default: 7d,90d]",
            ),
            setting("token", "--no-token", flag_value="off", is_flag=True, help="Ask for no token; beyond loopback only with --web.config.file."),
            click.option("--quiet", "-q", is_flag=True, help="Print the address only."),
        )
    ):  # fmt: skip
        command = option(command)
    return machine_options(demo_option(command))


@click.command(cls=ObservingCommand, help=UP)
@_serving_options
@setting("runs_dir", "--runs-dir", metavar="DIR", help="Where `bongsu run` keeps what it records.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
@click.pass_context
def up(ctx: click.Context, quiet: bool, open_browser: bool) -> int:
    """Run the agent with the page."""
    return _watch(ctx, page=True, quiet=quiet, open_browser=open_browser)


@click.command(cls=ObservingCommand, help=AGENT)
@_serving_options
@click.pass_context
def agent(ctx: click.Context, quiet: bool) -> int:
    """Run the agent without the page."""
    return _watch(ctx, page=False, quiet=quiet, open_browser=False)


def _watch(ctx: click.Context, *, page: bool, quiet: bool, open_browser: bool) -> int:
    from bongsu.agent import Agent
    from bongsu.cli import logs
    from bongsu.cli.serve import Builder

    def load() -> Any:
        settings = loaded(ctx)
        logs.start(settings.settings.log_level or "info")
        return settings

    builder = Builder(load, page=page)
    running = Agent(builder, builder.counts)

    def started() -> None:
        click.echo("\n".join(_greeting(running, page=page, quiet=quiet)))
        if open_browser:
            import webbrowser

            webbrowser.open(_address(running))

    try:
        ended = running.run(started)
    finally:
        builder.forget()
    if not ended:
        # Something hangs in a thread that the interpreter would wait for: leave without it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def _address(running: Agent) -> str:
    from bongsu.cli.serve import address

    assert running.server is not None
    kept: Kept = running.setup.kept
    return address(kept.loaded.settings, kept.access, running.server.port)


def _asks(access: Access) -> str:
    """What /metrics beside the page asks for; the rules are those of views/web/access.py."""
    config = access.web_config
    if config is not None and config.asks_password:
        return f"asks for a user of {config.path}" + (", or the token (Authorization: Bearer)" if access.token else "")
    if not access.loopback and access.token:
        return "asks for the token: Authorization: Bearer"
    if config is not None and config.authenticates:
        return "asks for a client certificate"
    return "is open to this machine"


def _greeting(running: Agent, *, page: bool, quiet: bool) -> list[str]:
    """Where to look, what is read, how to stop."""
    url = _address(running)
    if not page:
        url = f"{url.partition('?')[0]}metrics"
    if quiet:
        return [url]
    setup = running.setup
    access = setup.kept.access
    when = f"every {setup.interval:g} s" if setup.sinks else "when asked"
    metrics = f" /metrics, for Prometheus, {_asks(access)}." if page else ""
    if access.token is not None and not page:
        metrics = (
            f" It asks for the token in {access.token_file} (Authorization: Bearer); a Prometheus names a copy "
            "of that file as authorization: credentials_file."
        )
    demo = setup.kept.loaded.settings.demo is not None
    return [
        f"{'DEMO: ' if demo else ''}Bongsu watches {platform.node() or 'this machine'}: {url}",
        *(
            ["The GPUs and the processes on them are made up (--demo). No history is kept, and no sink is written to."]
            if demo
            else []
        ),
        f"Reads {len(setup.gatherer.names)} subjects {when}.{metrics}",
        *_history(setup.kept),
        "Ctrl-C stops it.",
    ]


def _history(kept: Kept) -> list[str]:
    """Where what was read stays, and for how long."""
    if kept.past is None:
        return []
    from bongsu.views.units import bytes_text, seconds_text

    store = kept.loaded.settings.store
    times = f"every reading for {seconds_text(store.raw)}, one a minute for {seconds_text(store.minutes)}"
    return [f"Keeps history in {kept.past.writer.path}: {times}, {bytes_text(store.max_bytes)} at most."]
