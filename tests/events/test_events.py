"""Events are values: equal if they say the same, and never changed."""

from __future__ import annotations

import dataclasses

import pytest

from streamtrace.events.events import CallEnded, CallGap
from streamtrace.values import EndReason, GapCause, Leg


def test_events_are_frozen_values() -> None:
    gap = CallGap(Leg.CALLER, 20, 40, GapCause.LOST)
    assert gap == CallGap(Leg.CALLER, 20, 40, GapCause.LOST)
    with pytest.raises(dataclasses.FrozenInstanceError):
        gap.start_ms = 0  # type: ignore[misc]


def test_a_call_ends_without_an_error_by_default() -> None:
    assert CallEnded(EndReason.HUNG_UP).error is None
