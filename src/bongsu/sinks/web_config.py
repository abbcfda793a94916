"""Reads the web config file that Prometheus and its exporters share: TLS, users, headers, a rate limit.

The form is that of https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md. What differs:
``cert``, ``key`` and ``client_ca`` as text in the file are refused (give files), HTTP/2 is never spoken,
``curve_preferences`` holds one curve, and ``RequireAnyClientCert`` is refused (OpenSSL verifies what it requires).
Certificates are taken up when their files change; the web config file itself at a reload.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import yaml

from bongsu.model.errors import BadInput
from bongsu.model.message import Message
from bongsu.sinks.basic_auth import BasicAuth
from bongsu.sources import yaml_text

if TYPE_CHECKING:
    from bongsu.sinks.web_tls import ServerTls

_HEADERS: dict[str, tuple[str, ...]] = {  # header → allowed values, () for any
    "Content-Security-Policy": (), "X-Frame-Options": ("deny", "sameorigin"), "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (), "Strict-Transport-Security": (),
}  # fmt: skip
_TLS_KEYS = (
    "cert_file", "key_file", "client_auth_type", "client_ca_file", "client_allowed_sans", "min_version", "max_version",
    "cipher_suites", "prefer_server_cipher_suites", "curve_preferences",
)  # fmt: skip
_INLINE = {"cert": "cert_file", "key": "key_file", "client_ca": "client_ca_file"}
_BCRYPT = re.compile(r"\$2[abxy]?\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class WebConfig:
    """Who may connect and how; made by `load`. Safe to use from several threads."""

    def __init__(
        self, path: str, *, headers: tuple[tuple[str, str], ...] = (), auth: BasicAuth | None = None,
        tls: ServerTls | None = None, rate_limit: RateLimit | None = None,
    ) -> None:  # fmt: skip
        self.path = path
        self.headers = headers
        self.tls = tls
        self._auth = auth
        self._rate_limit = rate_limit

    @property
    def authenticates(self) -> bool:
        """Whether a stranger is kept out: by users, or by client certificates that are required and verified."""
        return self._auth is not None or (self.tls is not None and self.tls.requires_client)

    @property
    def asks_password(self) -> bool:
        """Whether requests need an Authorization header."""
        return self._auth is not None

    def permits(self, authorization_header: str | None) -> bool:
        """Whether a request with this Authorization header may be answered; always, where the file has no users."""
        return self._auth is None or self._auth.permits(authorization_header)

    def admits(self) -> bool:
        """Whether the rate limit has room for one more request now."""
        return self._rate_limit is None or self._rate_limit.take()


class RateLimit:
    """A token bucket: one request each ``interval`` seconds, and ``burst`` at once after a quiet time."""

    def __init__(self, interval: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled = clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a token if there is one."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._filled) / self._interval)
            self._filled = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def load(path: str) -> WebConfig:
    """The web config in a file.

    Raises:
        BadInput: the file, or one that it names, is missing or wrong; the message names file, line,
            key, value, what is allowed and the cure. Hashes and keys are never repeated.
    """
    root = _root(path)
    root.check_keys(("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit"))
    return WebConfig(
        path, headers=_headers(root.section("http_server_config")), auth=_users(root.section("basic_auth_users")),
        tls=_tls(root.section("tls_server_config")), rate_limit=_rate_limit(root.section("rate_limit")),
    )  # fmt: skip


class _Section:
    """A mapping of the file: values by key, each with its line."""

    def __init__(self, path: str, name: str, node: yaml.MappingNode | None) -> None:
        self.path = path
        self.name = name
        self.line = 1 if node is None else node.start_mark.line + 1
        self.values: dict[str, yaml.Node] = {}
        self._lines: dict[str, int] = {}
        for key_node, value_node in [] if node is None else node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in self._lines:
                raise self.wrong(Message("this key stands twice; the first is in line {first}", first=self._lines[key]),
                                 key, line)  # fmt: skip
            self._lines[key] = line
            self.values[key] = value_node

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"

    def wrong(self, what: Message, key: str = "", line: int = 0) -> BadInput:
        """The complaint about a key of this section."""
        full = ".".join(filter(None, (self.name, key)))
        return BadInput(
            Message("{path}:{line}: {key}: {what}", path=self.path, line=line or self._lines.get(key, self.line),
                    key=full if full.isprintable() else repr(full), what=what)
        )  # fmt: skip

    def check_keys(self, allowed: Collection[str]) -> None:
        for key in self.values:
            if key not in allowed:
                raise self.wrong(
                    Message("there is no such key; allowed: {allowed}; correct or remove it",
                            allowed=", ".join(allowed)), key,
                )  # fmt: skip

    def section(self, key: str) -> _Section | None:
        node = self.values.get(key)
        if node is None or _is_null(node):
            return None
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(Message("this is a section: write its keys below it, indented"), key)
        section = _Section(self.path, f"{self.name}.{key}".lstrip("."), node)
        section.line = self._lines[key]
        return section

    def text(self, key: str, allowed: Collection[str] | None = None) -> str:
        node = self.values.get(key)
        if node is None or _is_null(node):
            return ""
        if not isinstance(node, yaml.ScalarNode):
            raise self.wrong(Message("this is one text, not a list or a section"), key)
        text = str(node.value)
        if allowed is not None and text not in allowed:
            raise self.wrong(
                Message("{value!r} is not allowed; allowed: {allowed}", value=text,
                        allowed=", ".join(filter(None, allowed))), key,
            )  # fmt: skip
        return text

    def switch(self, key: str, otherwise: bool) -> bool:
        text = self.text(key).lower()
        if text not in {"", "true", "false", "yes", "no", "on", "off"}:
            raise self.wrong(Message("{value!r} is not allowed; allowed: true, false", value=text), key)
        return text in {"true", "yes", "on"} if text else otherwise

    def texts(self, key: str, allowed: Sequence[str] | None = None) -> tuple[str, ...]:
        node = self.values.get(key)
        if node is None or _is_null(node):
            return ()
        items = node.value if isinstance(node, yaml.SequenceNode) else None
        if items is None or not all(isinstance(item, yaml.ScalarNode) for item in items):
            raise self.wrong(Message("this is a list of texts: write each in a line of its own after `- `"), key)
        for item in items:
            if allowed is not None and item.value not in allowed:
                raise self.wrong(
                    Message("{value!r} is not allowed; allowed: {allowed}", value=item.value, allowed=", ".join(allowed)),
                    key, item.start_mark.line + 1,
                )  # fmt: skip
        return tuple(str(item.value) for item in items)

    def file(self, key: str) -> str:
        text = self.text(key)
        return os.path.join(os.path.dirname(os.path.abspath(self.path)), text) if text else ""


def _root(path: str) -> _Section:
    node = yaml_text.compose(path, kind="web config", option="--web.config.file", may_be_empty=True)
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise BadInput(
            Message("{path}:{line}: a web config file holds sections such as `basic_auth_users:`, and this holds none",
                    path=path, line=node.start_mark.line + 1)
        )  # fmt: skip
    return _Section(path, "", node)


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _tls(section: _Section | None) -> ServerTls | None:
    if section is None or not section.values:
        return None
    from bongsu.sinks import web_tls as tls  # noqa: PLC0415  loads OpenSSL: 3 MB

    for key, instead in _INLINE.items():
        if key in section.values:
            raise section.wrong(
                Message("certificates and keys as text are not read here; write it to a file and name that in {instead}",
                        instead=instead), key,
            )  # fmt: skip
    section.check_keys(_TLS_KEYS)
    for key in ("cert_file", "key_file"):
        if not section.text(key):
            raise section.wrong(Message("TLS needs a certificate and its key: give cert_file and key_file"), key)
    client_auth = section.text("client_auth_type", tls.CLIENT_AUTH)
    verifies = client_auth in {"VerifyClientCertIfGiven", "RequireAndVerifyClientCert"}
    if verifies and not section.text("client_ca_file"):
        raise section.wrong(
            Message("{value} needs client_ca_file: the PEM certificates that clients' are signed with",
                    value=client_auth), "client_auth_type",
        )  # fmt: skip
    if section.text("client_ca_file") and not verifies:
        raise section.wrong(
            Message("without client_auth_type nobody is asked for a certificate; "
                    "add `client_auth_type: RequireAndVerifyClientCert`, or remove this"), "client_ca_file",
        )  # fmt: skip
    if section.texts("client_allowed_sans") and client_auth != "RequireAndVerifyClientCert":
        raise section.wrong(Message("this needs `client_auth_type: RequireAndVerifyClientCert`"), "client_allowed_sans")
    low, high = (section.text(f"{end}_version", tls.VERSIONS) or f"TLS1{n}" for end, n in (("min", 2), ("max", 3)))
    if tls.VERSIONS[low] > tls.VERSIONS[high]:
        raise section.wrong(
            Message("{low} is above max_version {high}; lower it or raise the other", low=low, high=high), "min_version"
        )
    curves = section.texts("curve_preferences", tuple(tls.CURVES))
    if len(curves) > 1:
        raise section.wrong(Message("one curve can be set here; leave one, or none for OpenSSL's own"),
                            "curve_preferences")  # fmt: skip
    return tls.ServerTls(
        tls.TlsSettings(
            section.where, section.file("cert_file"), section.file("key_file"), section.file("client_ca_file"),
            client_auth, section.texts("client_allowed_sans"), low, high,
            section.texts("cipher_suites", (*tls.CIPHERS, *tls.ALWAYS_ON)), curves[0] if curves else "",
            section.switch("prefer_server_cipher_suites", otherwise=True),
        )
    )  # fmt: skip


def _users(section: _Section | None) -> BasicAuth | None:
    if section is None or not section.values:
        return None
    users = {}
    for user in section.values:
        hashed = section.text(user)
        if not user or ":" in user or not user.isprintable():
            raise section.wrong(Message("a user's name is printable text without a colon; change it"), user)
        if not _BCRYPT.fullmatch(hashed):  # the value may be a password in clear: it is not repeated
            raise section.wrong(
                Message("the value is not a bcrypt hash ($2y$10$ and 53 characters); "
                        "`htpasswd -nBC 10 {user}` makes one", user=user), user,
            )  # fmt: skip
        users[user] = hashed.encode()
    try:
        import bcrypt  # noqa: PLC0415  an extra: only where there are users
    except ImportError:
        raise section.wrong(
            Message("checking passwords needs the package bcrypt; install it with `pip install 'bongsu[auth]'`")
        ) from None
    return BasicAuth(users, bcrypt.checkpw)


def _headers(section: _Section | None) -> tuple[tuple[str, str], ...]:
    if section is None:
        return ()
    section.check_keys(("http2", "headers"))
    section.switch("http2", otherwise=True)  # understood and without effect: HTTP/1.1 is spoken
    headers = section.section("headers")
    if headers is None:
        return ()
    headers.check_keys(_HEADERS)
    found = []
    for name, allowed in _HEADERS.items():
        value = headers.text(name, allowed or None) if name in headers.values else ""
        if not value.isprintable() or not value.isascii():
            raise headers.wrong(Message("a header is one line of printable ASCII; change it"), name)
        if value:
            found.append((name, value))
    return tuple(found)


def _rate_limit(section: _Section | None) -> RateLimit | None:
    if section is None:
        return None
    section.check_keys(("interval", "burst"))
    interval, burst = section.text("interval"), section.text("burst") or "0"
    parts = _DURATION.findall(interval)
    if interval not in {"", "0"} and "".join(n + unit for n, unit in parts) != interval:
        raise section.wrong(Message("{value!r} is not a duration; write one as 500ms, 1s, 1m30s, or 0 for no limit",
                                    value=interval), "interval")  # fmt: skip
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds == 0:
        return None
    if not burst.isascii() or not burst.isdigit() or not 1 <= int(burst) <= 1_000_000:
        raise section.wrong(
            Message("{value!r} is not a number of requests from 1 to 1000000; give one", value=burst), "burst"
        )
    return RateLimit(seconds, int(burst))
