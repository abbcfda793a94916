"""The server: its socket is had before anything starts, and errors about it are one line with a cure."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from bongsu.model.errors import BadInput
from bongsu.sinks.web_tls import ServerTls, TlsSettings
from bongsu.views.web import server
from bongsu.views.web.access import Access
from bongsu.views.web.server import listen
from live_page import TOKEN, page

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1 and its key, as files."""
    cert, key = str(folder / f"{name}.crt"), str(folder / f"{name}.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def subject(port: int) -> str:
    """Whose certificate the server shows."""
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-subject"], input=pem, text=True, check=True, capture_output=True
    )
    return text.stdout.rpartition("=")[2].strip()


@needs_openssl
def test_tls_takes_up_a_renewed_certificate(tmp_path: Path) -> None:
    """The page comes over TLS, with a cookie for TLS alone; a new certificate is used without a restart."""
    cert, key = certificate(tmp_path, "first")
    with page(tls=ServerTls(TlsSettings("web.yml:1", cert, key))) as running:
        running.tick()
        address = running.address.replace("http:", "https:")
        context = ssl.create_default_context(cafile=cert)
        answer = httpx.get(f"{address}/?token={TOKEN}", verify=context, trust_env=False, timeout=60)
        assert answer.status_code == 303
        assert "Secure" in answer.headers["set-cookie"]
        assert subject(running.server.port) == "first"
        for old, new in zip((cert, key), certificate(tmp_path, "second"), strict=True):
            Path(new).replace(old)
        assert subject(running.server.port) == "second"


@needs_openssl
def test_only_clients_with_the_right_certificate_get_through(tmp_path: Path) -> None:
    """Required certificates are authentication enough; one without the name asked for gets no answer."""
    cert, key = certificate(tmp_path, "server")
    friend, friend_key = certificate(tmp_path, "friend")
    stranger, stranger_key = certificate(tmp_path, "stranger")
    authorities = tmp_path / "ca.pem"
    authorities.write_text(Path(friend).read_text() + Path(stranger).read_text())
    tls = ServerTls(
        TlsSettings(
            "web.yml:1", cert, key, str(authorities), "RequireAndVerifyClientCert", client_allowed_sans=("friend",)
        )
    )
    assert tls.requires_client
    access = Access(None, loopback=False, trusted=True)
    with page(access=access, tls=tls) as running:
        running.tick()
        address = running.address.replace("http:", "https:")

        def ask(*chain: str) -> int:
            context = ssl.create_default_context(cafile=cert)
            if chain:
                context.load_cert_chain(*chain)
            return httpx.get(f"{address}/api/status", verify=context, trust_env=False, timeout=60).status_code

        assert ask(friend, friend_key) == 200
        for chain in ((stranger, stranger_key), ()):
            with pytest.raises(httpx.TransportError):
                ask(*chain)


def test_a_taken_port_is_one_line() -> None:
    """The line names the port and what to do."""
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(BadInput, match=f"--port {port}: another program listens there") as caught:
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


def test_connections_that_ask_nothing_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request holds a place only until another wants it; whoever is being answered keeps his."""
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 10)
    with page() as running, contextlib.ExitStack() as held:

        def connect(sent: bytes) -> socket.socket:
            opened = socket.create_connection(("127.0.0.1", running.server.port), timeout=60)
            held.enter_context(opened).sendall(sent)
            return opened

        ours = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
        stream = connect(b"GET /api/stream HTTP/1.1\r\n" + ours)
        assert stream.recv(12) == b"HTTP/1.1 200"
        idle = [connect(b"GET / HTTP/1.1\r\nHost: l") for _ in range(30)]
        last = connect(b"GET /api/status HTTP/1.1\r\n" + ours)
        assert last.recv(12) == b"HTTP/1.1 200"
        assert idle[0].recv(1) == b""
        running.tick()
        told = b""
        while b"id: " not in told:  # what is published now has a number, what it was told at first has none
            told += stream.recv(65536) or pytest.fail("the stream was ended")
