"""Whatever crosses from training to test is counted and placed."""

from __future__ import annotations

import numpy as np

from tests.trainer.doctored import sound_rows
from tests.trainer.trees import row
from trainer.fingerprint import Alike
from trainer.leaks import Leaks, leaks_of, owners_in_several
from trainer.manifest import Row
from trainer.splits import Split, splits_of

HUMAN = {"label": "bonafide", "source": "bonafide", "family": "human"}


def between(train: list[Row], test: list[Row], alike: tuple[Alike, ...] = ()) -> Leaks:
    places = np.arange(len(train) + len(test))
    split = Split("it", places[: len(train)], places[len(train) :], by_page=True, by_utterance=True)
    return leaks_of([*train, *test], split, alike)


def test_a_sound_split_leaks_nothing():
    rows = sound_rows(6)
    leaks = between(rows[:36], rows[36:])
    assert not leaks.pages
    assert not leaks.utterances
    assert not leaks.pages_renamed
    assert (leaks.speakers, leaks.transcript_clips, leaks.recording_clips) == (0, 0, 0)
    assert (leaks.test_human, leaks.test_synthetic, leaks.human_pages) == (12, 24, 3)
    assert leaks.largest_human_page == 4 / 12
    assert (leaks.known_sources, leaks.known_clips) == (3, 12)
    assert (leaks.unknown_sources, leaks.unknown_clips) == (3, 12)


def test_pages_speakers_words_and_utterances_are_found():
    leaks = between(
        [
            row(page="a", speaker="ann", parallel_id="u", transcript="Well, hello."),
            row(page="Some Page", family="family-1"),
        ],
        [
            row(page="a", speaker="bob", transcript="bye"),
            row(page="b", speaker="ann", parallel_id="u", transcript="well hello"),
            row(page="some-page", family="family-2", source="new"),
        ],
    )
    assert leaks.pages == {"a": (0, 2)}
    assert leaks.pages_renamed == {"some-page": "Some Page"}
    assert (leaks.speakers, leaks.speaker_clips, leaks.transcript_clips) == (1, 1, 1)
    assert leaks.utterances == {"u": (0, 3)}
    assert leaks.unknown_families == ("family-2",)


def test_our_own_making_makes_no_source_known():
    made = row(origin="pairs:v", original_sha256="0" * 64, source="s", speaker="ann")
    leaks = between([made, row(page="b", **HUMAN)], [row(page="c", source="s", speaker="ann")])
    assert (leaks.known_clips, leaks.unknown_clips, leaks.speaker_clips) == (0, 1, 0)


def test_engines_and_prompts_count_as_no_found_speech():
    leaks = between(
        [row(page="a")],
        [
            row(page="b", source="espeak", family="classical-formant"),
            row(page="c", origin="prompts:c", **HUMAN),
        ],
    )
    assert (leaks.test, leaks.test_human, leaks.test_synthetic, leaks.unknown_clips) == (2, 0, 0, 0)


def test_copies_are_counted_by_what_they_are():
    rows = [row(parallel_id=words) for words in ("u", "", "")]
    tested = [row(page="b", parallel_id=words) for words in ("", "u", "")]
    leaks = between(
        rows,
        tested,
        (
            Alike(0, 3, 0.1, 0.999),
            Alike(0, 4, 0.2, 0.5),
            Alike(2, 3, 0.3, 0.5),
            Alike(3, 5, 0.1, 1.0),
        ),
    )
    assert leaks.recording_clips == 1
    assert leaks.resynthesis_clips == 1
    assert leaks.alike_untold_clips == 1


def test_owners_with_pages_in_several_folds_are_named():
    rows = [row(page=page) for page in ("x/a", "x/b", "y/a", "y/b", "z")]
    splits = splits_of(rows, np.array([0, 1, 1, 1, 0]))
    assert owners_in_several(rows, splits) == {"x": ("x/a", "x/b")}
