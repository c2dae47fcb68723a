"""Whatever comes, and to every dialect the same: violations with a code, places in order."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings, strategies as st

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import Media
from streamtrace.protocols.tracked import SAMPLES_IN
from streamtrace.values import Leg
from tests.protocols.dialect import CODES, STREAM_IDS
from tests.protocols.dialects import DIALECTS

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
keys = st.sampled_from(
    ["event", "start", "media", "dtmf", "mark", "track", "tracks", "chunk", "name", "timestamp"]
) | st.sampled_from(
    ["payload", "mediaFormat", "media_format", "encoding", "sampleRate", "sample_rate", "digit"]
)
keys |= st.sampled_from(STREAM_IDS) | st.sampled_from(
    ["channels", "customParameters", "custom_parameters", "extra_headers", "rawEvent"]
)
words = st.sampled_from(
    ["connected", "start", "media", "dtmf", "mark", "stop", "error", "inbound", "1", "AAAA"]
) | st.sampled_from([dialect.stream_id for dialect in DIALECTS])
values = words | scalars | st.lists(words | scalars, max_size=3)
sections = st.dictionaries(keys, values | st.dictionaries(keys, values, max_size=3), max_size=5)
junk = st.lists(
    st.text(max_size=40)
    | st.binary(max_size=40)
    | st.dictionaries(keys, values | sections, max_size=5).map(json.dumps),
    max_size=5,
)


@given(junk)
def test_nothing_but_violations_comes_of_junk(messages: list[str | bytes]) -> None:
    codes: set[int] = set()
    for dialect in DIALECTS:
        for opening in ([], dialect.opening()):
            stream = dialect.stream()
            for one in opening + messages:
                try:
                    stream.feed(one)
                except ProtocolViolation as violation:
                    codes.add(violation.close_code)
            stream.flush()
    assert codes <= CODES


changes = st.fixed_dictionaries(
    {},
    optional={
        "chunk": st.integers(-2, 60).map(str) | st.integers(0, 60) | scalars,
        "timestamp": st.integers(0, 4_000).map(str) | scalars,
        "payload": st.integers(0, 700).map(lambda n: base64.b64encode(bytes(n)).decode()) | scalars,
        "track": st.sampled_from(["inbound", "outbound"]) | scalars,
    },
)


@settings(max_examples=50)
@given(st.lists(changes, max_size=12))
def test_whatever_media_says_places_never_run_back(said: list[dict[str, Any]]) -> None:
    codes: set[int] = set()
    for dialect in DIALECTS:
        stream = dialect.stream()
        events = [event for message in dialect.opening() for event in stream.feed(message)]
        for number, one in enumerate(said, 1):
            try:
                events += stream.feed(dialect.frame(number, **one))
            except ProtocolViolation as violation:
                codes.add(violation.close_code)
        events += stream.flush()
        samples_in = SAMPLES_IN[dialect.form.codec]
        for leg in Leg:
            media = [one for one in events if isinstance(one, Media) and one.leg is leg]
            for before, after in pairwise(media):
                assert after.start_sample >= before.start_sample + samples_in(before.payload)
    assert codes <= CODES
