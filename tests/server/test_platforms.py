"""Every platform's way in, locked: who proves itself is decided on, and nobody else comes in."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator
from websockets.exceptions import InvalidStatus

from streamtrace.clients.damage import LineDamage
from streamtrace.clients.place import place_call
from tests.builders import tone
from tests.live_server import live_server
from tests.protocols.dialect import Dialect
from tests.protocols.dialects import DIALECTS, EXOTEL, PLIVO
from tests.sdp import OFFER
from tests.server.peers import all_events, closed_with, finals, http, kinds, ws

TOKEN, SECRET, PUBLIC = "open-sesame", "twilio-secret", "https://calls.example.com"
LOCKS = {
    "ingest_token": SecretStr(TOKEN),
    "twilio_auth_token": SecretStr(SECRET),
    "public_url": PUBLIC,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def locked_url() -> AsyncIterator[str]:
    """A server that wants proof. A task of its own holds it: fixtures begin and end in two."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def hold() -> None:
        async with live_server(**LOCKS) as at:
            url.set_result(at)
            await over.wait()

    holding = asyncio.create_task(hold())
    await asyncio.wait([holding, url], return_when=asyncio.FIRST_COMPLETED)
    yield url.result() if url.done() else str(holding.result())
    over.set()
    await holding


def signature(path: str = "/v1/ingest/twilio", secret: str = SECRET) -> str:
    address = f"wss://calls.example.com{path}"
    return RequestValidator(secret).compute_signature(address, {})


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("protocol", "codec", "heard", "is_dual"),
    [
        ("twilio", "pcmu", ("PCMU", 8_000), True),
        ("signalwire", "l16-24k", ("L16", 24_000), True),
        ("telnyx", "g722", ("G722", 16_000), False),
        ("telnyx", "pcma", ("PCMA", 8_000), True),
        ("plivo", "l16-8k", ("L16", 8_000), True),
        ("exotel", "l16-8k", ("L16", 8_000), False),
    ],
)
async def test_each_platform_s_calls_are_decided_on(
    protocol: str,
    codec: str,
    heard: tuple[str, int],
    is_dual: bool,
    locked_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STREAMTRACE_INGEST_TOKEN", TOKEN)
    monkeypatch.setenv("STREAMTRACE_TWILIO_AUTH_TOKEN", SECRET)
    monkeypatch.setenv("STREAMTRACE_PUBLIC_URL", PUBLIC)
    external_id = f"{protocol}-{codec}"
    await place_call(
        locked_url,
        tone(16_000),
        protocol=protocol,
        codec=codec,
        external_id=external_id,
        callee=tone(16_000) if is_dual else None,
        pace=0,
        damage=LineDamage(reorder_percent=5),
    )
    events = await all_events(locked_url, external_id)
    legs = ["caller", "callee"] if is_dual else ["caller"]
    media = [one["data"] for one in events if one["type"] == "call.media.v1"]
    assert [(one["leg"], (one["codec"], one["rate_hz"])) for one in media] == [
        (leg, heard) for leg in legs
    ]
    assert [one["data"]["leg"] for one in finals(events)] == legs
    assert all(one["data"]["duration_ms"] == 1_000 for one in finals(events))
    assert events[0]["data"]["protocol"] == protocol
    assert (kinds(events)[-1], events[-1]["data"]["reason"]) == ("ended", "hung_up")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
@pytest.mark.parametrize("header", ["authorization", "x-telnyx-streaming-auth-token", None])
async def test_a_wrong_token_or_none_is_refused(
    dialect: Dialect, header: str | None, locked_url: str
) -> None:
    path = f"/v1/ingest/{dialect.name}"
    headers = {header: "Bearer not-the-token"} if header else {}
    if dialect is PLIVO and header != "authorization":  # it proves itself in its start
        async with ws(locked_url, path, additional_headers=headers) as socket:
            with capture_logs() as said:
                await socket.send(json.dumps(PLIVO.start | {"extra_headers": "token=not-it"}))
                why = "want the ingest token as `token` in extraHeaders"
                assert await closed_with(socket) == (1008, why)
            assert [one["status"] for one in said if one["event"] == "stream refused"] == [403]
            assert "not-it" not in json.dumps(said)
        return
    with capture_logs() as said, pytest.raises(InvalidStatus) as refused:
        async with ws(locked_url, path, additional_headers=headers):
            pass
    answer = refused.value.response
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    [line] = [one for one in said if one["event"] == "stream refused"]
    assert (line["protocol"], line["status"]) == (dialect.name, 401)
    assert not {"not-the-token", TOKEN, SECRET} & set(json.dumps(said).split())


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("", {"x-twilio-signature": signature()}, None),
        ("?a=b%20c", {"x-twilio-signature": signature("/v1/ingest/twilio?a=b%20c")}, None),
        ("?a=b", {"x-twilio-signature": signature()}, 403),
        ("", {"x-twilio-signature": signature("/v1/ingest/twilio/")}, 403),
        ("", {"x-twilio-signature": signature(secret="another")}, 403),
        ("", {"x-twilio-signature": ""}, 403),
        ("", {"authorization": f"Bearer {TOKEN}"}, 401),
        (
            "",
            {"x-twilio-signature": signature(), "x-forwarded-host": "evil.example", "host": "evil"},
            None,
        ),
    ],
)
async def test_twilio_must_have_signed_the_public_address(
    path: str, headers: dict[str, str], status: int | None, locked_url: str
) -> None:
    opening = ws(locked_url, f"/v1/ingest/twilio{path}", additional_headers=headers)
    if status is None:
        async with opening:
            return
    with pytest.raises(InvalidStatus) as refused:
        async with opening:
            pass
    assert refused.value.response.status_code == status


@pytest.mark.asyncio(loop_scope="module")
async def test_basic_credentials_do_as_well(locked_url: str) -> None:
    basic = b64encode(f"exotel:{TOKEN}".encode()).decode()
    for name in ("exotel", "plivo", "telnyx", "signalwire"):
        async with ws(
            locked_url, f"/v1/ingest/{name}", additional_headers={"authorization": f"Basic {basic}"}
        ):
            pass


async def test_only_announced_calls_come_in_where_that_is_wanted() -> None:
    async with live_server(require_announced=True) as url, http(url) as client:
        opening = EXOTEL.opening()
        async with ws(url, "/v1/ingest/exotel") as stranger:
            await stranger.send(opening[-1])
            code, reason = await closed_with(stranger)
            assert (code, "POST /v1/calls" in (reason or "")) == (1008, True)
        offered = {"content-type": "application/sdp"}
        refused = await client.post("/whip/demo", content=OFFER, headers=offered)
        assert (refused.status_code, "retry-after" in refused.headers) == (403, False)
        expected = await client.post("/v1/calls", json={"external_id": EXOTEL.external_id})
        assert expected.status_code == 201
        async with ws(url, "/v1/ingest/exotel") as welcome:
            for message in (*opening, EXOTEL.frame(1), *EXOTEL.goodbye()):
                await welcome.send(message)
            assert (await closed_with(welcome))[0] == 1000
