"""The options that commands share, among them two for each collector, generated from its class."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import click

from bongsu.cli.settings_file import Given, Loaded, load
from bongsu.model.errors import BadInput
from bongsu.model.message import Message

_Function = TypeVar("_Function", bound=Callable[..., Any])
_GIVEN = "bongsu.given"  # where a context keeps what flags set
_CONFIG = "bongsu.config"
_DEMO, _SHIPPED = "--demo", "shipped"


class ObservingCommand(click.Command):
    """A command that reads the machine: it takes every collector's options beside its own."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own parameters, then one switch for each collector and one option for each of its keywords."""
        own = super().get_params(ctx)
        return [*own[:-1], *_collector_options(), *own[-1:]] if own else list(_collector_options())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, but where words may follow, `--demo gpu` does not take one for its file."""
        takes_words = any(isinstance(one, click.Argument) for one in self.params)
        return super().parse_args(ctx, _demo_without_a_word(args) if takes_words else args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, and one paragraph instead of a page for those of the collectors."""
        super().format_options(ctx, formatter)
        with formatter.section("Collectors (spelled as node_exporter spells them)"):
            formatter.write_dl(
                [
                    ("--collector.NAME, --no-collector.NAME", "Turn one on or off."),
                    ("--collector.NAME.OPTION VALUE", "Set one of its options; `bongsu explain NAME` lists them."),
                    ("--collector.disable-defaults", "Only those that are named."),
                ]
            )


def config_option(command: _Function) -> _Function:
    """The settings file: for every command that has settings."""
    return click.option(
        "-c", "--config", metavar="FILE", envvar="BONGSU_CONFIG", expose_value=False, is_eager=True,
        callback=_keep_config, help="Settings (bongsu.yaml); flags and BONGSU_* variables override it.",
    )(command)  # fmt: skip


def machine_options(command: _Function) -> _Function:
    """The settings file and where the machine's trees are: for every command that reads the machine."""
    for option in reversed(
        (
            config_option,
            setting("paths.procfs", "--procfs", "--path.procfs", metavar="DIR", help="Read this /proc."),
            setting("paths.sysfs", "--sysfs", "--path.sysfs", metavar="DIR", help="Read this /sys."),
            setting("paths.rootfs", "--rootfs", "--path.rootfs", metavar="DIR", help="The root of that machine."),
            setting("paths.udev", "--path.udev.data", metavar="DIR", hidden=True),
            setting("log_level", "--log-level", metavar="LEVEL", hidden=True),
            click.option(
                "--textfile-dir", metavar="DIR", expose_value=False, callback=_keep_textfile_dir,
                help="Add the metrics of *.prom files in this directory.",
            ),
            click.option(
                "--profile", "gpu_profile", metavar="dcgm", expose_value=False,
                callback=_keep(("collectors", "gpu", "profile"), "--profile"),
                help="Add GPU readings under the names that dcgm-exporter gives them.",
            ),
            _switch(
                "--compat-labels", ("collectors", "gpu_process", "compat_labels"),
                "Add the memory of a GPU process to its info series, as label gpu_memory.",
            ),
            _switch(
                "--command-lines", ("collectors", "gpu_process", "command_lines"),
                "Name GPU processes by their command lines, with what looks like a secret masked.",
            ),
            click.option(
                "--collector.disable-defaults", "no_defaults", is_flag=True, hidden=True, expose_value=False,
                callback=_keep_no_defaults,
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def _switch(spelling: str, path: tuple[str, ...], text: str) -> Callable[[_Function], _Function]:
    return click.option(
        spelling, is_flag=True, default=None, expose_value=False, callback=_keep(path, spelling), help=text
    )


def setting(path: str, *spellings: str, **attributes: Any) -> Callable[[_Function], _Function]:
    """An option that sets one key of the settings; the text is understood where the file's is."""
    name = path.replace(".", "_")
    return click.option(
        *spellings, name, expose_value=False, callback=_keep(tuple(path.split(".")), spellings[0]), **attributes
    )


def demo_option(command: _Function) -> _Function:
    """Made-up GPUs: for commands that show readings and keep none."""
    return setting(
        "demo", _DEMO, is_flag=False, flag_value=_SHIPPED, metavar="[FILE]",
        help="Play made-up GPUs and processes on them, marked DEMO; nothing of it is stored. FILE is a scenario of "
        "yours: a name with a / or ending in .yaml, .yml or .json; any other as --demo=FILE.",
    )(command)  # fmt: skip


def _demo_without_a_word(args: list[str]) -> list[str]:
    """The words of a call, in which --demo keeps the next one only where that looks like a file."""
    own = args[: args.index("--")] if "--" in args else args
    following = [*own[1:], ""][: len(own)]  # of no words none
    return [
        f"{_DEMO}={_SHIPPED}" if word == _DEMO and after and not _looks_like_a_file(after) else word
        for word, after in zip(own, following, strict=True)
    ] + args[len(own) :]


def _looks_like_a_file(word: str) -> bool:
    return "/" in word or word.endswith((".yaml", ".yml", ".json"))


def loaded(ctx: click.Context, more: Iterable[Given] = ()) -> Loaded:
    """The settings of this call: file, environment and flags together, and what ``more`` adds. Raises BadInput."""
    given = [*ctx.meta.get(_GIVEN, ()), *more]
    if "bongsu.log_level" in ctx.meta:  # given before the command's name
        given.insert(0, Given(("log_level",), ctx.meta["bongsu.log_level"], "--log-level"))
    return load(ctx.meta.get(_CONFIG), os.environ, given)


def _keep(path: tuple[str, ...], spelling: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is None or value == ():
            return
        for one in value if isinstance(value, tuple) else (value,):
            keep_given(ctx, path, one, spelling.split("/")[-1 if one is False else 0])

    return keep


def keep_given(ctx: click.Context, path: tuple[str, ...], value: str | bool, spelling: str) -> None:
    """Note what a flag set, for `loaded`."""
    ctx.meta.setdefault(_GIVEN, []).append(Given(path, value, spelling))


def _keep_config(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value == "":  # such as --config "$UNSET"; an empty variable BONGSU_CONFIG is none, and does not come here
        raise BadInput(Message("--config '': this is no path; give the path of a file, or leave it out"))
    if value is not None:
        ctx.meta[_CONFIG] = value


def _keep_no_defaults(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        keep_given(ctx, ("collector_defaults",), False, "--collector.disable-defaults")


def _keep_textfile_dir(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        for key, one in (("enabled", True), ("directory", value)):
            keep_given(ctx, ("collectors", "textfile", key), one, "--textfile-dir")


def _collector_options() -> Iterator[click.Option]:
    from bongsu.cli.wire import classes, keywords

    for cls in classes():
        yield _option(
            ("collectors", cls.name, "enabled"), f"--collector.{cls.name}/--no-collector.{cls.name}", switch=True
        )
        for keyword in keywords(cls):
            flag = f"--collector.{cls.name}.{keyword.name.replace('_', '-')}"
            path = ("collectors", cls.name, keyword.name)
            if keyword.type is bool:
                yield _option(path, f"{flag}/--no-{flag[2:]}", switch=True)
            else:
                yield _option(path, flag, switch=False)


def _option(path: tuple[str, ...], spelling: str, *, switch: bool) -> click.Option:
    return click.Option(
        [spelling, re.sub(r"\W", "_", "_".join(path))], default=None, hidden=True, expose_value=False,
        callback=_keep(path, spelling), is_flag=True if switch else None,
    )  # fmt: skip
