"""What the errors that NVIDIA's driver numbers (XIDs) say of a GPU, and what each asks for.

Source: the catalogue of XIDs in NVIDIA's «GPU Deployment and Management» (docs.nvidia.com/deploy/xid-errors); in our words.
"""

from __future__ import annotations

from typing import NamedTuple

from bongsu.model.check import State
from bongsu.model.message import Message

_PROGRAM = Message("look at the program that ran; if another one meets it too on this GPU, test the GPU")
_RESET = Message("end what runs on the GPU and reset it; if it comes back, have the board tested")
_REBOOT = Message("take the machine out of service and reboot it; if it comes back, have board and slot looked at")
_LINK = Message("end what runs on the GPUs that are linked, reset them, and look at `nvidia-smi nvlink -e`")


class Meaning(NamedTuple):
    """What an XID is, how bad, and what to do."""

    what: Message
    state: State
    cure: Message


MEANINGS: dict[int, Meaning] = {
    13: Meaning(Message("a program made the engine fault"), State.WARNING, _PROGRAM),
    31: Meaning(Message("a program used memory that is not its own"), State.WARNING, _PROGRAM),
    43: Meaning(Message("a program's work was stopped"), State.WARNING, _PROGRAM),
    45: Meaning(Message("a program's work was cleared away"), State.WARNING, _PROGRAM),
    48: Meaning(Message("a memory error that could not be corrected"), State.FAILED, _RESET),
    62: Meaning(Message("the GPU's own controller halted"), State.FAILED, _RESET),
    63: Meaning(
        Message("a row or page of memory is to be replaced"),
        State.WARNING,
        Message("reset the GPU when nothing runs on it: only then is it replaced"),
    ),
    64: Meaning(Message("a row or page of memory could not be replaced"), State.FAILED, _RESET),
    74: Meaning(Message("an error of NVLink"), State.FAILED, _LINK),
    79: Meaning(Message("the GPU fell off the PCIe bus"), State.FAILED, _REBOOT),
    92: Meaning(
        Message("many memory errors that were corrected"),
        State.WARNING,
        Message("watch them: `bongsu explain gpu_ecc_errors_total`"),
    ),
    94: Meaning(
        Message("a memory error that only one program met"),
        State.FAILED,
        Message("start that program again, and reset the GPU when nothing runs on it"),
    ),
    95: Meaning(Message("a memory error that any program may have met"), State.FAILED, _RESET),
    109: Meaning(Message("a switch between programs timed out"), State.FAILED, _RESET),
    119: Meaning(Message("the GPU's system processor (GSP) does not answer"), State.FAILED, _RESET),
    120: Meaning(Message("the GPU's system processor (GSP) failed"), State.FAILED, _RESET),
    140: Meaning(Message("a memory error from which it did not recover"), State.FAILED, _RESET),
}
OTHER = Meaning(
    Message("see NVIDIA's catalogue of XIDs"),
    State.FAILED,
    Message("`dmesg | grep -i xid` has the driver's own words; NVIDIA's catalogue of XIDs says what it asks for"),
)
