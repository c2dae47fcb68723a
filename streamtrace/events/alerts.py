"""Alerts as frozen values: what is known, who works on it, and what happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from streamtrace.values import Leg, ModelRef, SourceShare

MOST_NOTE = 4_000  # characters
MOST_NAME = 200


class Severity(StrEnum):
    """How rarely a human call brings as much evidence; `low` is at the policy's own level."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class AlertState(StrEnum):
    """Where people are with it; the last two are its end."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    DISMISSED = "dismissed"
    RESOLVED = "resolved"


class Disposition(StrEnum):
    """What it turned out to be."""

    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"
    BENIGN_SYNTHETIC = "benign_synthetic"  # synthetic and meant to be: a voice aid, an assistant
    INCONCLUSIVE = "inconclusive"


class AlertAction(StrEnum):
    """What was done to an alert: by a person with the route of that name, or by policy."""

    OPEN = "open"
    UPDATE = "update"  # the evidence moved on
    WITHDRAW = "withdraw"  # the evidence fell back
    ACK = "ack"
    ASSIGN = "assign"
    ESCALATE = "escalate"
    DISMISS = "dismiss"
    RESOLVE = "resolve"
    PLAY = "play"  # its clip was asked for, and given


@dataclass(frozen=True, slots=True)
class SpokenFor:
    """A stretch that spoke for a synthetic voice; stretches of one alert share no audio."""

    start_ms: int
    end_ms: int
    speech_ms: int
    spoof_probability: float  # of this stretch alone
    gain: float  # what it did to the log evidence
    source: str | None  # the likeliest by then, from all speech; None for `unknown`
    share: float = 0.0  # of all that spoke for it on this leg


@dataclass(frozen=True, slots=True)
class NamedFrom:
    """From this call time on the attribution's first name was this one."""

    from_ms: int
    source: str
    family: str | None
    probability: float  # when it was first


@dataclass(frozen=True, slots=True)
class NamedWithin:
    """Which systems the windows of a stretch named, each by itself: the likeliest and `unknown`."""

    start_ms: int
    end_ms: int
    sources: tuple[SourceShare, ...]


@dataclass(frozen=True, slots=True)
class LineSound:
    """What can be heard of a line; None where nobody listened, or too little was said."""

    clipped_ratio: float | None = None  # of samples, at full scale
    bandwidth_hz: int | None = None  # up to which sound was carried, in the last minute


@dataclass(frozen=True, slots=True)
class LineQuality:
    """What the line did to the voice, as far as the engine knows."""

    codec: str
    rate_hz: int  # half of it bounds what can be heard
    loss_ratio: float
    concealed_ms: int
    degraded_ms: int  # speech left out because the engine had dropped audio of it
    clipped_ratio: float | None = None  # as `LineSound` has them
    bandwidth_hz: int | None = None


@dataclass(frozen=True, slots=True)
class AlertEvidence:
    """Why there is an alert, at its last update."""

    log_evidence: float  # of the whole leg so far
    peak_log_evidence: float  # the most it ever was
    bar: float  # what opened the alert
    promised: float  # false alarms per 100 human calls that the bar stands for
    is_calibrated: bool  # False: the model has no calibration and the bar is a bound, not measured
    onset_ms: int  # where the synthetic voice most likely begins
    is_change: bool  # it begins in mid-call: somebody else spoke before
    speech_ms: int  # of the leg
    now_ms: int  # call time of this state
    spoof_probability: float  # of all speech of the leg
    novelty: float
    unknown: float  # share of `unknown` in the attribution
    segments: tuple[SpokenFor, ...]  # the strongest, in order of time
    attribution: tuple[SourceShare, ...]  # the likeliest now, and `unknown`
    named: tuple[NamedFrom, ...]  # attribution over time
    quality: LineQuality
    model: ModelRef
    reason: str  # all that in plain words
    windows: tuple[NamedWithin, ...] = ()  # attribution over time, from the leg's windows alone


@dataclass(frozen=True, slots=True)
class Alert:
    """One leg of one call that is suspected; `version` rises with every change."""

    id: str
    version: int
    call_id: str
    external_id: str | None
    line: str | None
    leg: Leg
    policy: str
    state: AlertState
    severity: Severity
    is_withdrawn: bool  # the evidence fell back since
    is_call_over: bool
    assignee: str | None
    disposition: Disposition | None
    note: str | None  # of who closed it
    opened_at: datetime
    changed_at: datetime
    evidence: AlertEvidence

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something about it."""
        return self.state not in (AlertState.DISMISSED, AlertState.RESOLVED)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: who did what to which version, and what it was before and after."""

    alert_id: str
    version: int  # that it made
    at: datetime
    actor: str
    action: AlertAction
    before: AlertState | None
    after: AlertState
    assignee: str | None
    disposition: Disposition | None
    note: str | None
