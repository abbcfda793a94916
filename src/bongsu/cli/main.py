"""The command `bongsu`: finds the command asked for and turns every error into one line and an exit code."""

from __future__ import annotations

import difflib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from bongsu import __version__
from bongsu.cli.families import Entry, Families
from bongsu.model.errors import BongsuError
from bongsu.views.printable import printable

FINE, PROBLEMS, BAD_INPUT, NOT_KNOWN = 0, 1, 2, 3
INTERRUPTED = 130  # 128 + SIGINT, what a shell reports for Ctrl-C
PIPE_CLOSED = 141  # 128 + SIGPIPE, what a shell reports for `yes | head -1`
CLOSED: list[int] = []  # of 0, 1 and 2: those that our caller had closed

WATCH, RECORD, LOOK, MAKE = "Watch this machine", "Record a program", "Look once", "Set up"
COMMANDS = {
    "up": Entry("bongsu.cli.observe:up", WATCH, "Everything on this machine: live page and /metrics, Ctrl-C stops it."),
    "agent": Entry("bongsu.cli.observe:agent", WATCH, "The same without the page: for servers and services."),
    "top": Entry("bongsu.cli.look:top", WATCH, "Processes live in the terminal."),
    "run": Entry("bongsu.cli.run:run", RECORD, "Record what a program and all its children cost."),
    "report": Entry("bongsu.cli.report:report", RECORD, "What recorded runs did and cost: shown, listed, exported, compared."),
    "status": Entry("bongsu.cli.look:status", LOOK, "One summary of this machine, and what is wrong with it."),
    "check": Entry("bongsu.cli.check:check", LOOK, "Whether this machine's GPUs are healthy: a list with an exit code."),
    "collect": Entry("bongsu.cli.collect:collect", LOOK, "Read everything once, for Prometheus, programs or eyes."),
    "query": Entry("bongsu.cli.query:query", LOOK, "Ask the history in PromQL: a table, a chart, JSON or CSV."),
    "store": Entry("bongsu.cli.store:store", LOOK, "Look after the history: what it holds, backups, exports, imports."),
    "owner": Entry("bongsu.cli.owner:owner", LOOK, "Whose a process is: Slurm job, pod, container, unit or user."),
    "explain": Entry("bongsu.cli.explain:explain", LOOK, "What a metric, collector or setting is, and its value here."),
    "render": Entry("bongsu.cli.render:render", MAKE, "Write files for other systems: a systemd unit, a Helm chart."),
    "completion": Entry("bongsu.cli.completion:completion", MAKE, "Tab completion for bash, zsh or fish."),
}  # fmt: skip

HELP = """See what a machine is doing: its processors, memory, disks, network, temperatures and processes.

\b
Start here:
  bongsu up                  a live page of this machine, and /metrics for Prometheus
  bongsu status              one screen in the terminal
  bongsu explain node_load1  what a number means and where it comes from

Exit codes: 0 fine, 1 problems found, 2 bad input, 3 could not find out. A closed input or output is taken
for /dev/null.
"""


def _keep_log_level(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta["bongsu.log_level"] = value  # understood with the other settings, where one is needed


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"bongsu {__version__}")
        ctx.exit()


cli = Families(
    COMMANDS,
    name="bongsu",
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND [OPTIONS]",
    params=[
        click.Option(
            ["--log-level"], metavar="LEVEL", expose_value=False, callback=_keep_log_level,
            help="How much to log on stderr: debug, info, warning or error.  [default: info]",
        ),
        click.Option(
            ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_show_version,
            help="Show the version and exit.",
        ),
    ],
    callback=lambda: None,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code.

    A stream that the caller closed (``bongsu status >&-``) is /dev/null: who closes it asks for the exit code only.
    """
    _open_closed_streams()
    code = run(sys.argv[1:] if argv is None else argv)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _pipe_closed()
    except OSError as error:
        code = _complain(f"standard output: {(error.strerror or str(error)).lower()}", NOT_KNOWN)
        _forget_stdout()
    sys.exit(code)


def run(argv: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal of another encoding shows \\u2588 for a bar
    if "_BONGSU_COMPLETE" in os.environ:
        cli.main(list(argv), prog_name="bongsu")  # asked by the shell; ends the process
    if not argv:
        with cli.make_context("bongsu", [], resilient_parsing=True) as context:
            click.echo(context.get_help(), err=True)
        return BAD_INPUT
    try:
        with cli.make_context("bongsu", list(argv)) as context:
            answer = cli.invoke(context)
        return answer if isinstance(answer, int) else FINE
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        if error.ctx is not None and type(error).__name__ == "NoArgsIsHelpError":  # click 8.1 has no such type
            click.echo(error.ctx.get_help(), err=True)
            return BAD_INPUT
        where = error.ctx.command_path if error.ctx is not None else "bongsu"
        text = " ".join(error.format_message().split())
        if isinstance(error, click.NoSuchOption):
            near = difflib.get_close_matches(error.option_name, error.possibilities or (), n=1)
            text = f"there is no option {error.option_name}" + (f"; did you mean {near[0]}?" if near else "")
        return _complain(f"{text[:1].lower()}{text[1:].rstrip('.')} (see: {where} --help)", error.exit_code)
    except click.ClickException as error:
        return _complain(error.format_message(), BAD_INPUT)
    except BongsuError as error:
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except OSError as error:
        if error.filename is None:  # what we print could not be written
            _forget_stdout()
        return _complain(f"{error.filename or 'standard output'}: {(error.strerror or str(error)).lower()}", NOT_KNOWN)
    except Exception as error:
        if "debug" in argv[:2] or os.environ.get("BONGSU_LOG_LEVEL") == "debug":
            raise
        line = f"unexpected {type(error).__name__}: {error}; a fault of ours: bongsu --log-level debug ... shows where"
        return _complain(line, getattr(error, "exit_code", NOT_KNOWN))


def _open_closed_streams() -> None:
    """Put /dev/null where 0, 1 or 2 is closed, before a file of ours gets that number and is written to by mistake."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            CLOSED.append(number)
            fd = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
            os.set_inheritable(number, True)  # what we start finds the three in place too
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  stays open to the end


def _complain(line: str, code: int) -> int:
    try:
        sys.stderr.write(f"bongsu: {printable(line)}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody listens; the exit code still speaks
    return code


def _pipe_closed() -> int:
    _forget_stdout()
    return PIPE_CLOSED


def _forget_stdout() -> None:
    """Let the interpreter's own flush at exit succeed, so that it says nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
