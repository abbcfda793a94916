"""One of a kind for each machine."""

from __future__ import annotations

import threading

from bongsu.owners.each_machine import one_for_each
from bongsu.sources.root import Machine


def test_two_that_ask_at_once_get_the_same() -> None:
    """Collectors in two lanes may ask first at the same moment: what one counts the other must not count anew."""
    begun, go = threading.Semaphore(0), threading.Event()

    def make(_: Machine) -> object:
        begun.release()
        go.wait()
        return object()

    of, machine, got = one_for_each(make), Machine.at(), []
    threads = [threading.Thread(target=lambda: got.append(of(machine))) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun.acquire()
    assert not begun.acquire(timeout=0.3)  # the other one waits
    go.set()
    for thread in threads:
        thread.join()
    assert got[0] is got[1]
    assert of(Machine.at(rootfs="/tmp")) is not got[0]
