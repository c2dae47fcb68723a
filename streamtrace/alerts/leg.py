"""One leg's alert: when it is raised, told anew, and no longer held up by its evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from streamtrace.alerts.blocks import Blocks
from streamtrace.alerts.calibration import Calibration
from streamtrace.alerts.evidence import Exhibits
from streamtrace.alerts.meter import meter_for
from streamtrace.alerts.policy import AlertPolicy
from streamtrace.alerts.reason import reason_of
from streamtrace.alerts.windows import NamedWindows
from streamtrace.events.alerts import AlertEvidence, LineQuality, LineSound, Severity
from streamtrace.events.events import CallMedia, CallScore

MOST_SOURCES = 5
WITHDRAWN = 0.0  # log evidence below which nothing speaks for a synthetic voice any more


class News(Enum):
    """What a look brought."""

    NOTHING = auto()
    OPENED = auto()
    UPDATED = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert as its leg last told of it."""

    severity: Severity
    is_withdrawn: bool
    evidence: AlertEvidence


class LegWatch:
    """There is at most one alert of a leg, however often its evidence crosses the bar.

    Severity only rises. While nothing else is new an alert is told anew at most once a quiet
    period; a rise of its severity, and that its evidence fell back or came back, are told at once.
    """

    def __init__(
        self,
        media: CallMedia,
        policy: AlertPolicy,
        calibration: Calibration | None,
        line: Callable[[], LineSound] = LineSound,
    ) -> None:
        self._media = media
        self._line = line  # as it sounds by now
        self._policy = policy
        self._meter = meter_for(calibration, media.rate_hz)
        self._blocks = Blocks()
        self._exhibits = Exhibits()
        self._windows = NamedWindows()
        self._speech_ms = 0
        self._degraded_ms = 0
        self._peak = 0.0
        self._last: CallScore | None = None  # of the last look that was evidence
        self._standing: Standing | None = None

    @property
    def standing(self) -> Standing | None:
        """The alert as it was last told; None if there is none."""
        return self._standing

    def take(self, score: CallScore) -> News:
        """One decision on the leg."""
        if not self._weigh(score):
            return News.NOTHING
        before, severity = self._standing, self._severity()
        if before is None:
            if severity is None:
                return News.NOTHING
            self._standing = Standing(severity, False, self._evidence())
            return News.OPENED
        risen = severity is not None and _rank(severity) > _rank(before.severity)
        is_withdrawn = self._meter.log_evidence < WITHDRAWN
        evidence = self._evidence()
        quiet = evidence.now_ms - before.evidence.now_ms < self._policy.quiet_ms
        turned = is_withdrawn != before.is_withdrawn
        if not (risen or turned) and (quiet or not _differs(evidence, before.evidence)):
            return News.NOTHING
        self._standing = Standing(
            severity if risen and severity else before.severity, is_withdrawn, evidence
        )
        return News.UPDATED

    def conclude(self) -> Standing | None:
        """The alert as it is at the call's end."""
        if self._standing is not None:
            self._standing = replace(self._standing, evidence=self._evidence())
        return self._standing

    def _weigh(self, score: CallScore) -> bool:
        """Whether the score's window was new evidence."""
        window = score.window_decision
        if score.is_final or window is None:
            return False
        heard = score.decision.speech_ms - self._speech_ms
        self._speech_ms = score.decision.speech_ms
        if score.quality.degraded:
            self._degraded_ms += heard
            return False
        if score.quality.loss_ratio > self._policy.most_loss_ratio:
            return False
        block = self._blocks.take(score.segment, window.spoof_probability)
        if block is None:
            return False
        gain = self._meter.take(block, score.decision)
        self._exhibits.add(block, gain, score.decision)
        self._windows.add(score.segment, window)
        self._peak = max(self._peak, self._meter.log_evidence)
        self._last = score
        return True

    def _severity(self) -> Severity | None:
        """The highest whose bar the evidence reaches; None below that of an alert."""
        reached = [
            severity
            for severity, level in self._policy.levels
            if self._meter.log_evidence >= self._meter.bar(level)
        ]
        return reached[-1] if reached else None

    def _evidence(self) -> AlertEvidence:
        score = self._last
        assert score is not None
        meter, decision = self._meter, score.decision
        onset_ms, line = meter.onset_ms, self._line()
        shares = decision.sources_ranked(MOST_SOURCES, digits=4)
        evidence = AlertEvidence(
            log_evidence=round(meter.log_evidence, 4),
            peak_log_evidence=round(self._peak, 4),
            bar=round(meter.bar(self._policy.levels[0][1]), 4),
            promised=round(100 * self._policy.level, 6),
            is_calibrated=meter.is_calibrated,
            onset_ms=onset_ms,
            is_change=meter.is_change,
            speech_ms=self._speech_ms,
            now_ms=score.segment.end_ms,
            spoof_probability=round(decision.spoof_probability, 6),
            novelty=round(decision.novelty, 6),
            unknown=next(share.probability for share in shares if share.family is None),
            segments=self._exhibits.segments(onset_ms),
            attribution=shares,
            named=self._exhibits.named(onset_ms),
            quality=LineQuality(
                score.quality.codec,
                self._media.rate_hz,
                round(score.quality.loss_ratio, 6),
                score.quality.concealed_ms,
                self._degraded_ms,
                line.clipped_ratio,
                line.bandwidth_hz and min(line.bandwidth_hz, self._media.rate_hz // 2),
            ),
            model=score.model,
            reason="",
            windows=self._windows.told(),
        )
        return replace(evidence, reason=reason_of(evidence, score.leg))


def _differs(now: AlertEvidence, before: AlertEvidence) -> bool:
    """Whether there is more to see than later numbers."""
    return (now.onset_ms, now.segments, now.named) != (
        before.onset_ms,
        before.segments,
        before.named,
    )


def _rank(severity: Severity) -> int:
    return list(Severity).index(severity)
