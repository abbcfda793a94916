"""The server: its socket is had before anything starts, and errors about it are one line with a cure."""

from __future__ import annotations

import socket

import pytest

from bongsu.model.errors import BadInput
from bongsu.views.web.server import listen


def test_a_taken_port_is_one_line() -> None:
    """The line names the port and what to do."""
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(BadInput, match=f"--port {port}: another program listens on it; give another") as caught:
            listen("127.0.0.1", port)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "300.1.1.1", "\u00e9" * 80, "192.0.2.1"])
def test_an_address_that_is_not_ours_is_one_line(host: str) -> None:
    """The line names the host and gives one that works."""
    with pytest.raises(BadInput, match=r"--host .*127\.0\.0\.1"):
        listen(host, 0)


def test_a_free_port_is_taken_and_told() -> None:
    """Port 0 gives one that can be connected to, also on IPv6 where there is one."""
    with listen("127.0.0.1", 0) as opened:
        assert opened.getsockname()[1] > 0
        socket.create_connection(opened.getsockname()).close()
