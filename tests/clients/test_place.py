"""Placing calls: what is sent over the sockets, and what is refused beforehand."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from twilio.request_validator import RequestValidator
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from streamtrace.audio.codecs import CODECS
from streamtrace.audio.g711 import decode_mulaw
from streamtrace.clients.damage import LineDamage
from streamtrace.clients.endpoints import http_client
from streamtrace.clients.follow import follow_call
from streamtrace.clients.place import CLIENTS, CannotPlace, place_call
from streamtrace.errors import CallFailed
from streamtrace.protocols.asterisk import AsteriskStream
from streamtrace.protocols.ingest import Ended, LegFormat, Media, Started
from streamtrace.protocols.pcm import PcmStream
from streamtrace.protocols.preamble import SUBPROTOCOLS
from streamtrace.protocols.twilio import TwilioStream
from streamtrace.values import G722, L16, PCMA, PCMU, EndReason, Float32s, Leg
from tests.clients.fake_server import fake_server
from tests.live_server import live_server
from tests.protocols.dialect import Dialect
from tests.protocols.dialects import (
    DIALECTS,
    EXOTEL,
    PLIVO,
    SIGNALWIRE,
    TELNYX,
    TWILIO,
)

CALLS = {"/v1/calls": {"calls": [{"id": "call_1"}]}}


class Recorder:
    """Keeps every message of one connection."""

    def __init__(self) -> None:
        self.path = ""
        self.subprotocol: str | None = None
        self.headers: dict[str, str] = {}
        self.messages: list[str | bytes] = []

    async def __call__(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        self.path = websocket.request.path
        self.subprotocol = websocket.subprotocol
        self.headers = {name.lower(): value for name, value in websocket.request.headers.items()}
        try:
            async for message in websocket:
                self.messages.append(message)
        except ConnectionClosed:
            return

    @property
    def spoken(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.messages if isinstance(message, str)]


def tone(seconds: float, hz: float = 440.0) -> Float32s:
    time = np.arange(round(seconds * 16_000)) / 16_000
    return (0.5 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


async def test_a_twilio_call():
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        placed = await place_call(
            url, tone(1.0), protocol="twilio", external_id="CA7", callee=tone(0.5, 880), pace=0
        )
    assert (placed.call_id, placed.external_id, placed.codec) == ("call_1", "CA7", "pcmu")
    assert server.path == "/v1/ingest/twilio"

    connected, start, *media, stop = server.spoken
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start["start"]["callSid"] == "CA7"
    assert start["start"]["tracks"] == ["inbound", "outbound"]
    assert stop["event"] == "stop"
    numbers = [int(message["sequenceNumber"]) for message in (start, *media, stop)]
    assert numbers == list(range(1, len(media) + 3))

    inbound = [m["media"] for m in media if m["media"]["track"] == "inbound"]
    outbound = [m["media"] for m in media if m["media"]["track"] == "outbound"]
    assert [int(m["chunk"]) for m in inbound] == list(range(1, 51))
    assert [int(m["timestamp"]) for m in inbound] == list(range(0, 1000, 20))
    assert len(outbound) == 25
    heard = np.concatenate([decode_mulaw(base64.b64decode(m["payload"])) for m in inbound])
    assert len(heard) == 8_000
    spectrum = np.abs(np.fft.rfft(heard))
    assert int(spectrum.argmax()) == 440


async def test_our_own_codecs_read_what_is_sent():
    twilio, pcm = Recorder(), Recorder()
    async with fake_server(twilio, CALLS) as url:
        await place_call(url, tone(0.2), protocol="twilio", external_id="CA8", pace=0)
    async with fake_server(pcm, CALLS) as url:
        await place_call(url, tone(0.2), protocol="pcm", external_id="CA8", pace=0)
    for server, stream in ((twilio, TwilioStream()), (pcm, PcmStream())):
        started, *media, ended = [e for message in server.messages for e in stream.feed(message)]
        assert isinstance(started, Started)
        assert started.external_id == "CA8"
        assert ended == Ended(EndReason.HUNG_UP)
        assert len(media) == 10


def shape(value: Any) -> Any:
    """Its keys and types; of free-form fields, and of lists, only that they are there."""
    free = ("customParameters", "custom_parameters")
    if isinstance(value, dict):
        return {k: "free" if k in free else shape(v) for k, v in value.items() if k != "tags"}
    return type(value).__name__


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
async def test_each_platform_s_stream_is_worded_as_its_reference_has_it(dialect: Dialect):
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        await place_call(url, tone(0.5), protocol=dialect.name, external_id="CA7", pace=0)
    assert server.path == f"/v1/ingest/{dialect.name}"
    *opening, first = server.spoken[: len(dialect.connected) + 2]
    assert [shape(one) for one in opening] == [
        shape(one) for one in (*dialect.connected, dialect.start)
    ]
    assert shape(first) == shape(dialect.media)
    if dialect.stop is not None and dialect is not SIGNALWIRE:  # its stop says less than Twilio's
        assert shape(server.spoken[-1]) == shape(dialect.stop)
    stream = dialect.stream()
    started, *media = [event for one in server.messages for event in stream.feed(one)]
    assert isinstance(started, Started)
    assert started.external_id == "CA7"
    if dialect.stop is not None:
        assert media.pop() == Ended(EndReason.HUNG_UP)
    places = [one.start_sample for one in media if isinstance(one, Media)]
    frame = started.legs[Leg.CALLER].rate_hz * dialect.frame_ms // 1000
    assert places == [number * frame for number in range(500 // dialect.frame_ms)]


@pytest.mark.parametrize(
    ("dialect", "codec", "form"),
    [
        (SIGNALWIRE, "l16-24k", LegFormat(L16, 24_000)),
        (TELNYX, "pcma", LegFormat(PCMA, 8_000)),
        (TELNYX, "g722", LegFormat(G722, 16_000)),
        (TELNYX, "l16", LegFormat(L16, 16_000)),
        (PLIVO, "pcmu", LegFormat(PCMU, 8_000)),
        (EXOTEL, "l16", LegFormat(L16, 16_000)),
    ],
)
async def test_what_is_said_is_heard_in_every_codec(dialect: Dialect, codec: str, form: LegFormat):
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        await place_call(url, tone(1.0), protocol=dialect.name, codec=codec, pace=0)
    stream = dialect.stream()
    started, *events = [event for one in server.messages for event in stream.feed(one)]
    assert isinstance(started, Started)
    assert started.legs[Leg.CALLER] == form
    payloads = [one.payload for one in events if isinstance(one, Media)]
    heard = CODECS[form.codec].decoder()(payloads)
    assert len(heard) == form.rate_hz
    assert int(np.abs(np.fft.rfft(heard)).argmax()) == 440


@pytest.mark.parametrize("dialect", [TWILIO, SIGNALWIRE, TELNYX, PLIVO], ids=lambda one: one.name)
async def test_two_parties_are_two_tracks(dialect: Dialect):
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        await place_call(url, tone(0.2), protocol=dialect.name, callee=tone(0.1, 880), pace=0)
    stream = dialect.stream()
    events = [event for one in server.messages for event in stream.feed(one)]
    legs = [one.leg for one in events if isinstance(one, Media)]
    assert (legs.count(Leg.CALLER), legs.count(Leg.CALLEE)) == (10, 5)


async def test_a_bad_line_damages_pieces_of_any_length():
    server = Recorder()
    damage = LineDamage(loss_percent=10, reorder_percent=10, seed=2)
    async with fake_server(server, CALLS) as url:
        await place_call(url, tone(10.0), protocol="exotel", pace=0, damage=damage)
    chunks = [int(m["media"]["chunk"]) for m in server.spoken if m["event"] == "media"]
    assert 70 < len(chunks) < 100
    assert chunks != sorted(chunks)


@pytest.mark.parametrize(
    ("dialect", "header", "value"),
    [
        (SIGNALWIRE, "authorization", "Bearer open-sesame"),
        (TELNYX, "x-telnyx-streaming-auth-token", "open-sesame"),
        (EXOTEL, "authorization", "Basic ZXhvdGVsOm9wZW4tc2VzYW1l"),
        (PLIVO, "authorization", None),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
async def test_the_ingest_token_goes_where_the_platform_puts_it(
    dialect: Dialect, header: str, value: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STREAMTRACE_INGEST_TOKEN", "open-sesame")
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        await place_call(url, tone(0.1), protocol=dialect.name, pace=0)
    assert server.headers.get(header) == value
    if dialect is PLIVO:
        assert server.spoken[0]["extra_headers"] == "token=open-sesame"


async def test_requests_bring_it_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STREAMTRACE_INGEST_TOKEN", "open-sesame")
    async with http_client("http://127.0.0.1:9") as client:
        assert client.headers["authorization"] == "Bearer open-sesame"
    monkeypatch.delenv("STREAMTRACE_INGEST_TOKEN")
    async with http_client("http://127.0.0.1:9") as client:
        assert "authorization" not in client.headers


@pytest.mark.parametrize("public_url", ["https://calls.example.com", None])
async def test_twilio_s_upgrade_is_signed(public_url: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STREAMTRACE_TWILIO_AUTH_TOKEN", "twilio-secret")
    if public_url:
        monkeypatch.setenv("STREAMTRACE_PUBLIC_URL", public_url)
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        await place_call(url, tone(0.1), protocol="twilio", pace=0)
    address = (public_url or url).replace("http", "ws", 1) + "/v1/ingest/twilio"
    wanted = RequestValidator("twilio-secret").compute_signature(address, {})
    assert server.headers["x-twilio-signature"] == wanted
    assert "authorization" not in server.headers


async def test_lost_twilio_frames_keep_their_numbers():
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        await place_call(
            url, tone(2.0), protocol="twilio", pace=0, damage=LineDamage(loss_percent=20)
        )
    chunks = [int(m["media"]["chunk"]) for m in server.spoken if m["event"] == "media"]
    assert 60 < len(chunks) < 95
    assert chunks == sorted(chunks)


@pytest.mark.parametrize(("codec", "size"), [("ulaw", 160), ("slin16", 640), ("slin48", 1_920)])
async def test_an_asterisk_call(codec: str, size: int):
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        await place_call(
            url, tone(0.5), protocol="asterisk", codec=codec, external_id="9.1", pace=0
        )
    assert server.path == "/v1/ingest/asterisk?line=demo"
    assert server.subprotocol == "media"
    [start] = server.spoken
    assert (start["event"], start["channel_id"], start["format"]) == ("MEDIA_START", "9.1", codec)
    assert start["optimal_frame_size"] == size
    assert [len(message) for message in server.messages[1:]] == [size] * 25
    stream = AsteriskStream({"PCMU": len, "L16": lambda payload: len(payload) // 2})
    started, *media = [event for message in server.messages for event in stream.feed(message)]
    assert isinstance(started, Started)
    assert started.external_id == "9.1"
    assert len(media) == 25


async def test_an_audiosocket_call_is_announced_and_heard():
    async with live_server(audiosocket_port=0) as url:
        for codec, rate_hz in (("slin", 8_000), ("slin48", 48_000)):
            placed = await place_call(
                url, tone(0.5), protocol="audiosocket", codec=codec, pace=0, line="front"
            )
            events = [event async for event in follow_call(url, placed.external_id)]
            assert events[0]["data"]["line"] == "front"
            assert events[1]["data"]["rate_hz"] == rate_hz
            assert events[-2]["data"]["duration_ms"] == 500
            assert events[-1]["data"]["reason"] == "hung_up"


async def test_an_audiosocket_call_that_is_not_taken():
    with pytest.raises(CannotPlace, match="UUID"):
        await place_call("http://x", tone(0.1), protocol="audiosocket", external_id="CA1")
    async with live_server() as url:
        with pytest.raises(CallFailed, match="audiosocket_port"):
            await place_call(url, tone(0.1), protocol="audiosocket", pace=0)
    async with live_server(audiosocket_port=0, start_timeout_s=1e-9) as url:
        with pytest.raises(CallFailed, match="ended the audiosocket call"):
            await place_call(url, tone(5.0), protocol="audiosocket")


@pytest.mark.parametrize(("codec", "rate_hz"), [("l16", 16_000), ("l16-8k", 8_000)])
async def test_a_pcm_call(codec: str, rate_hz: int):
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        await place_call(url, tone(0.5), protocol="pcm", codec=codec, external_id="CA9", pace=0)
    assert server.path == f"/v1/ingest/pcm?rate={rate_hz}&channels=1"
    assert server.spoken == [{"callSid": "CA9"}, {"event": "stop"}]
    frames = [message for message in server.messages if isinstance(message, bytes)]
    assert {len(frame) for frame in frames} == {rate_hz // 50 * 2}
    assert sum(map(len, frames)) == rate_hz


async def test_a_stereo_pcm_call_interleaves_its_parties():
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        silence = np.zeros(8_000, np.float32)
        await place_call(url, tone(0.5), protocol="pcm", callee=silence, pace=0)
    payload = b"".join(message for message in server.messages if isinstance(message, bytes))
    stereo = np.frombuffer(payload, "<i2").reshape(-1, 2)
    assert server.path.endswith("channels=2")
    assert np.abs(stereo[:, 0]).max() > 10_000
    assert not stereo[:, 1].any()


async def test_a_server_that_closes_fails_the_call():
    async def refuse(websocket: ServerConnection) -> None:
        await websocket.close(1013, "full")

    async with fake_server(refuse) as url:
        with pytest.raises(CallFailed, match="1013"):
            await place_call(url, tone(5), protocol="twilio", pace=10)


@pytest.mark.parametrize(
    ("protocol", "path", "subprotocol", "words"),
    [
        (
            "jambonz",
            "/v1/ingest/pcm",
            "audio.jambonz.org",
            {"callSid": "CA9", "sampleRate": 8_000, "mixType": "mono"},
        ),
        (
            "audiofork",
            "/v1/ingest/pcm?rate=8000&channels=1",
            "audio.drachtio.org",
            {"uuid": "CA9"},
        ),
        (
            "vonage",
            "/v1/ingest/pcm",
            None,
            {"content-type": "audio/l16;rate=16000", "event": "websocket:connected"},
        ),
    ],
)
async def test_the_platforms_of_the_pcm_family(
    protocol: str, path: str, subprotocol: str | None, words: dict[str, object]
):
    server = Recorder()
    async with fake_server(server, CALLS) as url:
        await place_call(url, tone(0.2), protocol=protocol, external_id="CA9", pace=0)
    assert (server.path, server.subprotocol) == (path, subprotocol)
    [preamble] = server.spoken
    assert words.items() <= preamble.items()
    stream = PcmStream(8_000, platform=SUBPROTOCOLS.get(subprotocol or ""))
    started, *media = [event for message in server.messages for event in stream.feed(message)]
    assert isinstance(started, Started)
    assert (started.external_id, started.protocol) == ("CA9", protocol)
    assert started.parameters["line"] == "demo"
    assert len(media) == 10


@pytest.mark.parametrize("protocol", list(CLIENTS))
async def test_a_server_that_is_not_there_fails_the_call(protocol: str):
    with pytest.raises(CallFailed, match=r"http://127\.0\.0\.1:9"):
        await place_call("http://127.0.0.1:9", tone(0.1), protocol=protocol)


@pytest.mark.parametrize(
    ("protocol", "codec", "damage", "named"),
    [
        ("smoke", None, LineDamage(), "whip, twilio, .*pcm"),
        ("whip", "speex", LineDamage(), "opus, pcmu, pcma, g722"),
        ("pcm", None, LineDamage(loss_percent=1), "no positions"),
    ],
)
async def test_what_cannot_be_placed(
    protocol: str, codec: str | None, damage: LineDamage, named: str
):
    with pytest.raises(CannotPlace, match=named):
        await place_call("http://h", tone(0.1), protocol=protocol, codec=codec, damage=damage)
