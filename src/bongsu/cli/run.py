"""`bongsu run`: record a program and all its children."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from bongsu.cli.report_runs import runs_directory
from bongsu.model.errors import BadInput, BongsuError
from bongsu.model.message import Message
from bongsu.runs.launch import exec_failed, execute, original_environment

if TYPE_CHECKING:
    from bongsu.runs.attach import Attached
    from bongsu.runs.plan import Plan

HELP = """Record what COMMAND and all its children cost, and what their functions do.

COMMAND runs as if it had been started alone: same terminal, streams, signals and exit code, no shell. `bongsu report`
shows what was recorded.

\b
Examples:
  bongsu run -- python train.py --epochs 3      a summary at the end, a report to look at
  bongsu run --max-rss 8GiB --timeout 2h -- make -j4
  bongsu run --alert 'cpu>400%' --on-alert 'notify-send busy' -- ./simulate
  bongsu run --functions app:load,app:Model.fit -- python app.py
  bongsu run --repeat 8 --vs 'sort -u words' -- sort words    which is faster, and is that sure
  bongsu run --attach 4711                      a program that runs already, until it ends or Ctrl-C

\b
A signal that is sent to this process is handed on to COMMAND; one that the terminal or timeout(1) sends to the whole
process group reaches COMMAND by itself, and is not sent twice.

\b
Exit code: that of COMMAND, 128 + the signal that ended it, 124 after --timeout, 127 if there is no such command,
126 if it cannot be executed, 125 for failures of its own, such as an option that does not exist.
"""
_OWN_FAILURE = 125  # as env(1), timeout(1) and nohup(1): what COMMAND ends with stays tellable
_MAXIMA = ("rss", "pss", "uss", "memory", "cpu-time", "processes", "threads", "open-files")
# What would say nothing beside --attach or --repeat, so that no option is passed over in silence: option → its value's name.
_ALONE = (
    ("--attach records a process that runs already", {
        "COMMAND": "command", "--functions": "functions", "--capture": "capture", "--wait-all": "wait_all",
        "--disable-monitoring": "disable_monitoring",
    }),
    ("--attach records one process as it is", {"--repeat": "repeat"}),
)  # fmt: skip
_ONE_BY_ONE = (
    ("--repeat compares what it records", {"--disable-monitoring": "disable_monitoring"}),
    ("--repeat makes a directory for each run", {"--run-dir": "run_dir"}),
)
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Wrapper(click.Command):
    """A command that stands for another one: whatever goes wrong with itself is exit code 125."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click does."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.ClickException as error:
            error.exit_code = _OWN_FAILURE  # type: ignore[misc]  # of this one alone
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """As click does.

        Raises:
            BongsuError: with that exit code.
        """
        try:
            return super().invoke(ctx)
        except (BongsuError, click.ClickException) as error:
            error.exit_code = _OWN_FAILURE  # type: ignore[misc]  # of this one alone
            raise
        except OSError as error:
            text = Message(
                "{path}: {reason}", path=error.filename or "run", reason=(error.strerror or str(error)).lower()
            )
            failure = BadInput(text)
            failure.exit_code = _OWN_FAILURE
            raise failure from None
        except Exception as error:
            error.exit_code = _OWN_FAILURE  # type: ignore[attr-defined]  # as above; `main` looks for it
            raise


def _maxima(command: _Function) -> _Function:
    words = {
        "rss": "resident memory of all processes, shared pages counted in each", "pss": "memory, shared pages counted once",
        "uss": "memory that is shared with nobody", "memory": "memory of the run's own cgroup", "cpu-time": "CPU time",
        "processes": "processes at a time", "threads": "threads at a time", "open-files": "open files at a time",
    }  # fmt: skip
    for what in reversed(_MAXIMA):
        command = click.option(
            f"--max-{what}", metavar="LIMIT", help=f"End it above so much: {words[what]}."
        )(command)  # fmt: skip
    return command


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Programs on PATH for the first word, files after it."""
    from click.shell_completion import CompletionItem

    if _ctx.params.get("command") or "/" in incomplete or not incomplete:
        return [CompletionItem(incomplete, type="file")]
    found: set[str] = set()
    for place in os.environ.get("PATH", "").split(os.pathsep):
        try:
            found.update(name for name in os.listdir(place or ".") if name.startswith(incomplete))
        except OSError:
            continue
    return [CompletionItem(name) for name in sorted(found)]


@click.command("run", cls=Wrapper, help=HELP, context_settings={"allow_interspersed_args": False})
@click.option("--name", metavar="NAME", help="What to call the run.  [default: the program's name]")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="A label to find it by; may be given more than once.")
@click.option("--message", metavar="TEXT", default="", help="A note that is kept with it.")
@click.option("--quiet", is_flag=True, help="No summary at the end.")
@click.option(
    "--output",
    metavar="TEMPLATE",
    multiple=True,
    help="Also write the report here: .json, .csv or .html; {id}, {name}, {exit_code} and %Y%m%d are filled in; may be "
    "given more than once.",
)
@click.option("--capture", is_flag=True, help="Keep what it writes: stdout.log, stderr.log and output.log of the run.")
@click.option(
    "--interval",
    "--monitoring-interval",
    "interval",
    metavar="DURATION",
    default="1s",
    show_default=True,
    help="Between two readings.",
)
@click.option("--disable-monitoring", is_flag=True, help="Only run COMMAND: nothing is recorded.")
@click.option(
    "--timeout",
    metavar="DURATION",
    help="End it, and all that it started, after so long, with exit code 124; with --attach only the recording ends.",
)
@click.option(
    "--kill-after",
    metavar="DURATION",
    default="10s",
    show_default=True,
    help="What is to be ended gets SIGTERM, and so much later SIGKILL.",
)
@_maxima
@click.option(
    "--alert",
    "alerts",
    metavar="LIMIT",
    multiple=True,
    help="Say when it is crossed, as 'rss>8GiB'; also pss, cpu, cpu-time, wall, processes, threads, open-files, read, write.",
)
@click.option(
    "--on-alert",
    metavar="ACTION",
    default="warn",
    show_default=True,
    help="What an alert does: warn, end, or a command (no shell; it finds BONGSU_ALERT, BONGSU_ALERT_VALUE, ...).",
)
@click.option("--wait-all", is_flag=True, help="Wait for all that COMMAND started, not only for itself.")
@click.option(
    "--functions",
    metavar="FUNCTIONS",
    multiple=True,
    help="Time these functions of a Python program: MODULE:FUNCTION, MODULE:Class.method or MODULE:*, with commas.",
)
@click.option("--attach", metavar="PID", help="Record a process that runs already, until it ends or Ctrl-C.")
@click.option("--repeat", type=click.IntRange(1, 10_000), metavar="N", help="Run COMMAND so often, and sum that up.")
@click.option("--vs", "against", metavar="COMMAND", multiple=True, help="With --repeat: in turn with this one.")
@click.option(
    "--warmup", type=click.IntRange(0, 10_000), default=0, metavar="N", help="With --repeat: runs not counted."
)
@click.option("--seed", type=int, metavar="N", help="With --repeat: shuffle each round by this.")
@click.option("--ignore-failure", is_flag=True, help="With --repeat: go on when a command fails.")
@click.option("--experiment", metavar="ID", default="", hidden=True)
@click.option(
    "--runs-dir",
    metavar="DIR",
    help="Where runs are kept.  [default: $BONGSU_RUNS_DIR, or runs in the state directory]",
)
@click.option("--run-dir", metavar="DIR", help="Keep this run in just this new directory.")
@click.option("--report-folder-to", type=int, default=-1, metavar="FD", hidden=True)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, shell_complete=_complete)
def run(
    command: tuple[str, ...], *, attach: str | None, repeat: int | None, disable_monitoring: bool, **asked: Any
) -> int:
    """Check what is asked for, and become its monitor."""
    if attach is None and not command:
        raise click.UsageError("there is no COMMAND; write it after the options: bongsu run -- python train.py")
    given = {**asked, "command": command, "repeat": repeat, "disable_monitoring": disable_monitoring}
    for rule, others in _ALONE if attach is not None else _ONE_BY_ONE if repeat is not None else ():
        for option, name in others.items():
            if given[name]:
                raise click.UsageError(f"{rule}; leave {option} out")
    if repeat is None and (asked["against"] or asked["warmup"] or asked["seed"] is not None or asked["ignore_failure"]):
        raise click.UsageError("--vs, --warmup, --seed and --ignore-failure need --repeat N")
    process = _to_attach(attach) if attach is not None else None
    plan = _checked(command, process, asked, many=repeat is not None)
    if disable_monitoring and process is None:
        _execute(command)
    if repeat is not None:
        return _repeated(command, repeat, asked)
    return _begin(plan, asked)


def _checked(command: tuple[str, ...], process: Attached | None, asked: dict[str, Any], *, many: bool) -> Plan:
    """What is asked for, as far as it is known before there is a folder. Raises BadInput."""
    from bongsu.cli import run_limits
    from bongsu.runs.plan import Plan
    from bongsu.runs.thresholds import END

    maxima = [(what, value) for what in _MAXIMA if (value := asked[f"max_{what.replace('-', '_')}"]) is not None]
    thresholds = run_limits.limits(maxima, asked["alerts"], asked["on_alert"])
    for option, texts in (("--name", () if asked["name"] is None else (asked["name"],)), ("--tag", asked["tags"])):
        for text in texts:
            run_limits.label(option, text)
    timeout = asked["timeout"]
    if process is not None:
        run_limits.spares_us(process.pid, ends=any(one.action == END for one in thresholds))
    for template in asked["output"]:
        run_limits.output(template, many=many)
    if asked["report_folder_to"] >= 0:
        try:
            os.fstat(asked["report_folder_to"])
        except OSError:
            raise BadInput(
                Message("--report-folder-to {fd}: this descriptor is not open; give one that is inherited",
                        fd=asked["report_folder_to"])
            ) from None  # fmt: skip
    asked["functions"] = run_limits.functions(asked["functions"])
    return Plan(
        folder="", run="", argv=command, attach=process.pid if process else 0,
        attach_start_ticks=process.start_ticks if process else 0, quiet=asked["quiet"],
        capture=asked["capture"],
        interval_seconds=run_limits.interval("--interval", asked["interval"]), wait_all=asked["wait_all"],
        timeout_seconds=run_limits.duration("--timeout", timeout, shortest=0.001) if timeout is not None else 0.0,
        kill_after_seconds=run_limits.duration("--kill-after", asked["kill_after"]), thresholds=thresholds,
        output=tuple(map(os.path.abspath, asked["output"])), path=tuple(map(os.path.abspath, sys.path)),
        report_folder_to=asked["report_folder_to"], closed=_closed(),
    )  # fmt: skip


def _begin(plan: Plan, asked: dict[str, Any]) -> NoReturn:
    """Make the folder of the run, write down what is known, and become the monitor. Raises BadInput, OSError."""
    import msgspec

    from bongsu.cli.run_metadata import gathered
    from bongsu.records import run_folder
    from bongsu.runs.monitor import become

    started = time.time()
    name = asked["name"] or (_program(plan.attach) if plan.attach else os.path.basename(plan.argv[0])) or "run"
    made = _exactly(asked["run_dir"]) if asked["run_dir"] else None
    if made is None:
        made = run_folder.create(runs_directory(asked["runs_dir"]), name, started)
    known = gathered(
        made.id, plan.argv, started, plan.interval_seconds, name=name, tags=asked["tags"], message=asked["message"],
        experiment=asked["experiment"], functions=asked["functions"], attached=plan.attach,
    )  # fmt: skip
    known = msgspec.structs.replace(  # what was asked of git took a moment
        known, started=time.time(), attached_after_seconds=_lived(plan) if plan.attach else None
    )
    try:
        run_folder.write_metadata(made.folder, known)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.rmdir(made.folder)
        error.filename = made.folder  # that of a part of it says nothing, nor does none
        raise
    become(
        plan._replace(
            folder=made.folder, run=made.id, started=known.started, started_boottime=time.clock_gettime(time.CLOCK_BOOTTIME),
            environment=_environment(made.folder, asked["functions"]),
        )
    )  # fmt: skip


def _environment(folder: str, functions: Sequence[str]) -> dict[str, str]:
    """What is added to the command's environment."""
    if not functions:
        return {"BONGSU_RUN_DIR": folder}
    from bongsu.emit.start import environment

    return environment(folder, functions)


def _repeated(command: Sequence[str], count: int, asked: dict[str, Any]) -> int:
    """Leave it to `run_repeat`, with the options that hold for each run."""
    from bongsu.cli.run_repeat import repeat

    options: list[str] = []
    once = ("name", "message", "interval", "timeout", "kill_after")
    for name in (*once, *(f"max-{what}" for what in _MAXIMA)):
        value = asked[name.replace("-", "_")]
        if value:
            options += [f"--{name.replace('_', '-')}", value]
    for flag in ("capture", "wait_all"):
        options += [f"--{flag.replace('_', '-')}"] if asked[flag] else []
    for name, values in (
        ("tag", asked["tags"]),
        ("output", asked["output"]),
        ("functions", asked["functions"]),
        ("alert", asked["alerts"]),
    ):
        for value in values:
            options += [f"--{name}", value]
    if asked["alerts"]:
        options += ["--on-alert", asked["on_alert"]]
    return repeat(
        command, asked["against"], repeats=count, directory=runs_directory(asked["runs_dir"]), options=options,
        warmup=asked["warmup"], seed=asked["seed"], ignore_failure=asked["ignore_failure"], quiet=asked["quiet"],
    )  # fmt: skip


def _exactly(directory: str) -> Any:
    """A new folder of just this name. Raises BadInput."""
    from bongsu.records.run_folder import Made

    folder = os.path.abspath(directory)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        raise BadInput(
            Message("--run-dir {folder}: it exists; name a directory that is still to be made", folder=directory)
        ) from None
    except OSError as error:
        raise BadInput(
            Message("--run-dir {folder}: {reason}; name a new directory where this user may make one",
                    folder=directory, reason=(error.strerror or "").lower())
        ) from None  # fmt: skip
    return Made(os.path.basename(folder), folder)


def _execute(command: Sequence[str]) -> NoReturn:
    """Become the command, unwatched."""
    import signal

    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would hand that on
        signal.signal(number, signal.SIG_DFL)
    for stream in _closed():
        os.close(stream)
    try:
        execute(command, original_environment())
    except (OSError, ValueError) as error:
        code = exec_failed(error.errno or 0) if isinstance(error, OSError) else 126
        reason = error.strerror if isinstance(error, OSError) else str(error)
        click.echo(f"bongsu: {command[0]}: {(reason or '').lower()}", err=True)
        sys.exit(code)


def _closed() -> tuple[int, ...]:
    """Those of 0, 1 and 2 that our caller had closed."""
    from bongsu.cli.main import CLOSED

    return tuple(CLOSED)


def _to_attach(text: str) -> Attached:
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not int(text):
        raise BadInput(
            Message(
                "--attach {text}: this is not the number of a process; give a whole number, as ps shows it", text=text
            )
        )
    from bongsu.runs.attach import found

    process = found(int(text))
    process.close()
    return process


def _lived(plan: Plan) -> float:
    """How long the process that is attached to has lived, in s, to a clock tick."""
    began = plan.attach_start_ticks / os.sysconf("SC_CLK_TCK")
    return round(max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began), 2)


def _program(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
