"""RFC 9725 as a table: which request is answered with what, and every header that belongs to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from tests.callers import Caller, caller
from tests.live_server import live_server
from tests.sdp import CANDIDATE, OFFER
from tests.server.test_whip import FRAGMENT, SDP, babble

TOKEN = "open-sesame"
BEARER = {"authorization": f"Bearer {TOKEN}"}
UFRAG = "a=ice-ufrag:none\r\na=ice-pwd:0123456789012345678901\r\n"


@asynccontextmanager
async def session(
    **settings: Any,
) -> AsyncIterator[tuple[httpx.AsyncClient, str, httpx.Response, Caller]]:
    """A client, the session's URL, what the POST was answered, and the caller."""
    async with (
        live_server(**settings) as url,
        httpx.AsyncClient(trust_env=False, headers=BEARER) as client,
        caller(babble(9), "opus") as calling,
    ):
        answer = await client.post(f"{url}/whip/demo", content=await calling.offer(), headers=SDP)
        assert answer.status_code == 201, answer.text
        yield client, urljoin(url, answer.headers["location"]), answer, calling


def ufrag_of(calling: Caller) -> str:
    lines = calling.peer.localDescription.sdp.splitlines()
    return next(line for line in lines if line.startswith("a=ice-ufrag:"))


# What is sent with which If-Match (`etag` is the session's own), and what is answered.
PATCHES: dict[str, tuple[str, dict[str, str], int]] = {
    "a candidate": (CANDIDATE, {"if-match": "etag"}, 204),
    "its tag among others": (CANDIDATE, {"if-match": '"other", etag'}, 204),
    "the end mark": ("a=end-of-candidates\r\n", {"if-match": "etag"}, 204),
    "a name instead of an address": (
        CANDIDATE.replace("127.0.0.1", "internal.example"),
        {"if-match": "etag"},
        204,
    ),
    "a port that is none": (CANDIDATE.replace("40000", "70000"), {"if-match": "etag"}, 204),
    "no If-Match": (CANDIDATE, {}, 428),
    "another tag": (CANDIDATE, {"if-match": '"other"'}, 412),
    "a weak tag": (CANDIDATE, {"if-match": "W/etag"}, 412),
    "a restart": (UFRAG, {"if-match": "*"}, 422),
    "a restart with its tag": (UFRAG, {"if-match": "etag"}, 422),
    "nonsense": ("nonsense", {"if-match": "etag"}, 400),
    "nothing": ("", {"if-match": "etag"}, 400),
    "another type": (CANDIDATE, {"if-match": "etag", "content-type": "application/sdp"}, 415),
    "too much": (CANDIDATE * 1_000, {"if-match": "etag"}, 413),
}


async def test_patches_and_the_session_outlives_them_all() -> None:
    async with session(ingest_token=TOKEN) as (client, url, answer, calling):
        etag = answer.headers["etag"]
        for name, (body, headers, status) in PATCHES.items():
            sent = {key: value.replace("etag", etag) for key, value in headers.items()}
            got = await client.patch(url, content=body, headers=FRAGMENT | sent)
            assert got.status_code == status, (name, got.text)
            assert "etag" not in got.headers, name
            assert got.headers["access-control-allow-origin"] == "*", name
            if status == 204:
                assert got.content == b"", name
            else:
                assert got.headers["content-type"] == "application/problem+json", name
            if status == 415:
                assert got.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
        same = ufrag_of(calling) + "\r\n" + CANDIDATE
        got = await client.patch(url, content=same, headers=FRAGMENT | {"if-match": etag})
        assert got.status_code == 204
        await calling.accept(answer.text)
        await calling.connected(within_s=5)
        gone = await client.delete(url, headers={"if-match": '"whatever"'})
        assert (gone.status_code, gone.content) == (200, b"")
        assert (await client.delete(url)).status_code == 404
        got = await client.patch(url, content=CANDIDATE, headers=FRAGMENT | {"if-match": etag})
        assert got.status_code == 404


async def test_who_has_no_token_can_do_nothing_but_ask_what_there_is() -> None:
    async with session(ingest_token=TOKEN) as (client, url, answer, _calling):
        endpoint = url.rpartition("/")[0]
        headers = {"authorization": "Bearer wrong"} | FRAGMENT
        refused = [
            await client.post(endpoint, content=OFFER, headers=headers | SDP),
            await client.get(endpoint, headers=headers),
            await client.head(endpoint, headers=headers),
            await client.get(url, headers=headers),
            await client.patch(
                url, content=CANDIDATE, headers=headers | {"if-match": answer.headers["etag"]}
            ),
            await client.delete(url, headers=headers),
        ]
        assert [one.status_code for one in refused] == [401] * len(refused)
        for one in refused:
            assert one.headers["www-authenticate"].startswith("Bearer")
            assert one.headers["access-control-allow-origin"] == "*"
        for where, extra in ((endpoint, {}), (url, {"accept-patch": FRAGMENT["content-type"]})):
            preflight = await client.options(where, headers={"authorization": ""})
            assert preflight.status_code == 200
            assert preflight.headers["accept-post"] == "application/sdp"
            exposed = preflight.headers["access-control-expose-headers"]
            assert {"Location", "ETag", "Link"} <= {name.strip() for name in exposed.split(",")}
            assert extra.items() <= dict(preflight.headers).items()
        for where in (endpoint, url):
            for method in ("GET", "HEAD"):
                seen = await client.request(method, where)
                assert (seen.status_code, seen.content) == (204, b"")
            assert (await client.put(where, content=b"x")).status_code == 405


async def test_ice_servers_are_told_to_whoever_may_call() -> None:
    servers = ("stun:stun.example:3478", "turn:turn.example?transport=udp")
    # They are named and never asked: nothing here leaves loopback.
    async with session(
        ingest_workers=1,  # the credential reaches the process that answers
        ice_servers=servers,
        ice_username="u",
        ice_credential='p"\\',
        webrtc_hosts=("127.0.0.1",),
    ) as (client, url, answer, _calling):
        assert answer.headers["link"] == (
            '<stun:stun.example:3478>; rel="ice-server", '
            '<turn:turn.example?transport=udp>; rel="ice-server"; username="u"; '
            'credential="p\\"\\\\"; credential-type="password"'
        )
        assert "link" not in (await client.options(url)).headers


async def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    async with (
        live_server(whip_requests_per_s=1) as url,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        gone = f"{url}/whip/demo/none"
        answers = [await client.delete(gone) for _ in range(4)]
        answers.append(await client.patch(gone, content=CANDIDATE, headers=FRAGMENT))
        assert {one.status_code for one in answers} == {404}
        limited = await client.post(f"{url}/whip/demo", content=OFFER, headers=SDP)
        assert limited.status_code == 429
        assert int(limited.headers["retry-after"]) == 1
        assert (await client.get(f"{url}/whip/demo")).status_code == 204


@pytest.mark.parametrize("workers", [0, 1])
async def test_a_full_server_sends_callers_on(workers: int) -> None:
    async with session(max_calls=1, overflow_url="https://b.example/", ingest_workers=workers) as (
        client,
        url,
        _answer,
        _calling,
    ):
        endpoint = url.rpartition("/")[0]
        sent = await client.post(f"{endpoint}?external_id=x", content=OFFER, headers=SDP)
        assert sent.status_code == 307
        assert sent.headers["location"] == "https://b.example/whip/demo?external_id=x"
        assert sent.headers["access-control-allow-origin"] == "*"
        assert (await client.delete(url)).status_code == 200
