"""Genesys AudioHook version 2: a session opened and closed by messages, its audio in binary ones.

The client opens, offers media and is told which is wanted; then audio follows, both parties
interleaved. Text and audio share one connection, so nothing is lost between them: audio is missing
only where the client says so (`resumed`, `discarded`), or where its `position` runs far ahead.

The client alone ends a session, by `close`, to which `closed` is the answer, and closes the socket.
A server that wants to end it says `disconnect` and waits for that. `reconnect` is never said:
the platform does not follow it, and would go on talking to a server that is going down.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum, auto

import numpy as np

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.audiohook_media import SelectedMedia, select_media
from streamtrace.protocols.audiohook_messages import (
    MALFORMED,
    NOBODY,
    OVERSIZE,
    RATE_HZ,
    UNAUTHORIZED,
    UNKNOWN_TYPE,
    WRONG_MEDIA,
    WRONG_STATE,
    ClientMessage,
    bad_start,
    disconnect,
    duration,
    fault,
    read_message,
    server_message,
)
from streamtrace.protocols.fields import parameters, section, text
from streamtrace.protocols.ingest import (
    Alive,
    Dtmf,
    Ended,
    IngestEvent,
    Media,
    MediaStream,
    Reply,
    Started,
)
from streamtrace.values import EndReason, GapCause, Leg

CLOSED_WITHIN_S = 8.0  # of the ten that the client waits for `closed`
PARTING_S = 2.0  # for `close` behind our `disconnect`, and for the end of the socket
MOST_AUDIO_S = 1  # in one message; they are of 200 ms
SLACK_SAMPLES = RATE_HZ  # positions of texts run ahead by what is being sent: more is a hole


class _State(Enum):
    NEW = auto()
    PROBED = auto()  # opened by a probe, which has nothing to be heard
    OPEN = auto()
    PAUSED = auto()
    CLOSING = auto()  # the client has said `close`, and waits for `closed`
    FAULTED = auto()  # it has done wrong, or may not be here: `disconnect` is due
    DISCONNECTING = auto()  # and was said; now `close` is due
    CLOSED = auto()


_LISTENING = (_State.OPEN, _State.PAUSED, _State.PROBED)
_KNOWN = ("open", "close", "ping", "error", "paused", "resumed", "discarded", "update", "dtmf")


class AudioHookStream(MediaStream):
    """`open`, then audio, `ping`, `paused`, `resumed`, `discarded`, `update`, `dtmf`, then `close`.

    `organization_id` and `session_id` are what the request's headers say: a session of another
    organization is unauthorized. A denied stream hears nothing, and is told to go by `farewell`.
    """

    may_wait_s = 0.04  # of the 200 ms that a message holds
    answers_within_s = CLOSED_WITHIN_S
    parting_s = PARTING_S

    def __init__(
        self,
        *,
        organization_id: str | None = None,
        session_id: str | None = None,
        tells: bool = False,
        is_denied: bool = False,
    ) -> None:
        self.tells = tells
        self.is_call = not is_denied
        self._organization_id = organization_id
        self._id: str | None = session_id
        self._is_unauthorized = is_denied
        self._state = _State.FAULTED if is_denied else _State.NEW
        self._seq = 0  # of what was said last
        self._clientseq = 0  # of what was heard last
        self._media = SelectedMedia({}, (), "", 0)
        self._position = 0  # of the next sample
        self._gap_cause = GapCause.LOST  # of the newest hole

    def feed(self, message: str | bytes) -> list[IngestEvent]:
        """Take one message."""
        state = self._state
        if state is not _State.OPEN:  # as nearly always it is
            if state in (_State.FAULTED, _State.DISCONNECTING):
                return self._until_close(message)
            if state in (_State.CLOSING, _State.CLOSED):
                return []
        try:
            return self._audio(message) if isinstance(message, bytes) else self._text(message)
        except ProtocolViolation:
            self._state = _State.FAULTED
            raise

    def flush(self) -> list[IngestEvent]:
        """Nothing is held back."""
        return []

    def report(self, event: str) -> str | None:
        """An `event` with one entity: its type is that of the CloudEvent, its data the whole."""
        if self._state not in (*_LISTENING, _State.CLOSING):
            return None
        data = json.loads(event)
        return self._say("event", {"entities": [{"type": data["type"], "data": data}]})

    def farewell(self, reason: EndReason, problem: str | None) -> list[str]:
        """`closed` where the client has asked for it, else `disconnect` where it is still there."""
        if self._state in (_State.DISCONNECTING, _State.CLOSED):
            return []
        if self._state is _State.CLOSING:
            self._state = _State.CLOSED
            return [self._say("closed", {})]
        if reason in (EndReason.HUNG_UP, EndReason.SOURCE_LOST) and problem is None:
            return []  # it has gone without a word
        self._state = _State.DISCONNECTING
        if self._is_unauthorized:
            return [self._say("disconnect", {"reason": "unauthorized"})]
        return [self._say("disconnect", disconnect(reason, problem))]

    def _text(self, given: str) -> list[IngestEvent]:
        message = read_message(given)
        if message.seq != self._clientseq + 1:
            raise fault(MALFORMED, f"`seq` {message.seq}, where {self._clientseq + 1} is next")
        if message.serverseq > self._seq:
            raise fault(MALFORMED, f"`serverseq` {message.serverseq} was not said yet")
        if self._id is not None and message.id.lower() != self._id.lower():
            raise fault(MALFORMED, "a message of another session")
        self._id, self._clientseq = message.id, message.seq
        if message.type not in _KNOWN:
            raise fault(UNKNOWN_TYPE, "a message of an unknown `type`")
        if message.type == "close":
            return self._close(message)
        if self._state is _State.NEW:
            return self._before_open(message)
        told = self._told(message)
        self._see_position(message)
        return told

    def _before_open(self, message: ClientMessage) -> list[IngestEvent]:
        match message.type:
            case "open":
                return self._open(message)
            case "ping":
                return [self._reply("pong")]
            case "error":
                return []
            case kind:
                raise bad_start(f"`{kind}` in front of `open`")

    def _open(self, message: ClientMessage) -> list[IngestEvent]:
        asked = message.parameters
        organization_id = text(asked, "organizationId")
        conversation_id = text(asked, "conversationId")
        if organization_id is None or conversation_id is None:
            raise fault(MALFORMED, "`open` names no organizationId or no conversationId")
        if self._organization_id is not None and organization_id != self._organization_id:
            self._is_unauthorized = True
            raise fault(UNAUTHORIZED, "`open` is of another organization than the request")
        answer: dict[str, object] = {"media": [], "startPaused": False}
        if asked.get("supportedLanguages") is True:
            answer["supportedLanguages"] = []  # nothing is made of words here
        if conversation_id == NOBODY:
            self._state, self.is_call = _State.PROBED, False
            return [self._reply("opened", answer)]
        media = select_media(asked.get("media"))
        if media is None:
            raise fault(WRONG_MEDIA, f"no audio of PCMU or L16 at {RATE_HZ} Hz is offered")
        self._media, self._position = media, message.position
        self._state = _State.OPEN
        answer["media"] = [media.offer]
        started = Started(media.legs, conversation_id, parameters(section(asked, "customConfig")))
        return [started, self._reply("opened", answer)]

    def _told(self, message: ClientMessage) -> list[IngestEvent]:
        """What a message in an open session means."""
        match message.type:
            case "open":
                raise fault(WRONG_STATE, "a second `open` in this session")
            case "ping":
                # A session that is not paused has audio to show that it lives.
                alive = [Alive()] if self._state is _State.PAUSED else []
                return [self._reply("pong"), *alive]
            case "update":
                return [self._reply("updated")]
            case "dtmf":
                digit = text(message.parameters, "digit", most=1)
                return [Dtmf(Leg.CALLER, digit)] if digit else []
            case "paused" if self._state is _State.OPEN:
                self._state = _State.PAUSED
                return [Alive()]
            case "resumed" if self._state is not _State.PROBED:
                self._state = _State.OPEN
                self._miss(message, GapCause.PAUSED)
                return [Alive()]
            case "discarded" if self._state is not _State.PROBED:
                self._miss(message, GapCause.DISCARDED)
                return []
            case _:
                return []  # `error`, behind which `close` comes, and what changes nothing

    def _miss(self, message: ClientMessage, cause: GapCause) -> None:
        """The client says which audio it does not send."""
        end = duration(message.parameters, "start") + duration(message.parameters, "discarded")
        self._jump(end, cause)

    def _see_position(self, message: ClientMessage) -> None:
        """A pause runs on in the client's positions, and ends where `resumed` says."""
        if self._state is not _State.OPEN:
            return
        if message.position > self._position + SLACK_SAMPLES:
            self._jump(message.position, GapCause.LOST)

    def _jump(self, position: int, cause: GapCause) -> None:
        if position > self._position:
            self._position, self._gap_cause = position, cause

    def _close(self, message: ClientMessage) -> list[IngestEvent]:
        self._state = _State.CLOSING
        lost = message.parameters.get("reason") == "error"
        return [Ended(EndReason.SOURCE_LOST if lost else EndReason.HUNG_UP)]

    def _until_close(self, message: str | bytes) -> list[IngestEvent]:
        """Behind a fault nothing counts but that the client goes."""
        try:
            said = None if isinstance(message, bytes) else read_message(message)
        except ProtocolViolation:
            return []
        if said is None or said.type != "close":
            return []
        self._id, self._clientseq = self._id or said.id, said.seq
        if self._state is _State.FAULTED:
            self._state = _State.CLOSING
            return [Ended(EndReason.HUNG_UP)]
        self._state = _State.CLOSED
        return [self._reply("closed")]

    def _audio(self, payload: bytes) -> list[IngestEvent]:
        if self._state is _State.NEW:
            raise bad_start("audio in front of `open`")
        if self._state is _State.PROBED:
            raise fault(WRONG_STATE, "audio, though no media was selected")
        legs, width = self._media.channels, self._media.sample_bytes
        channels = len(legs)
        samples, rest = divmod(len(payload), channels * width)
        if rest:
            raise fault(MALFORMED, "audio that is not of whole samples of every channel")
        if samples > MOST_AUDIO_S * RATE_HZ:
            raise fault(OVERSIZE, f"more than {MOST_AUDIO_S} s of audio in one message")
        if not samples:
            return []
        start = self._position
        self._position += samples
        if channels == 1:
            return [Media(legs[0], start, payload, self._gap_cause)]
        columns = np.frombuffer(payload, f"V{width}").reshape(samples, channels)
        return [
            Media(leg, start, columns[:, channel].tobytes(), self._gap_cause)
            for channel, leg in enumerate(legs)
        ]

    def _reply(self, kind: str, parameters: Mapping[str, object] | None = None) -> Reply:
        return Reply(self._say(kind, parameters or {}))

    def _say(self, kind: str, parameters: Mapping[str, object]) -> str:
        self._seq += 1
        return server_message(
            kind,
            self._id or NOBODY,
            seq=self._seq,
            clientseq=self._clientseq,
            parameters=parameters,
        )
