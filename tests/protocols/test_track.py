"""Numbered frames: put in order, never joined over a hole, placed by the media clock."""

from __future__ import annotations

from hypothesis import given, strategies as st

from streamtrace.protocols.track import MOST_HELD, Track

FRAME = bytes(160)


def fed(*frames: tuple[int | None, int | None]) -> list[int]:
    """Where frames of 160 samples with these numbers and stamps come to lie."""
    track = Track(8_000)
    placed = [one for number, stamp in frames for one in track.feed(number, stamp, FRAME)]
    return [one.start_sample for one in placed + track.flush()]


def test_frames_in_order_follow_one_another() -> None:
    assert fed((1, 0), (2, 20), (3, 40)) == [0, 160, 320]


def test_a_track_begins_at_its_stamp_so_that_tracks_line_up() -> None:
    assert fed((1, 105), (2, 125)) == [840, 1000]


def test_a_stamp_that_wobbles_opens_no_hole() -> None:
    assert fed((1, 0), (2, 27), (3, 33), (4, 61)) == [0, 160, 320, 480]


def test_a_missing_frame_is_a_hole_of_its_length() -> None:
    assert fed((1, 0), (3, 40), (4, 60)) == [0, 320, 480]


def test_a_missing_frame_without_stamps_is_counted() -> None:
    assert fed((1, None), (3, None)) == [0, 320]


def test_a_pause_of_the_sender_is_a_hole_though_none_is_missing() -> None:
    assert fed((1, 0), (2, 1020)) == [0, 8160]


def test_lost_frames_that_were_shorter() -> None:
    assert fed((1, 0), (9, 40)) == [0, 320]


def test_a_stamp_that_runs_back_joins_nothing() -> None:
    assert fed((1, 1000), (3, 0)) == [8000, 8320]


def test_frames_out_of_order_are_put_in_order() -> None:
    assert fed((1, 0), (3, 40), (2, 20), (4, 60)) == [0, 160, 320, 480]


def test_the_first_frames_out_of_order() -> None:
    assert fed((2, 20), (1, 0), (3, 40)) == [0, 160, 320]


def test_what_is_late_or_twice_there_is_left_out() -> None:
    assert fed((1, 0), (1, 0), (2, 20), (2, 20), (1, 0), (3, 40)) == [0, 160, 320]


def test_a_stream_that_is_joined_midway() -> None:
    assert fed((500, 9980), (501, 10_000)) == [79_840, 80_000]


def test_no_more_than_a_few_frames_wait() -> None:
    track = Track(8_000)
    track.feed(1, 0, FRAME)
    waiting = [track.feed(3 + n, 40 + 20 * n, FRAME) for n in range(MOST_HELD + 1)]
    assert [len(frames) for frames in waiting] == [0] * MOST_HELD + [MOST_HELD + 1]


def test_unnumbered_frames_go_by_their_stamps() -> None:
    assert fed((None, 0), (None, 20), (None, 500)) == [0, 160, 4000]


def test_empty_frames_take_no_room() -> None:
    track = Track(8_000)
    assert [f.start_sample for n in (1, 3) for f in track.feed(n, None, FRAME)] == [0]
    assert track.feed(2, None, b"")[0].start_sample == 160


frames = st.tuples(
    st.none() | st.integers(0, 40), st.none() | st.integers(0, 2000), st.integers(0, 400)
)


@given(st.lists(frames, max_size=60))
def test_positions_never_run_back(given_frames: list[tuple[int | None, int | None, int]]) -> None:
    track = Track(8_000)
    placed = [p for n, stamp, size in given_frames for p in track.feed(n, stamp, bytes(size))]
    end = 0
    for one in placed + track.flush():
        assert one.start_sample >= end
        end = one.start_sample + len(one.payload)


@given(st.permutations(range(1, 5)))
def test_small_disorder_costs_nothing(order: list[int]) -> None:
    assert fed(*((number, (number - 1) * 20) for number in order)) == [0, 160, 320, 480]
