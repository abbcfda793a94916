"""Runs a pod's container as its manifest stands: its mounts, user, capabilities, environment and namespaces, on this kernel.

No container runtime is needed: the image is this machine's programs and Python, read-only, and the node's files are a
folder that a test fills.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

_IMAGE = ("bin", "dev", "etc", "lib", "lib64", "sbin", "usr")
_CODE = Path(__file__).parent.parent / "src"
_LIVE = {"/proc", "/sys", "/"}  # those of the node are this machine's


class Pod:
    """The container of a DaemonSet, CronJob or Job of the chart.

    ``node`` holds what hostPath volumes name; what is not there, and must be, keeps the pod from starting. ``driver``
    is the folder of a library that NVIDIA's runtime brings into containers that ask for it.
    """

    def __init__(
        self,
        manifests: list[dict[str, Any]],
        spec: dict[str, Any],
        node: Path,
        scratch: Path,
        driver: Path | None = None,
    ) -> None:
        self._spec = spec
        (self.container,) = spec["containers"]
        self._scratch = scratch
        environment = {each["name"]: each["value"] for each in self.container.get("env", ())}
        self._driver = driver if environment.get("NVIDIA_VISIBLE_DEVICES") == "all" else None
        self._top = scratch / "pod"
        self._top.mkdir(parents=True)
        self._sources = {each["name"]: self._source(each, manifests, node) for each in spec["volumes"]}

    def command(self, command: list[str] | None = None, *, without: str = "") -> list[str]:
        """What starts the container's own command, or another one in it; ``without`` leaves a mount out."""
        context = self.container["securityContext"]
        adds = "".join(f",+{each.lower()}" for each in context["capabilities"].get("add", ()))
        assert context["capabilities"]["drop"] == ["ALL"]
        assert context["allowPrivilegeEscalation"] is False
        given = [f"{each['name']}={each['value']}" for each in self.container.get("env", ())]
        become = [
            "setpriv", "--reuid", str(context["runAsUser"]), "--regid", str(context["runAsGroup"]), "--clear-groups",
            "--inh-caps=-all", f"--bounding-set=-all{adds}", "--no-new-privs",
        ]  # fmt: skip
        if self._driver is not None:
            given.append("LD_LIBRARY_PATH=/driver")  # the runtime tells the linker's cache
        paths = f"PATH={Path(sys.executable).parent}:/usr/bin:/bin"
        enter = ["chroot", str(self._top), *become, "env", "-i", paths, *given, *(command or self.container["command"])]
        namespaces = ["--mount", "--propagation", "private"]
        if not self._spec["hostNetwork"]:
            namespaces += ["--net"]
        assert self._spec["hostPID"], "this machine's processes would not be there"
        script = "\n".join(["set -e", "ip link set lo up", *self._mounts(without), f"exec {shlex.join(enter)}"])
        return ["unshare", *namespaces, "sh", "-c", script]

    def run(self, *command: str, without: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end; without words its own."""
        return subprocess.run(
            self.command(list(command) or None, without=without),
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )

    @staticmethod
    def inside(pid: int, command: list[str]) -> list[str]:
        """What runs a command beside a running one, as `kubectl exec` and probes do."""
        return ["nsenter", f"--target={pid}", "--mount", "--net", "--root", "--wd", *command]

    def _mounts(self, without: str) -> list[str]:
        top = shlex.quote(str(self._top))
        lines = [
            f"mount -t tmpfs -o mode=755 tmpfs {top}",
            f"mkdir {top}/proc {top}/tmp",
            f"mount --rbind /proc {top}/proc",
        ]
        image = []
        for name in _IMAGE:
            if os.path.islink(f"/{name}"):
                lines.append(f"ln -s {shlex.quote(os.readlink(f'/{name}'))} {top}/{name}")
            elif os.path.isdir(f"/{name}"):
                image.append(f"/{name}")
        wanted = {str(Path(each).resolve()) for each in (sys.base_prefix, sys.prefix, _CODE)} | {sys.prefix}
        image += sorted(each for each in wanted if not each.startswith(("/usr/", "/lib/")))
        for each in image:
            inside = f"{top}{shlex.quote(each)}"
            lines += [
                f"mkdir -p {inside}",
                f"mount --rbind {shlex.quote(each)} {inside}",
                f"mount -o remount,bind,ro {inside}",
            ]
        if self._driver is not None:
            lines += self._mount(str(self._driver), f"{self._top}/driver", {"readOnly": True})
        for mount in self.container["volumeMounts"]:
            if mount["name"] != without:
                lines += self._mount(self._sources[mount["name"]], f"{self._top}{mount['mountPath']}", mount)
        assert self.container["securityContext"]["readOnlyRootFilesystem"]
        return [*lines, f"mount -o remount,ro {top}"]

    def _mount(self, source: str, target: str, mount: dict[str, Any]) -> list[str]:
        quoted = shlex.quote(target)
        make = f"mkdir -p {quoted}" if os.path.isdir(source) else f"test -e {quoted} || touch {quoted}"
        lines = [make, f"mount --rbind {shlex.quote(source)} {quoted}"]
        if mount.get("readOnly"):
            lines.append(f"mount -o remount,bind,ro {quoted}")
        return lines

    def _source(self, volume: dict[str, Any], manifests: list[dict[str, Any]], node: Path) -> str:
        place = self._scratch / urllib.parse.quote(volume["name"])
        user = self.container["securityContext"]["runAsUser"]
        if "hostPath" in volume:
            path = volume["hostPath"]["path"]
            found = path if path in _LIVE else f"{node}{path}"
            wanted = volume["hostPath"]["type"]
            if wanted == "DirectoryOrCreate":
                os.makedirs(found, exist_ok=True)
            assert os.path.isfile(found) if wanted == "File" else os.path.isdir(found), (
                f"the pod would not start: {path}"
            )
            return found
        place.mkdir()
        if "configMap" in volume:
            kind, name, key, mode = "ConfigMap", volume["configMap"]["name"], "data", 0o644
        else:
            kind, name, key = "Secret", volume["secret"]["secretName"], "stringData"
            mode = volume["secret"]["defaultMode"]
            assert mode & 0o004 or user == 0, "files of a Secret are root's"
        (held,) = (each for each in manifests if each["kind"] == kind and each["metadata"]["name"] == name)
        for file, text in held[key].items():
            (place / file).write_text(text)
            (place / file).chmod(mode)
        return str(place)
