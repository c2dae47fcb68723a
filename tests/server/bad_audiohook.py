"""What a Genesys AudioHook client can do wrong: it is told by `disconnect`, with a code in it.

Here it does not answer that with its `close`, as it should, so the server closes the socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.protocols.audiohook_messages import BOTH, NOBODY, SESSION, Client, media
from tests.server.wrongs import Door, Message, Wrong

FRAME = b"\xff\x7f" * 1_600  # 200 ms of both parties
Says = Callable[[Client], Message]


def _open(client: Client) -> Message:
    return client.opens(BOTH)


def _close(client: Client) -> Message:
    return client.says("close", {"reason": "end"})


def _behind_open(*says: Says) -> list[Message]:
    """Numbered on from the start."""
    client = Client()
    _open(client)
    return [one(client) for one in says]


def _says(kind: str, parameters: Any = None, **changes: Any) -> Says:
    return lambda client: client.says(kind, parameters, **changes)


def _frame(client: Client) -> Message:
    return FRAME


def _told(code: int, close_code: int, *says: Says, **keys: Any) -> Wrong:
    return Wrong(_behind_open(*says), close_code, told=f'"info":"{code}: ', **keys)


def _first(code: int, close_code: int, message: Message) -> Wrong:
    return Wrong([message], close_code, begins=False, told=f'"info":"{code}: ')


def _ended(*says: Says, **keys: Any) -> Wrong:
    return Wrong(_behind_open(*says, _close), 1000, "hung_up", told='"type":"closed"', **keys)


DISCARDED = _says("discarded", {"start": "PT1S", "discarded": "PT2S"})
RESUMED = _says("resumed", {"start": "PT1S", "discarded": "PT2S"})

AUDIOHOOK = Door(
    "/v1/ingest/audiohook",
    lambda: [_open(Client())],
    lambda number: FRAME,
    _behind_open(_close),
    {
        "says nothing": _told(408, 4408, reason="start_timeout", begins=False),
        "falls silent": _told(408, 4408, reason="idle_timeout"),
        "goes too fast": _told(429, 4429, *[_frame] * 100, heard=None),
        "wrong first message": _first(409, 4400, FRAME),
        "another first message": _first(409, 4400, Client().says("update")),
        "wrong codec": _first(415, 1003, Client().opens(media("external", form="OPUS"))),
        "wrong rate": _first(415, 1003, Client().opens(media("external", rate=16_000))),
        "no conversation": _first(400, 1007, Client().opens(conversationId=None)),
        "no JSON": _told(400, 1007, lambda client: "{"),
        "no parameters": _told(400, 1007, _says("ping", parameters=7)),
        "another version": _told(400, 1007, _says("ping", version="1")),
        "unknown type": _told(405, 1007, _says("sing")),
        "a number left out": _told(400, 1007, _says("ping", seq=3)),
        "a number twice": _told(400, 1007, _says("ping", seq=1)),
        "heard what was not said": _told(400, 1007, _says("ping", serverseq=99)),
        "another session": _told(400, 1007, _says("ping", id=NOBODY)),
        "half a sample": _told(400, 1007, lambda client: b"odd"),
        "more than a second": _told(413, 1009, lambda client: bytes(16_002)),
        "replay": _told(409, 4409, _open),
        "a gap": _ended(_says("ping", position="PT3S"), _frame, heard=16, gaps=2),
        "discarded": _ended(DISCARDED, _frame, heard=16, gaps=2),
        "paused": _ended(_says("paused"), RESUMED, _frame, heard=16, gaps=2),
        "twice resumed": _ended(RESUMED, RESUMED, _frame, heard=16, gaps=2),
    },
    stream_id=SESSION,
    frame_ms=200,
    legs=2,
)
