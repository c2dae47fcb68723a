"""Every wrong at every door ends as documented, with its last events, and harms no other call."""

from __future__ import annotations

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

ROWS = [(door, wrong) for door in DOORS for wrong in DOORS[door].wrongs]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes() -> dict[Row, Outcome]:
    """All wrongs of all doors at once, and a good call at each meanwhile."""
    return await outcomes_of(ROWS, DOORS)


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
