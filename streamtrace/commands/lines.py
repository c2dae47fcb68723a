"""How `trace` prints a result: one JSON object for programs, one aligned line for people."""

from __future__ import annotations

import json
from collections.abc import Mapping

from streamtrace.events.events import CallScore

TABLE_HEADER = (
    f"{'verdict':<13}{'synthetic':>9}  {'top source':<28}{'novelty':>8}"
    f"{'speech':>9}{'length':>9}{'first':>9}  path"
)


def result_line(name: str, leg: str | None, score: CallScore) -> dict[str, object]:
    """The call decision at the end of a file, with every known system and `unknown`."""
    decision = score.decision
    return {
        "path": name,
        "leg": leg,
        "verdict": decision.verdict.value,
        "spoof_probability": decision.spoof_probability,
        "attribution": [
            {"source": share.source, "family": share.family, "probability": share.probability}
            for share in decision.sources_ranked()
        ],
        "families": [
            {"family": share.family, "probability": share.probability}
            for share in decision.families_ranked()
        ],
        "novelty": decision.novelty,
        "speech_ms": decision.speech_ms,
        "duration_ms": score.duration_ms,
        "first_verdict_ms": score.first_verdict_ms,
        "first_synthetic_ms": score.first_synthetic_ms,
        "first_synthetic_speech_ms": score.first_synthetic_speech_ms,
        "model": {"id": score.model.id, "sha256": score.model.sha256},
    }


def json_line(value: Mapping[str, object]) -> str:
    """One line of UTF-8; a file name that is none is escaped, so that `os.fsencode` finds it."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return line if _is_text(line) else json.dumps(value, allow_nan=False)


def table_line(name: str, leg: str | None, score: CallScore) -> str:
    """The path comes last, so that no width cuts it."""
    decision = score.decision
    top = decision.sources_ranked(1)[0]
    first = "never" if score.first_verdict_ms is None else _seconds(score.first_verdict_ms)
    name = name if _is_text(name) else repr(name)
    place = name if leg is None else f"{name} ({leg})"
    return (
        f"{decision.verdict.value:<13}{decision.spoof_probability:>9.3f}"
        f"  {f'{top.source} {top.probability:.2f}':<28}{decision.novelty:>8.2f}"
        f"{_seconds(decision.speech_ms):>9}{_seconds(score.duration_ms):>9}{first:>9}  {place}"
    )


def _is_text(given: str) -> bool:
    """Bytes of a file name that are no UTF-8 come as lone surrogates, which no stream takes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in given)


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.2f} s"
