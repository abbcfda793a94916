"""/proc/cpuinfo: what each CPU is, in the words of its architecture."""

from __future__ import annotations

from typing import NamedTuple

from bongsu.sources.root import Root


class Cpu(NamedTuple):
    """One logical CPU; a field that this architecture does not have is empty."""

    number: str
    package: str
    core: str
    vendor: str
    family: str
    model: str
    model_name: str
    microcode: str
    stepping: str
    cache_size: str
    flags: tuple[str, ...]
    bugs: tuple[str, ...]


def read(proc: Root) -> list[Cpu]:
    """Each CPU that is online, in the file's order.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the kernel writes.
    """
    found: list[dict[str, str]] = []
    for line in proc.text("cpuinfo").split("\n"):
        name, colon, value = line.partition(":")
        name = name.strip()
        if not colon or not name:
            continue
        if name == "processor":
            found.append({})
        if found:
            found[-1].setdefault(name, value.strip())
    if not found:
        raise ValueError("cpuinfo names no processor")
    for cpu in found:
        if not cpu["processor"].isdecimal():
            raise ValueError(f"cpuinfo: processor {cpu['processor'][:20]!r} is not a number")
    return [
        Cpu(
            cpu["processor"], cpu.get("physical id", ""), cpu.get("core id", ""),
            cpu.get("vendor_id", cpu.get("vendor", "")), cpu.get("cpu family", ""), cpu.get("model", ""),
            cpu.get("model name", ""), cpu.get("microcode", ""), cpu.get("stepping", ""), cpu.get("cache size", ""),
            tuple(cpu.get("flags", cpu.get("Features", "")).split()), tuple(cpu.get("bugs", "").split()),
        )
        for cpu in found
    ]  # fmt: skip
