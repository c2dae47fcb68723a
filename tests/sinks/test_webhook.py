"""Posts over real HTTP: what is sent, what is believed, and where a connection never goes."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

from streamtrace.engine import SystemClock
from streamtrace.sinks.webhook import WebhookPost
from streamtrace.webhooks.answer import Kind, Outcome
from streamtrace.webhooks.endpoint import Receivers
from tests.webhook_receiver import LOOPBACK, NEWER, SECRET, Receiver, http, receiver, table

BODY = b'{"type":"alert.opened.v1"}'


@asynccontextmanager
async def posting(networks: tuple[str, ...] = LOOPBACK, **given: Any) -> AsyncIterator[WebhookPost]:
    guard = Receivers.from_settings({}, networks).guard
    async with WebhookPost(guard, SystemClock(), version="1", **given) as post:
        yield post


async def attempt(post: WebhookPost, url: str, *, turn: int = 0, **own: Any) -> Outcome:
    raw = {"hook": {"url": url, "secret": SECRET} | own}
    (endpoint,) = Receivers.from_settings(raw, ()).endpoints
    return await post(endpoint, "alert_1-1", BODY, turn)


async def test_what_is_posted_verifies() -> None:
    async with receiver() as one, posting() as post:
        assert await attempt(post, one.url) == Outcome(Kind.DELIVERED, "HTTP 204", 204)
        (got,) = one.received
        assert got.line == "POST /hook HTTP/1.1"
        assert got.headers["host"] == f"127.0.0.1:{one.port}"
        assert got.headers["content-type"] == "application/json"
        assert Webhook(SECRET).verify(got.body, got.headers) == {"type": "alert.opened.v1"}


async def test_answers_are_believed_by_their_status_alone() -> None:
    async with receiver() as one, posting() as post:
        one.answer(410, http(429, "Retry-After: 30"), 500)
        outcomes = [await attempt(post, one.url) for _ in range(3)]
        assert [one.kind for one in outcomes] == [Kind.GONE, Kind.FAILED, Kind.FAILED]
        assert [one.wait_s for one in outcomes] == [0.0, 30.0, 0.0]


async def test_a_redirect_is_not_followed() -> None:
    async with receiver() as one, receiver() as other, posting() as post:
        one.answer(http(307, f"Location: {other.url}"))
        outcome = await attempt(post, one.url)
        assert outcome.kind is Kind.FAILED
        assert "redirects" in outcome.said
        assert other.received == []


async def test_a_body_without_end_is_not_waited_for() -> None:
    async with receiver() as one, posting() as post:
        one.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + bytes(1_000_000))
        assert (await attempt(post, one.url)).kind is Kind.DELIVERED
        one.answer(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000)  # nor headers without end
        assert (await attempt(post, one.url)).said.startswith("no answer: ")


async def test_nobody_is_waited_for_longer_than_that() -> None:
    async with receiver() as one, posting(timeout_s=0.1) as post:
        one.answer(b"")
        assert await attempt(post, one.url) == Outcome(Kind.FAILED, "no answer within 0.1 s")
        one.answer(b"HTTP/1.1 200 OK\r\n")
        assert (await attempt(post, one.url)).said == "no answer within 0.1 s"


async def test_nobody_there_and_nonsense() -> None:
    async with receiver() as one, posting() as post:
        one.answer(b"SSH-2.0-OpenSSH\r\n\r\n")
        assert "no answer" in (await attempt(post, one.url)).said
        gone = one.url
    async with posting() as post:
        assert (await attempt(post, gone)).said == "no connection"
        assert "looked up" in (await attempt(post, "http://does-not-exist.invalid/")).said
        assert "looked up" in (await attempt(post, f"http://{'a' * 70}.invalid/")).said


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "0.0.0.0"]
)
async def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    async with receiver() as one, posting(()) as post:
        for scheme in ("http", "https"):
            outcome = await attempt(post, f"{scheme}://{host}:{one.port}/hook")
            assert outcome.kind is Kind.FAILED
            assert "webhook_networks" in outcome.said
        assert one.received == []


async def test_a_name_is_looked_up_once_and_what_was_judged_is_connected_to() -> None:
    """A name server that changes its mind finds nobody to tell."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return answers.pop(0)

    async with receiver() as one, posting(resolve=resolve) as post:
        url = f"http://hooks.example.com:{one.port}/hook"
        assert (await attempt(post, url)).kind is Kind.DELIVERED
        assert one.received[0].headers["host"] == f"hooks.example.com:{one.port}"
        assert "169.254.169.254" in (await attempt(post, url)).said
        assert asked == [("hooks.example.com", one.port)] * 2
        assert len(one.received) == 1


async def both(_host: str, _port: int) -> list[str]:
    return ["127.0.0.2", "127.0.0.1"]


async def test_a_name_s_addresses_come_first_by_turns_and_behind_a_connection_no_other() -> None:
    async with (
        receiver() as one,
        receiver(host="127.0.0.2", port=one.port) as two,
        posting(resolve=both) as post,
    ):
        two.answer(500)
        url = f"http://hooks.example.com:{one.port}/hook"
        said = [(await attempt(post, url, turn=turn)).said for turn in range(3)]
        assert said == ["HTTP 500", "HTTP 204", "HTTP 500"]
        assert (len(one.received), len(two.received)) == (1, 2)


async def test_an_address_that_nobody_is_at_costs_no_attempt() -> None:
    async with receiver() as one, posting(resolve=both) as post:
        url = f"http://hooks.example.com:{one.port}/hook"
        said = [(await attempt(post, url, turn=turn)).said for turn in range(2)]
        assert said == ["HTTP 204", "HTTP 204"]
        assert len(one.received) == 2
    async with posting(resolve=both) as post:
        assert (await attempt(post, url)).said == "no connection"


async def test_nor_does_one_that_swallows_everything() -> None:
    async with receiver() as one, posting(resolve=both, timeout_s=0.6) as post:
        with socket.socket() as hole, ExitStack() as stack:
            hole.bind(("127.0.0.2", one.port))
            hole.listen(0)
            for _ in range(3):  # its queue is full: who comes now is not answered
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(hole.getsockname())
            url = f"http://hooks.example.com:{one.port}/hook"
            assert (await attempt(post, url)).said == "HTTP 204"


async def test_no_address_is_connected_to_where_one_of_them_is_refused() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1", "169.254.169.254"]

    async with receiver() as one, posting(resolve=resolve) as post:
        for turn in range(2):
            outcome = await attempt(post, f"http://hooks.example.com:{one.port}/", turn=turn)
            assert "169.254.169.254" in outcome.said
        assert one.received == []


async def test_a_name_server_that_hangs_for_one_keeps_nobody_else_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    came, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    real = socket.getaddrinfo

    def looked_up(host: str, *given: Any, **named: Any) -> Any:
        asked.append(host)
        if host == "slow.example.com":
            loop.call_soon_threadsafe(came.set)
            release.wait()
            raise OSError
        return real(host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    async with receiver() as one, posting() as post, asyncio.TaskGroup() as tasks:
        slow = [
            tasks.create_task(attempt(post, "http://slow.example.com:8080/")) for _ in range(32)
        ]
        await came.wait()
        assert (await attempt(post, one.url)).said == "HTTP 204"
        assert asked == ["slow.example.com", "127.0.0.1"]
        release.set()
        for task in slow:
            assert "looked up" in (await task).said


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a receiver")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_the_certificate_has_to_be_of_the_name_and_not_of_the_address(
    tmp_path: Path,
) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    own = certificate(tmp_path, "hooks.example.com")
    trusting = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    async with receiver(tls=own) as one:
        async with posting(resolve=resolve, tls=trusting) as post:
            well, wrong = (
                f"https://{name}.example.com:{one.port}/hook" for name in ("hooks", "other")
            )
            assert (await attempt(post, well)).kind is Kind.DELIVERED
            assert "certificate" in (await attempt(post, wrong)).said
        async with posting(resolve=resolve) as post:  # whom nobody vouches for
            assert "certificate" in (await attempt(post, well)).said
        assert len(one.received) == 1


async def test_the_environment_s_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as proxy, receiver() as one:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with posting() as post:
            assert (await attempt(post, one.url)).kind is Kind.DELIVERED
        assert (len(proxy.received), len(one.received)) == (0, 1)


async def test_while_a_secret_gives_way_both_sign() -> None:
    raw = table(Receiver(), secrets=[NEWER, SECRET])
    del raw["secret"]
    async with receiver() as one, posting() as post:
        (endpoint,) = Receivers.from_settings({"hook": raw | {"url": one.url}}, ()).endpoints
        await post(endpoint, "alert_1-1", BODY, 0)
        for secret in (NEWER, SECRET):
            Webhook(secret).verify(one.received[0].body, one.received[0].headers)
