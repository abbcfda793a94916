"""adjtimex(2): how the kernel steers its clock, read without steering it."""

from __future__ import annotations

import ctypes
import os
from typing import NamedTuple

TIME_ERROR = 5  # the state of a clock that nothing keeps right
STA_NANO = 0x2000  # offset and jitter are in nanoseconds, not microseconds
SCALED_PPM = 65536 * 1_000_000  # frequencies are parts per million with a 16-bit fraction
_WORDS = 11  # trailing int of struct timex that are reserved


class _Timeval(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("usec", ctypes.c_long))


class _Timex(ctypes.Structure):
    # struct timex of include/uapi/linux/timex.h on 64-bit machines; ctypes pads as the compiler does.
    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("constant", ctypes.c_long),
        ("precision", ctypes.c_long), ("tolerance", ctypes.c_long), ("time", _Timeval), ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long), ("jitter", ctypes.c_long), ("shift", ctypes.c_int), ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long), ("calcnt", ctypes.c_long), ("errcnt", ctypes.c_long), ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int), ("reserved", ctypes.c_int * _WORDS),
    )  # fmt: skip


class Timex(NamedTuple):
    """The clock's steering, in seconds, hertz and ratios; ``status`` holds the STA_ bits."""

    synchronized: bool
    offset: float
    frequency_ratio: float
    max_error: float
    estimated_error: float
    status: int
    time_constant: int
    tick: float
    pps_frequency: float
    pps_jitter: float
    pps_shift: int
    pps_stability: float
    pps_jitters: int
    pps_calibrations: int
    pps_errors: int
    pps_stability_exceeded: int
    tai_offset: int


_adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
_adjtimex.argtypes = (ctypes.POINTER(_Timex),)
_adjtimex.restype = ctypes.c_int


def read() -> Timex:
    """Ask the kernel that runs us; needs no privilege.

    Raises:
        OSError: it will not say (a container may forbid the call).
    """
    asked = _Timex()  # modes = 0: change nothing
    state = _adjtimex(ctypes.byref(asked))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "adjtimex")
    divisor = 1e9 if asked.status & STA_NANO else 1e6
    return Timex(
        state != TIME_ERROR, asked.offset / divisor, 1 + asked.freq / SCALED_PPM, asked.maxerror / 1e6,
        asked.esterror / 1e6, asked.status, asked.constant, asked.tick / 1e6, asked.ppsfreq / SCALED_PPM,
        asked.jitter / divisor, asked.shift, asked.stabil / SCALED_PPM, asked.jitcnt, asked.calcnt, asked.errcnt,
        asked.stbcnt, asked.tai,
    )  # fmt: skip
