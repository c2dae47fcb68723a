"""Access tokens: who may read, who may decide, under which name, and from which page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from httpx import AsyncClient, Response
from websockets.exceptions import InvalidStatus

from streamtrace.client import Client
from streamtrace.clients.follow import find_call, follow_events
from streamtrace.errors import RequestRefused, SettingsError
from streamtrace.server.access import Person, Role, Tokens, needed
from streamtrace.server.app import create_app
from streamtrace.server.sign_in import COOKIE, LASTS_S, MOST_ENDED, SignIns
from tests.live_server import live_server
from tests.server.alert_calls import Desk, desk
from tests.server.peers import http, ws

GRACE, ADA = "grace-has-a-long-token", "ada-has-another-token"
TOKENS = {"grace": {"token": GRACE, "role": "operator"}, "ada": {"token": ADA}}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest_asyncio.fixture
async def locked() -> AsyncIterator[Desk]:
    async with desk("memory", access_tokens=TOKENS) as server:
        yield server


# What is wanted of whom


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/static/main.js"),
        ("GET", "/openapi.json"),
        ("POST", "/v1/session"),
        ("POST", "/v1/calls"),
        ("POST", "/whip/browser"),
        ("WEBSOCKET", "/v1/ingest/twilio"),
    ],
)
def test_open_to_all(method: str, path: str) -> None:
    assert needed(method, path) is None


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/v1/calls", Role.VIEWER),
        ("HEAD", "/v1/calls", Role.VIEWER),
        ("WEBSOCKET", "/v1/calls", Role.VIEWER),
        ("GET", "/v1/calls/call_1/events", Role.VIEWER),
        ("GET", "/metrics", Role.VIEWER),
        ("GET", "/v1/webhooks", Role.VIEWER),
        ("GET", "/something/new", Role.VIEWER),
        ("POST", "/v1/alerts/a/dismiss", Role.OPERATOR),
        ("POST", "/v1/webhooks/siem/test", Role.OPERATOR),
        ("DELETE", "/v1/calls", Role.OPERATOR),
        ("POST", "/v1/calls/", Role.OPERATOR),
        ("GET", "/static", Role.VIEWER),
        ("GET", "/v1/alerts/a/clip", Role.OPERATOR),
        ("GET", "/v1/ingest", Role.VIEWER),
    ],
)
def test_all_else_is_not(method: str, path: str, role: Role) -> None:
    assert needed(method, path) is role


async def test_every_route_of_the_server_but_those_named_is_locked(locked: Desk) -> None:
    """A route that somebody adds is locked until it is named as open."""
    paths: dict[str, Any] = create_app(locked.state).openapi()["paths"]
    found = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if needed(method.upper(), path) is None and not path.startswith("/whip/")
    }
    assert found == {
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("POST", "/v1/calls"),
        *((method, "/v1/session") for method in ("GET", "POST", "DELETE")),
    }
    assert len(paths) > 10


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"ada": "hunter2"}, "access_tokens.ada: want a table"),
        ({"ada": {"token": "hunter2"}}, "ada.token: want 16 to 512"),
        ({"ada": {"token": "hunter2 with some spaces"}}, "ada.token: want printable"),
        ({"ada": {"role": "viewer"}}, "ada.token: want printable"),
        ({"ada": {"token": "x" * 16, "role": "king"}}, "role='king': want viewer or operator"),
        ({"ada": {"token": "x" * 16, "colour": 1}}, "ada.colour: no such setting"),
        ({"policy": {"token": "x" * 16}}, "the name is reserved"),
        ({"": {"token": "x" * 16}}, "want a name"),
        ({"a": {"token": "x" * 16}, "b": {"token": "x" * 16}}, "the same token"),
    ],
)
def test_a_wrong_table_is_named_without_its_tokens(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as told:
        Tokens.from_settings(raw)
    assert said in str(told.value)
    assert "hunter2" not in str(told.value)


# Over HTTP


async def test_without_tokens_nothing_is_asked() -> None:
    async with desk("memory") as server:
        assert await server.get("/v1/session") == {
            "name": None,
            "role": "operator",
            "expires": None,
        }
        alert_id = await server.alarming()
        assert (await server.do(alert_id, "ack")).json()["state"] == "acknowledged"
        assert (await server.do(alert_id, "escalate", 2, actor="")).status_code == 422


async def test_who_brings_nothing_or_nonsense_reads_nothing(locked: Desk) -> None:
    for headers in ({}, bearer("wrong"), bearer(""), {"authorization": f"Basic {GRACE}"}):
        for path in ("/v1/calls", "/v1/alerts", "/metrics", "/v1/session", "/v1/webhooks"):
            answer = await locked.client.get(path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
    sse = {"accept": "text/event-stream"}
    assert (await locked.client.get("/v1/alerts", headers=sse)).status_code == 401
    for path in ("/livez", "/readyz", "/openapi.json"):
        assert (await locked.client.get(path)).status_code == 200
    assert (await locked.client.post("/v1/calls", json={"external_id": "CA9"})).status_code == 201


async def test_a_viewer_reads_and_an_operator_decides_under_the_token_s_name(
    locked: Desk,
) -> None:
    alert_id = await locked.alarming()
    path = f"/v1/alerts/{alert_id}"

    async def ack(token: str, version: int, **body: Any) -> Response:
        headers = bearer(token) | {"if-match": f'"{version}"'}
        return await locked.client.post(f"{path}/ack", headers=headers, json=body)

    for token in (ADA, GRACE):
        for read in ("/v1/calls", path, "/metrics"):
            answer = await locked.client.get(read, headers=bearer(token))
            assert answer.status_code == 200
    refused = await ack(ADA, 1, actor="grace")
    assert (refused.status_code, "operator" in refused.text) == (403, True)
    assert (await ack(GRACE, 1, actor="somebody else")).status_code == 200
    trail = await locked.client.get(f"{path}/audit", headers=bearer(ADA))
    assert [entry["actor"] for entry in trail.json()["entries"]] == ["policy", "grace"]
    headers = bearer(GRACE) | {"if-match": '"2"'}  # no name is needed
    done = await locked.client.post(f"{path}/escalate", headers=headers, json={})
    assert done.status_code == 200


# In a browser


async def sign_in(client: AsyncClient, token: str, **headers: str) -> Response:
    return await client.post("/v1/session", json={"token": token}, headers=headers)


async def test_a_token_is_exchanged_for_a_cookie_that_no_script_reads(locked: Desk) -> None:
    client = locked.client
    answer = await sign_in(client, GRACE)
    assert answer.json()["name"] == "grace"
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={LASTS_S}"):
        assert part in cookie
    assert GRACE not in cookie
    assert (await locked.get("/v1/session"))["role"] == "operator"
    await locked.get("/v1/calls")
    alert_id = await locked.alarming()
    assert (await locked.do(alert_id, "ack")).status_code == 200
    kept = client.cookies[COOKIE]
    assert (await client.delete("/v1/session")).status_code == 204
    assert (await client.get("/v1/calls")).status_code == 401
    client.cookies.set(COOKIE, kept)  # whoever has copied it has nothing
    assert (await client.get("/v1/calls")).status_code == 401


async def test_over_tls_the_cookie_stays_there(locked: Desk) -> None:
    answer = await locked.client.post("https://test/v1/session", json={"token": ADA})
    assert "Secure" in answer.headers["set-cookie"]
    assert "Secure" not in (await sign_in(locked.client, ADA)).headers["set-cookie"]


async def test_a_page_of_another_origin_does_nothing_with_it(locked: Desk) -> None:
    client = locked.client
    await sign_in(client, GRACE)
    alert_id = await locked.alarming()
    path = f"/v1/alerts/{alert_id}/ack"
    for origin in ("http://test:3000", "https://evil.example", "null"):
        headers = {"origin": origin, "if-match": '"1"'}
        assert (await client.post(path, json={}, headers=headers)).status_code == 403
        assert (await client.post("/v1/session", json={"token": GRACE}, headers=headers)).is_error
        assert (await client.delete("/v1/session", headers=headers)).status_code == 403
    headers = {"origin": "http://test", "if-match": '"1"'}
    assert (await client.post(path, json={}, headers=headers)).status_code == 200
    # Whoever has the token itself is no browser that was led astray.
    client.cookies.clear()
    headers = bearer(ADA) | {"origin": "https://evil.example"}
    assert (await client.get("/v1/calls", headers=headers)).status_code == 200


async def test_guessing_is_slow(locked: Desk) -> None:
    answers = [await sign_in(locked.client, f"guess-{n}-of-a-token") for n in range(8)]
    assert {answer.status_code for answer in answers[:5]} == {401}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "guess" not in "".join(answer.text for answer in answers)


# Cookies


def sign_ins(tokens: dict[str, Any] = TOKENS) -> SignIns:
    return SignIns(Tokens.from_settings(tokens))


def test_a_cookie_outlives_a_restart_and_not_its_token() -> None:
    cookie = sign_ins().begin(Person("ada", Role.VIEWER), 1000.0)
    assert sign_ins().whose(cookie, 1000.0) == Person("ada", Role.VIEWER)
    assert sign_ins().whose(cookie, 999.0 + LASTS_S) is not None
    assert sign_ins().whose(cookie, 1000.0 + LASTS_S) is None
    assert sign_ins({"ada": {"token": "a-newer-token-of-hers"}}).whose(cookie, 1000.0) is None
    assert sign_ins({"grace": TOKENS["grace"]}).whose(cookie, 1000.0) is None
    promoted = {"ada": {"token": ADA, "role": "operator"}}
    assert sign_ins(promoted).whose(cookie, 1000.0) == Person("ada", Role.OPERATOR)


def test_a_cookie_that_was_touched_is_worth_nothing() -> None:
    ours = sign_ins()
    cookie = ours.begin(Person("ada", Role.VIEWER), 1000.0)
    grace = ours.begin(Person("grace", Role.OPERATOR), 1000.0)
    name, ends, nonce, signature = cookie.split(".")
    for wrong in (
        "",
        "....",
        ".1.2.3",
        "é.9.x.y",
        f"{grace.split('.')[0]}.{ends}.{nonce}.{signature}",
        f"{name}.{int(ends) + 1}.{nonce}.{signature}",
        f"{name}.{ends}.{nonce}x.{signature}",
        f"{name}.{ends}.{nonce}.{signature}x",
        f"{name}.٩.{nonce}.{signature}",
    ):
        assert ours.whose(wrong, 1000.0) is None
        ours.end(wrong, 1000.0)
    assert ours.whose(cookie, 1000.0) is not None


def test_what_was_ended_is_remembered_in_bounds() -> None:
    ours = sign_ins()
    first = ours.begin(Person("ada", Role.VIEWER), 1000.0)
    ours.end(first, 1000.0)
    for _ in range(100):
        ours.end(ours.begin(Person("ada", Role.VIEWER), 1000.0), 1000.0)
    assert ours.whose(first, 1000.0) is None
    assert MOST_ENDED == 10_000


# WebSockets, in both layouts


async def test_sockets_are_refused_before_the_upgrade(
    ingest_workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"access_tokens": TOKENS, "ingest_workers": ingest_workers}
    async with live_server(**given) as url, http(url) as client:
        origin = {"origin": url}
        elsewhere = {"origin": "http://127.0.0.1:1"}
        answer = await sign_in(client, ADA)
        cookie = {"cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
        for path in ("/v1/calls", "/v1/alerts", "/v1/calls/call_1/events"):
            assert await refusal(url, path, {}) == 401
            assert await refusal(url, path, bearer("wrong")) == 401
            assert await refusal(url, path, cookie | elsewhere) == 403
        for headers in (bearer(ADA), cookie | origin, cookie):
            async with ws(url, "/v1/calls", additional_headers=headers) as feed:
                assert "calls" in str(await feed.recv())
        async with ws(url, "/v1/ingest/pcm?external_id=mine") as call:  # with a proof of its own
            await call.send(bytes(640))
            monkeypatch.setenv("STREAMTRACE_TOKEN", ADA)
            assert await find_call(url, "mine")
        client.cookies.clear()
        assert (await client.get("/v1/calls")).status_code == 401


async def refusal(url: str, path: str, headers: dict[str, str]) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with ws(url, path, additional_headers=headers):
            pass
    return refused.value.response.status_code


def test_config_shows_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamtrace.configuration import shown
    from streamtrace.settings import Settings

    monkeypatch.chdir(tmp_path)
    assert ADA not in str(shown(Settings(access_tokens=TOKENS)))


async def test_our_own_readers_bring_the_token_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, Any] = {"access_tokens": TOKENS}
    path = "/v1/ingest/pcm?external_id=mine"
    async with live_server(**given) as url, ws(url, path) as call:
        await call.send(bytes(640))
        async with Client(url) as client:
            with pytest.raises(RequestRefused):
                await client.calls()
        monkeypatch.setenv("STREAMTRACE_TOKEN", ADA)
        known = await find_call(url, "mine")
        async with Client(url) as client:
            assert [one.id for one in (await client.calls()).calls] == [known]
        await call.close()
        events = [event async for event in follow_events(url, known)]
        assert events[-1]["type"] == "call.ended.v1"
