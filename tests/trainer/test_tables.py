"""Tables: every figure beside what nuisance, a constant and an earlier model reach on the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.judged import clip, corpus, human, judged
from trainer.bootstrap import paired_by_page
from trainer.judgements import WHOLE_S, Judgements
from trainer.manifest import DataError
from trainer.metrics import auroc_of, eer_of
from trainer.tables import all_tracks, curves, prompts_flagged, reached, track_table

DRAWS = 100
CLIPS = corpus(120)
MODEL = judged(CLIPS, lead=2.0)


def test_the_lead_is_the_paired_difference_and_above_zero_where_the_model_is_better() -> None:
    simple = whole_only(judged(CLIPS, lead=0.5, seed=1, name="nuisance only"))
    table = track_table(MODEL, "neural", nuisance=simple, draws=DRAWS)
    assert table is not None
    told = table.lines["clean"]
    synthetic = np.array([c.synthetic for c in CLIPS])
    pages = [c.page for c in CLIPS]
    ours, theirs = MODEL.llr[0, -1], simple.llr[0, -1]
    want = paired_by_page(
        auroc_of(ours, synthetic), auroc_of(theirs, synthetic), pages, draws=DRAWS
    )
    assert told["detection AUROC"].lead == want
    assert want.low > 0
    lead = told["detection EER"].lead
    assert lead is not None  # the nuisance's error less the model's
    fewer = paired_by_page(eer_of(theirs, synthetic), eer_of(ours, synthetic), pages, draws=DRAWS)
    assert lead.value == pytest.approx(fewer.value)
    assert told["synthetic ever flagged"].nuisance is None
    assert told["family top-1"].constant == pytest.approx(1 / 3)


def test_a_track_says_what_it_is_of() -> None:
    table = track_table(MODEL, "neural", draws=DRAWS)
    assert table is not None
    assert (table.human, table.synthetic, table.pages) == (60, 60, 12)
    assert (table.systems, table.unknown_systems) == (2, 1)
    assert set(table.lines) == {"clean", "g711"}
    assert table.lines["clean"]["detection EER"].lead is None


def test_tracks_without_both_labels_are_left_out() -> None:
    assert [t.track for t in all_tracks(MODEL, draws=DRAWS)] == ["neural", "wild"]
    mixed = judged((*CLIPS, *(clip(900 + i, family="classical-formant") for i in range(20))))
    tracks = {table.track: table for table in all_tracks(mixed, draws=DRAWS)}
    assert set(tracks) == {"neural", "wild", "classical"}
    assert tracks["neural"].synthetic == 60
    assert "family top-1" not in tracks["classical"].lines["clean"]


def test_a_nuisance_judge_of_other_clips_is_refused() -> None:
    simple = whole_only(judged(CLIPS, name="nuisance only")).select(range(100))
    with pytest.raises(DataError, match="nuisance only judged 100 of 120; evaluate again"):
        track_table(MODEL, "neural", nuisance=simple, draws=DRAWS)


def test_an_earlier_model_is_compared_on_the_clips_it_knew() -> None:
    better = track_table(MODEL, "neural", draws=DRAWS)
    earlier = judged(CLIPS, lead=0.2, seed=3, name="default-1").select(range(10, 120))
    compared = track_table(MODEL, "neural", earlier=earlier, draws=DRAWS)
    assert better is not None
    assert compared is not None
    told = compared.lines["clean"]["detection AUROC"]
    assert told.model == better.lines["clean"]["detection AUROC"].model  # still over all clips
    assert told.gain is not None
    assert told.earlier is not None
    assert told.gain.low > 0
    stranger = judged(tuple(clip(5000 + i) for i in range(10)), name="default-0")
    alone = track_table(MODEL, "neural", earlier=stranger, draws=DRAWS)
    assert alone is not None
    assert alone.lines["clean"]["detection AUROC"].gain is None


def test_curves_end_at_the_whole_clip() -> None:
    found = curves(MODEL, draws=DRAWS)
    table = track_table(MODEL, "neural", draws=DRAWS)
    assert table is not None
    for line, figures in found.items():
        for name, row in figures.items():
            assert len(row) == len(MODEL.prefixes_s)
            assert row[-1] == table.lines[line][name].model
    assert reached(MODEL) == [1.0, 1.0, 1.0]
    brief = replace(MODEL, speech_ms=np.full_like(MODEL.speech_ms, 1500))
    assert reached(brief) == [1.0, 0.0, 1.0]


def test_prompts_are_said_apart() -> None:
    prompts = tuple(human(800 + i, origin="prompts:es", page=f"voice-{i % 3}") for i in range(30))
    table = judged((*CLIPS, *prompts))
    peak = table.peak.copy()
    peak[:, :, 120:] = np.where(np.arange(30) < 3, 9.0, -9.0)
    flagged = prompts_flagged(replace(table, peak=peak), draws=DRAWS)
    assert flagged["clean"].value == pytest.approx(0.1)
    neural = track_table(table, "neural", draws=DRAWS)
    assert neural is not None
    assert neural.human == 60
    assert prompts_flagged(MODEL, draws=DRAWS) == {}


def whole_only(table: Judgements) -> Judgements:
    """As a judge that looks once, at the end."""
    once = {
        name: getattr(table, name)[:, -1:]
        for name in ("llr", "peak", "novelty", "speech_ms", "attribution", "family_shares")
    }
    return replace(table, prefixes_s=(WHOLE_S,), **once)
