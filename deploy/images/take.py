"""Takes the README's picture anew: the first page of a running server, one synthetic call opened.

make demo KEEP=1          # in one terminal; it prints where the server is
.venv/bin/python deploy/images/take.py URL [--verdict V] [--after SECONDS]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
from pathlib import Path

from playwright.async_api import async_playwright

PICTURE = Path(__file__).with_name("first-page.png")


async def take(url: str, verdict: str, after_s: float) -> None:
    """Wait for calls, open the first with this verdict (else the first), let it run, shoot."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--no-proxy-server"]
        )
        page = await browser.new_page(
            viewport={"width": 1360, "height": 700}, device_scale_factor=1.5
        )
        await page.goto(url)
        await page.locator("tbody .badge[data-verdict]").first.wait_for(timeout=60_000)
        await page.wait_for_timeout(1000 * after_s)
        wanted = page.locator("tbody", has=page.locator(f'.badge[data-verdict="{verdict}"]'))
        rows = wanted if await wanted.count() else page.locator("tbody")
        await rows.first.get_by_role("button").click()
        await page.mouse.move(0, 0)
        await page.wait_for_timeout(1500)
        await page.screenshot(path=PICTURE)
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--verdict", default="synthetic")
    parser.add_argument("--after", type=float, default=4.0)
    given = parser.parse_args()
    asyncio.run(take(given.url, given.verdict, given.after))
