"""Who may see the page: token, cookie, users, names, headers."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from bongsu.boards.board import Board
from bongsu.model.errors import BadInput
from bongsu.sinks import http_message
from bongsu.store.recent import Recent
from bongsu.views.web import access as access_module
from bongsu.views.web.access import Access
from bongsu.views.web.app import create_app
from bongsu.views.web.live import Live
from bongsu.views.web.workers import Answer
from live_page import BOARD, TOKEN, metrics, readings

ALICE = "Basic " + base64.b64encode(b"alice:wonderland").decode()


def api(request: http_message.Request) -> http_message.Response:
    """Says what was asked."""
    return http_message.plain(200, f"{request.method} {request.path} {request.query} {request.body.decode()}")


def client(
    access: Access, address: str = "http://127.0.0.1:9420", board: Board = BOARD, api: Answer | None = None
) -> TestClient:
    """A client of an app that has read one batch."""
    recent = Recent(board.queries)
    live = Live(recent, [board])
    batch = readings(1)
    recent.write(batch)
    live.write(batch)
    app = create_app(live, access, metrics=metrics, api=api, version="1.2.3")
    return TestClient(app, base_url=address, follow_redirects=False)


def is_alice(header: str) -> bool:
    """The users of a web config file."""
    return header == ALICE


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/board", "/api/stream", "/static/page.js"])
def test_a_stranger_sees_nothing(path: str) -> None:
    """Without the token each address answers 403 in words, and tells nothing of the machine."""
    answer = client(Access(TOKEN)).get(path)
    assert answer.status_code == 403
    assert "token" in answer.text
    assert TOKEN not in answer.text
    assert "attic" not in answer.text


def test_the_token_becomes_a_cookie_and_leaves_the_address() -> None:
    """The printed address works once and then stays clean: no token in history, referrer or bookmarks."""
    visitor = client(Access(TOKEN))
    answer = visitor.get(f"/?token={TOKEN}&range=300")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?range=300"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert re.search("SameSite=strict", cookie, re.IGNORECASE)
    assert TOKEN not in cookie
    assert "Secure" not in cookie
    assert visitor.get("/").status_code == 200
    assert visitor.get("/api/board").json()["name"] == "test"


def test_the_cookie_is_kept_to_https_and_to_its_port() -> None:
    """Over TLS it never travels in the clear; two servers on one machine do not take each other's."""
    answer = client(Access(TOKEN), "https://127.0.0.1:9421").get(f"/?token={TOKEN}")
    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["set-cookie"].startswith("bongsu_9421=")


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + " ", TOKEN[:-1], "\u00e9", "%00"])
def test_a_wrong_token_is_refused(token: str) -> None:
    """Nothing near it opens the page, also where it is not ASCII."""
    answer = client(Access(TOKEN)).get("/", params={"token": token})
    assert answer.status_code == 403
    assert "not this server" in answer.text
    assert "set-cookie" not in answer.headers


def test_a_program_sends_the_token_as_bearer() -> None:
    """A script on the shell needs no cookie."""
    visitor = client(Access(TOKEN))
    assert visitor.get("/api/board", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert visitor.get("/api/board", headers={"authorization": f"bearer  {TOKEN}"}).status_code == 200
    assert visitor.get("/api/board", headers={"authorization": "Bearer nope"}).status_code == 403


def test_another_servers_cookie_is_refused() -> None:
    """After a restart with another token, the old cookie is a stranger's."""
    old = Access("old-token")
    visitor = client(Access(TOKEN))
    visitor.cookies.set("bongsu_9420", old.pass_value)
    assert visitor.get("/").status_code == 403
    visitor.cookies.set("bongsu_9420", TOKEN)
    assert visitor.get("/").status_code == 403


def test_guessing_is_slowed_down() -> None:
    """After ten wrong tokens in a minute an address must wait, also with the right one; the cookie still works."""
    visitor = client(Access(TOKEN))
    visitor.get(f"/?token={TOKEN}")
    cookie = dict(visitor.cookies)
    visitor.cookies.clear()
    assert {visitor.get("/?token=wrong").status_code for _ in range(10)} == {403}
    answer = visitor.get(f"/?token={TOKEN}")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    visitor.cookies.update(cookie)
    assert visitor.get("/").status_code == 200


def test_a_long_token_gets_in_past_the_mistakes_of_others() -> None:
    """Nobody finds it by trying, so who shares an address with a fool, or a forgetful program, is not kept waiting."""
    token = "Zk3-0123456789abcdefghijklmnopqrstuvwxyz_AB"
    visitor = client(Access(token), api=api)
    wrong = {"authorization": "Bearer wrong"}
    assert [visitor.get("/api/status", headers=wrong).status_code for _ in range(12)] == [403] * 10 + [429] * 2
    assert visitor.get("/?token=wrong").status_code == 429
    assert visitor.get("/api/status", headers={"authorization": f"Bearer {token}"}).status_code == 200
    assert visitor.get(f"/?token={token}").status_code == 303
    visitor.cookies.clear()
    assert visitor.get("/api/status", headers=wrong).status_code == 429


def test_wrong_passwords_of_one_user_keep_only_that_user_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each user of an address has ten; all of them together a hundred, so that nobody tries one word with all names."""
    visitor = client(Access(None, permits=is_alice, loopback=False))

    def told(user: str) -> object:
        header = "Basic " + base64.b64encode(f"{user}:guess".encode()).decode()
        return visitor.get("/metrics", headers={"authorization": header}).status_code

    right = {"authorization": ALICE}
    assert [told("bob") for _ in range(11)] == [401] * 10 + [429]
    assert visitor.get("/metrics", headers=right).status_code == 200
    assert [told("alice") for _ in range(10)] == [401] * 10
    assert visitor.get("/metrics", headers=right).status_code == 429
    assert [told(f"user{number}") for number in range(81)] == [401] * 80 + [429]
    assert [visitor.get("/metrics", headers={"authorization": "Basic %"}).status_code] == [429]
    monkeypatch.setattr(access_module, "_WITHIN_SECONDS", 0.0)
    assert visitor.get("/metrics", headers=right).status_code == 200


def test_metrics_are_open_on_loopback_only() -> None:
    """A Prometheus on the machine needs no token; one elsewhere does."""
    assert client(Access(TOKEN)).get("/metrics?collect[]=cpu").headers["x-query"] == "collect[]=cpu"
    far = client(Access(TOKEN, loopback=False))
    assert far.get("/metrics").status_code == 403
    assert far.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).text == "up 1\n"


def test_users_of_the_web_config_are_asked_for_everywhere() -> None:
    """With users set up, also loopback's /metrics asks for them; a browser is told to ask the person."""
    visitor = client(Access(None, permits=is_alice, loopback=False))
    answer = visitor.get("/metrics")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert visitor.get("/metrics", headers={"authorization": ALICE}).status_code == 200
    assert visitor.get("/", headers={"authorization": ALICE}).status_code == 200
    assert client(Access(TOKEN, permits=is_alice)).get("/metrics").status_code == 401


def test_nothing_is_served_beyond_loopback_without_authentication() -> None:
    """Neither token nor users: refused before it starts, with the cure."""
    with pytest.raises(BadInput, match="--web-config"):
        Access(None, loopback=False)
    assert client(Access(None)).get("/").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:9420", 200), ("127.0.0.1:9420", 200), ("[::1]:9420", 200), ("box.local", 200),
        ("10.1.2.3", 200), ("a.localhost", 200), ("localhost.", 200), ("evil.example", 403), ("evil.example:9420", 403),
        ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403), ("", 403), ("[::1", 200), ("[evil]", 403),
    ],
)  # fmt: skip
def test_only_our_own_names_are_answered(host: str, status: int) -> None:
    """A foreign name that points at us (DNS rebinding) gets nothing, /metrics included, whatever cookie it has."""
    visitor = client(Access(TOKEN, hosts=["Box.local"]))
    headers = {"host": host, "cookie": f"bongsu_9420={Access(TOKEN).pass_value}"}
    assert visitor.get("/api/status", headers=headers).status_code == status
    assert visitor.get("/metrics", headers={"host": host}).status_code == status
    token = visitor.get(f"/?token={TOKEN}", headers={"host": host}, follow_redirects=False)
    assert token.status_code == (303 if status == 200 else status)
    assert client(Access(None)).get("/metrics", headers={"host": host}).status_code == (
        403 if host == "box.local" else status
    )


@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/api/status"])
def test_who_proves_who_they_are_may_use_any_name(path: str) -> None:
    """A Prometheus that scrapes by the machine's full name gets in with the token or a password, and only with these."""
    for access, right, wrong in (
        (Access(TOKEN), f"Bearer {TOKEN}", 403),
        (Access(TOKEN, loopback=False), f"Bearer {TOKEN}", 403),
        (Access(None, permits=is_alice, loopback=False), ALICE, 401),
        (Access(TOKEN, permits=is_alice), ALICE, 401),
    ):
        visitor = client(access)
        named = {"host": "node7.cluster.example:9420"}
        assert visitor.get(path, headers={**named, "authorization": right}).status_code == 200
        for lie in ("Bearer wrong", "Basic Zm9vOmJhcg==", "x"):
            assert visitor.get(path, headers={**named, "authorization": lie}).status_code == wrong
        assert visitor.get(path, headers=named).status_code == 403
    nothing_to_prove = client(Access(None))
    assert nothing_to_prove.get(path, headers={**named, "authorization": "Bearer x"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/api/status", "/static/page.js", "/metrics", "/nowhere", "/api/nowhere"])
@pytest.mark.parametrize("token", [TOKEN, "wrong"])
def test_every_answer_is_fenced_in(path: str, token: str) -> None:
    """No inline script, no frame, no foreign source, no sniffing, no referrer, and nobody else may read it."""
    headers = client(Access(TOKEN)).get(path, headers={"authorization": f"Bearer {token}"}).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert headers["cache-control"] in {"no-store", "no-cache"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(method: str) -> None:
    """Only GET and HEAD are answered."""
    answer = client(Access(TOKEN)).request(method, "/api/status", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["query", "query_range", "labels", "series", "query_exemplars", "format_query"])
def test_queries_may_be_posted_by_who_holds_the_token(path: str) -> None:
    """PromQL clients send forms: with the token they are answered, without it in the shape that they know."""
    visitor = client(Access(TOKEN), api=api)
    assert (
        visitor.post(f"/api/v1/{path}", data={"query": "1"}, headers={"authorization": f"Bearer {TOKEN}"}).status_code
        == 200
    )
    refused = visitor.post(f"/api/v1/{path}", data={"query": "1"})
    assert refused.status_code == 403
    assert refused.json()["status"] == "error"
    assert refused.json()["errorType"] == "forbidden"
    assert "token" in refused.json()["error"]
    assert visitor.post("/api/v1/label/a/values", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 405


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_a_page_elsewhere_cannot_post_queries(site: str, status: int) -> None:
    """A browser says where a form comes from; only our own page's are answered, with or without a token."""
    for access, headers in ((Access(None), {}), (Access(TOKEN), {"authorization": f"Bearer {TOKEN}"})):
        answer = client(access, api=api).post(
            "/api/v1/query", data={"query": "1"}, headers={**headers, "sec-fetch-site": site}
        )
        assert answer.status_code == status


def test_headers_and_rate_of_the_web_config_are_kept() -> None:
    """What the operator set wins over ours, and the limit counts every request."""
    left = [True, True]
    access = Access(
        TOKEN, headers=[("Strict-Transport-Security", "max-age=600"), ("Content-Security-Policy", "default-src 'none'")],
        admits_one_more=lambda: bool(left and left.pop()),
    )  # fmt: skip
    visitor = client(access)
    answer = visitor.get("/metrics")
    assert answer.headers["strict-transport-security"] == "max-age=600"
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert visitor.get("/").status_code == 403
    assert visitor.get("/metrics").status_code == 429


def test_hostile_host_and_path_stay_text() -> None:
    """What a stranger sends is never markup in our answer."""
    answer = client(Access(TOKEN)).get("/", headers={"host": "<script>alert(1)</script>"})
    assert answer.status_code == 403
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize(
    "cookie", ["bongsu_9420", "bongsu_9420=", 'bongsu_9420="', "a=b; =;;", "bongsu_9420=\u00e9", "x" * 9000]
)
def test_a_broken_cookie_is_no_cookie(cookie: str) -> None:
    """It neither opens the page nor breaks the server."""
    answer = client(Access(TOKEN)).get("/", headers={b"cookie": cookie.encode("latin-1")})
    assert answer.status_code == 403


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both token and cookie go through compare_digest."""
    seen: list[Any] = []

    def compare(a: bytes, b: bytes) -> bool:
        seen.append((a, b))
        return a == b

    digest: Callable[[bytes, bytes], bool] = compare
    monkeypatch.setattr("bongsu.views.web.access.hmac.compare_digest", digest)
    visitor = client(Access(TOKEN))
    visitor.get("/?token=wrong")
    visitor.get("/", headers={"authorization": "Bearer wrong"})
    assert (b"wrong", TOKEN.encode()) in seen
    assert len(seen) >= 2
