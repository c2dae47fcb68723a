"""Bucket sizes: every batch has one, and it wastes less than a stride above the small ones."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from streamtrace.encoder.buckets import SMALL, STRIDE, Buckets


def test_the_sizes() -> None:
    assert Buckets.up_to(256).sizes == (1, 2, 4, 8, 16, 32, 64, 128, 192, 256)
    assert Buckets.up_to(100).sizes == (1, 2, 4, 8, 16, 32, 64, 100)
    assert Buckets.up_to(3).sizes == (1, 2, 3)
    assert Buckets.up_to(1).sizes == (1,)


@given(st.integers(1, 2000), st.data())
def test_a_batch_fits_its_bucket_and_fills_it_fairly(most: int, data: st.DataObject) -> None:
    buckets = Buckets.up_to(most)
    assert buckets.most == most
    assert list(buckets.sizes) == sorted(set(buckets.sizes))
    count = data.draw(st.integers(1, most))
    size = buckets.holding(count)
    assert count <= size < (2 * count if count <= SMALL[-1] else count + STRIDE)


@given(st.integers(1, 100), st.integers(1, 1000))
def test_cuts_are_whole_and_fit(most: int, count: int) -> None:
    cuts = Buckets.up_to(most).cuts(count)
    assert [at for cut in cuts for at in range(count)[cut]] == list(range(count))
    assert all(1 <= cut.stop - cut.start <= most for cut in cuts)


def test_what_fits_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="want 1 row or more"):
        Buckets.up_to(0)
    for count in (0, 9):
        with pytest.raises(ValueError, match="want 1 to 8 rows"):
            Buckets.up_to(8).holding(count)
