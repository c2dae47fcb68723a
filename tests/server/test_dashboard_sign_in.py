"""The page where access tokens are set: a form in front of it, in a real browser."""

from __future__ import annotations

from playwright.async_api import expect

from streamtrace.demo.local_server import local_server
from tests.server import test_dashboard
from tests.server.test_dashboard import opened, violations

pytestmark = test_dashboard.pytestmark
GRACE = "grace-has-a-long-token"


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
