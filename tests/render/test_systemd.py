"""The unit for the agent: few rights, nothing that systemd complains about, and all that readings need."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.render.systemd import unit
from cli.command import bongsu, complaint


def _exposure(path: Path) -> float:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    match = re.search(r"Overall exposure level for bongsu\.service: (\d+\.\d+)", done.stdout)
    assert match, done.stdout
    return float(match[1])


@pytest.mark.parametrize(
    ("settings", "flags", "most"),
    [
        ("", (), 2.0),
        ("", ("--user", "daemon"), 2.0),
        ("host: 0.0.0.0\n", (), 2.0),
        ("sinks: {textfile: /var/lib/x y/b.prom, jsonl: {path: /var/log/bongsu/a.jsonl}}\n", (), 2.0),
        ("", ("--root-files",), 2.1),
        ("", ("--process-io", "--root-files"), 2.4),  # each capability costs; help and unit say so
    ],
)
def test_it_has_few_rights_and_systemd_finds_no_fault(
    tmp_path: Path, settings: str, flags: tuple[str, ...], most: float
) -> None:
    """`systemd-analyze security` gives it 2.0 or less (as it is written by default), and `verify` says nothing."""
    config = tmp_path / "bongsu.yaml"
    config.write_text(settings or "port: 9420\n")
    done = bongsu(
        "render", "systemd", "-c", str(config), "--output", str(tmp_path), "--program", sys.executable, *flags
    )
    assert done.returncode == 0, done.stderr
    path = tmp_path / "bongsu.service"
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    assert _exposure(path) <= most


def test_it_keeps_what_readings_need() -> None:
    """Settings that would hide processes, the network, users, homes or the clock's state are not there."""
    lines = {line for line in unit(["/usr/bin/bongsu", "agent"]).splitlines() if line and not line.startswith("#")}
    keys = {line.partition("=")[0] for line in lines}
    assert not keys & {"ProtectProc", "ProcSubset", "PrivateNetwork", "PrivateUsers", "ProtectClock", "ProtectHostname"}
    assert {"ProtectHome=read-only", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="} <= lines
    assert "SystemCallFilter=adjtimex clock_adjtime" in lines
    assert {"Type=notify", "WatchdogSec=60", "ExecReload=/bin/kill -HUP $MAINPID", "DynamicUser=yes"} <= lines


def test_beyond_loopback_addresses_are_not_closed() -> None:
    """The address filter goes with loopback; a server for others would be unreachable behind it."""
    assert "IPAddressDeny=any" in unit(["/b", "agent"])
    assert "IPAddressDeny" not in unit(["/b", "agent"], loopback=False)


def test_capabilities_are_given_only_when_asked_for() -> None:
    """Without flags there is no capability; each flag gives one, and its comment goes."""
    assert "\nCapabilityBoundingSet=\n" in unit(["/b"])
    text = unit(["/b"], process_io=True)
    assert "\nCapabilityBoundingSet=CAP_SYS_PTRACE\nAmbientCapabilities=CAP_SYS_PTRACE\n" in text
    assert "--process-io" not in text


def test_words_of_the_command_keep_their_meaning() -> None:
    """Spaces, quotes, percent and dollar signs in paths stand in the unit as systemd.syntax(7) wants them."""
    text = unit(["/opt/a b/bongsu", "agent", "-c", '/etc/100%/$x"y\\.yaml'])
    assert 'ExecStart="/opt/a b/bongsu" agent -c "/etc/100%%/$$x\\"y\\\\.yaml"\n' in text


def test_what_cannot_stand_in_a_unit_is_refused() -> None:
    """A relative program, a name that is no user's, a control character: one line each."""
    with pytest.raises(BadInput, match="full path"):
        unit(["bongsu"])
    with pytest.raises(BadInput, match="--user"):
        unit(["/b"], user="a b\nExecStart=/bin/sh")
    with pytest.raises(BadInput, match="control character"):
        unit(["/b", "x\ny"])
    assert complaint("render", "systemd", "--program", "/bin/true", "--output", "/nowhere").startswith(
        "--output /nowhere: no such file"
    )


def test_it_runs_the_program_that_was_called() -> None:
    """Without --program the unit names this interpreter, with its full path."""
    text = bongsu("render", "systemd").stdout
    assert f"\nExecStart={sys.executable} -m bongsu agent\n" in text
