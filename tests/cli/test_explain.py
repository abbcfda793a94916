"""`bongsu explain` of GPU metrics, as a person reads it."""

from __future__ import annotations

import json

import pytest

from cli.command import bongsu

_DRIVER = "NVIDIA's driver (libnvidia-ml.so.1), asked by a child process: one that hangs keeps nobody waiting."


@pytest.mark.parametrize("name", ["gpu", "gpu_process", "gpu_power_watts", "gpu_process_info", "gpu_allocation"])
def test_where_gpu_readings_come_from_is_said_in_the_users_words(name: str) -> None:
    """Only what is read is a source: not what travels inside of Bongsu, what masks it, or how a child is asked."""
    sources = json.loads(bongsu("explain", name, "--json").stdout)["sources"]
    assert _DRIVER in sources
    for each in sources:
        assert each == _DRIVER or each.startswith("/"), each


def test_what_a_collector_reads_is_no_part_of_how_it_is_asked() -> None:
    """The child that may be left behind and the mask of secrets are no sources, whatever collector needs them."""
    for name, source in (("filesystem", "/proc/PID/mounts: "), ("process", "What a user is called: ")):
        sources = json.loads(bongsu("explain", name, "--json").stdout)["sources"]
        assert any(each.startswith(source) for each in sources)
        assert not any(each.startswith(("Asks what may block", "Masks what looks")) for each in sources)
