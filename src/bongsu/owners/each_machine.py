"""One of a kind for each machine, so that what one reader found out the next one knows."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TypeVar

from bongsu.sources.root import Machine

T = TypeVar("T")


def one_for_each(make: Callable[[Machine], T]) -> Callable[[Machine], T]:
    """A function that makes it when a machine is asked about first, and gives the same one then on."""
    lock = threading.Lock()  # collectors in two lanes may ask at once
    made: weakref.WeakKeyDictionary[Machine, T] = weakref.WeakKeyDictionary()

    def of(machine: Machine) -> T:
        with lock:
            found = made.get(machine)
            if found is None:
                found = made[machine] = make(machine)
            return found

    return of
