"""Every wrong at every door ends as documented, with its last events, and harms no other call."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import structlog
from structlog.testing import capture_logs

from tests.live_server import live_server
from tests.server.bad_input import DOORS
from tests.server.wrong_calls import (
    SETTINGS,
    Outcome,
    Row,
    assert_documented,
    assert_unharmed,
    outcomes_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = [(door, wrong) for door in DOORS for wrong in DOORS[door].wrongs]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes() -> AsyncIterator[dict[Row, Outcome]]:
    """All wrongs of all doors at once, and a good call at each meanwhile."""
    merged = [structlog.contextvars.merge_contextvars]
    async with live_server(**SETTINGS) as url:
        with capture_logs(processors=merged) as logs:
            found = await outcomes_of(url, ROWS, DOORS, logs)
    yield found


@pytest.mark.parametrize(("door", "wrong"), ROWS)
async def test_a_wrong_ends_as_documented(
    door: str, wrong: str, outcomes: dict[Row, Outcome]
) -> None:
    assert_documented((door, wrong), outcomes[door, wrong])


@pytest.mark.parametrize("door", list(DOORS))
async def test_a_good_call_beside_them_notices_nothing(
    door: str, outcomes: dict[Row, Outcome]
) -> None:
    assert_unharmed(door, outcomes[door, "nothing"])
