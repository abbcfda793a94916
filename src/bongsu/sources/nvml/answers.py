"""The numbers with which a call says how it went: those of NVML that we tell apart (nvmlReturn_t), and below zero ours.

Imports nothing of Bongsu: the child reads it too.
"""

from __future__ import annotations

SUCCESS = 0
UNINITIALIZED = 1
NOT_SUPPORTED = 3
NO_PERMISSION = 4
NOT_FOUND = 6
INSUFFICIENT_SIZE = 7
TIMEOUT = 10
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
VERSION_MISMATCH = 18
DEPRECATED = 26

NO_BINDING = -1  # nvidia-ml-py is not installed
OTHER_BINDING = -2  # another package owns the name pynvml
ONE_LOOK = -3  # a figure between two looks, and this was the first
NO_NUMBER = -4  # the driver answered with what stands for no number, or with nonsense
NO_ANSWER = -5  # the driver hangs
LOOK_FAILED = -6
NOT_THIS_MACHINE = -7

OURS = {
    NO_BINDING: "nvidia-ml-py is not installed",
    OTHER_BINDING: "the module pynvml is not nvidia-ml-py's",
    ONE_LOOK: "two looks are needed",
    NO_NUMBER: "the driver gave no number",
    NO_ANSWER: "the driver does not answer",
    LOOK_FAILED: "the look failed",
    NOT_THIS_MACHINE: "these are the files of another machine",
}
