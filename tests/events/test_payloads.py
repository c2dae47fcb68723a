"""The data of the events: closed where it says what, open where later versions add."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from streamtrace.events.payloads import CallEndedData, CallGapData, StreamGapData
from streamtrace.values import EndReason


def test_every_data_names_the_platform_s_call() -> None:
    for payload in (CallEndedData, CallGapData, StreamGapData):
        assert "external_id" in payload.model_json_schema(by_alias=True)["required"]


def test_a_reader_of_today_bears_the_fields_of_tomorrow() -> None:
    data = {"external_id": None, "reason": "hung_up", "error": None, "carrier": "new"}
    assert CallEndedData.model_validate(data).reason is EndReason.HUNG_UP


def test_a_reason_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="reason"):
        CallEndedData.model_validate({"external_id": None, "reason": "bored", "error": None})


def test_a_stream_gap_speaks_of_from_and_to() -> None:
    gap = StreamGapData.model_validate({"external_id": None, "from": "1", "to": "2"})
    assert (gap.first, gap.last) == ("1", "2")
    assert gap.model_dump(by_alias=True) == {"external_id": None, "from": "1", "to": "2"}
