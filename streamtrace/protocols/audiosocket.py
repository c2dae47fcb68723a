"""Asterisk's AudioSocket: frames of kind, length and payload, one after another on a TCP stream."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import (
    BAD_CONTENT,
    BAD_START,
    NOT_THIS_KIND,
    SECOND_START,
    TOO_LARGE,
    Alive,
    Dtmf,
    Ended,
    IngestEvent,
    LegFormat,
    Media,
    MediaStream,
    Opened,
    Started,
)
from streamtrace.values import L16, EndReason, Leg

PROTOCOL = "audiosocket"
HEAD_BYTES = 3  # kind, and the payload's length in network order

HANG_UP, WHO, DIGIT, ERROR = 0x00, 0x01, 0x03, 0xFF
SILENCE = 0x02  # of early versions
RATES_HZ = {
    0x10: 8_000,
    0x11: 12_000,
    0x12: 16_000,
    0x13: 24_000,
    0x14: 32_000,
    0x15: 44_100,
    0x16: 48_000,
    0x17: 96_000,
    0x18: 192_000,
}
FIRST_AUDIO, LAST_AUDIO = 0x10, 0x1F  # kinds of audio, known and to come
LENGTHS = {WHO: 16, DIGIT: 1}
DIGITS = "0123456789ABCD*#"
HUNG_UP_CODE = 0x01  # of an error: the calling party has gone

HANG_UP_FRAME = bytes((HANG_UP, 0, 0))


class AudioSocketStream(MediaStream):
    """The UUID, then audio and keys, up to a hang-up or simply the connection's end.

    How the stream is cut does not matter. All audio of a call has one rate, for Asterisk brings
    it to the format that was dialled: another one amid the call means that what is read is not
    what was sent. Kinds that are not known are left out, as long as they are not audio: their
    length says where the next frame begins, and later versions may add some.
    """

    may_wait_s = 0.02  # a frame: TCP brings one by one what costs much less by twos and threes

    def __init__(self) -> None:
        self._held = bytearray()  # less than a frame
        self._wanted = HEAD_BYTES  # bytes before there is anything to be seen in them
        self._uuid: UUID | None = None
        self._audio: int | None = None  # the kind of this call's audio
        self._most_bytes = 0  # of a frame of it: a second
        self._position = 0
        self._frames = 0
        self._ended = False

    @property
    def messages_read(self) -> int:
        """Frames, of whatever kind."""
        return self._frames

    @property
    def is_amid_frame(self) -> bool:
        """Whether what came last is only a part of a frame."""
        return bool(self._held)

    def feed(self, message: str | bytes) -> Iterator[IngestEvent]:
        """Read the next piece of the stream; what comes before a violation still counts."""
        if isinstance(message, str):
            raise ProtocolViolation("a text, where all is bytes", NOT_THIS_KIND)
        if self._ended:
            return
        data, at = message, 0
        if self._held:
            self._held += message
            if len(self._held) < self._wanted:
                return
            data = bytes(self._held)
            self._held.clear()
        self._wanted = HEAD_BYTES
        have = len(data)
        while have - at >= HEAD_BYTES and not self._ended:
            kind, length = data[at], data[at + 1] << 8 | data[at + 2]
            is_usual = kind == self._audio and not length & 1 and 0 < length <= self._most_bytes
            if not is_usual:
                self._check(kind, length)
            end = at + HEAD_BYTES + length
            if end > have:
                self._wanted = end - at
                break
            self._frames += 1
            payload = data[at + HEAD_BYTES : end]
            if is_usual:
                yield Media(Leg.CALLER, self._position, payload)
                self._position += length // 2
            else:
                yield from self._frame(kind, payload)
            at = end
        if at < have and not self._ended:
            self._held += data[at:]

    def flush(self) -> list[IngestEvent]:
        """Nothing is held back; a part of a frame is none."""
        return []

    def _check(self, kind: int, length: int) -> None:
        """Judge a frame by its head, before its payload is waited for."""
        if self._uuid is None and kind not in (WHO, HANG_UP, ERROR):
            raise ProtocolViolation("the stream does not begin with a UUID", BAD_START)
        if self._uuid is not None and kind == WHO:
            raise ProtocolViolation("a second UUID on this stream", SECOND_START)
        if length != LENGTHS.get(kind, length):
            raise ProtocolViolation(
                f"a frame of kind 0x{kind:02x} holds {length} bytes, not {LENGTHS[kind]}",
                BAD_START if kind == WHO else BAD_CONTENT,
            )
        if FIRST_AUDIO <= kind <= LAST_AUDIO:
            self._check_audio(kind, length)

    def _check_audio(self, kind: int, length: int) -> None:
        if kind not in RATES_HZ:
            raise ProtocolViolation(f"audio of an unknown kind, 0x{kind:02x}", NOT_THIS_KIND)
        if self._audio not in (None, kind):
            raise ProtocolViolation(
                f"audio of kind 0x{kind:02x} amid a call of 0x{self._audio:02x}", BAD_CONTENT
            )
        if length % 2:
            raise ProtocolViolation(f"{length} bytes of 16-bit samples", BAD_CONTENT)
        if length > 2 * RATES_HZ[kind]:
            raise ProtocolViolation("a frame holds more than a second of audio", TOO_LARGE)

    def _frame(self, kind: int, payload: bytes) -> list[IngestEvent]:
        if kind in RATES_HZ:
            return self._media(kind, payload)
        if kind == DIGIT:
            digit = chr(payload[0])
            return [Dtmf(Leg.CALLER, digit)] if digit in DIGITS else []
        if kind == WHO:
            self._uuid = UUID(bytes=payload)
            return [Started({}, str(self._uuid))]
        if kind == HANG_UP:
            return self._end(EndReason.HUNG_UP)
        if kind == ERROR:
            has_gone = payload[:1] == bytes((HUNG_UP_CODE,))
            return self._end(EndReason.HUNG_UP if has_gone else EndReason.SOURCE_LOST)
        return [Alive()] if kind == SILENCE else []

    def _media(self, kind: int, payload: bytes) -> list[IngestEvent]:
        if not payload:
            return []
        media = Media(Leg.CALLER, self._position, payload)
        self._position += len(payload) // 2
        if self._audio is not None:
            return [media]
        self._audio, self._most_bytes = kind, 2 * RATES_HZ[kind]
        return [Opened(Leg.CALLER, LegFormat(L16, RATES_HZ[kind])), media]

    def _end(self, reason: EndReason) -> list[IngestEvent]:
        self._ended = True
        return [Ended(reason)]


def encode_frame(kind: int, payload: bytes = b"") -> bytes:
    """The frame as it is sent."""
    return bytes((kind,)) + len(payload).to_bytes(2, "big") + payload
