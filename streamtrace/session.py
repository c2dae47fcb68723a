"""START HERE: one call, without clock, socket or task: audio in, encoder steps and events out.

Whoever drives a session has its steps encoded and traced, and feeds back what is known then:

    steps, events = session.feed_audio(leg, chunk)
    events += session.feed_traced(leg, traced)  # for each step, in order
    steps = session.finish(leg)                 # the leg's last, padded step, to be fed as well
    session.feed_answer(leg, answer)            # if `session.owes_answer(leg)`
    events = session.end(reason)                # one final score per leg, then CallEnded
"""

from __future__ import annotations

import dataclasses

from streamtrace.audio.loss import LossMeter
from streamtrace.audio.steps import Stepper
from streamtrace.errors import ProtocolViolation
from streamtrace.events.events import (
    CallEnded,
    CallGap,
    CallMedia,
    CallScore,
    CallStarted,
    Event,
)
from streamtrace.fusion.model import TraceModel
from streamtrace.fusion.policy import decide
from streamtrace.values import (
    HOP_STEPS,
    SAMPLES_PER_MS,
    STEP_SAMPLES,
    WINDOW_STEPS,
    Answer,
    AudioChunk,
    Decision,
    EndReason,
    Finding,
    GapCause,
    Leg,
    Quality,
    Segment,
    Step,
    Traced,
    Verdict,
)


class CallSession:
    """A call tells one story: started; its legs' media, gaps and scores; finals; ended.

    Each leg that was opened gets exactly one final score, even without any audio, and `CallEnded`
    comes last. What arrives after it changes nothing.
    """

    def __init__(
        self,
        model: TraceModel,
        *,
        external_id: str | None = None,
        line: str | None = None,
        protocol: str = "api",
    ) -> None:
        self._model = model
        self._started = CallStarted(external_id, line, protocol)
        self._legs: dict[Leg, LegSession] = {}
        self._ended = False

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The legs opened so far, in that order."""
        return tuple(self._legs)

    def start(self) -> list[Event]:
        """The call's first event."""
        return [self._started]

    def open_leg(self, leg: Leg, codec: str, rate_hz: int) -> list[Event]:
        """A party's audio is about to come."""
        if leg in self._legs:
            raise ProtocolViolation(
                f"leg {leg.value!r} is open already; one call carries one stream per leg", 4409
            )
        self._legs[leg] = LegSession(leg, self._model, codec)
        return [CallMedia(leg, codec, rate_hz)]

    def feed_audio(
        self, leg: Leg, chunk: AudioChunk, cause: GapCause = GapCause.LOST
    ) -> tuple[list[Step], list[Event]]:
        """Steps to encode, and a gap if audio is missing in front of the chunk."""
        return ([], []) if self._ended else self._legs[leg].feed_audio(chunk, cause)

    def feed_traced(self, leg: Leg, traced: Traced) -> list[Event]:
        """A score if the step ends a hop."""
        return [] if self._ended else self._legs[leg].feed_traced(traced)

    def finish(self, leg: Leg) -> list[Step]:
        """The leg's last step, padded, if audio is left for one."""
        return [] if self._ended else self._legs[leg].finish()

    def owes_answer(self, leg: Leg) -> bool:
        """Whether steps were traced since the leg's last answer, so that its final wants one."""
        return not self._ended and self._legs[leg].owes_answer

    def feed_answer(self, leg: Leg, answer: Answer) -> None:
        """What is known of the leg by now, asked for without a step."""
        if not self._ended:
            self._legs[leg].feed_answer(answer)

    def end(self, reason: EndReason, error: str | None = None) -> list[Event]:
        """The last events; a second end has nothing to add."""
        if self._ended:
            return []
        self._ended = True
        finals: list[Event] = [leg.conclude() for leg in self._legs.values()]
        return [*finals, CallEnded(reason, error)]


class LegSession:
    """One party's voice: what was heard of it so far, and what that says.

    The events depend on the audio and its positions alone, not on how it was cut into chunks.
    """

    def __init__(self, leg: Leg, model: TraceModel, codec: str) -> None:
        self._leg = leg
        self._model = model
        self._codec = codec
        self._stepper = Stepper()
        self._loss = LossMeter()
        self._waiting: set[int] = set()  # steps now being encoded
        self._begin_sample = 0  # of the first audio
        self._end_sample = 0  # behind the last audio
        self._decided_sample = 0  # behind the last step that was traced
        self._newest_step = -1
        self._dropped_sample = -1  # behind the last audio that the engine was too slow for
        self._answer = Answer(model.silence, model.silence)
        self._owes_answer = False
        self._verdict = Verdict.NO_SPEECH
        self._first_verdict_ms: int | None = None
        self._first_synthetic_ms: int | None = None
        self._first_synthetic_speech_ms: int | None = None

    @property
    def owes_answer(self) -> bool:
        """Whether steps were traced since the last answer, or may have been."""
        return self._owes_answer or bool(self._waiting)

    def feed_audio(
        self, chunk: AudioChunk, cause: GapCause = GapCause.LOST
    ) -> tuple[list[Step], list[Event]]:
        """Steps to encode, and a gap if audio is missing in front of the chunk."""
        if not len(chunk.pcm):
            return [], []
        if self._stepper.position is None:
            self._begin_sample = self._decided_sample = chunk.start_sample
            if cause is GapCause.DROPPED:  # its very beginning: no gap, since nothing was before
                self._dropped_sample = chunk.start_sample + 1
        self._end_sample = max(self._end_sample, chunk.end_sample)
        output = self._stepper.feed(chunk, is_behind=cause is GapCause.DROPPED)
        events: list[Event] = []
        for gap in output.gaps:
            if cause is not GapCause.PAUSED:  # what was held back on purpose the line did not lose
                self._loss.add(gap)
            if cause is GapCause.DROPPED:
                self._dropped_sample = gap.end_sample
            start_ms, end_ms = (
                gap.start_sample // SAMPLES_PER_MS,
                -(-gap.end_sample // SAMPLES_PER_MS),
            )
            events.append(CallGap(self._leg, start_ms, end_ms, cause))
        return self._await_traced(output.steps), events

    def finish(self) -> list[Step]:
        """The last step, padded, if audio is left for one; nothing may be fed behind it."""
        steps = [dataclasses.replace(step, wanted=True) for step in self._stepper.flush().steps]
        return self._await_traced(steps)

    def feed_traced(self, traced: Traced) -> list[Event]:
        """A step was taken into account; a score if it ends a hop."""
        if traced.index not in self._waiting:
            raise ValueError(f"step {traced.index} was traced, which is not being encoded")
        self._waiting.discard(traced.index)
        self._newest_step = traced.index
        # The last step is padded: the call did not last as long as its grid.
        self._decided_sample = min((traced.index + 1) * STEP_SAMPLES, self._end_sample)
        self._owes_answer = traced.answer is None
        if traced.answer is not None:
            self._answer = traced.answer
        if (traced.index + 1) % HOP_STEPS:
            return []
        return [self._score(is_final=False)]

    def feed_answer(self, answer: Answer) -> None:
        """What is known by now."""
        self._answer, self._owes_answer = answer, False

    def conclude(self) -> CallScore:
        """The final score, from the last answer; its segment is the whole leg."""
        self._decided_sample = self._end_sample
        return self._score(is_final=True)

    def _await_traced(self, steps: list[Step]) -> list[Step]:
        self._waiting.update(step.index for step in steps)
        return steps

    def _score(self, *, is_final: bool) -> CallScore:
        call, window = self._decisions()
        now_ms = self._decided_sample // SAMPLES_PER_MS
        begin_ms = self._begin_sample // SAMPLES_PER_MS
        self._note_firsts(call.verdict, now_ms)
        if is_final:
            segment = Segment(begin_ms, now_ms, call.speech_ms)
        else:
            window_sample = (self._newest_step + 1 - WINDOW_STEPS) * STEP_SAMPLES
            start_ms = max(begin_ms, window_sample // SAMPLES_PER_MS)
            segment = Segment(start_ms, now_ms, window.speech_ms)
        return CallScore(
            leg=self._leg,
            segment=segment,
            is_final=is_final,
            decision=call,
            window_decision=window if self._newest_step >= 0 else None,
            first_verdict_ms=self._first_verdict_ms,
            first_synthetic_ms=self._first_synthetic_ms,
            first_synthetic_speech_ms=self._first_synthetic_speech_ms,
            duration_ms=now_ms - begin_ms,
            quality=self._quality(segment),
            model=self._model.ref,
            threshold=self._model.policy.threshold,
        )

    def _decisions(self) -> tuple[Decision, Decision]:
        """Of all speech so far, and of the last window."""
        call, window, policy = self._answer.call, self._answer.window, self._model.policy
        self._verdict = decide(self._verdict, call.spoof_probability, call.speech_ms, policy)
        # A window stands for itself: it has no verdict to hold on to.
        of_window = decide(Verdict.NO_SPEECH, window.spoof_probability, window.speech_ms, policy)
        return self._decision(self._verdict, call), self._decision(of_window, window)

    def _decision(self, verdict: Verdict, finding: Finding) -> Decision:
        return Decision(
            verdict=verdict,
            spoof_probability=finding.spoof_probability,
            attribution=finding.attribution,
            families=finding.families,
            novelty=finding.novelty,
            speech_ms=finding.speech_ms,
            catalog=self._model.catalog,
        )

    def _note_firsts(self, verdict: Verdict, now_ms: int) -> None:
        if verdict not in (Verdict.SYNTHETIC, Verdict.BONAFIDE):
            return
        if self._first_verdict_ms is None:
            self._first_verdict_ms = now_ms
        if verdict is Verdict.SYNTHETIC and self._first_synthetic_ms is None:
            self._first_synthetic_ms = now_ms
            self._first_synthetic_speech_ms = self._answer.call.speech_ms

    def _quality(self, segment: Segment) -> Quality:
        heard = self._decided_sample - self._begin_sample
        lost = self._loss.lost_before(self._decided_sample)
        return Quality(
            self._codec,
            lost / heard if heard else 0.0,
            concealed_ms=0,
            degraded=self._dropped_sample > segment.start_ms * SAMPLES_PER_MS,
        )
