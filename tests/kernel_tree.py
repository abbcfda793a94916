"""Writes /proc and /sys trees of machines that we do not have, for the collectors of CPU, memory and kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bongsu.sources.root import Machine


@dataclass
class Tree:
    """A machine below ``path``: files are written as they are given, directories as they are needed."""

    path: Path
    flags: list[str] = field(init=False)

    def __post_init__(self) -> None:
        for name in ("proc", "sys", "root"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        self.flags = [
            f"--path.procfs={self.path}/proc", f"--path.sysfs={self.path}/sys", f"--path.rootfs={self.path}/root",
        ]  # fmt: skip
        self.write({"proc/stat": "cpu  1 0 0 0\ncpu0 1 0 0 0\nintr 0\n"})

    @property
    def machine(self) -> Machine:
        return Machine.at(procfs=f"{self.path}/proc", sysfs=f"{self.path}/sys", rootfs=f"{self.path}/root")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))


def stat(cpus: Iterable[int], *, columns: int = 10, scale: int = 1, tail: str = "") -> str:
    """/proc/stat with these CPUs; every number is different from every other."""
    lines = ["cpu  " + " ".join("1" for _ in range(columns))]
    lines += [
        f"cpu{cpu} " + " ".join(str((cpu + 1) * 1000 * scale + 7 * column) for column in range(columns)) for cpu in cpus
    ]
    tail = tail or (
        "intr 123456789012 0 9 0 0\nctxt 98765432109\nbtime 1700000000\nprocesses 424242\nprocs_running 7\n"
        "procs_blocked 3\nsoftirq 5500 100 200 300 400 500 600 700 800 900 1000\n"
    )
    return "\n".join(lines) + "\n" + tail


def cpu_directories(cpus: int, *, per_core: int = 2, cores_per_package: int = 64) -> dict[str, str]:
    """/sys/devices/system/cpu of a machine with threads, packages, throttling and frequencies."""
    files = {"sys/devices/system/cpu/online": f"0-{cpus - 1}\n", "sys/devices/system/cpu/cpuidle/current_driver": "x\n"}
    for cpu in range(cpus):
        core = cpu // per_core
        package = core // cores_per_package
        at = f"sys/devices/system/cpu/cpu{cpu}"
        files |= {
            f"{at}/topology/physical_package_id": f"{package}\n",
            f"{at}/topology/core_id": f"{core % cores_per_package}\n",
            f"{at}/thermal_throttle/core_throttle_count": f"{core + 5}\n",
            f"{at}/thermal_throttle/package_throttle_count": f"{package + 50}\n",
        } | cpufreq(cpu)
    return files


def cpufreq(cpu: int, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """One CPU's frequency files, all but those left out."""
    texts = {
        "cpuinfo_cur_freq": f"{1_200_000 + cpu}", "cpuinfo_min_freq": "800000", "cpuinfo_max_freq": "3700000",
        "cpuinfo_transition_latency": "0", "scaling_cur_freq": f"{1_300_000 + cpu}", "scaling_min_freq": "900000",
        "scaling_max_freq": "3600000", "scaling_available_governors": "performance powersave",
        "scaling_driver": "intel_pstate", "scaling_governor": "powersave", "related_cpus": str(cpu),
        "scaling_setspeed": "<unsupported>",
    }  # fmt: skip
    at = f"sys/devices/system/cpu/cpu{cpu}/cpufreq"
    return {f"{at}/{name}": text + "\n" for name, text in texts.items() if name not in without}
