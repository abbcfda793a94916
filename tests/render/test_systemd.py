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
        capture_output=True, text=True, check=True, timeout=150,
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
        ("", ("--gpu",), 2.0),
        ("", ("--process-io", "--root-files"), 2.4),  # each capability costs; help and unit say so
        ("port: 80\n", (), 2.0),
        ("port: 80\nhost: 0.0.0.0\n", ("--process-io", "--root-files", "--gpu", "--user", "daemon"), 2.8),
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
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False, timeout=150
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    exposure = _exposure(path)
    assert exposure <= most
    assert exposure < 2.0 or "gives it an exposure of up to 2.8" in path.read_text()


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
    assert "(--process-io)" not in text


def test_devices_of_gpus_are_given_only_when_asked_for() -> None:
    """By the names of the driver's devices: a path with a * in it would be none (systemd.resource-control(5))."""
    assert "\nPrivateDevices=yes\nDevicePolicy=closed\n" in unit(["/bin/true"])
    assert "DeviceAllow" not in unit(["/bin/true"])
    text = unit(["/bin/true"], gpu=True)
    assert "\nPrivateDevices=no\nDeviceAllow=char-nvidia* rw\nDevicePolicy=closed\n" in text
    assert "DeviceAllow=/dev" not in text


def test_a_port_below_1024_takes_the_right_to_listen_there(tmp_path: Path) -> None:
    """Only then: any other port, or any free one, needs no capability."""
    text = unit(["/b"], port=80)
    assert "\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n" in text
    assert "Port 80 " in text
    assert "CAP_NET_BIND_SERVICE" not in unit(["/b"], port=1024) + unit(["/b"], port=0)
    config = tmp_path / "bongsu.yaml"
    config.write_text("port: 443\n")
    assert "CAP_NET_BIND_SERVICE" in bongsu("render", "systemd", "-c", str(config)).stdout


def test_a_path_keeps_its_dollar_sign(tmp_path: Path) -> None:
    """Only commands have variables: `$$` in ReadWritePaths= would be another directory (systemd reads it back here)."""
    text = unit(["/bin/true"], writable=['/srv/a$b/50%/c "d"\\e'])
    line = next(line for line in text.splitlines() if line.startswith("ReadWritePaths="))
    path = tmp_path / "x.service"
    # A path that is not full is named in the complaint as systemd has understood it.
    path.write_text(f"[Service]\nExecStart=/bin/true\n{line.replace('/srv', 'srv')}\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False, timeout=150
    )
    assert done.stderr.rstrip().endswith(': srv/a$b/50%/c "d"\\e')


def test_the_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    """What someone left in the directory is replaced or left alone, never followed."""
    other = tmp_path / "other"
    other.write_text("mine")
    for name in ("bongsu.service", "bongsu.service.new"):
        (tmp_path / name).symlink_to(other)
    assert bongsu("render", "systemd", "--output", str(tmp_path)).returncode == 0
    assert other.read_text() == "mine"
    written = tmp_path / "bongsu.service"
    assert not written.is_symlink()
    assert written.stat().st_mode & 0o777 == 0o644
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bongsu.service", "bongsu.service.new", "other"]


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
    with pytest.raises(BadInput, match="--user nobody"):
        unit(["/b"], user="nobody")
    with pytest.raises(BadInput, match="control character"):
        unit(["/b", "x\ny"])
    assert complaint("render", "systemd", "--program", "/bin/true", "--output", "/nowhere").startswith(
        "--output /nowhere: no such file"
    )


def test_it_runs_the_program_that_was_called() -> None:
    """Without --program the unit names this interpreter, with its full path."""
    text = bongsu("render", "systemd").stdout
    assert f"\nExecStart={sys.executable} -m bongsu agent\n" in text
