"""The receiver in deploy/recipes/webhooks.md: run as it stands, it takes what we sign alone."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamtrace.webhooks.message import body_of
from streamtrace.webhooks.sign import key_of, signed
from tests.sinks.events import ended
from tests.webhook_receiver import NEWER, SECRET

PAGE = Path(__file__).parent.parent / "deploy" / "recipes" / "webhooks.md"


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "receiver.py").write_text(code)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = os.environ | {"WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    pipe = subprocess.PIPE
    command = [sys.executable, str(tmp_path / "receiver.py")]
    with subprocess.Popen(command, env=given, stdout=pipe, stderr=pipe, text=True) as process:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/", process
        process.terminate()


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_recipe_s_receiver(receiving: tuple[str, subprocess.Popen[str]]) -> None:
    url, process = receiving
    id, body = body_of(ended(4).to_json())
    now_s = int(time.time())
    good = signed([key_of(NEWER), key_of(SECRET)], id, now_s, body)
    assert post(url, body, good) == post(url, body, good) == 204
    assert post(url, body + b" ", good) == 401
    assert post(url, body, signed([key_of(NEWER)], id, now_s, body)) == 401
    assert post(url, body, signed([key_of(SECRET)], id, now_s - 301, body)) == 401
    assert post(url, body, good | {"webhook-id": "call_1-5"}) == 401
    assert post(url, body, {}) == 401
    process.terminate()
    lines = process.communicate()[0].splitlines()
    assert len(lines) == 1  # the second time it was known
    assert lines[0].startswith("call.ended.v1 call_1 {")
    assert json.loads(body)["timestamp"] == json.loads(body)["time"]
