"""Batches: half human, pairs of one source, the same channel whatever the label says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trainer.trees import row, write_corpus
from trainer.audio_cache import Clips
from trainer.batches import Batches
from trainer.catalog import catalog_of
from trainer.cutting import Cutting
from trainer.manifest import DataError, Row
from trainer.prepare import prepare
from trainer.sampling import NONSPEECH, Sampler, Shares


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder, corpus=write_corpus(folder / "corpus", pages=4, per_page=8))
    return Clips.load(folder)


def batches_of(clips: Clips, **changes: object) -> Batches:
    values: dict[str, object] = {"size": 16, "cutting": Cutting(23_040), "seed": 3}
    rows = range(len(clips.rows))
    return Batches(clips, rows, catalog_of(clips.rows), **{**values, **changes})  # type: ignore[arg-type]


def equal(a, b) -> bool:
    return all(
        torch.equal(value, getattr(b, name))
        for name, value in vars(a).items()
        if isinstance(value, torch.Tensor)
    )


def test_a_batch_has_its_shapes_and_both_labels(clips: Clips):
    batch = batches_of(clips, shares=Shares(nonspeech=0.25)).at(0)
    assert batch.pcm.shape == (16, 23_040)
    assert batch.usable.shape == batch.speech.shape == (16, 36)
    assert Counter(batch.label.tolist()) == {1: 6, 0: 6, -1: 4}
    assert (batch.source[batch.label != 1] == -1).all()
    assert (batch.family[batch.label == 1] >= 0).all()
    assert (batch.speech[batch.label == -1] == 0).all()
    assert batch.speech[batch.label >= 0].sum() > 0
    assert (batch.speech[~batch.usable] == 0).all()
    assert batch.usable.any(dim=1).all()
    assert (batch.clip[batch.label == -1] == NONSPEECH).all()


def test_every_source_of_a_batch_comes_twice(clips: Clips):
    batches = batches_of(clips)
    for step in range(10):
        sources = Counter(s for s in batches.at(step).source.tolist() if s >= 0)
        assert all(count % 2 == 0 for count in sources.values())


def test_a_step_gives_the_same_batch_in_any_order(clips: Clips):
    first, second = batches_of(clips), batches_of(clips)
    later = first.at(7)
    second.at(2)
    assert equal(later, second.at(7))
    assert not equal(later, second.at(8))
    assert not equal(later, batches_of(clips, seed=4).at(7))


def test_swapping_the_labels_leaves_the_audio_as_it_is(clips: Clips):
    def swapped(old: Row) -> Row:
        if old.is_synthetic:
            return replace(old, label="bonafide", source="bonafide", family="human")
        return replace(old, label="synthetic", source="system-x", family="family-x")

    other = replace(clips, rows=tuple(map(swapped, clips.rows)))
    plan = list(range(0, 32, 2))
    for step in range(5):
        mine = batches_of(clips).render(plan, step)
        theirs = batches_of(other).render(plan, step)
        assert torch.equal(mine.pcm, theirs.pcm)
        assert torch.equal(mine.speech, theirs.speech)
        assert torch.equal(mine.usable, theirs.usable)
        assert torch.equal(mine.label, 1 - theirs.label)


def test_a_clip_that_cannot_be_used_becomes_silence_without_a_label(clips: Clips):
    whole = batches_of(clips).at(1)
    lost = int(whole.clip[whole.label >= 0][0])
    broken = replace(clips, lengths=np.where(np.arange(len(clips.rows)) == lost, -1, clips.lengths))
    batch = batches_of(broken).at(1)
    slots = (whole.clip == lost).nonzero().flatten().tolist()
    assert [slot for slot, _ in batch.failed] == slots
    assert all(reason.startswith("ValueError") for _, reason in batch.failed)
    for slot in slots:
        assert batch.label[slot] == batch.source[slot] == batch.page[slot] == -1
        assert batch.clip[slot] == lost  # so that the trainer can name it
        assert not batch.pcm[slot].any()
    others = [slot for slot in range(16) if slot not in slots]
    assert torch.equal(batch.label[others], whole.label[others])


def test_human_clips_follow_the_pages_of_the_synthetic_ones():
    rows = [
        row(page=f"page-{n % 5}", label="bonafide", source="bonafide", family="human")
        if n % 2
        else row(page=f"page-{n % 5}", source=f"system-{n % 5}")
        for n in range(100)
    ]
    sampler = Sampler(rows, range(100), Shares(nonspeech=0, matched=1.0))
    for seed in range(20):
        plan = sampler.plan(np.random.default_rng(seed), 16)
        pages = {True: set(), False: set()}
        for clip in plan.clips:
            pages[rows[clip].is_synthetic].add(rows[clip].page)
        assert pages[False] <= pages[True]


def test_a_source_with_one_clip_is_known_and_does_not_break_the_plan():
    rows = [
        row(source="lonely"),
        row(source="system-1", page="b"),
        row(source="system-1", page="c"),
        row(label="bonafide", source="bonafide", family="human"),
    ]
    sampler = Sampler(rows, range(4), Shares())
    assert sampler.alone() == ["lonely"]
    for seed in range(20):
        plan = sampler.plan(np.random.default_rng(seed), 8)
        assert len(plan.clips) == 8
        assert sum(rows[clip].is_synthetic for clip in plan.clips if clip != NONSPEECH) == 4


def test_one_label_alone_is_refused():
    with pytest.raises(DataError, match="none of them bonafide"):
        Sampler([row()], [0], Shares())


def matched_rows(pages: int = 4, per_page: int = 6) -> list[Row]:
    """Human clips, each resynthesised by two vocoders, and one found system beside them."""
    rows: list[Row] = []
    for n in range(pages * per_page):
        page, digest = f"page-{n % pages}", f"{n:064x}"
        human = {"label": "bonafide", "source": "bonafide", "family": "human"}
        rows.append(row(page=page, sha256=digest, parallel_id=f"u{n}" if n % 2 else "", **human))
        for source in ("world", "self-istft"):
            made = {"source": source, "origin": f"pairs:{source}", "original_sha256": digest}
            rows.append(row(page=page, parallel_id=rows[-1].parallel_id, **made))
        if n % 2:
            rows.append(row(page=page, source=f"system-{n % 3}", parallel_id=f"u{n}"))
    return rows


def test_matched_fours_hold_each_clip_beside_its_human_twin():
    rows = matched_rows()
    sampler = Sampler(rows, range(len(rows)), Shares(nonspeech=0, pairs=1.0, alike=1.0))
    for seed in range(20):
        plan = sampler.plan(np.random.default_rng(seed), 16)
        chosen = [rows[clip] for clip in plan.clips]
        assert Counter(one.is_synthetic for one in chosen) == {True: 8, False: 8}
        # Each page has as many clips of one label as of the other.
        pages = Counter((one.page, one.is_synthetic) for one in chosen)
        assert all(pages[page, True] == pages[page, False] for page, _ in pages)
        sources = Counter(one.source for one in chosen if one.is_synthetic)
        assert all(count % 2 == 0 for count in sources.values())
        couples: dict[int, list[Row]] = {}
        for one, draw in zip(chosen, plan.draws, strict=True):
            couples.setdefault(draw, []).append(one)
        for human, made in (
            sorted(two, key=lambda one: one.is_synthetic) for two in couples.values()
        ):
            assert not human.is_synthetic
            assert made.is_synthetic
            assert human.page == made.page
            assert (
                human.sha256 == made.original_sha256 or human.parallel_id == made.parallel_id != ""
            )


def test_pages_share_matched_fours_evenly():
    rows = matched_rows()
    rows += matched_rows(pages=1, per_page=60)  # page-0 again, with ten times the clips
    sampler = Sampler(rows, range(len(rows)), Shares(nonspeech=0, pairs=1.0, self_made=1.0))
    drawn: Counter[str] = Counter()
    for seed in range(60):
        plan = sampler.plan(np.random.default_rng(seed), 32)
        drawn.update(rows[clip].page for clip in plan.clips)
    rest = [drawn[f"page-{n}"] for n in (1, 2, 3)]
    assert max(rest) < 1.3 * min(rest)
    # With the square root of its size, not with its size.
    assert 2 * min(rest) < drawn["page-0"] < 5 * min(rest)


def test_clips_of_our_own_making_come_in_matched_fours_alone():
    rows = matched_rows()
    sampler = Sampler(rows, range(len(rows)), Shares(nonspeech=0, pairs=0))
    for seed in range(20):
        plan = sampler.plan(np.random.default_rng(seed), 16)
        assert not any(rows[clip].is_pair for clip in plan.clips)
        assert sorted(plan.draws) == list(range(16))


def test_no_resynthesis_is_drawn_without_the_clip_it_was_made_from():
    rows = matched_rows()
    chosen = [i for i, one in enumerate(rows) if one.is_synthetic or one.page == "page-1"]
    sampler = Sampler(rows, chosen, Shares(nonspeech=0, pairs=1.0, self_made=1.0))
    for seed in range(10):
        plan = sampler.plan(np.random.default_rng(seed), 8)
        assert {rows[clip].page for clip in plan.clips if rows[clip].is_pair} == {"page-1"}


def test_twins_can_be_cut_and_sent_alike(clips: Clips):
    batches = batches_of(clips)
    alike = batches.render([5, 5, 5], 0, [0, 0, 2])
    assert torch.equal(alike.pcm[0], alike.pcm[1])
    assert torch.equal(alike.usable[0], alike.usable[1])
    assert not torch.equal(alike.pcm[0], alike.pcm[2])


def test_a_resynthesis_says_what_its_original_says(clips: Clips):
    original = next(i for i, one in enumerate(clips.rows) if not one.is_synthetic)
    made = next(i for i, one in enumerate(clips.rows) if one.is_synthetic)
    lone = {"parallel_id": ""}
    rows = [replace(one, **lone) for one in clips.rows]
    rows[made] = replace(rows[made], origin="pairs:world", original_sha256=rows[original].sha256)
    batch = batches_of(replace(clips, rows=tuple(rows))).render([original, made, 2, 3], 0)
    assert batch.utterance[0] == batch.utterance[1] >= 0
    assert batch.utterance[2:].tolist() == [-1, -1]
