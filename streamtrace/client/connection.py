"""One server as a client sees it: addresses, sockets, and answers read as what they should be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus, WebSocketException

from streamtrace.clients.endpoints import endpoint, http_client, open_websocket, reader
from streamtrace.errors import AnswerUnreadable, Conflict, RequestRefused, Unreachable

ModelT = TypeVar("ModelT", bound=BaseModel)

CONFLICTS = (409, 412)

Query = Mapping[str, str | int | list[str] | None]


class Connection:
    """Requests and sockets of one client."""

    def __init__(self, url: str, token: str | None) -> None:
        endpoint(url, "/")  # an address that is none is told at once
        self.url = url
        self._headers = reader() if token is None else {"authorization": f"Bearer {token}"}
        self._http = http_client(url)
        self._http.headers.update(self._headers)

    async def close(self) -> None:
        """Close what is kept open for requests."""
        await self._http.aclose()

    async def ask(
        self,
        model: type[ModelT],
        path: str,
        *,
        method: str = "GET",
        query: Query | None = None,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> ModelT:
        """The answer; `Unreachable` where there is none, `RequestRefused` where it is no."""
        asked = {key: value for key, value in (query or {}).items() if value is not None}
        try:
            answer = await self._http.request(
                method, endpoint(self.url, path), params=asked, json=body, headers=headers
            )
        except httpx.HTTPError as cause:
            raise unreachable(self.url, cause) from cause
        if not answer.is_success:
            raise refusal(answer.status_code, answer.content, answer.headers.get("etag"))
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as cause:
            raise AnswerUnreadable(path) from cause

    async def look(self, model: type[ModelT], path: str, *, query: Query | None = None) -> ModelT:
        """As a feed asks: `Unreachable` too where trying again may help, as of a socket."""
        try:
            return await self.ask(model, path, query=query)
        except RequestRefused as refused:
            if refused.is_passing:
                raise unreachable(self.url, refused) from refused
            raise

    async def open(self, path: str, *, after: int | None = None) -> ClientConnection:
        """A socket; `Unreachable` where trying again may help, `RequestRefused` where not."""
        opening = open_websocket(self.url, path, headers=self._headers, after=after)
        try:
            return await opening
        except InvalidStatus as cause:
            status, said = cause.response.status_code, bytes(cause.response.body or b"")
            refused = refusal(status, said, None)
            if refused.is_passing:
                raise unreachable(self.url, refused) from cause
            raise refused from cause
        except (TimeoutError, OSError, WebSocketException, EOFError) as cause:
            raise unreachable(self.url, cause) from cause


def unreachable(url: str, cause: Exception) -> Unreachable:
    """Says where, why, and what to do."""
    return Unreachable(f"{url} does not answer ({cause or cause!r}): is `streamtrace serve` there?")


def refusal(status: int, body: bytes, etag: str | None) -> RequestRefused:
    """What a problem+json says; whatever else came is named by its status alone."""
    try:
        detail = str(json.loads(body)["detail"])
    except (ValueError, TypeError, LookupError):
        detail = "the server said no"
    if status not in CONFLICTS:
        return RequestRefused(status, detail)
    tag = (etag or "").strip('"')
    return Conflict(status, detail, int(tag) if tag.isdecimal() else None)
