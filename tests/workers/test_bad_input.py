"""What a far side does wrong ends the same where an ingest process hears it: one of a kind."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.server.bad_input import DOORS
from tests.server.wrong_calls import (
    Outcome,
    Row,
    assert_documented,
    assert_unharmed,
    outcomes_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


def one_of_each_kind(door: str) -> list[Row]:
    """The first of those that end with the same code."""
    wrongs = DOORS[door].wrongs
    kinds = {what.code: name for name, what in reversed(wrongs.items())}
    return [(door, name) for name in kinds.values()]


ROWS = [row for door in DOORS for row in one_of_each_kind(door)]
GOOD = ("twilio", "pcm")
# Processes of a busy machine wait for one another longer than one waits for itself.
PATIENT: dict[str, Any] = {
    "start_timeout_s": 4.0,
    "media_idle_timeout_s": 5.0,
    "ring_ms": 10_000,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes() -> dict[Row, Outcome]:
    """All of them at once, through one process that is not the engine's."""
    return await outcomes_of(ROWS, GOOD, **PATIENT, ingest_workers=1)


@pytest.mark.parametrize(("door", "wrong"), ROWS)
async def test_a_wrong_ends_as_documented(
    door: str, wrong: str, outcomes: dict[Row, Outcome]
) -> None:
    assert_documented((door, wrong), outcomes[door, wrong])


@pytest.mark.parametrize("door", GOOD)
async def test_a_good_call_beside_them_notices_nothing(
    door: str, outcomes: dict[Row, Outcome]
) -> None:
    assert_unharmed(door, outcomes[door, "nothing"])
