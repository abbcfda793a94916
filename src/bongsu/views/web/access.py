"""Who may see what over HTTP: the token, the names that we answer to, and the headers that fence a page in."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bongsu.model import message
from bongsu.model.errors import BadInput
from bongsu.sinks import http_message
from bongsu.sinks.http import host_allowed
from bongsu.views.web import words
from bongsu.views.web.workers import Workers

# Nothing from elsewhere, nothing inline, no frames around us, no forms: a name that slipped into the
# page as markup could still do nothing (https://www.w3.org/TR/CSP3/).
FENCE = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# PromQL clients send long queries as forms; they change nothing.
_ASKED_BY_POST = frozenset(
    f"/api/v1/{name}" for name in ("query", "query_range", "query_exemplars", "labels", "series", "format_query")
)
_OWN_SITES = frozenset({"same-origin", "none"})  # of Sec-Fetch-Site
_OPEN_ON_LOOPBACK = frozenset({"/metrics", "/-/healthy", "/-/ready"})
_TRIES = 10  # wrong tokens, or passwords of one user, that one address may send …
_ALL_TRIES = 100  # … or passwords of whatever users …
_WITHIN_SECONDS = 60.0  # … in this time
_REMEMBERED = 10_000
_LONG_TOKEN = 20  # characters: so long a one is not found by trying, not even without pauses


@dataclass(slots=True)
class Access:
    """The rules of one server.

    ``token``: what the page's address and ``Authorization: Bearer`` must carry; None for no token.
    ``permits``: says whether an ``Authorization`` header carries a user and password of the web
    config file; None where no users are set up. With users, ``/metrics`` asks for them too.
    ``loopback``: whether the server listens on loopback only.
    ``hosts``: names, besides loopback's own and IP addresses, that the Host header may hold. A name
    is refused otherwise, or a web page elsewhere could point its own name at us (DNS rebinding). Who sends
    a token or password in an ``Authorization`` header may use any name: a browser does that only for a name
    for which they were given, so a foreign page has none to send.
    ``trusted``: whether the connection itself keeps strangers out, by client certificates.
    ``headers`` and ``admits_one_more`` (whether one more request may be answered now) are the web config file's.

    Raises:
        BadInput: neither a token nor users, beyond loopback.
    """

    token: str | None
    permits: Callable[[str], bool] | None = None
    loopback: bool = True
    hosts: Iterable[str] = ()
    trusted: bool = False
    headers: Iterable[tuple[str, str]] = ()
    admits_one_more: Callable[[], bool] | None = None
    _names: frozenset[str] = field(default=frozenset(), init=False)
    _wrong: dict[tuple[str, str | None], list[float]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not (self.loopback or self.token or self.permits or self.trusted):
            raise BadInput(
                message.Message(
                    "beyond loopback nothing is served without authentication: leave out --no-token, "
                    "or give users in --web-config"
                )
            )
        self._names = frozenset({"localhost", *(host.lower().rstrip(".") for host in self.hosts)})

    def knows_host(self, header: str) -> bool:
        """Whether the Host header is a name of ours, or an IP address (which cannot be rebound)."""
        return host_allowed(header, self._names)

    @property
    def has_secrets(self) -> bool:
        """Whether there is anything that an ``Authorization`` header could prove."""
        return bool(self.token) or self.permits is not None

    def is_token(self, candidate: str) -> bool:
        """Whether it is the token; takes as long for a near miss as for a far one."""
        return bool(self.token) and hmac.compare_digest(candidate.encode(), str(self.token).encode())

    @property
    def pass_value(self) -> str:
        """What the cookie holds: proof that the token was shown, but not the token."""
        return hmac.new(str(self.token).encode(), b"bongsu page", hashlib.sha256).hexdigest()

    def is_pass(self, candidate: str) -> bool:
        """Whether the cookie is one that we gave."""
        return bool(self.token) and hmac.compare_digest(candidate.encode(), self.pass_value.encode())

    def admits(self, path: str, headers: Mapping[str, str], cookie_name: str) -> bool:
        """Whether a request by a name of ours may see ``path`` without an ``Authorization`` header."""
        if not self.token and self.permits is None:
            return True
        if self.loopback and self.permits is None and path in _OPEN_ON_LOOPBACK:
            return True
        return self.is_pass(_cookie(headers.get("cookie", ""), cookie_name))

    async def authorizes(self, authorization: str) -> bool:
        """Whether an ``Authorization`` header carries the token, or a user and password."""
        if self.is_token(_bearer(authorization)):
            return True
        if authorization and self.permits is not None:
            # Checking a password takes long on purpose; the stream must not stand still meanwhile.
            return await to_thread.run_sync(self.permits, authorization)
        return False

    def wait_seconds(self, address: str, authorization: str = "") -> int:
        """For how long the address must wait after too many wrong answers of this kind; 0 if it need not."""
        user = _user(authorization)
        wait = self._wait((address, user), _TRIES)
        return wait if user is None else max(wait, self._wait((address, ""), _ALL_TRIES))

    def needs_no_wait(self, token: str) -> bool:
        """Whether it is the token, and one that nobody finds by trying: then others' mistakes are not held against it.

        Of a short one, as of a password, the pauses are what protects it.
        """
        return len(str(self.token)) >= _LONG_TOKEN and self.is_token(token)

    def was_wrong(self, address: str, authorization: str = "") -> None:
        """Remember a wrong token or password."""
        if len(self._wrong) >= _REMEMBERED:
            self._wrong.clear()
        user = _user(authorization)
        for one in {user} if user is None else {user, ""}:
            self._wrong.setdefault((address, one), []).append(time.monotonic())

    def _wait(self, who: tuple[str, str | None], most: int) -> int:
        tries = self._wrong.get(who)
        if tries is None:
            return 0
        now = time.monotonic()
        tries[:] = [when for when in tries if now - when < _WITHIN_SECONDS]
        if not tries:
            del self._wrong[who]
        return 0 if len(tries) < most else max(1, int(_WITHIN_SECONDS - (now - tries[-most])))


class Guard:
    """Stands before the app: refuses unknown names and strangers, turns a token into a cookie, fences answers in."""

    def __init__(self, app: ASGIApp, access: Access, workers: Workers | None = None) -> None:
        self.workers = workers  # who answer queries, also those that do not come through the app
        self._app = app
        self._access = access
        self._fence = {**FENCE, **{name.lower(): value for name, value in access.headers}}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        if scope["type"] != "http":
            return
        answer = await self._refusal(scope)

        async def fenced(event: Message) -> None:
            if event["type"] == "http.response.start":
                said = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event["headers"]]
                headers = [
                    (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.fenced(said)
                ]
                event = {**event, "headers": headers}
            await send(event)

        await (self._app if answer is None else answer)(scope, receive, fenced)

    def fenced(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """An answer's headers with those that all answers have; the operator's win over ours, ours over the answer's."""
        fence = self._fence
        kept = [header for header in headers if header[0].lower() not in fence]
        if "cache-control" not in fence and all(name.lower() != "cache-control" for name, _ in kept):
            kept.append(("cache-control", "no-store"))
        return (*kept, *fence.items())

    def admits_at_once(self, request: http_message.Request, address: str, port: int) -> bool:
        """Whether a query may be answered without more ado; if not, `__call__` says why, or lets it through after all.

        Nothing is remembered of those that are not admitted; of those that are, the limit of requests is.
        """
        access, headers = self._access, request.headers
        authorization = headers.get("authorization", "")
        if request.method == "POST":
            if request.path not in _ASKED_BY_POST or headers.get("sec-fetch-site", "none") not in _OWN_SITES:
                return False
        elif request.method not in {"GET", "HEAD"}:
            return False
        if authorization:
            bearer = _bearer(authorization)
            if not access.is_token(bearer) or (access.wait_seconds(address) and not access.needs_no_wait(bearer)):
                return False
        elif not (
            access.knows_host(headers.get("host", "")) and access.admits(request.path, headers, _cookie_of_port(port))
        ):
            return False
        return access.admits_one_more is None or access.admits_one_more()

    async def _refusal(self, scope: Scope) -> Response | None:
        """The answer to give instead of the app's; None to let the request through."""
        access, headers, path = self._access, Headers(scope=scope), scope["path"]
        host, authorization = headers.get("host", ""), headers.get("authorization", "")
        known = access.knows_host(host)
        if access.admits_one_more is not None and not access.admits_one_more():
            return words.refusal(scope, 429, message.Message("Too many requests; the web config file limits them."))
        if not known and not (authorization and access.has_secrets):
            return words.refusal(
                scope, 403, message.Message("This server does not answer to the name {host!r}.", host=host),
                message.Message("Open it by its IP address, or start it with --allowed-host NAME."),
            )  # fmt: skip
        if scope["method"] == "POST" and path in _ASKED_BY_POST:
            # A page elsewhere may send a form here, though it could not read the answer; browsers say where from.
            if headers.get("sec-fetch-site", "none") not in _OWN_SITES:
                return words.refusal(scope, 403, message.Message("Queries from pages of other sites are not answered."))
        elif scope["method"] not in {"GET", "HEAD"}:
            answer = words.refusal(scope, 405, message.Message("Nothing can be changed here: only GET and HEAD."))
            answer.headers["allow"] = "GET, HEAD"
            return answer
        address = scope["client"][0] if scope.get("client") else ""
        cookie = cookie_name(scope)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for key, value in query if key == "token"]
        shown = bool(given or authorization)
        bearer = _bearer(authorization)
        proven = any(access.needs_no_wait(one) for one in (bearer, *given[:1]) if one)
        if shown and not proven and (wait := access.wait_seconds(address, authorization)):
            answer = words.refusal(
                scope, 429, message.Message("Too many wrong tokens or passwords; wait {wait} s.", wait=wait)
            )
            answer.headers["retry-after"] = str(wait)
            return answer
        if known and path == "/" and given and access.is_token(given[0]):
            rest = urlencode([(key, value) for key, value in query if key != "token"])
            redirect = RedirectResponse("/" + (f"?{rest}" if rest else ""), status_code=303)
            redirect.set_cookie(
                cookie, access.pass_value, httponly=True, samesite="strict", secure=scope["scheme"] == "https"
            )
            return redirect
        if (known and access.admits(path, headers, cookie)) or await access.authorizes(authorization):
            return None
        if shown:
            access.was_wrong(address, authorization)
        if access.permits is not None:
            answer = words.refusal(scope, 401, message.Message("This page asks for a user and a password."))
            answer.headers["www-authenticate"] = 'Basic realm="bongsu", charset="UTF-8"'
            return answer
        return words.refusal(
            scope, 403,
            message.Message("That is not this server's token.") if given else
            message.Message("This page is for those who hold its token."),
            message.Message("Open the address that `bongsu up` printed when it started; it ends in ?token=…"),
        )  # fmt: skip


def _bearer(authorization: str) -> str:
    """The token in an ``Authorization`` header, "" where there is none."""
    scheme, _, value = authorization.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _user(authorization: str) -> str | None:
    """Whose password an ``Authorization`` header carries (RFC 7617); None where it carries none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    with contextlib.suppress(ValueError):
        return base64.b64decode(value).partition(b":")[0].decode("utf-8", "replace")[:100]
    return ""


def cookie_name(scope: Scope) -> str:
    """The cookie's name, with the port in it: a browser shares cookies among the ports of a machine."""
    server = scope.get("server")
    return _cookie_of_port(server[1] if server else 0)


def _cookie_of_port(port: int) -> str:
    return f"bongsu_{port}"


def _cookie(header: str, name: str) -> str:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value
