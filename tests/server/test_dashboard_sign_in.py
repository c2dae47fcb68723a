"""The page where access tokens are set: a form in front of it, in a real browser."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, expect

from streamtrace.clients.endpoints import TOKEN_VARIABLE
from streamtrace.clients.place import place_call
from streamtrace.demo.local_server import local_server
from tests.server import test_dashboard
from tests.server.test_dashboard import clip, opened, violations

pytestmark = test_dashboard.pytestmark
GRACE, VERA = "grace-has-a-long-token", "vera-has-another-token"


async def sign_in(page: Page, token: str) -> None:
    await page.get_by_label("Access token").fill(token)
    await page.get_by_label("Access token").press("Enter")


async def test_somebody_signs_in_looks_and_signs_out() -> None:
    tokens = f'{{"grace": {{"token": "{GRACE}", "role": "operator"}}}}'
    settings = {"max_load": 1000, "access_tokens": tokens}
    async with local_server(settings=settings) as server, opened(server.url) as page:
        field = page.get_by_label("Access token")
        await expect(field).to_be_visible()
        await expect(page.get_by_text("No calls yet")).to_have_count(0)
        assert await violations(page) == []
        await field.fill("a-token-of-nobody-here")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text("no such token")
        await field.fill(GRACE)
        await field.press("Enter")
        await expect(page.get_by_text("No calls yet")).to_be_visible()
        await expect(page.locator("#link")).to_have_attribute("data-state", "live")
        await expect(page.get_by_text("Signed in as grace")).to_be_visible()
        assert await violations(page) == []
        await page.reload()
        await expect(page.locator("#link")).to_have_attribute("data-state", "live")
        assert await page.evaluate("document.cookie") == ""
        await page.get_by_role("button", name="Sign out").click()
        await expect(field).to_be_visible()


async def test_an_operator_decides_by_his_session_and_a_viewer_looks_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, GRACE)  # for the caller, who looks where his call is
    tokens = {
        "grace": {"token": GRACE, "role": "operator"},
        "vera": {"token": VERA, "role": "viewer"},
    }
    settings = {
        "max_load": 1000,
        "access_tokens": json.dumps(tokens),
        "alerts": json.dumps({"false_alarms_per_100_calls": 25}),
    }
    async with (
        local_server(settings=settings) as server,
        opened(f"{server.url}/?view=alerts") as page,
        opened(f"{server.url}/?view=alerts") as looking,
    ):
        await sign_in(page, GRACE)
        await sign_in(looking, VERA)
        await place_call(server.url, clip("espeak-formant", 4.0), protocol="pcm", external_id="x")
        for who in (page, looking):
            await expect(who.locator("[data-alert]")).to_have_attribute("data-state", "new")
            await expect(who.get_by_label("Your name")).to_have_count(0)
            await who.keyboard.press("j")
        buttons = looking.get_by_role("toolbar", name="Triage").get_by_role("button")
        for button in await buttons.all():
            await expect(button).to_be_disabled()
        await looking.keyboard.press("a")
        await expect(looking.get_by_role("alert")).to_have_count(0)
        assert await violations(looking) == []
        await page.keyboard.press("a")
        done = looking.get_by_role("list", name="What was done")
        await expect(done).to_contain_text("grace: acknowledged")
