"""Counts of what there is; prompts, engines and our own making never count as found speech."""

from __future__ import annotations

from tests.trainer.doctored import sound_rows
from tests.trainer.trees import row
from trainer.balance import balance_of

HUMAN = {"label": "bonafide", "source": "bonafide", "family": "human"}


def test_kinds_stand_apart():
    rows = sound_rows(3)
    rows += [
        row(origin="prompts:p", page="p", **HUMAN),
        row(origin="engine:e", page="e", source="espeak", family="classical-formant"),
        row(origin="pairs:v", original_sha256="0" * 64, source="own", family="vocoder-gan"),
    ]
    balance = balance_of(rows)
    assert {share.name: share.human + share.synthetic for share in balance.kinds} == {
        "pages": 36,
        "telephone prompts": 1,
        "classical engines": 1,
        "own making": 1,
    }
    assert len(balance.pages) == 3
    assert "own" not in balance.sources_pages
    assert "espeak" not in balance.sources_pages
    assert balance.single_clips == {"espeak": 37}


def test_pages_of_sources_and_families_are_counted():
    balance = balance_of(sound_rows(9))
    assert balance.sources_pages["system-0"] == 3
    assert balance.sources_pages["only-4"] == 1
    assert balance.families_pages == {"family-0": 9, "family-1": 9, "family-2": 3}
    share = {share.name: share for share in balance.families}["family-2"]
    assert (share.human, share.synthetic, share.pages, share.sources) == (0, 12, 3, 1)
    assert balance_of([]).kinds == ()
