"""Messages of a Genesys AudioHook client, numbered as the platform numbers them."""

from __future__ import annotations

import json
from typing import Any

SESSION = "30b0e395-84d3-4570-ac13-9a62d8f514c0"
ORGANIZATION = "d7934305-0972-4844-938e-9060eef73d05"
CONVERSATION = "090eaa2f-72fa-480a-83e0-8667ff89c0ec"
NOBODY = "00000000-0000-0000-0000-000000000000"


def media(*channels: str, form: str = "PCMU", **changes: Any) -> dict[str, Any]:
    """One offer."""
    return {"type": "audio", "format": form, "channels": list(channels), "rate": 8000} | changes


BOTH, EXTERNAL, INTERNAL = media("external", "internal"), media("external"), media("internal")


class Client:
    """Counts what it says and hears; `position` is in seconds."""

    def __init__(self, session: str = SESSION) -> None:
        self.session = session
        self.seq = 0
        self.serverseq = 0
        self.position: float | str = 0

    def says(self, kind: str, parameters: Any = None, **changes: Any) -> str:
        """The next message; `changes` go over what is right."""
        self.seq += 1
        position = self.position if isinstance(self.position, str) else f"PT{self.position}S"
        message = {
            "version": "2",
            "id": self.session,
            "type": kind,
            "seq": self.seq,
            "serverseq": self.serverseq,
            "position": position,
            "parameters": {} if parameters is None else parameters,
        }
        return json.dumps(message | changes)

    def opens(self, *offers: Any, **changes: Any) -> str:
        """`open`, with its parameters changed."""
        parameters: dict[str, Any] = {
            "organizationId": ORGANIZATION,
            "conversationId": CONVERSATION,
            "participant": {
                "id": "883efee8-3d6c-4537-b500-6d7ca4b92fa0",
                "ani": "+1-555-555-1234",
                "aniName": "John Doe",
                "dnis": "+1-800-555-6789",
            },
            "media": list(offers) or [BOTH, EXTERNAL, INTERNAL],
            "language": "en-US",
        }
        return self.says("open", parameters | changes)

    def probes(self) -> str:
        """The platform tries whether somebody is there."""
        nobody = {"id": NOBODY, "ani": "", "aniName": "", "dnis": ""}
        return self.opens(conversationId=NOBODY, participant=nobody)

    def hears(self, text: str) -> dict[str, Any]:
        """What the server said, as strictly as the platform looks at it."""
        told: dict[str, Any] = json.loads(text)
        self.serverseq += 1
        assert set(told) == {"version", "type", "seq", "clientseq", "id", "parameters"}
        assert told["version"] == "2"
        assert told["id"] in (self.session, NOBODY)  # the latter before it has heard from us
        assert told["seq"] == self.serverseq
        assert told["clientseq"] <= self.seq
        return told
