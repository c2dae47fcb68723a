"""A real browser calls: headless Chromium speaks into `/whip/demo` and decisions come back."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from streamtrace.clients.follow import EventJson, follow_call
from tests.live_server import live_server

CHROMIUM = shutil.which("chromium")
SENTENCE = "Good morning. This is your bank. Please read me the code that we have just sent you."

PAGE = b"""HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n
<!doctype html><title>A caller</title><script>
async function call(url) {
  const plain = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
  const voice = await navigator.mediaDevices.getUserMedia({audio: plain});
  window.peer = new RTCPeerConnection();
  voice.getTracks().forEach(track => peer.addTrack(track, voice));
  await peer.setLocalDescription(await peer.createOffer());
  const answer = await fetch(url, {
    method: "POST", headers: {"Content-Type": "application/sdp"}, body: peer.localDescription.sdp});
  if (answer.status !== 201) throw new Error(answer.status + " " + await answer.text());
  await peer.setRemoteDescription({type: "answer", sdp: await answer.text()});
  window.session = new URL(answer.headers.get("Location"), url);
  return [answer.headers.get("Streamtrace-Call-Id"), answer.headers.get("ETag")];
}
async function hangUp() {
  const answer = await fetch(session, {method: "DELETE"});
  peer.close();
  return answer.status;
}
</script>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no browser: apt-get install chromium"),
]


@asynccontextmanager
async def web_page() -> AsyncIterator[str]:
    """The page's address, on another origin than the server's."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(PAGE)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@asynccontextmanager
async def browser_page(voice: Path) -> AsyncIterator[Page]:
    """A page of a fresh browser whose microphone plays `voice` over and over."""
    async with async_playwright() as playwright, web_page() as url:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={voice}",
                "--allow-loopback-in-peer-connection",
                "--no-sandbox",  # tests may run as root
            ],
        )
        try:
            page = await browser.new_page()
            await page.goto(url)
            yield page
        finally:
            await browser.close()


def speech(folder: Path) -> Path:
    """A sentence as a WAV file."""
    voice = folder / "voice.wav"
    subprocess.run(["espeak-ng", "-w", voice, SENTENCE], check=True, timeout=30)
    return voice


async def until_scored(events: AsyncIterator[EventJson], most: int) -> list[EventJson]:
    """Events up to the `most`th score."""
    seen: list[EventJson] = []
    async for event in events:
        seen.append(event)
        if sum(event["type"] == "call.score.v1" for event in seen) == most:
            break
    return seen


async def test_a_browser_places_a_call_and_gets_decisions(tmp_path: Path):
    voice = await asyncio.to_thread(speech, tmp_path)
    async with live_server() as url, browser_page(voice) as page, asyncio.timeout(60):
        call_id, etag = await page.evaluate(
            "url => call(url)", f"{url}/whip/demo?external_id=browser-1"
        )
        assert call_id.startswith("call_")
        assert etag.startswith('"')
        events = follow_call(url, "browser-1")
        seen = await until_scored(events, 3)
        assert await page.evaluate("hangUp()") == 200
        seen += [event async for event in events]

    kinds = [event["type"] for event in seen]
    assert kinds[:2] == ["call.started.v1", "call.media.v1"]
    assert kinds[-1] == "call.ended.v1"
    assert seen[-1]["data"]["reason"] == "hung_up"
    assert seen[0]["data"]["external_id"] == "browser-1"
    scores = [event["data"] for event in seen if event["type"] == "call.score.v1"]
    assert [score["is_final"] for score in scores] == [False] * (len(scores) - 1) + [True]
    assert scores[-1]["quality"]["codec"] == "opus"
    assert scores[-1]["segment"]["speech_ms"] >= 0
    assert all(score["latency_ms"]["total"] < 2_000 for score in scores[:-1])
