"""One process on one GPU as a live row for people."""

from __future__ import annotations

import msgspec

from bongsu.model.owner import Owner


class GpuProcessRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A process on a device or instance at the time of its part. A process on two devices has two rows.

    A number is None where the driver gives none; that is never zero. Names may hold lone surrogates
    and control characters: a view cleans them before it draws them.
    """

    pid: int  # as the driver says
    start_ticks: int | None  # clock ticks after boot; None where no process of that number can be seen from here
    start_time: float | None  # Unix s
    user: str = ""
    owner: Owner
    command: str = ""  # the program's base name, or with the setting its command line with secrets masked
    gpu: str  # NVML's index, or "0_1_2" of an instance: index, GPU instance, compute instance
    uuid: str  # of the device, or of the instance
    kinds: tuple[str, ...] = ()  # compute, graphics, mps
    memory_bytes: int | None = None
    memory_ratio: float | None = None  # of the device's or instance's memory
    sm_ratio: float | None = None  # of time in which a kernel of it ran; None on MIG
    memory_bandwidth_ratio: float | None = None
    encoder_ratio: float | None = None
    decoder_ratio: float | None = None
