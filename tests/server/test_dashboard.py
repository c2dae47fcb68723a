"""The dashboard in a real browser: calls are listed, followed, found, exported and placed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import ConsoleMessage, Page, Route, async_playwright, expect

from streamtrace.clients.place import place_call
from streamtrace.demo.local_server import LocalServer, local_server
from streamtrace.sources.file import decode_mono
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / "streamtrace/dashboard/node_modules/axe-core/axe.min.js"
CLIPS = Path(__file__).parents[2] / "streamtrace" / "demo" / "clips"
# The browser's own words when a socket is lost, a call is unknown, or somebody was first;
# all are tested.
EXPECTED = re.compile(r"WebSocket connection|ERR_CONNECTION_REFUSED|status of 4(01|04|12)")
FLAGS = [
    "--no-sandbox",
    "--no-proxy-server",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
]
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
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
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


async def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA in the page as it is now."""
    await page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = await page.evaluate("tags => axe.run({ runOnly: tags })", tags)
    return [
        f"{one['id']}: {one['nodes'][0]['target']} {one['nodes'][0]['failureSummary']}"
        for one in found["violations"]
    ]


async def test_a_call_is_listed_followed_found_and_exported(tmp_path: Path) -> None:
    settings = {"max_load": 1000}
    async with local_server(settings=settings) as server, opened(server.url) as page:
        # Nobody calls yet: the page tells how to.
        await expect(page.get_by_text("No calls yet")).to_be_visible()
        await expect(page.locator("#command-whip")).to_have_text(
            f"streamtrace call {server.url} voice.wav --protocol whip"
        )
        assert await violations(page) == []

        calling = asyncio.create_task(pcm_call(server, "=the-one", 6.0))
        row = page.locator(".sizer .row", has_text="=the-one")
        await expect(row).to_have_attribute("data-state", "live")
        await expect(row.get_by_role("meter")).to_have_attribute("aria-valuenow", re.compile(r"\d"))

        # Opened while it is live: its story so far, and what follows.
        await row.get_by_role("button").click()
        detail = page.get_by_role("region", name="=the-one")
        await expect(detail.get_by_role("heading", name="caller")).to_be_visible()
        await expect(detail.get_by_role("img", name="spoof probability over time")).to_be_visible()
        await expect(detail.locator(".shares").first.get_by_text("unknown")).to_be_visible()
        await calling
        await expect(row).to_have_attribute("data-state", "ended")
        await expect(detail.locator(":scope > .facts")).to_contain_text("hung up")
        await expect(detail.locator(".leg > .facts")).to_contain_text("final")

        # A verdict is told by words, shape and colour, the last in both lights.
        badge = row.locator(".badge")
        await expect(badge).to_have_text(re.compile("Synthetic|Human|Inconclusive|No speech"))
        await expect(badge.locator("svg path").first).to_be_attached()
        colours: set[str] = set()
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            colours.add(await badge.evaluate("badge => getComputedStyle(badge).color"))
            assert await violations(page) == []
        assert len(colours) == 2

        # Escape closes it and gives the focus back.
        await page.keyboard.press("Escape")
        await expect(page.locator(".detail")).to_have_count(0)
        await expect(row.get_by_role("button")).to_be_focused()

        # What is looked for stands in the address, and a file has what is shown.
        await page.get_by_label("Find").fill("no such call")
        await expect(page.get_by_text("No call matches")).to_be_visible()
        assert "q=no+such+call" in page.url
        await page.get_by_role("button", name="Clear filters").click()
        await page.get_by_role("combobox", name="State").select_option("ended")
        await page.reload()
        await expect(row).to_be_visible()
        async with page.expect_download() as downloading:
            await page.get_by_role("button", name="CSV").click()
        table = tmp_path / "calls.csv"
        await (await downloading.value).save_as(table)
        head, line = table.read_text().strip().split("\n")
        assert head.startswith("id,external_id,line,protocol")
        assert '"\'=the-one"' in line  # no spreadsheet calculates it

        # Keys tell of themselves; the wall shows the same.
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_contain_text("acknowledge the alert")
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name="Wall").click()
        await expect(page.get_by_text("No live calls.")).to_be_visible()
        assert await violations(page) == []


async def test_an_alert_is_worked_by_keys_and_others_see_it() -> None:
    # Calls of a few seconds that a mild policy takes for synthetic, as they are.
    settings = {"max_load": 1000, "alerts": json.dumps({"false_alarms_per_100_calls": 25})}
    async with (
        local_server(settings=settings) as server,
        opened(f"{server.url}/?view=alerts") as page,
        opened(f"{server.url}/?view=alerts") as other,
    ):
        await expect(page.get_by_text("No alert to work.")).to_be_visible()
        voice = clip("espeak-formant", 4.0)
        await place_call(server.url, voice, protocol="pcm", external_id="the-fake")
        item = page.locator("[data-alert]", has_text="the-fake")
        await expect(item).to_have_attribute("data-state", "new")
        await expect(page.get_by_role("link", name="Alerts")).to_have_text("Alerts1")
        for viewer, name in ((page, "grace"), (other, "ada")):
            await viewer.get_by_label("Your name").fill(name)
            await viewer.get_by_label("Your name").blur()
            await viewer.keyboard.press("j")
        detail = page.get_by_role("region", name="low alert: the-fake, caller")
        await expect(detail.locator(".reason")).to_contain_text("evidence for a synthetic voice")
        await expect(
            detail.get_by_role("table", name="Stretches that spoke for it")
        ).to_contain_text("%")
        await expect(
            detail.get_by_role("img", name="Likeliest system of each stretch")
        ).to_be_visible()
        picture = detail.get_by_role("img", name="Spectrogram of the caller")
        await expect(picture).to_have_js_property("naturalWidth", 960)
        await expect(detail.get_by_role("button", name="Listen")).to_have_count(0)
        assert await violations(page) == []

        await page.keyboard.press("a")
        await expect(item).to_have_attribute("data-state", "acknowledged")
        await expect(detail.get_by_role("list", name="What was done")).to_contain_text(
            "grace: acknowledged"
        )
        theirs = other.locator("[data-alert]", has_text="the-fake")
        await expect(theirs).to_have_attribute("data-state", "acknowledged")

        # While ada's escalation is on its way, grace dismisses it, which needs a note.
        async def grace_is_faster(route: Route) -> None:
            await page.keyboard.press("d")
            dialog = page.get_by_role("dialog")
            await dialog.get_by_role("combobox").select_option("benign_synthetic")
            await dialog.get_by_role("button", name="Dismiss").click()
            await expect(dialog).to_be_visible()  # without a note it stays
            assert await violations(page) == []
            await dialog.get_by_role("textbox").fill("a voice aid")
            await dialog.get_by_role("button", name="Dismiss").click()
            await expect(item).to_have_count(0)
            await route.continue_()

        await other.route("**/escalate", grace_is_faster)
        await other.keyboard.press("e")
        await expect(other.get_by_role("alert")).to_contain_text("grace made it dismissed")
        await expect(theirs).to_have_count(0)
        await expect(other.locator(".note").first).to_have_text(
            "Synthetic voice, harmless: a voice aid"
        )
        await other.get_by_role("combobox", name="State").select_option("dismissed")
        await expect(theirs).to_have_attribute("data-state", "dismissed")
        assert await violations(other) == []


async def test_this_browser_calls() -> None:
    settings = {"max_load": 1000}
    async with local_server(settings=settings) as server, opened(server.url) as page:
        await page.get_by_role("button", name="Call from this browser").click()
        await expect(page.locator(".detail .facts").first).to_contain_text("whip · browser")
        await expect(page.locator(".leg .badge")).not_to_have_text("listening…")
        await page.get_by_role("button", name="Hang up").click()
        await expect(page.locator(".detail > .facts")).to_contain_text("hung up")
        await expect(page.get_by_role("button", name="Call from this browser")).to_be_enabled()


async def test_a_lost_server_is_said_and_a_link_to_an_unknown_call_explained() -> None:
    async with local_server() as server, opened(f"{server.url}/?call=call_gone") as page:
        await expect(page.get_by_text("no longer holds this call")).to_be_visible()
        await expect(page.locator("#link")).to_have_text("live")
        await expect(page.locator(".stale")).to_be_hidden()

        os.kill(server.pid, signal.SIGTERM)
        await expect(page.locator(".stale")).to_contain_text("connection to the server is lost")
        await expect(page.locator("#link")).to_have_text("reconnecting")
