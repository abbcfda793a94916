"""The Dockerfile's command, run as it stands: in a mount namespace with the host read-only under /host, without rights.

No container engine runs where these tests do, so the image is not built; what is tested is that the command line, the
mounts that its first lines document and the user give right readings.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import node_exporter as ne
from bongsu import __version__

DOCKERFILE = Path(__file__).parent.parent / "Dockerfile"
NAMES = {
    "node_cpu_seconds_total", "node_filesystem_size_bytes", "node_memory_MemTotal_bytes", "node_network_receive_bytes_total",
    "node_os_info",
}  # fmt: skip


def _instruction(name: str) -> list[str]:
    words = re.findall(rf"^{name} (?:--\S+ )*(?:CMD )?(\[.*\])$", DOCKERFILE.read_text(), re.MULTILINE)
    assert len(words) == 1
    return list(json.loads(words[0]))


def _user() -> str:
    """The image's user, or root without any capability where that user cannot reach this interpreter."""
    interpreter = Path(sys.executable).resolve()
    if all(parent.stat().st_mode & 0o001 for parent in interpreter.parents):
        return "--reuid 65532 --regid 65532 --clear-groups"
    return ""


@pytest.mark.needs_root
def test_the_command_reads_the_host_through_read_only_mounts(tmp_path: Path) -> None:
    """Mount points and sizes are the host's, without the /host prefix, and nothing needs to be written or owned."""
    program = Path(sys.executable).with_name("bongsu")
    entry = _instruction("ENTRYPOINT")
    assert entry == ["bongsu"]
    port = ne.free_port()
    host = tmp_path / "root" / "host"
    host.mkdir(parents=True)
    (tmp_path / "root").chmod(0o755)
    for parent in (tmp_path, *tmp_path.parents):
        if parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o001)
    arguments = [a.replace("/host", str(host), 1) if a.startswith("/host") else a for a in _instruction("CMD")]
    mounts = f"mount --rbind / '{host}' && mount --make-rslave '{host}' && mount -o remount,bind,ro '{host}' && "
    script = mounts + f'exec setpriv {_user()} --inh-caps=-all --bounding-set=-all --no-new-privs "$@"'
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(program), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    with subprocess.Popen([*argv, "--port", str(port)], stderr=subprocess.PIPE, env=environment, cwd="/") as process:
        try:
            until = time.monotonic() + 100
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=100) as answer:
                        exposed = ne.parse(answer.read().decode())
                    # A collector that was late the first time is there the next.
                    if {name for name, _ in exposed.values} >= NAMES or time.monotonic() > until:
                        break
                    time.sleep(1)
                except OSError:
                    assert time.monotonic() < until
                    if process.poll() is not None:
                        assert process.stderr
                        raise AssertionError(process.stderr.read().decode()) from None
                    time.sleep(0.05)
            check = [part.replace(" 9420,", f" {port},") for part in _instruction("HEALTHCHECK")]
            assert f" {port}," in check[2]
            assert check[0] == "python"
            lives = subprocess.run([sys.executable, *check[1:]], check=False, timeout=60).returncode
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(100)
    assert lives == 0
    assert subprocess.run([sys.executable, *check[1:]], check=False, capture_output=True, timeout=60).returncode, (
        "it has ended"
    )
    sizes = {
        dict(labels)["mountpoint"]: value
        for (name, labels), value in exposed.values.items()
        if name == "node_filesystem_size_bytes"
    }
    root = os.statvfs("/")
    assert sizes.get("/") == root.f_blocks * root.f_frsize
    assert not any(str(host) in mount for mount in sizes)
    assert exposed.values["node_memory_MemTotal_bytes", ()] > 0
    assert {name for name, _ in exposed.values} >= NAMES


def test_the_image_is_built_from_what_is_pinned_and_there() -> None:
    """Each file that is copied exists and is not ignored, each package has hashes, and the version is this one's."""
    house, text = DOCKERFILE.parent, DOCKERFILE.read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert {"pyproject.toml", "src", "requirements/image.txt"} <= set(copied)
    allowed = re.findall(r"^!(.*)$", (house / ".dockerignore").read_text(), re.MULTILINE)
    for each in copied:
        assert (house / each).exists()
        assert each.partition("/")[0] in allowed
    assert f'image.version="{__version__}"' in text
    assert len(re.findall(r"^FROM \S+( AS build)?$", text, re.MULTILINE)) == 2
    assert text.rindex("\nUSER 65532") > text.rindex("\nFROM ")
    pins = re.split(r"\n(?=\S)", (house / "requirements" / "image.txt").read_text())
    packages = [each for each in pins if not each.startswith("#")]
    assert all("--hash=sha256:" in each for each in packages)
    assert {"grpcio", "nvidia-ml-py", "bcrypt"} <= {each.partition("==")[0] for each in packages}
