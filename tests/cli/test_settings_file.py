"""Settings: what is wrong with them is said in one line that names the place; flags beat environment beats file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bongsu.cli import wire
from bongsu.cli.settings_file import Given, leaves, load, mappings, variable
from bongsu.model.errors import BadInput
from bongsu.model.settings import MEANING, Settings
from bongsu.sources.root import Machine
from bongsu.views.printable import printable
from cli.command import bongsu, complaint


def _write(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "bongsu.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("port: 1\nintervall: 5\n", 2, "intervall: there is no such key; did you mean interval?"),
        ("paths:\n  prcfs: /proc\n", 2, "paths.prcfs: there is no such key; did you mean procfs?"),
        ("zzz: 5\n", 1, "zzz: there is no such key; there are: "),
        ("port: 70000\n", 1, "port: 70000 is not allowed; give a port number from 1 to 65535"),
        ("port: many\n", 1, "port: many is not allowed; give a port number"),
        ("port: 9420.5\n", 1, "port: 9420.5 is not allowed; give a port number"),
        ("port: [1]\n", 1, "port: [1] is not allowed; give a port number"),
        ("port:\n", 1, "port: nothing is not allowed; give a port number"),
        ("port: on\n", 1, "port: on is not allowed; give a port number"),
        ("interval: 0\n", 1, "interval: 0 is not allowed; give seconds from 0.1 to 86400"),
        ("interval: -5\n", 1, "interval: -5 is not allowed; give seconds"),
        ("interval: .nan\n", 1, "interval: nan is not allowed; give seconds"),
        ("interval: .inf\n", 1, "interval: inf is not allowed; give seconds"),
        ("interval: soon\n", 1, "interval: soon is not allowed; give seconds"),
        ("interval: 5 parsecs\n", 1, "interval: 5 parsecs is not allowed; give seconds"),
        ("interval: 1e400\n", 1, "interval: 1e400 is not allowed; give seconds"),
        ("token: perhaps\n", 1, "token: perhaps is not allowed; give on or off"),
        ("paths: /proc\n", 1, "paths: /proc is not allowed; give a mapping with procfs, sysfs, rootfs, udev"),
        ("data_dir: ''\n", 1, "data_dir: '' is not allowed; give a path"),
        ("host: 1\n", 1, "host: 1 is not allowed; give a text"),
        ("log_level: loud\n", 1, "log_level: loud is not allowed; give debug, info, warning or error"),
        ("sinks:\n  jsonl:\n    keep: 3\n", 2, "sinks.jsonl: path is missing; add it"),
        ("sinks:\n  jsonl:\n    path: x\n    keep: -1\n", 4, "sinks.jsonl.keep: -1 is not allowed"),
        ("collectors: [cpu]\n", 1, "collectors: [cpu] is not allowed; give a mapping"),
        ("collectors:\n  lodavg: off\n", 2, "collectors.lodavg: there is no such key; did you mean loadavg?"),
        ("collectors:\n  loadavg: 3\n", 2, "collectors.loadavg: 3 is not allowed; give off, on, or the collector's"),
        ("collectors:\n  loadavg:\n    x: 1\n", 3, "collectors.loadavg.x: the collector loadavg has no options"),
        ("port: 1\nport: 2\n", 2, "port stands here and in line 1; remove one of them"),
        ("a: [1\nb: 2\n", 2, "this is not YAML: "),
        ("a:\n\t- x\n", 2, "this is not YAML: "),
        ("- port\n", 1, "settings files hold keys with values, such as `port: 9420`; this file holds a list"),
        ("just words\n", 1, "settings files hold keys with values, such as `port: 9420`; this file holds a single value"),
        ("? [a]\n: b\n", 1, "a key must be a word"),
        ("port: !!python/object:os.system 1\n", 1, "this is not YAML: could not determine a constructor"),
        (b"port: \xff\xfe\n", 1, "this is not UTF-8 text"),
        (b"\x7fELF\x02\x01\x01\x00\x00", 1, "the character U+007F cannot stand in YAML; this looks like a binary file"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_one_line(tmp_path: Path, text: str | bytes, line: int, says: str) -> None:
    """Every mistake names file, line, key, value and what is allowed, and ends the program with 2."""
    path = _write(tmp_path, text)
    said = complaint("collect", "--once", "-c", path, "loadavg")
    assert said.startswith(f"{path}:{line}: {says}"), said


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "no such file or directory; give the path of a file, or leave --config out"),
        ("empty", "the file is empty; write settings into it"),
        ("blank", "the file is empty; write settings into it"),
        ("large", "this is larger than 1 MiB, so it is no settings file"),
        ("directory", "this is a directory; give a settings file"),
        ("deep", "this is nested too deeply"),
        ("bomb", "this is nested too deeply"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, name: str, says: str) -> None:
    """A missing, empty, huge, nested or exploding file is refused in one line, with the cure."""
    path = tmp_path / name
    content = {
        "empty": "", "blank": "\n \n", "large": "#" * (1024 * 1024 + 1), "deep": "a: " + "[" * 200 + "]" * 200,
        "bomb": "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(8)
        ),
    }  # fmt: skip
    if name == "directory":
        path.mkdir()
    elif name != "missing":
        path.write_text(content[name])
    assert complaint("collect", "-c", str(path)).startswith(f"{path}: {says}")


def test_a_file_that_may_not_be_read_is_one_line(tmp_path: Path) -> None:
    """A file without permission is refused with the cure."""
    path = Path(_write(tmp_path, "port: 1\n"))
    path.chmod(0)
    me = os.geteuid()
    try:
        os.seteuid(me or 65534)  # root may read everything
        with pytest.raises(BadInput, match="permission denied; let this user read it"):
            load(str(path), {}, [])
    finally:
        os.seteuid(me)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--interval", "0"), "--interval 0 is not allowed; give seconds"),
        (("--interval", "-1"), "--interval -1 is not allowed; give seconds"),
        (("--interval", "nan"), "--interval nan is not allowed; give seconds"),
        (("--port", "70000"), "--port 70000 is not allowed; give a port number from 1 to 65535"),
        (("--port", "http"), "--port http is not allowed; give a port number"),
        (("--procfs", "/nowhere"), "--procfs /nowhere: there is no such directory"),
        (("--path.procfs", "/etc"), "--procfs /etc: this is not a proc file system, stat is missing"),
        (("--sysfs", "/nowhere"), "--sysfs /nowhere: there is no such directory"),
        (("--procfs", "/etc/passwd"), "--procfs /etc/passwd: this is not a directory"),
        (("--host", "no.such.name.invalid"), "--host no.such.name.invalid: "),
        (("--host", "0.0.0.0", "--no-token"), "--no-token --host 0.0.0.0: beyond loopback nothing is served without"),
        (("--host", "::", "--no-token"), "--no-token --host ::: beyond loopback nothing is served without"),
        (("--log-level", "loud"), "--log-level loud is not allowed; give debug, info, warning or error"),
        (("--allowed-host", "a b"), "--allowed-host [a b] is not allowed; give a host name"),
        (("--web.config.file", "/nowhere"), "/nowhere: no such file or directory"),
        (("--collector.lodavg",), "there is no option --collector.lodavg; did you mean --collector.loadavg"),
        (("--port",), "option '--port' requires an argument"),
    ],
)
def test_a_mistake_in_a_flag_is_one_line(flags: tuple[str, ...], says: str) -> None:
    """A flag that cannot be used is named with its value and what is allowed, and ends the program with 2."""
    assert complaint("agent", *flags).startswith(says)


def test_a_mistake_in_the_environment_is_one_line() -> None:
    """A variable that cannot be used is named with its value and what is allowed."""
    said = complaint("agent", env={"BONGSU_PORT": "-1"})
    assert said.startswith("BONGSU_PORT=-1 in the environment is not allowed; set it to a port number")


def test_a_collector_option_of_the_wrong_type_names_its_flag() -> None:
    """Collectors' own options are judged as the other settings are."""
    assert complaint("collect", "--collector.process.groups", "many").startswith(
        "--collector.process.groups many is not allowed; give a whole number"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port: 1\npaths:\n  procfs: /nowhere\n", "3: paths.procfs /nowhere: there is no such directory"),
        ("paths:\n  procfs: /etc\n", "2: paths.procfs /etc: this is not a proc file system"),
        ("paths: {sysfs: /nowhere}\n", "1: paths.sysfs /nowhere: there is no such directory"),
        ("collectors:\n  diskstats:\n    device-exclude: '['\n", "3: collectors.diskstats.device-exclude: '[' is not"),
        ("collectors:\n  diskstats:\n    device_exclude: '['\n", "3: collectors.diskstats.device_exclude: '[' is not"),
        ("collectors:\n  process:\n    groups: -1\n", "3: collectors.process.groups: -1 is negative"),
        ("collectors:\n  filesystem:\n    mount-timeout: 9h\n", "3: collectors.filesystem.mount-timeout: 32400 s is"),
    ],
)
def test_what_a_later_room_refuses_names_the_files_line(tmp_path: Path, text: str, says: str) -> None:
    """A path or expression that only its user can judge is blamed on the place it came from, not on a flag."""
    path = _write(tmp_path, text)
    said = complaint("collect", "-c", path)
    assert said.startswith(f"{path}:{says}"), said
    assert "--" not in said.replace("--config", "")


def test_what_a_later_room_refuses_names_the_variable_or_the_flag(tmp_path: Path) -> None:
    """So is one from the environment; a flag wins and is named; a default is named by the flag that changes it."""
    path = _write(tmp_path, "paths:\n  procfs: /from-file\n  sysfs: /from-file\n")
    env = {"BONGSU_PATHS_PROCFS": "/nowhere"}
    assert complaint("collect", "-c", path, env=env).startswith("BONGSU_PATHS_PROCFS /nowhere: there is no such")
    assert complaint("collect", "-c", path, "--procfs", "/no", env=env).startswith("--procfs /no: there is no such")
    flag = "--collector.diskstats.device-exclude"
    assert complaint("collect", f"{flag}=[").startswith(f"{flag}: '[' is not a regular expression")
    assert complaint("collect", "--collector.process.groups=-1").startswith(
        "--collector.process.groups: -1 is negative"
    )


@pytest.mark.parametrize("text", ["1e3", "1000.0", "1_000", " 1000", "\uff11", "+80", "0x50"])
def test_a_whole_number_is_digits(text: str) -> None:
    """A number that is only nearly whole digits is refused from a flag, the environment and a collector's option."""
    for origin, says in (("--port", "--port "), ("BONGSU_PORT", "BONGSU_PORT=")):
        with pytest.raises(BadInput) as raised:
            load(None, {}, [Given(("port",), text, origin)])
        assert str(raised.value).startswith(says)
    groups = load(None, {}, [Given(("collectors", "process", "groups"), text, "--collector.process.groups")])
    with pytest.raises(BadInput, match=r"--collector\.process\.groups .* is not allowed; give a whole number"):
        wire.collectors(groups, Machine.at())


def test_an_empty_path_of_the_file_is_one_line() -> None:
    """`--config "$UNSET"` does not fall back to defaults silently; an empty variable is none, as everywhere."""
    assert complaint("collect", "-c", "", "loadavg").startswith("--config '': this is no path; give")
    assert bongsu("collect", "loadavg", env={"BONGSU_CONFIG": ""}).returncode == 0


def test_flags_override_the_environment_which_overrides_the_file(tmp_path: Path) -> None:
    """Of three places that set a port, the flag wins, then the variable, then the file, then the default."""
    path = _write(tmp_path, "port: 1001\ninterval: 3\nhost: 127.0.0.2\n")
    variables = {"BONGSU_PORT": "1002", "BONGSU_INTERVAL": "2m", "BONGSU_PATHS_PROCFS": "/p"}
    found = load(path, variables, [Given(("port",), "1003", "--port")]).settings
    assert (found.port, found.interval, found.host, found.paths.procfs) == (1003, 120.0, "127.0.0.2", "/p")
    assert load(None, {}, []).settings == Settings()


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5.0), ("5s", 5.0), ("500ms", 0.5), ("2m", 120.0), ("1h", 3600.0), ("0.5", 0.5)]
)
def test_times_have_units(tmp_path: Path, text: str, seconds: float) -> None:
    """A time may be a number of seconds or a number with a unit, in the file and in flags alike."""
    assert load(_write(tmp_path, f"interval: {text}\n"), {}, []).settings.interval == seconds
    assert load(None, {}, [Given(("interval",), text, "--interval")]).settings.interval == seconds


@pytest.mark.parametrize("word", ["off", "no", "false"])
def test_a_switch_takes_the_words_people_use(word: str) -> None:
    """Off, no and false are one, in flags as in YAML."""
    assert load(None, {"BONGSU_TOKEN": word}, []).settings.token is False


def test_a_file_of_comments_is_all_defaults(tmp_path: Path) -> None:
    """A template whose lines are all commented out changes nothing."""
    assert load(_write(tmp_path, "# port: 1\n"), {}, []).settings == Settings()


def test_a_key_with_nothing_below_it_is_its_default(tmp_path: Path) -> None:
    """`paths:` and `collectors:` with everything below commented out are no mistake."""
    assert load(_write(tmp_path, "paths:\ncollectors:\nsinks:\n"), {}, []).settings == Settings()


def test_an_option_by_flag_does_not_turn_on_what_the_file_turned_off(tmp_path: Path) -> None:
    """`loadavg: off` in the file holds although an option of another kind comes by a flag."""
    path = _write(tmp_path, "collectors:\n  process: off\n")
    given = Given(("collectors", "process", "groups"), "3", "--collector.process.groups")
    assert load(path, {}, [given]).settings.collectors == {"process": {"enabled": False, "groups": "3"}}


def test_collectors_are_chosen_as_node_exporters_flags_do() -> None:
    """Defaults off and one named: only that one is read."""
    done = bongsu("collect", "--format", "json", "--collector.disable-defaults", "--collector.loadavg")
    assert done.returncode == 0, done.stderr
    assert '"collector": "loadavg"' in done.stdout
    assert '"collector": "meminfo"' not in done.stdout


def test_a_file_may_come_through_a_pipe() -> None:
    """`-c /dev/stdin` works, as `-c <(…)` does in a shell."""
    done = bongsu("collect", "-c", "/dev/stdin", "loadavg", stdin="collectors: {loadavg: off}\n")
    assert done.returncode == 0, done.stderr
    assert "node_load1 " not in done.stdout


def test_every_setting_has_a_meaning() -> None:
    """`bongsu explain settings` can say something on every key."""
    for path in leaves(Settings):
        assert MEANING[path], path
    known = [*leaves(Settings), *mappings(Settings)]
    for path in mappings(Settings):
        assert MEANING[path], path
    for path in MEANING:
        assert any(key[: len(path)] == path for key in known), path


def test_a_complaint_never_repeats_control_characters(tmp_path: Path) -> None:
    """A file name or value with an escape sequence cannot steer the terminal."""
    path = tmp_path / "a\x1b[31mb"
    said = complaint("collect", "-c", str(path))
    assert "\x1b" not in said
    assert "\\x1b[31mb" in said


def test_load_raises_only_bad_input(tmp_path: Path) -> None:
    """Whatever stands in the file, the answer is settings or BadInput."""
    for text in (
        "{",
        "a: b: c",
        "&a [*a]",
        "!!binary zzz",
        "2025-13-45: x",
        "a: 2025-13-45",
        "<<: 3",
        "%YAML 9",
        "@",
        "\x00",
    ):
        with contextlib.suppress(BadInput):
            load(_write(tmp_path, text), {}, [])


_KEYS = st.sampled_from(
    ["port", "interval", "paths", "procfs", "collectors", "process", "groups", "sinks", "jsonl", "token"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_bytes_are_settings_or_one_line(tmp_path: Path, content: bytes) -> None:
    """No content of a file leads to anything but settings or one line."""
    _judge(_write(tmp_path, content))


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_tree_is_settings_or_one_line(tmp_path: Path, tree: dict[str, object]) -> None:
    """Whatever stands below the right keys, the answer is settings or one line."""
    _judge(_write(tmp_path, yaml.safe_dump(tree, allow_unicode=True)))


def _judge(path: str) -> None:
    try:
        found = load(path, {}, [])
    except BadInput as error:
        line = printable(error)
        assert line
        assert "\n" not in line
        return
    assert 0.1 <= (found.settings.interval or 1.0) <= 86400
    assert 0 <= found.settings.port <= 65535
    with contextlib.suppress(BadInput):
        wire.collectors(found, Machine.at())


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16777216", 2**24),
        ("16MiB", 2**24),
        ("1.5GiB", 3 * 2**29),
        ("2GB", 2 * 10**9),
        ("20000k", 20_000_000),
        ("1 TiB", 2**40),
    ],
)
def test_a_size_may_have_a_unit(text: str, size: int) -> None:
    """KiB, MiB, GiB, TiB count by 1024, kB, MB, GB, TB by 1000, and no unit means bytes."""
    assert load(None, {"BONGSU_STORE_MAX_BYTES": text}, []).settings.store.max_bytes == size


@pytest.mark.parametrize("text", ["15MiB", "-1GiB", "2 gigabytes", "2GiBs", "", "1e9", "9999999TiB"])
def test_a_size_that_cannot_be_is_refused(text: str) -> None:
    """The complaint says what a size may be."""
    with pytest.raises(BadInput, match="to a size of 16 MiB or more"):
        load(None, {"BONGSU_STORE_MAX_BYTES": text}, [])


def test_retention_is_one_flag_for_both_tiers() -> None:
    """`--retention RAW[,MINUTES]` sets what it names and complains under its own name."""
    assert "--retention 3s is not allowed; give a time from 60 s to 20 years" in complaint("up", "--retention", "3s")
    assert "--retention x is not allowed; give a time from 60 s to 20 years" in complaint("up", "--retention", "3d,x")


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell expands it in a file: without this a directory named ~ would be made, which somebody will delete."""
    monkeypatch.setenv("HOME", "/of/me")
    file = tmp_path / "bongsu.yaml"
    file.write_text("data_dir: ~/data\nstore: {path: ~/history.db}\n")
    settings = load(str(file), {}, []).settings
    assert (settings.data_dir, settings.store.path) == ("/of/me/data", "/of/me/history.db")


def test_a_mapping_in_the_environment_is_refused_and_not_ignored() -> None:
    """Whoever set it believes that it counts; the line names the variable, the key and where it belongs."""
    for path in mappings(Settings):
        name = variable(path)
        with pytest.raises(BadInput, match=f"{name} in the environment .*{'.'.join(path)}.*settings file"):
            load(None, {name: "job=x"}, [])
    assert complaint("collect", "loadavg", env={"BONGSU_STORE_LABELS": "job=x"}).startswith(
        "BONGSU_STORE_LABELS in the"
    )
