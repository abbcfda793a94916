"""TLS, users, headers and a rate limit by the web config file that Prometheus' exporters share."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.model.errors import BadInput
from bongsu.sinks import web_config
from bongsu.sinks.basic_auth import BasicAuth
from bongsu.sinks.http_message import Request, Response, plain
from bongsu.sinks.http_server import MetricsServer
from bongsu.sinks.web_config import RateLimit, WebConfig
from certificates import Authority

SECRET = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an authority, a server's certificate and two clients', and a stranger's."""
    directory = tmp_path_factory.mktemp("keys")
    authority = Authority(directory)
    authority.sign("server")
    authority.sign("client", "DNS:prometheus.example,email:p@example.org")
    Authority(directory, "stranger").sign("strange")
    return directory


def load(directory: Path, text: str) -> WebConfig:
    """The web config of this text, in a file in this directory."""
    path = directory / "web.yml"
    path.write_text(text)
    return web_config.load(str(path))


@contextlib.contextmanager
def serving(config: WebConfig) -> Iterator[str]:
    """The URL of a server with this config that answers everything."""

    def hello(request: Request) -> Response:
        return plain(200, "hello")

    server = MetricsServer("127.0.0.1", 0, hello, config, head_seconds=1.0)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def curl(url: str, *options: str) -> tuple[str, str]:
    """The status that curl saw (000 for none) and what it printed."""
    done = subprocess.run(
        ["curl", "-s", "-S", "-i", "-w", "\n%{http_code}", "--max-time", "10", *options, url],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout.rpartition("\n")[2], done.stdout + done.stderr


def basic(user: str, password: str) -> str:
    """The Authorization header for a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


def test_tls_is_spoken_and_paths_are_relative_to_the_file(keys: Path) -> None:
    """Curl trusts the certificate; TLS 1.1 is refused; plain HTTP is told what to write; HTTP/1.1 keeps going."""
    config = load(keys, TLS)
    assert not config.authenticates
    with serving(config) as url:
        trust = ["--cacert", str(keys / "authority.pem")]
        assert url.startswith("https://")
        assert curl(url, *trust)[0] == "200"
        assert curl(url, *trust, "--tls-max", "1.2")[0] == "200"
        assert curl(url, *trust, "--http2")[0] == "200"
        assert curl(url)[0] == "000"
        assert curl(url, *trust, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0")[0] == "000"
        status, said = curl(url.replace("https", "http"))
        assert status == "400"
        assert "https://" in said


def test_versions_and_ciphers_are_those_that_the_file_names(keys: Path) -> None:
    """min_version, max_version, cipher_suites and curve_preferences bind."""
    trust = ["--cacert", str(keys / "authority.pem")]
    with serving(load(keys, TLS + "  min_version: TLS13\n")) as url:
        assert curl(url, *trust)[0] == "200"
        assert curl(url, *trust, "--tls-max", "1.2")[0] == "000"
    suite = "  max_version: TLS12\n  cipher_suites:\n  - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\n"
    with serving(load(keys, TLS + suite + "  curve_preferences: [CurveP384]\n")) as url:
        status, said = curl(url, *trust, "-v")
        assert status == "200"
        assert "TLSv1.2 / ECDHE-ECDSA-AES256-GCM-SHA384" in said
        assert curl(url, *trust, "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")[0] == "000"
        # P-256 is the certificate's own curve; without it a client could not even check that.
        assert curl(url, *trust, "--curves", "X25519:P-256")[0] == "000"
        assert curl(url, *trust, "--curves", "P-384:P-256")[0] == "200"


def test_client_certificates_are_asked_for_and_verified(keys: Path) -> None:
    """With RequireAndVerifyClientCert only clients of the authority get through, and only with an allowed name."""
    trust = ["--cacert", str(keys / "authority.pem")]
    mine = [*trust, "--cert", str(keys / "client.pem"), "--key", str(keys / "client.key")]
    strange = [*trust, "--cert", str(keys / "strange.pem"), "--key", str(keys / "strange.key")]
    asks = TLS + "  client_ca_file: authority.pem\n  client_auth_type: "
    config = load(keys, asks + "RequireAndVerifyClientCert\n")
    assert config.authenticates
    assert not config.asks_password
    with serving(config) as url:
        assert curl(url, *mine)[0] == "200"
        assert curl(url, *trust)[0] == "000"
        assert curl(url, *strange)[0] == "000"
    config = load(keys, asks + "VerifyClientCertIfGiven\n")
    assert not config.authenticates
    with serving(config) as url:
        assert [curl(url, *how)[0] for how in (mine, trust, strange)] == ["200", "200", "000"]
    for names, status in (("[prometheus.example]", "200"), ("[other, p@example.org]", "200"), ("[other]", "000")):
        text = asks + f"RequireAndVerifyClientCert\n  client_allowed_sans: {names}\n"
        with serving(load(keys, text)) as url:
            assert curl(url, *mine)[0] == status


def test_a_renewed_certificate_is_taken_up(keys: Path, tmp_path: Path) -> None:
    """A new certificate is used from the next connection on; while key and certificate do not fit, the old one is."""
    for name in ("server.pem", "server.key"):
        shutil.copy(keys / name, tmp_path / name)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    authority = Authority(fresh)
    certificate, key = authority.sign("server")
    with serving(load(tmp_path, TLS)) as url:
        assert curl(url, "--cacert", str(keys / "authority.pem"))[0] == "200"
        shutil.copy(certificate, tmp_path / "server.pem")
        assert curl(url, "--cacert", str(keys / "authority.pem"))[0] == "200"
        shutil.copy(key, tmp_path / "server.key")
        assert curl(url, "--cacert", str(authority.certificate))[0] == "200"
        assert curl(url, "--cacert", str(keys / "authority.pem"))[0] == "000"


def test_a_client_that_never_shakes_hands_is_let_go(keys: Path) -> None:
    """A connection without a handshake ends at its deadline and does not keep others out."""
    with serving(load(keys, TLS)) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=100) as silent:
            assert curl(url, "--cacert", str(keys / "authority.pem"))[0] == "200"
            assert silent.recv(10) == b""
        with socket.create_connection(("127.0.0.1", port), timeout=100) as half:
            half.sendall(b"\x16\x03\x01\x00\xff")
            assert half.recv(10) == b""


def test_users_and_passwords(tmp_path: Path) -> None:
    """The right password is 200; none, a wrong one, an unknown user and nonsense are 401 with a challenge."""
    config = load(tmp_path, f"basic_auth_users:\n  alice: {SECRET}\n  bob: {SECRET.replace('$2b$', '$2y$')}\n")
    assert config.authenticates
    with serving(config) as url:
        for user in ("alice", "bob"):
            assert [curl(url, "-u", f"{user}:open sesame")[0] for _ in "12"] == ["200", "200"]
        for wrong in ([], ["-u", "alice:no"], ["-u", "carol:open sesame"], ["-H", "Authorization: Bearer x"],
                      ["-H", "Authorization: Basic ***"], ["-H", "Authorization: Basic YWxpY2U="]):  # fmt: skip
            status, said = curl(url, *wrong)
            assert status == "401"
            assert 'WWW-Authenticate: Basic realm="Bongsu"' in said
            assert "hello" not in said


def test_tls_users_and_headers_together(keys: Path) -> None:
    """All sections work at once; the headers stand in every response, in place of our own, refusals too."""
    text = (
        f"{TLS}basic_auth_users:\n  alice: {SECRET}\nhttp_server_config:\n  http2: true\n  headers:\n"
        "    Strict-Transport-Security: max-age=31536000\n    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n"
    )
    config = load(keys, text)
    assert dict(config.headers) == {
        "Strict-Transport-Security": "max-age=31536000", "X-Frame-Options": "deny", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    with serving(config) as url:
        for user, status in (("alice:open sesame", "200"), ("alice:x", "401")):
            got, said = curl(url, "--cacert", str(keys / "authority.pem"), "-u", user)
            assert got == status
            assert "Strict-Transport-Security: max-age=31536000" in said
            assert said.count("nosniff") == 1


def test_a_rate_limit_is_kept(tmp_path: Path) -> None:
    """Beyond the burst the answer is 429 until tokens have come back."""
    now = [0.0]
    bucket = RateLimit(2.0, 3, lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] += 1.9
    assert not bucket.take()
    now[0] += 0.2
    assert [bucket.take() for _ in "12"] == [True, False]
    now[0] += 1000
    assert sum(bucket.take() for _ in range(9)) == 3
    with serving(load(tmp_path, "rate_limit:\n  interval: 1m30s\n  burst: 2\n")) as url:
        assert [curl(url)[0] for _ in range(3)] == ["200", "200", "429"]
    assert load(tmp_path, "rate_limit:\n  interval: 0\n").admits()


class Counted:
    """bcrypt, counted."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.asked.append(hashed)
        return bcrypt.checkpw(password, hashed)


def test_answers_are_remembered_without_the_password() -> None:
    """A password is hashed once; a second ask costs no bcrypt; no password can be found in what is kept."""
    counted = Counted()
    auth = BasicAuth({"alice": SECRET.encode()}, counted)
    for _ in range(3):
        assert auth.permits(basic("alice", "open sesame"))
        assert not auth.permits(basic("alice", "wrong password"))
    assert len(counted.asked) == 2
    kept = repr(vars(auth)).encode() + b"".join(auth._known)
    for secret in (b"sesame", b"wrong password", base64.b64encode(b"alice:open sesame")):
        assert secret not in kept


def test_an_unknown_user_costs_what_a_known_one_costs() -> None:
    """For a user that there is not, one bcrypt of the same cost is done; the right password of the decoy is no key."""
    counted = Counted()
    dear = bcrypt.hashpw(b"x", bcrypt.gensalt(5))
    auth = BasicAuth({"alice": SECRET.encode(), "bob": dear}, counted)
    assert not auth.permits(basic("mallory", "x"))
    assert counted.asked == [dear]
    assert not auth.permits(basic("", "x"))
    assert auth.permits(basic("bob", "x"))
    assert not auth.permits(basic("mallory", "x"))


def test_guessing_does_not_fill_the_memory() -> None:
    """The number of remembered answers is bounded, and a right one is found again."""
    auth = BasicAuth({"alice": SECRET.encode()}, lambda password, _: password == b"open sesame")
    for i in range(1000):
        assert not auth.permits(basic("alice", str(i)))
    assert len(auth._known) <= 100
    assert auth.permits(basic("alice", "open sesame"))


@given(
    st.binary(max_size=100) | st.text().map(lambda t: t.encode("utf-8", "surrogatepass")),
    st.sampled_from(["Basic ", "basic  ", "", "Digest "]),
)
@settings(deadline=None)
def test_no_header_breaks_the_check(content: bytes, scheme: str) -> None:
    """Whatever an Authorization header holds, the answer is yes or no."""
    auth = BasicAuth({"alice": SECRET.encode()}, bcrypt.checkpw)
    for encoded in (base64.b64encode(content).decode(), content.decode("latin-1")):
        assert auth.permits(scheme + encoded) is (
            content == b"alice:open sesame"
            and scheme.strip().lower() == "basic"
            and encoded.isascii()
            and encoded != "alice:open sesame"
        )
    assert not auth.permits(None)


def test_long_passwords_and_nul() -> None:
    """As everywhere, bcrypt sees 72 bytes of a password; one with a NUL is nobody's."""
    hashed = bcrypt.hashpw(b"p" * 72, bcrypt.gensalt(4))
    auth = BasicAuth({"alice": hashed}, bcrypt.checkpw)
    assert auth.permits(basic("alice", "p" * 72))
    assert auth.permits(basic("alice", "p" * 100))
    assert not auth.permits(basic("alice", "p" * 71))
    assert not auth.permits(basic("alice", "p\0" * 36))


BAD = {
    "tls_config:\n  cert_file: x\n": "{path}:1: tls_config: there is no such key; allowed: tls_server_config,",
    "\n\ntls_server_config:\n  certfile: x\n": "{path}:4: tls_server_config.certfile: there is no such key; allowed: cert_file,",
    "tls_server_config:\n  cert_file: no.pem\n  key_file: server.key\n":
        "{path}:1: cert_file: {dir}/no.pem: no such file or directory; give a file",
    "tls_server_config:\n  cert_file: server.pem\n": "{path}:1: tls_server_config.key_file: TLS needs a certificate",
    "tls_server_config:\n  cert_file: server.pem\n  key_file: client.key\n": "the key belongs to another certificate",
    "tls_server_config:\n  cert_file: web.yml\n  key_file: server.key\n": "cannot be used together",
    "tls_server_config:\n  cert_file: .\n  key_file: server.key\n": "is a directory",
    "tls_server_config:\n  cert: |\n    -----BEGIN\n  key_file: server.key\n":
        "{path}:2: tls_server_config.cert: certificates and keys as text are not read here; write it to a file",
    TLS + "  min_version: TLS9\n":
        "{path}:4: tls_server_config.min_version: 'TLS9' is not allowed; allowed: TLS10, TLS11, TLS12, TLS13",
    TLS + "  min_version: TLS13\n  max_version: TLS12\n": "{path}:4: tls_server_config.min_version: TLS13 is above max_",
    TLS + "  client_auth_type: RequireAndVerifyClientCert\n": "needs client_ca_file",
    TLS + "  client_auth_type: RequireAnyClientCert\n": "'RequireAnyClientCert' is not allowed; allowed: NoClientCert,",
    TLS + "  client_ca_file: authority.pem\n": "{path}:4: tls_server_config.client_ca_file: without client_auth_type nobody",
    TLS + "  client_allowed_sans: [a]\n": "{path}:4: tls_server_config.client_allowed_sans: this needs",
    TLS + "  client_ca_file: web.yml\n  client_auth_type: RequireAndVerifyClientCert\n": "give a file of PEM certificates",
    TLS + "  cipher_suites:\n  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n  - ROT13\n":
        "{path}:6: tls_server_config.cipher_suites: 'ROT13' is not allowed",
    TLS + "  cipher_suites: ROT13\n": "{path}:4: tls_server_config.cipher_suites: this is a list of texts",
    TLS + "  curve_preferences: [X25519, CurveP256]\n": "one curve can be set here",
    TLS + "  prefer_server_cipher_suites: maybe\n": "'maybe' is not allowed; allowed: true, false",
    "basic_auth_users:\n  alice: hunter2\n": "{path}:2: basic_auth_users.alice: the value is not a bcrypt hash",
    "basic_auth_users:\n  alice:\n": "{path}:2: basic_auth_users.alice: the value is not a bcrypt hash",
    f"basic_auth_users:\n  'a:b': {SECRET}\n": "without a colon",
    f"basic_auth_users:\n  alice: {SECRET}\n  alice: {SECRET}\n":
        "{path}:3: basic_auth_users.alice: this key stands twice; the first is in line 2",
    "basic_auth_users: [alice]\n": "{path}:1: basic_auth_users: this is a section",
    "http_server_config:\n  headers:\n    Server: x\n": "{path}:3: http_server_config.headers.Server: there is no such key",
    "http_server_config:\n  headers:\n    X-Frame-Options: never\n": "'never' is not allowed; allowed: deny, sameorigin",
    'http_server_config:\n  headers:\n    Content-Security-Policy: "a\\r\\nX: b"\n': "a header is one line",
    "http_server_config:\n  http2: 2\n": "{path}:2: http_server_config.http2: '2' is not allowed",
    "rate_limit:\n  interval: soon\n  burst: 1\n": "{path}:2: rate_limit.interval: 'soon' is not a duration",
    "rate_limit:\n  interval: 1s\n  burst: 0\n": "{path}:3: rate_limit.burst: '0' is not a number of requests",
    "- a\n": "{path}:1: a web config file holds sections", "just text": "a web config file holds sections",
    "a: b: c\n": "{path}:1: this is not YAML", "\t- x": "{path}:1: this is not YAML",
    "x: !!python/object:os.system {}\n": "{path}:1: x: there is no such key",
    "[a]: b\n": "there is no such key", '"a\\nb\\e[31m": 1\n': "{path}:1: 'a\\nb\\x1b[31m': there is no such key",
    'rate_limit:\n  interval: "1\\n2"\n': "'1\\n2' is not a duration", "\x00": "cannot stand in YAML",
}  # fmt: skip


_WORDS = st.sampled_from([*"{}[]:,-|>&*!%@`'\"#?~\n\t ", "tls_server_config:", "basic_auth_users:", "headers:", "http2",
                          "http_server_config:", "rate_limit:", "interval", "burst", "cert_file", "key_file", "cert",
                          "\n  ", "\n- ", "true", "null", "1s", "9" * 20, "server.pem", "server.key", "&a", "*a", "<<:",
                          "cipher_suites", "client_auth_type", "min_version", "TLS13", "!!binary", "\x00", "\ud7ff"])  # fmt: skip


@given(st.lists(_WORDS, max_size=12).map("".join) | st.text(max_size=40))
@settings(deadline=None, max_examples=300)
def test_any_text_is_a_config_or_one_clear_line(keys: Path, text: str) -> None:
    """Whatever stands in the file, it is read or refused in one line: never a traceback."""
    path = keys / "fuzz.yml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    said = str(path)
    try:
        web_config.load(str(path))
    except BadInput as problem:
        said = str(problem)
    assert str(path) in said
    assert said.isprintable()


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_mistake_is_one_line_that_says_where_and_how_to_cure_it(keys: Path, text: str) -> None:
    """File, line, key, value and what is allowed are named; a password in clear is never repeated."""
    with pytest.raises(BadInput) as caught:
        load(keys, text)
    said = str(caught.value)
    assert BAD[text].format(path=keys / "web.yml", dir=keys) in said
    assert "\n" not in said
    assert "hunter2" not in said
    assert said.startswith(str(keys / "web.yml"))


def test_an_encrypted_key_is_refused_and_not_asked_for(keys: Path) -> None:
    """A service has nobody to ask for a passphrase: the complaint says to give an unencrypted key."""
    subprocess.run(
        ["openssl", "ec", "-in", "server.key", "-aes128", "-passout", "pass:secret", "-out", "locked.key"],
        cwd=keys, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    with pytest.raises(BadInput, match="the unencrypted PEM key"):
        load(keys, "tls_server_config:\n  cert_file: server.pem\n  key_file: locked.key\n")


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A missing file, a directory and bytes that are no text: one line each."""
    (tmp_path / "binary").write_bytes(os.urandom(200) + b"\xff\xfe")
    for name, said in (
        ("no.yml", "no such file"),
        (".", "is a directory"),
        ("binary", "this is not UTF-8 text|cannot stand in YAML"),
    ):
        with pytest.raises(BadInput, match=said):
            web_config.load(str(tmp_path / name))


def test_an_empty_file_is_no_tls_and_no_users(tmp_path: Path) -> None:
    """As for the other exporters, a file without sections changes nothing."""
    for text in ("", "# nothing\n", "tls_server_config:\nbasic_auth_users: {}\n"):
        config = load(tmp_path, text)
        assert config.tls is None
        assert config.permits(None)
        assert config.admits()
        assert config.headers == ()


def test_without_bcrypt_the_cure_is_named(tmp_path: Path) -> None:
    """Where the package is missing, the complaint says what to install; without users it is not looked for."""
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users:\n  alice: {SECRET}\n")
    (tmp_path / "empty.yml").write_text("")
    code = (
        "import sys; sys.modules['bcrypt'] = None\n"
        "from bongsu.sinks.web_config import load\n"
        "load(sys.argv[2])\n"
        "try: load(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "empty.yml")],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.startswith(f"BadInput {path}:1: basic_auth_users: checking passwords needs the package bcrypt")
    assert "pip install 'bongsu[auth]'" in done.stdout


def test_openssl_is_loaded_only_for_tls(tmp_path: Path) -> None:
    """An agent without TLS does not pay for OpenSSL's memory."""
    code = "import sys; import bongsu.sinks.http; print('ssl' in sys.modules, 'yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "False False\n"


def test_the_work_of_a_refusal_does_not_tell_users_apart() -> None:
    """A refusal costs one bcrypt of the same work factor, whether or not there is such a user."""
    verified: list[bytes] = []

    def verify(password: bytes, hashed: bytes) -> bool:
        verified.append(hashed)
        return bcrypt.checkpw(password, hashed)

    auth = BasicAuth({"alice": bcrypt.hashpw(b"x", bcrypt.gensalt(6))}, verify)
    for user in ("alice", "mallory"):
        verified.clear()
        assert not auth.permits(basic(user, "wrong"))
        assert [hashed.split(b"$")[2] for hashed in verified] == [b"06"]
