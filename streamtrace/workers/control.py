"""What the engine's process and an ingest process say to each other, one line of JSON each.

A connection at an ingest process is a channel: `NonceShown` where its request is signed for this
once, `SeatWanted` before it is accepted, `CallWanted`
when it begins its call, the ring while it speaks, `Ended` when its call has. `Left` gives back
whatever the channel has.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from streamtrace.errors import CallRejected, StreamTraceError
from streamtrace.values import EndReason

MOST_LINE_BYTES = 1 << 16
MOST_UNREAD_BYTES = 1 << 20  # a far side that is so far behind reads no more


class LinkBroken(StreamTraceError):
    """The far side is gone, or says what it cannot say."""


class Message(BaseModel):
    """One line."""

    model_config = ConfigDict(frozen=True)


class Hello(Message):
    """First of all: what an ingest process needs to know."""

    is_: Literal["hello"] = "hello"
    worker: int
    parent: int  # the process id of whoever says it
    settings: dict[str, Any]
    address: tuple[str, int]
    folder: str  # of the Unix sockets


class Ready(Message):
    """The ingest process accepts connections."""

    is_: Literal["ready"] = "ready"


class SeatWanted(Message):
    """Somebody knocks; answered by `Seated` or `Refused`."""

    is_: Literal["seat_wanted"] = "seat_wanted"
    channel: int


class Seated(Message):
    """There is room for one call, and it is kept."""

    is_: Literal["seated"] = "seated"
    channel: int


class NonceShown(Message):
    """A signed request wants to be let in; answered by `Fresh` or `Refused`."""

    is_: Literal["nonce_shown"] = "nonce_shown"
    channel: int
    nonce: str


class Fresh(Message):
    """Nobody has shown it before."""

    is_: Literal["fresh"] = "fresh"
    channel: int


class CallWanted(Message):
    """The far side begins its call; answered by `Begun` or `Refused`."""

    is_: Literal["call_wanted"] = "call_wanted"
    channel: int
    protocol: str
    external_id: str | None
    line: str | None
    stream_id: str | None = None


class Begun(Message):
    """The call is there; the ring may carry what it says."""

    is_: Literal["begun"] = "begun"
    channel: int
    call_id: str


class Refused(Message):
    """It cannot be taken now, or never, as the code says that a socket is closed with for it."""

    is_: Literal["refused"] = "refused"
    channel: int
    text: str
    close_code: int = CallRejected.close_code


class Ended(Message):
    """The call has ended, and why; `close_code` and `text` where something failed."""

    is_: Literal["ended"] = "ended"
    channel: int
    reason: EndReason
    close_code: int | None = None
    text: str | None = None


class Left(Message):
    """The far side needs nothing any more."""

    is_: Literal["left"] = "left"
    channel: int


class Dropped(Message):
    """So much audio had to go in the ingest process, since it was last told."""

    is_: Literal["dropped"] = "dropped"
    seconds: float


class Stop(Message):
    """Every call has ended: give the last answers and go."""

    is_: Literal["stop"] = "stop"


FromWorker: TypeAlias = Annotated[
    Ready | NonceShown | SeatWanted | CallWanted | Left | Dropped, Field(discriminator="is_")
]
FromEngine: TypeAlias = Annotated[
    Hello | Fresh | Seated | Begun | Refused | Ended | Stop, Field(discriminator="is_")
]
MessageT = TypeVar("MessageT")

FROM_WORKER: TypeAdapter[Ready | NonceShown | SeatWanted | CallWanted | Left | Dropped] = (
    TypeAdapter(FromWorker)
)
FROM_ENGINE: TypeAdapter[Hello | Fresh | Seated | Begun | Refused | Ended | Stop] = TypeAdapter(
    FromEngine
)


class Link(Generic[MessageT]):
    """One end of the line; `heard` is what the far side says."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        heard: TypeAdapter[MessageT],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._heard = heard

    def tell(self, message: Message) -> None:
        """Say it without waiting; a far side that does not read is hung up on."""
        if self._writer.is_closing():
            return
        self._writer.write(message.model_dump_json().encode() + b"\n")
        if self._writer.transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            self._writer.transport.abort()

    async def next_message(self) -> MessageT | None:
        """What is said next; None when the far side has hung up. Raises `LinkBroken`."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        except ValueError:
            raise LinkBroken(f"a line of more than {MOST_LINE_BYTES} bytes") from None
        if not line.endswith(b"\n"):
            return None
        try:
            return self._heard.validate_json(line)
        except ValidationError as cause:
            raise LinkBroken(f"a line that is no message: {cause.error_count()} errors") from None

    def close(self) -> None:
        """Hang up; what was said still goes out."""
        self._writer.close()
