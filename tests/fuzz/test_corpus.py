"""Every input that was ever worth keeping is still heard by the laws of all dialects."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from tests.fuzz.inputs import CORPUS, joined, parted
from tests.protocols.all_dialects import DIALECTS
from tests.protocols.stream_laws import hear


@pytest.mark.parametrize("codec", list(DIALECTS))
def test_the_corpus(codec: str) -> None:
    inputs = sorted((CORPUS / codec).iterdir())
    assert {path.name for path in inputs} >= {f"seed-{n}" for n in DIALECTS[codec].conversations}
    started = 0
    for path in inputs:
        hearing = hear(DIALECTS[codec].make(), parted(path.read_bytes()))
        started += hearing.started is not None
    assert started >= len(DIALECTS[codec].conversations)


def test_no_corpus_is_left_behind() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(DIALECTS)


@given(st.lists(st.text() | st.binary().filter(lambda data: b"\x1e" not in data), min_size=1))
def test_messages_come_back(messages: list[str | bytes]) -> None:
    kept = [one for one in messages if not isinstance(one, str) or "\x1e" not in one]
    assert not kept or parted(joined(kept)) == kept
