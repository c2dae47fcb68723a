"""The tree of errors; each carries its consequence on the wire and on the command line.

StreamTraceError
├── SettingsError           a setting is wrong                               exit 2
├── BundleError             a model directory is missing, damaged or foreign exit 2
├── AudioError              a file cannot be used                            exit 2
├── StoreError              the database cannot be used                      exit 2
│   └── StoreFailed         it cannot be read or written just now            close 1013
├── EvidenceBroken          a kept clip cannot be opened                     HTTP 500
├── CallRejected            this call cannot be taken now                    close 1013
│   ├── EngineFull          no slot is free                                  HTTP 503
│   ├── NotAllowed          this call may not be placed                      close 1008, HTTP 403
│   └── StreamTaken         this very stream is, or was, here                close 4409, HTTP 409
├── ProtocolViolation       the peer broke its protocol                      its own close code
├── EncoderFailed           a batch failed                                   close 1011
├── AlertConflict           an alert's state does not allow this             HTTP 409
│   ├── AlertStale          the alert was changed meanwhile                  HTTP 412
│   └── AlertIncomplete     a note, disposition or name is missing           HTTP 422
├── CallFailed              a placed call came to nothing                    exit 1
├── Unreachable             a client's server does not answer                exit 1
├── AnswerUnreadable        a client's server says what it cannot read       exit 1
└── RequestRefused          a client's server said no                        exit 1
    └── Conflict            the alert is not as it was looked at             exit 1
"""

from __future__ import annotations

LATER = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses of HTTP that pass


class StreamTraceError(Exception):
    """Anything this project raises on purpose; the text names what, where and what to do."""

    close_code = 1011
    exit_code = 1


class SettingsError(StreamTraceError):
    """A setting is wrong; the text names key, value and rule."""

    exit_code = 2


class BundleError(StreamTraceError):
    """A model directory is missing, damaged or of another format."""

    exit_code = 2


class AudioError(StreamTraceError):
    """An audio file is missing, empty, truncated or not audio."""

    exit_code = 2


class StoreError(StreamTraceError):
    """The database is missing, damaged, foreign or in use; the text names it and what to do."""

    exit_code = 2


class StoreFailed(StoreError):
    """The database could not be read or written just now; trying again later is right."""

    close_code = 1013


class EvidenceBroken(StreamTraceError):
    """What was sealed does not open: another `evidence_key`, or a changed file."""


class CallRejected(StreamTraceError):
    """This call cannot be taken now; trying again later is right."""

    close_code = 1013
    status = 503


class EngineFull(CallRejected):
    """Every encoder slot is lent."""


class NotAllowed(CallRejected):
    """This call may not be placed, now or later: it was not announced, or proves nothing."""

    close_code = 1008
    status = 403


class StreamTaken(CallRejected):
    """The platform's stream is here already, or has said its end: this is another's copy of it."""

    close_code = 4409
    status = 409


class ProtocolViolation(StreamTraceError):
    """The peer broke its protocol; `close_code` is what its socket is closed with."""

    def __init__(self, message: str, close_code: int = 1007) -> None:
        super().__init__(message)
        self.close_code = close_code


class EncoderFailed(StreamTraceError):
    """A batch failed; only the calls in it end."""


class AlertConflict(StreamTraceError):
    """What was wanted of an alert is not possible from its state."""

    http_status = 409


class AlertStale(AlertConflict):
    """The alert has another version than the one that was looked at."""

    http_status = 412


class AlertIncomplete(AlertConflict):
    """The change lacks a note, a disposition or a name, or has too much of one."""

    http_status = 422


class CallFailed(StreamTraceError):
    """A call placed as a client came to nothing."""


class Unreachable(StreamTraceError):
    """No server answers there, or has for longer than its client is patient."""


class AnswerUnreadable(StreamTraceError):
    """The server says what this version cannot read."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} of this server cannot be read: use its version of streamtrace")


class RequestRefused(StreamTraceError):
    """The server, or a proxy before it, said no, with this HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{detail} (HTTP {status})")
        self.status = status
        self.detail = detail

    @property
    def is_passing(self) -> bool:
        """The same may succeed in a while."""
        return self.status in LATER


class Conflict(RequestRefused):
    """Somebody was first, or the alert's state does not allow it; `version` is the one it has."""

    def __init__(self, status: int, detail: str, version: int | None) -> None:
        super().__init__(status, detail)
        self.version = version
