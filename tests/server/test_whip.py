"""WHIP at a running server: calls with each codec, trickle, hanging up, and every bad input."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest

from streamtrace.clients.damage import LineDamage
from streamtrace.clients.follow import EventJson, follow_call
from streamtrace.clients.place import place_call
from streamtrace.encoder.cpu import OrtStepRunner, StepFrames
from streamtrace.values import Float32s
from tests.callers import caller
from tests.live_server import live_server
from tests.sdp import AUDIO, CANDIDATE, HEAD, OFFER

pytestmark = pytest.mark.asyncio(loop_scope="module")

SDP = {"content-type": "application/sdp"}
FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}


def babble(seconds: float) -> Float32s:
    """Noise in syllables: loud enough to pass the energy gate."""
    noise = np.random.default_rng(5).normal(0, 0.1, round(seconds * 16_000))
    syllables = np.sin(2 * np.pi * 4 * np.arange(len(noise)) / 16_000) > -0.5
    return (noise * syllables).astype(np.float32)


@asynccontextmanager
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def all_events(url: str, external_id: str) -> list[EventJson]:
    async with asyncio.timeout(20):
        return [event async for event in follow_call(url, external_id)]


async def ended_with(url: str, external_id: str) -> str:
    """The reason that the call ended with, behind its one final score."""
    events = await all_events(url, external_id)
    finals = [e for e in events if e["type"] == "call.score.v1" and e["data"]["is_final"]]
    assert len(finals) == 1
    assert events[-1]["type"] == "call.ended.v1"
    return events[-1]["data"]["reason"]


@pytest.mark.parametrize(
    ("codec", "named"), [("opus", "opus"), ("pcmu", "PCMU"), ("pcma", "PCMA"), ("g722", "G722")]
)
async def test_a_call_with_each_codec(codec: str, named: str, shared_url: str):
    async with asyncio.TaskGroup() as group:
        following = group.create_task(all_events(shared_url, codec))
        placed = await place_call(
            shared_url, babble(3), protocol="whip", codec=codec, external_id=codec, pace=2
        )
        events = await following
    assert [event["type"] for event in events[:2]] == ["call.started.v1", "call.media.v1"]
    assert events[0]["data"]["line"] == "demo"
    assert events[0]["subject"] == placed.call_id
    assert events[1]["data"]["codec"] == named
    scores = [event["data"] for event in events if event["type"] == "call.score.v1"]
    assert len(scores) >= 6  # a decision every 480 ms, and the final one
    assert [score["is_final"] for score in scores] == [False] * (len(scores) - 1) + [True]
    assert events[-1]["data"]["reason"] == "hung_up"


async def test_a_lossy_call_says_what_is_missing(shared_url: str):
    async with asyncio.TaskGroup() as group:
        following = group.create_task(all_events(shared_url, "CA2"))
        await place_call(
            shared_url,
            babble(5),
            protocol="whip",
            codec="pcmu",
            external_id="CA2",
            pace=2,
            damage=LineDamage(loss_percent=5, seed=2),
        )
        events = await following
    assert "call.gap.v1" in [event["type"] for event in events]
    final = [event["data"] for event in events if event["type"] == "call.score.v1"][-1]
    assert final["quality"]["loss_ratio"] > 0


async def test_audio_that_waits_longer_than_the_setting_is_dropped(monkeypatch: pytest.MonkeyPatch):
    run = OrtStepRunner.run

    def slowly(self: OrtStepRunner, *args: Any) -> StepFrames:
        time.sleep(0.5)  # twice as long as a step lasts, in a thread of the encoder
        return run(self, *args)

    monkeypatch.setattr(OrtStepRunner, "run", slowly)
    async with live_server(ring_ms=100) as url, asyncio.TaskGroup() as group:
        following = group.create_task(all_events(url, "CA8"))
        await place_call(url, babble(2), protocol="whip", codec="pcmu", external_id="CA8")
        events = await following
    assert "dropped" in [e["data"]["cause"] for e in events if e["type"] == "call.gap.v1"]


async def test_a_caller_that_vanishes_gets_its_final_events():
    async with (
        live_server(media_idle_timeout_s=0.5) as url,
        http() as client,
        caller(babble(30), "opus") as calling,
    ):
        answer = await client.post(
            f"{url}/whip/demo?external_id=CA3", content=await calling.offer(), headers=SDP
        )
        await calling.accept(answer.text)
        await asyncio.sleep(0.5)
        calling.silence()
        assert await ended_with(url, "CA3") == "idle_timeout"
        session = urljoin(url, answer.headers["location"])
        assert (await client.delete(session)).status_code == 404


async def test_a_caller_that_closes_without_goodbye(shared_url: str):
    async with http() as client, caller(babble(30), "pcmu") as calling:
        answer = await client.post(
            f"{shared_url}/whip/demo?external_id=CA4", content=await calling.offer(), headers=SDP
        )
        await calling.accept(answer.text)
        await asyncio.sleep(0.5)
        await calling.peer.close()
        assert await ended_with(shared_url, "CA4") == "source_lost"


async def test_the_answer_and_its_session(shared_url: str):
    async with http() as client, caller(babble(9), "opus") as calling:
        answer = await client.post(
            f"{shared_url}/whip/front desk", content=await calling.offer(), headers=SDP
        )
        assert answer.status_code == 201
        assert answer.headers["content-type"].startswith("application/sdp")
        assert answer.headers["etag"].startswith('"')
        assert answer.headers["streamtrace-call-id"].startswith("call_")
        assert "etag" in answer.headers["access-control-expose-headers"].lower()
        location = answer.headers["location"]
        assert location.startswith("/whip/front%20desk/")
        assert len(location.rsplit("/")[-1]) >= 32
        assert "a=setup:passive" in answer.text
        assert "a=recvonly" in answer.text
        assert "a=candidate" in answer.text

        session = urljoin(shared_url, location)
        assert (await client.get(session)).status_code == 204
        assert (await client.delete(session, headers={"if-match": '"any"'})).status_code == 200
        assert (await client.delete(session)).status_code == 404


async def test_trickle(shared_url: str):
    async with http() as client, caller(babble(9), "opus") as calling:
        offer = await calling.offer()
        late = [line for line in offer.splitlines() if line.startswith("a=candidate")]
        early = "".join(f"{x}\r\n" for x in offer.splitlines() if x not in late)
        answer = await client.post(f"{shared_url}/whip/demo", content=early, headers=SDP)
        session, etag = urljoin(shared_url, answer.headers["location"]), answer.headers["etag"]

        async def patch(body: str, **headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.patch(session, content=body, headers=FRAGMENT | named)

        body = "\r\n".join(late)
        good = await patch(body, if_match=etag)
        assert (good.status_code, good.content, "etag" in good.headers) == (204, b"", False)
        assert (await patch("a=end-of-candidates", if_match=etag)).status_code == 204
        assert (await patch(body)).status_code == 428
        assert (await patch(body, if_match='"other"')).status_code == 412
        assert (await patch("nonsense", if_match=etag)).status_code == 400
        assert (await patch("a=candidate:x", if_match=etag)).status_code == 400
        typed = await patch(body, if_match=etag, content_type="text/plain")
        assert typed.status_code == 415
        restart = await patch("a=ice-ufrag:new1\r\na=ice-pwd:0123456789012345678901", if_match="*")
        assert restart.status_code == 422
        unknown = await client.patch(f"{shared_url}/whip/demo/none", content=body, headers=FRAGMENT)
        assert unknown.status_code == 404

        await calling.accept(answer.text)  # the refused restart has not harmed the session
        await calling.connected(within_s=5)
        assert (await client.delete(session)).status_code == 200


async def test_what_may_be_asked(shared_url: str):
    async with http() as client:
        options = await client.options(f"{shared_url}/whip/demo")
        assert options.status_code == 200
        assert options.headers["accept-post"] == "application/sdp"
        assert options.headers["access-control-allow-origin"] == "*"
        assert "if-match" in options.headers["access-control-allow-headers"].lower()
        assert (await client.get(f"{shared_url}/whip/demo")).status_code == 204
        assert (await client.get(f"{shared_url}/whip/demo/none")).status_code == 404


BAD_OFFERS = {
    "empty": ("", SDP, 400),
    "no sdp": ("hello", SDP, 400),
    "not text": (b"v=0\r\n\xff\xfe", SDP, 400),
    "cut short": (HEAD + AUDIO[:60], SDP, 400),
    "no media": (HEAD, SDP, 400),
    "no fingerprint": (OFFER.replace("a=fingerprint", "a=none"), SDP, 400),
    "bad credentials": (OFFER.replace("a=ice-pwd:0123456789012345678901", "a=ice-pwd:x"), SDP, 400),
    "wrong type": (OFFER, {"content-type": "application/json"}, 415),
    "no type": (OFFER, {}, 415),
    "video": (HEAD + AUDIO.replace("m=audio", "m=video"), SDP, 422),
    "audio and video": (OFFER + AUDIO.replace("m=audio", "m=video"), SDP, 422),
    "two audio": (OFFER + AUDIO.replace("a=mid:0", "a=mid:1"), SDP, 422),
    "only data": (HEAD + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", SDP, 422),
    "nothing sent": (OFFER.replace("a=sendonly", "a=recvonly"), SDP, 422),
    "no known codec": (
        OFFER.replace("opus/48000/2", "iLBC/8000").replace("SAVPF 111 0 8", "SAVPF 111"),
        SDP,
        422,
    ),
    "codec at a wrong rate": (
        OFFER.replace("opus/48000/2", "opus/16000/2").replace("SAVPF 111 0 8", "SAVPF 111"),
        SDP,
        422,
    ),
    "oversized": (OFFER + CANDIDATE * 1000, SDP, 413),
}


async def test_bad_offers_are_refused_and_harm_nobody(shared_url: str):
    async with http() as client:
        before = (await client.get(f"{shared_url}/v1/calls")).json()["calls"]
        for name, (body, headers, status) in BAD_OFFERS.items():
            refused = await client.post(f"{shared_url}/whip/demo", content=body, headers=headers)
            assert refused.status_code == status, (name, refused.text)
            assert refused.headers["content-type"] == "application/problem+json", name
            assert refused.json()["status"] == status
            assert refused.headers["access-control-allow-origin"] == "*"
        long = await client.post(
            f"{shared_url}/whip/demo", params={"external_id": "x" * 300}, content=OFFER, headers=SDP
        )
        assert long.status_code == 422
        placed = await place_call(shared_url, babble(0.5), protocol="whip", pace=4)
        calls = (await client.get(f"{shared_url}/v1/calls")).json()["calls"]
        assert [call["id"] for call in calls] == [placed.call_id, *(call["id"] for call in before)]


async def test_a_full_server_says_when_to_come_back(ingest_workers: int):
    async with (
        live_server(max_calls=1, ingest_workers=ingest_workers) as url,
        http() as client,
        caller(babble(9), "opus") as first,
        caller(babble(1), "opus") as second,
    ):
        taken = await client.post(f"{url}/whip/demo", content=await first.offer(), headers=SDP)
        assert taken.status_code == 201
        full = await client.post(f"{url}/whip/demo", content=await second.offer(), headers=SDP)
        assert full.status_code == 503
        assert int(full.headers["retry-after"]) > 0
        assert full.headers["content-type"] == "application/problem+json"
        await client.delete(urljoin(url, taken.headers["location"]))
