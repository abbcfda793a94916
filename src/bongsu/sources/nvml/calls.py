"""The driver's library, function by function: each call gives NVML's number for how it went, a missing symbol included.

Runs in the child alone, which is the only one to load the library. The binding (nvidia-ml-py) loads it and knows
its structs; its wrappers are left aside, since they ask twice for each list, and raise for a list that is empty.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

from bongsu.sources.nvml import answers

Gap = tuple[int, str]  # NVML's number and the call, as it travels to the parent
Number = float | Gap


class NotUsable(Exception):  # noqa: N818  an answer, not a fault
    """There is no library to ask; carries NVML's number and the call."""

    def __init__(self, code: int, call: str) -> None:
        super().__init__(f"{call}: {code}")
        self.gap: Gap = (code, call)


class Library:
    """NVML, initialised. One thread at a time may call it."""

    def __init__(self) -> None:
        try:
            import pynvml  # type: ignore[import-untyped]  # noqa: PLC0415  the binding has no types; what imports this module need not have it
        except ImportError:
            raise NotUsable(answers.NO_BINDING, "import pynvml") from None
        if not hasattr(pynvml, "_nvmlGetFunctionPointer"):
            raise NotUsable(answers.OTHER_BINDING, "import pynvml")
        self.binding = pynvml
        self.seconds = 0.0  # wall time spent in the library since it was last set to 0
        self._functions: dict[str, Callable[..., int] | None] = {}
        self._chosen: dict[tuple[str, ...], str] = {}
        began = time.perf_counter()
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            code = error.value
            if code == answers.FUNCTION_NOT_FOUND:  # before driver 384 the symbol had no flags
                code = self("nvmlInit_v2")
            if code:
                raise NotUsable(code, "nvmlInit") from None
        self.seconds += time.perf_counter() - began

    def __call__(self, name: str, *arguments: Any) -> int:
        """Call ``name``; NVML's number, FUNCTION_NOT_FOUND where this driver's library has no such function."""
        try:
            function = self._functions[name]
        except KeyError:
            function = self._functions[name] = self.find(name)
        if function is None:
            return answers.FUNCTION_NOT_FOUND
        began = time.perf_counter()
        code = function(*arguments)
        self.seconds += time.perf_counter() - began
        return code

    def find(self, name: str) -> Callable[..., int] | None:
        """The C function, None where this driver has none of that name."""
        try:
            function: Callable[..., int] = self.binding._nvmlGetFunctionPointer(name)  # noqa: SLF001  the way to functions whose wrapper does not suit
        except self.binding.NVMLError:
            return None
        return function

    def first_of(self, *names: str) -> str:
        """The first of these (newest first) that this driver has; the first of all if it has none."""
        chosen = self._chosen.get(names)
        if chosen is None:
            chosen = self._chosen[names] = next((name for name in names if self.find(name) is not None), names[0])
        return chosen

    def unsigned(self, name: str, *arguments: Any) -> int | Gap:
        """What a function gives through its last argument, an ``unsigned int *``."""
        out = ctypes.c_uint()
        code = self(name, *arguments, ctypes.byref(out))
        return (code, name) if code else out.value

    def text(self, name: str, *arguments: Any, size: int = 96) -> str | Gap:
        """What a function writes to its last two arguments, ``char *`` and ``unsigned int``."""
        out = ctypes.create_string_buffer(size)
        code = self(name, *arguments, out, ctypes.c_uint(size))
        return (code, name) if code else out.value.decode("utf-8", "replace")
