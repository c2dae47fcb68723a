"""Posts to webhooks: the name is looked up once, judged, and what was judged is connected to.

An address that nobody answers at costs no attempt: the next one is connected to. Behind a
connection no other is tried, for the event may have been taken.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Protocol, Self, TypeAlias

import httpx

from streamtrace.ports import Clock
from streamtrace.webhooks.answer import Outcome, judged, unanswered
from streamtrace.webhooks.endpoint import MOST_ENDPOINTS, Endpoint
from streamtrace.webhooks.guard import Guard
from streamtrace.webhooks.sign import signed

TIMEOUT_S = 20.0  # for all of an attempt
LOOKUPS = MOST_ENDPOINTS  # at once, one of a name: one that hangs takes nobody else's thread
RETRY_AFTER = "retry-after"
NOT_TRUSTED = "its certificate is not of this name, or of nobody who is trusted"

Resolve: TypeAlias = Callable[[str, int], Coroutine[Any, Any, list[str]]]


class Post(Protocol):
    """Makes one attempt; raises nothing."""

    async def __call__(
        self, endpoint: Endpoint, message_id: str, body: bytes, turn: int
    ) -> Outcome:
        """Sign and post it; by the turn its addresses come first, each in its time."""
        ...


class WebhookPost:
    """As an async context manager it owns its connections, none of which outlives its answer."""

    def __init__(
        self,
        guard: Guard,
        clock: Clock,
        *,
        version: str,
        timeout_s: float = TIMEOUT_S,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._timeout_s = timeout_s
        self._lookups = ThreadPoolExecutor(LOOKUPS, "webhook-lookup")
        self._looking: dict[tuple[str, int], asyncio.Future[list[str]]] = {}
        self._resolve = resolve or self._looked_up
        self._headers = {
            "content-type": "application/json",
            "user-agent": f"StreamTrace/{version}",
            "connection": "close",
        }
        # The environment may name certificates, and no proxy: behind one nothing would be judged.
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                verify=tls or httpx.create_ssl_context(),
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),
            ),
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._lookups.shutdown(wait=False, cancel_futures=True)
        await self._client.aclose()

    async def __call__(
        self, endpoint: Endpoint, message_id: str, body: bytes, turn: int
    ) -> Outcome:
        """Sign and post it; what the receiver writes behind its headers is not read."""
        now = self._clock.utc()
        headers = signed(endpoint.keys, message_id, int(now.timestamp()), body)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._posted(endpoint.url, headers, body, turn, now)
        except (httpx.ConnectError, httpx.ConnectTimeout) as cause:
            return unanswered(NOT_TRUSTED if _is_tls(cause) else "no connection")
        except (TimeoutError, httpx.TimeoutException):
            return unanswered(f"no answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as cause:
            return unanswered(f"no answer: {type(cause).__name__}")
        except (OSError, UnicodeError):
            return unanswered("its name cannot be looked up")

    async def _posted(
        self, given: str, headers: Mapping[str, str], body: bytes, turn: int, now: datetime
    ) -> Outcome:
        url = httpx.URL(given)
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._resolve(host, port)
        refusal = self._guard.refusal(addresses, is_tls=url.scheme == "https")
        if refusal is not None:
            return unanswered(refusal)
        first = turn % len(addresses)
        answer = await self._answer(
            [*addresses[first:], *addresses[:first]],
            lambda address, timeout: self._client.build_request(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers={"host": url.netloc.decode("ascii"), **self._headers, **headers},
                extensions={"sni_hostname": host},  # what the certificate has to be of
                timeout=timeout,
            ),
        )
        try:
            return judged(answer.status_code, answer.headers.get(RETRY_AFTER), now)
        finally:
            await answer.aclose()

    async def _answer(
        self,
        addresses: Sequence[str],
        request: Callable[[str, httpx.Timeout], httpx.Request],
    ) -> httpx.Response:
        """Of the first address that can be connected to; raises what is worst of all of them."""
        timeout = httpx.Timeout(self._timeout_s)
        if len(addresses) > 1:  # the last of them gets its share too, and so does the answer
            share_s = self._timeout_s / (len(addresses) + 1)
            timeout = httpx.Timeout(self._timeout_s, connect=share_s)
        failed: httpx.TransportError | None = None
        for address in addresses:
            try:
                return await self._client.send(request(address, timeout), stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as cause:
                failed = failed if failed is not None and _is_tls(failed) else cause
        assert failed is not None, "there is an address, or the guard had refused"
        raise failed

    async def _looked_up(self, host: str, port: int) -> list[str]:
        looking = self._looking.get((host, port))
        if looking is None:
            looking = asyncio.get_running_loop().run_in_executor(
                self._lookups, _addresses, host, port
            )
            self._looking[host, port] = looking
            looking.add_done_callback(lambda done: self._known(host, port, done))
        return await asyncio.shield(looking)  # others may wait for it

    def _known(self, host: str, port: int, looked: asyncio.Future[list[str]]) -> None:
        del self._looking[host, port]
        if not looked.cancelled():
            looked.exception()  # all may have gone


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _is_tls(cause: BaseException) -> bool:
    seen: BaseException | None = cause
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
