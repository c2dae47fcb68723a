"""Takes the README's pictures and event anew, from a server of its own with the demo's callers.

.venv/bin/python deploy/images/take.py [--verdict synthetic] [--after SECONDS]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from playwright.async_api import Page, async_playwright

from streamtrace.clients.place import place_call
from streamtrace.demo.callers import synthetic_callers
from streamtrace.demo.local_server import local_server
from streamtrace.demo.plan import PlannedCall, plan_calls
from streamtrace.demo.run import SERVER_SETTINGS, people

PICTURE = Path(__file__).with_name("dashboard.png")
ALERT = Path(__file__).with_name("alert.png")
README = Path(__file__).parents[2] / "README.md"
LONGEST_S = 13.0
ROW = ".sizer .row"
WIDTH = 92
MOST_SHARES = 4  # of families; all of them would fill a screen


async def take(verdict: str, after_s: float) -> None:
    """Place the demo's calls with the page open, shoot while they are live, keep one score."""
    calls = plan_calls(people([]), synthetic_callers())
    async with local_server(settings=SERVER_SETTINGS) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--no-proxy-server"]
        )
        page = await browser.new_page(
            viewport={"width": 1360, "height": 760}, device_scale_factor=1.5
        )
        await page.goto(server.url)
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(place(server.url, call))
            call_id = await shoot(page, verdict, after_s)
            await shoot_alert(page)
        await browser.close()
        write(latest_score(server.url, call_id))


async def place(url: str, call: PlannedCall) -> None:
    """One call, named after the truth about it."""
    await place_call(
        url,
        call.caller.cut(LONGEST_S).pcm,
        protocol=call.route.protocol,
        codec=call.route.codec,
        external_id=f"{call.number}-{call.caller.truth}",
    )


async def shoot(page: Page, verdict: str, after_s: float) -> str:
    """Open the first call with this verdict (else the first) and shoot; returns the call's id."""
    await page.locator(f"{ROW} .badge[data-verdict]").first.wait_for(timeout=60_000)
    await page.wait_for_timeout(1000 * after_s)
    wanted = page.locator(ROW, has=page.locator(f'.badge[data-verdict="{verdict}"]'))
    rows = wanted if await wanted.count() else page.locator(ROW)
    await rows.first.get_by_role("button").click()
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(1000)
    await page.screenshot(path=PICTURE)
    return parse_qs(urlsplit(page.url).query)["call"][0]


async def shoot_alert(page: Page) -> None:
    """The queue with its first alert open, by night."""
    await page.emulate_media(color_scheme="dark")
    await page.get_by_role("link", name="Alerts").click()
    await page.locator(".alert button").first.click(timeout=60_000)
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(1500)
    await page.screenshot(path=ALERT)


def latest_score(url: str, call_id: str) -> dict[str, Any]:
    """The newest score of the call that is not final."""
    page = httpx.get(f"{url}/v1/calls/{call_id}/events?limit=1000", trust_env=False).json()
    scores = [event for event in page["events"] if event["type"] == "call.score.v1"]
    return [score for score in scores if not score["data"]["is_final"]][-1]


def laid_out(event: dict[str, Any]) -> str:
    """JSON with one line per share and the other fields filled into lines; families cut short."""
    fields = {name: value for name, value in event.items() if name != "data"}
    lines = ["{" + _filled(fields, 1) + ","]
    plain: dict[str, Any] = {}
    for name, value in event["data"].items():
        if name == "latency_ms":
            value = {part: round(milliseconds, 1) for part, milliseconds in value.items()}
        if not isinstance(value, list):
            plain[name] = value
            continue
        kept = value if name == "attribution" else value[:MOST_SHARES]
        shares = [json.dumps(share) for share in kept] + ["…"] * (len(value) > len(kept))
        lines += ["  " + _filled(plain, 2) + ","] if plain else []
        lines.append(f'  "{name}": [')
        lines += [f"    {share}," for share in shares[:-1]] + [f"    {shares[-1]}],"]
        plain = {}
    lines.insert(1, ' "data": {')
    return "\n".join([*lines, "  " + _filled(plain, 2) + "}}"])


def _filled(fields: dict[str, Any], indent: int) -> str:
    """The fields side by side in lines of a readable length."""
    lines = [""]
    for part in [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items()]:
        if lines[-1] and len(lines[-1]) + len(part) > WIDTH:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + part
    return (",\n" + " " * indent).join(lines)


def write(event: dict[str, Any]) -> None:
    """Put the event into the README, in place of the last one."""
    block = f"<!-- event -->\n```json\n{laid_out(event)}\n```\n<!-- /event -->"
    text = README.read_text()
    place = r"<!-- event -->.*?<!-- /event -->"
    README.write_text(re.sub(place, lambda _: block, text, flags=re.DOTALL))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdict", default="synthetic", help="of the call that is opened")
    parser.add_argument("--after", type=float, default=8.0, help="seconds of calls before it")
    given = parser.parse_args()
    asyncio.run(take(given.verdict, given.after))
