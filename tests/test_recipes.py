"""The recipes in deploy/: every command line in them is one that this version takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from streamtrace.cli import app
from streamtrace.clients.place import checked_codec

DEPLOY = Path(__file__).parent.parent / "deploy"
RECIPES = sorted((DEPLOY / "recipes").glob("*.md"))
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
CALL = "streamtrace call "
LINES = [
    (page.relative_to(DEPLOY), line[line.index(CALL) :])  # variables may be set in front of it
    for page in sorted(DEPLOY.rglob("*.md"))
    for block in SHELL.findall(page.read_text().replace("\\\n", " "))
    for line in block.splitlines()
    if CALL in line
]
# Of what Caddy logs of a request: queries and session paths, tokens in headers of any name
# (X-Api-Key, X-Telnyx-Streaming-Auth-Token), and the secret URL of a session in Location.
SECRETS = {"request>uri", "request>headers", "resp_headers"}
CADDYFILE = (DEPLOY / "Caddyfile").read_text()
CADDY_LOG = re.compile(r"^\tlog {\n((?:\t\t.*\n)*)\t}$", re.MULTILINE)


@pytest.mark.parametrize(("page", "line"), LINES, ids=lambda value: str(value)[:60])
def test_a_call_as_a_recipe_places_it(page: Path, line: str) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    words = shlex.split(line, comments=True)
    asked = commands["call"].make_context("call", words[2:]).params
    assert asked["url"].startswith("http"), page
    assert checked_codec(asked["protocol"].value, asked["codec"])


@pytest.mark.parametrize("page", RECIPES, ids=lambda page: page.name)
def test_a_recipe_says_how_to_check_it_and_is_in_the_index(page: Path) -> None:
    index = (DEPLOY / "recipes" / "README.md").read_text()
    assert page.name == "README.md" or f"({page.name})" in index
    own = [line for name, line in LINES if DEPLOY / name == page]
    assert own or page.name == "README.md"


def test_a_line_that_is_wrong_would_be_found() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    words = shlex.split("http://h voice.wav --protocol smoke")
    with pytest.raises(Exception, match="smoke"):
        commands["call"].make_context("call", words)
    assert re.search("--protocol", " ".join(line for _, line in LINES))


def test_no_log_of_the_proxy_holds_what_is_secret() -> None:
    """Neither that of requests nor, in the global options, that of what fails on the way."""
    options, site = re.split(r"^\{\$STREAMTRACE_DOMAIN} {$", CADDYFILE, flags=re.MULTILINE)
    for part in (options, site):
        [log] = CADDY_LOG.findall(part)
        words = [line.split() for line in log.splitlines()]
        assert ["format", "filter", "{"] in words
        assert {name for name, *rest in words if rest == ["delete"]} >= SECRETS
