"""The first page in a real browser: calls appear, are decided on before one's eyes, and end."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright, expect

from streamtrace.clients.place import place_call
from streamtrace.demo.local_server import LocalServer, local_server
from streamtrace.sources.file import decode_mono
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

CHROMIUM = shutil.which("chromium")
CLIPS = Path(__file__).parents[2] / "streamtrace" / "demo" / "clips"
# The browser's own words when a socket is lost or an unknown call is asked for; both are tested.
EXPECTED = re.compile(r"WebSocket connection|ERR_CONNECTION_REFUSED|status of 404")
expect.set_options(timeout=30_000)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no browser: apt-get install chromium"),
]


def clip(name: str, seconds: float) -> Float32s:
    return decode_mono(CLIPS / f"{name}.opus")[: int(seconds * SAMPLE_RATE_HZ)]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Page]:
    """The page at `url`; at the end nothing but what is expected was complained about."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not EXPECTED.search(message.text):
            complaints.append(message.text)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--no-proxy-server"]
        )
        page = await browser.new_page(viewport={"width": 1360, "height": 900})
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            await page.goto(url)
            yield page
        finally:
            await browser.close()
    assert complaints == []


async def pcm_call(server: LocalServer, external_id: str, seconds: float) -> None:
    await place_call(
        server.url, clip("flite-kal", seconds), protocol="pcm", external_id=external_id
    )


async def test_a_call_appears_is_decided_on_and_ends() -> None:
    settings = {"max_load": 1000}
    async with local_server(settings=settings) as server, opened(server.url) as page:
        # Nobody calls yet: the page tells how to.
        await expect(page.get_by_text("No calls yet")).to_be_visible()
        await expect(page.locator("#command-whip")).to_have_text(
            f"streamtrace call {server.url} voice.wav --protocol whip"
        )

        calling = asyncio.create_task(pcm_call(server, "the-one", 6.0))
        row = page.locator("tbody", has_text="the-one")
        await expect(row).to_be_visible()
        await expect(row).to_have_attribute("data-state", "live")
        await expect(page.locator("#empty")).to_be_hidden()
        await expect(row.get_by_role("meter")).to_have_attribute("aria-valuenow", re.compile(r"\d"))

        # Opened while it is live: its story so far, and what follows.
        await row.get_by_role("button").click()
        detail = page.get_by_role("region", name="the-one")
        await expect(detail.get_by_role("heading", name="caller")).to_be_visible()
        await expect(detail.locator("svg.timeline path.line")).to_be_attached()
        await expect(detail.locator("svg.timeline circle.window").nth(8)).to_be_attached()
        await expect(detail.locator(".shares").first.get_by_text("unknown")).to_be_visible()

        await calling
        await expect(row).to_have_attribute("data-state", "ended")
        await expect(detail.locator(":scope > .facts")).to_contain_text("hung up")
        await expect(detail.locator(".leg > .facts")).to_contain_text("final")

        # A verdict is told by words, icon and colour, the last in both lights.
        badge = row.locator(".badge")
        await expect(badge).to_have_text(re.compile("Synthetic|Human|Inconclusive|No speech"))
        await expect(badge.locator("use")).to_have_attribute("href", re.compile("#icon-"))
        colours: set[str] = set()
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            colours.add(await badge.evaluate("badge => getComputedStyle(badge).color"))
        assert len(colours) == 2

        # Escape closes it and gives the focus back.
        await page.keyboard.press("Escape")
        await expect(page.locator("#detail")).to_be_hidden()
        await expect(row.get_by_role("button")).to_be_focused()


async def test_a_lost_server_is_said_and_a_link_to_an_unknown_call_explained() -> None:
    async with local_server() as server, opened(f"{server.url}/#call=call_gone") as page:
        await expect(page.get_by_text("no longer holds this call")).to_be_visible()
        await expect(page.locator("#link")).to_have_text("live")
        await expect(page.locator("#stale")).to_be_hidden()

        os.kill(server.pid, signal.SIGTERM)
        await expect(page.locator("#stale")).to_contain_text("connection to the server is lost")
        await expect(page.locator("#link")).to_have_text("reconnecting")
