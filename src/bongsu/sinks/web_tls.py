"""Makes the TLS context of a web config file, and takes up a renewed certificate without a restart."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import warnings
from dataclasses import dataclass

from bongsu.model.errors import BadInput
from bongsu.model.message import Message

# Names as in the web config file (those of Go's crypto/tls) → those of OpenSSL.
VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1, "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3,
}  # fmt: skip
CLIENT_AUTH = {
    "": ssl.CERT_NONE, "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_NONE,  # asks and then ignores the answer, so not asking lets in the same clients
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL, "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}  # fmt: skip
CIPHERS = {
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
ALWAYS_ON = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")  # TLS 1.3's own
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_log = logging.getLogger("bongsu.http")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The section ``tls_server_config``: paths are absolute, names are keys of the tables above."""

    where: str  # file and line of the section, for complaints
    cert_file: str
    key_file: str
    client_ca_file: str = ""
    client_auth: str = ""
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    curve: str = ""
    prefer_server_ciphers: bool = True


class ServerTls:
    """A TLS context that follows its certificate files.

    Raises:
        BadInput: a file cannot be read, is not PEM, or key and certificate do not belong together.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._seen = _stamps(settings)
        self._lock = threading.Lock()
        self._context = _context(settings)

    def context(self) -> ssl.SSLContext:
        """The context for the next connection.

        A certificate that was replaced is loaded now. If it cannot be (its key may not have been
        written yet) the old one stays, the log says so, and the next connection tries again.
        """
        with self._lock:
            stamps = _stamps(self._settings)
            if stamps != self._seen:
                try:
                    self._context = _context(self._settings)
                    self._seen = stamps
                except BadInput as problem:
                    _log.warning("the old certificate stays in use: %s", problem)
            return self._context

    @property
    def requires_client(self) -> bool:
        """Whether only clients with a verified certificate get through."""
        return CLIENT_AUTH[self._settings.client_auth] == ssl.CERT_REQUIRED

    def accepts(self, connection: ssl.SSLSocket) -> bool:
        """Whether the client's certificate has one of the names that are asked for (``client_allowed_sans``)."""
        if not self._settings.client_allowed_sans:
            return True
        names = (connection.getpeercert() or {}).get("subjectAltName", ())
        found = {str(name[1]) for name in names if isinstance(name, tuple) and len(name) == 2}
        return not found.isdisjoint(self._settings.client_allowed_sans)


def _context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the user may ask for TLS 1.0, and gets what OpenSSL gives
        context.minimum_version = VERSIONS[settings.min_version]
        context.maximum_version = VERSIONS[settings.max_version]
    ciphers = [CIPHERS[name] for name in settings.cipher_suites if name in CIPHERS]
    if ciphers:
        try:
            context.set_ciphers(":".join(ciphers))
        except ssl.SSLError:
            raise BadInput(
                Message("{where}: cipher_suites: this machine's OpenSSL allows none of these; leave the key out",
                        where=settings.where)
            ) from None  # fmt: skip
    if settings.prefer_server_ciphers:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    if settings.curve:
        context.set_ecdh_curve(CURVES[settings.curve])
    for key, path in (("cert_file", settings.cert_file), ("key_file", settings.key_file)):
        _readable(settings.where, key, path)
    try:
        # The callback stands in for a prompt on the terminal: a service has nobody to ask.
        context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise BadInput(
            Message("{where}: cert_file {cert} and key_file {key} cannot be used together: {reason}; give a PEM "
                    "certificate and the unencrypted PEM key that it was made for",
                    where=settings.where, cert=settings.cert_file, key=settings.key_file, reason=_reason(error))
        ) from None  # fmt: skip
    if settings.client_ca_file:
        _readable(settings.where, "client_ca_file", settings.client_ca_file)
        try:
            context.load_verify_locations(settings.client_ca_file)
        except (ssl.SSLError, OSError) as error:
            raise BadInput(
                Message("{where}: client_ca_file {path}: {reason}; give a file of PEM certificates",
                        where=settings.where, path=settings.client_ca_file, reason=_reason(error))
            ) from None  # fmt: skip
    context.verify_mode = CLIENT_AUTH[settings.client_auth]
    return context


def _readable(where: str, key: str, path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise BadInput(
            Message("{where}: {key}: {path}: {reason}; give a file that this user can read (a relative path is "
                    "taken from the folder of the web config file)",
                    where=where, key=key, path=path, reason=(error.strerror or "").lower())
        ) from None  # fmt: skip


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return {
            "KEY_VALUES_MISMATCH": "the key belongs to another certificate",
            "BAD_DECRYPT": "the key is encrypted",
        }.get(
            error.reason or "", "one of them is not PEM" if not error.reason else error.reason.replace("_", " ").lower()
        )
    return str(error)


def _stamps(settings: TlsSettings) -> tuple[tuple[int, int, int] | None, ...]:
    stamps: list[tuple[int, int, int] | None] = []
    for path in (settings.cert_file, settings.key_file, settings.client_ca_file):
        try:
            found = os.stat(path) if path else None
        except OSError:
            found = None
        stamps.append(None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(stamps)
