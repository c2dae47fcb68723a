"""Pairs share everything with their originals but the generator, and are made once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamtrace.values import Float32s
from tests.trainer.trees import row, voice_like, write_corpus, write_wav
from trainer.decode import decode, file_sha256
from trainer.manifest import Row, read_manifest, write_manifest
from trainer.pairs import make_pairs, matched_pairs, originals_of
from trainer.skipped import read_skipped
from trainer.vocoders.catalogue import Vocoder


class Counted:
    """A vocoder that flips the sign, and counts how many clips it got to hear."""

    def __init__(self, source: str = "self-flip", together: int = 1) -> None:
        self.heard = 0
        self.vocoder = Vocoder(source, "vocoder-gan", self.through, together)

    def through(self, clips: list[Float32s], draws: list[np.random.Generator]) -> list[Float32s]:
        self.heard += len(clips)
        return [
            -pcm + 1e-3 * rng.standard_normal(pcm.size)
            for pcm, rng in zip(clips, draws, strict=True)
        ]


@pytest.fixture
def originals(tmp_path: Path) -> list[Row]:
    rows: list[Row] = []
    for n in range(3):
        path = write_wav(tmp_path / f"{n}.wav", voice_like(n, seconds=0.6 + 0.1 * n))
        human = {"label": "bonafide", "source": "bonafide", "family": "human"}
        changes = {"path": str(path), "sha256": file_sha256(path), "page": f"page-{n}", **human}
        rows.append(row(speaker=f"voice-{n}", parallel_id=f"u{n}" if n else "", **changes))
    return rows


def test_a_pair_is_its_original_but_for_the_generator(tmp_path: Path, originals: list[Row]):
    made = make_pairs(tmp_path / "pairs", originals, [Counted().vocoder])
    assert len(made) == 3
    for pair, original in zip(made, originals, strict=True):
        assert pair.is_pair
        assert pair.is_synthetic
        assert (pair.family, pair.source) == ("vocoder-gan", "self-flip")
        assert pair.origin == "pairs:self-flip"
        assert pair.original_sha256 == original.sha256
        for same in ("page", "speaker", "language", "parallel_id", "licence"):
            assert getattr(pair, same) == getattr(original, same)
        pcm, rate_hz = decode(Path(pair.path))
        assert rate_hz == pair.rate_hz == 16_000
        assert pcm.size == decode(Path(original.path))[0].size
        assert abs(pair.seconds - pcm.size / 16_000) < 0.001
        assert pair.sha256 == file_sha256(Path(pair.path))
    assert read_manifest(tmp_path / "pairs" / "manifest.csv") == made


def test_what_is_there_is_kept_and_what_is_missing_made(tmp_path: Path, originals: list[Row]):
    out = tmp_path / "pairs"
    first = make_pairs(out, originals, [Counted().vocoder])
    Path(first[1].path).unlink()
    again = Counted(together=2)
    assert make_pairs(out, originals, [again.vocoder]) == first
    assert again.heard == 1


def test_a_clips_draws_depend_on_the_clip_alone(tmp_path: Path, originals: list[Row]):
    whole = make_pairs(tmp_path / "a", originals, [Counted().vocoder])
    alone = make_pairs(tmp_path / "b", originals[2:], [Counted(together=8).vocoder])
    assert alone[0].sha256 == whole[2].sha256


def test_vocoders_are_added_to_those_of_earlier_runs(tmp_path: Path, originals: list[Row]):
    out = tmp_path / "pairs"
    make_pairs(out, originals, [Counted("self-a").vocoder])
    both = make_pairs(out, originals[:1], [Counted("self-b").vocoder])
    assert [one.source for one in both] == ["self-a"] * 3 + ["self-b"]
    more = make_pairs(out, originals[1:], [Counted("self-b").vocoder])
    assert [one.source for one in more] == ["self-a"] * 3 + ["self-b"] * 3


def test_a_clip_that_cannot_be_had_is_listed_and_the_others_made(
    tmp_path: Path, originals: list[Row]
):
    Path(originals[0].path).unlink()
    out = tmp_path / "pairs"
    assert len(make_pairs(out, originals, [Counted().vocoder])) == 2
    assert [one.flaw for one in read_skipped(out / "self-flip" / "skipped.csv")] == ["missing"]
    assert len(make_pairs(out, originals[:1], [Counted("self-b").vocoder])) == 2


def test_only_human_clips_are_resynthesised_and_each_once(originals: list[Row]):
    prompt = replace(originals[0], origin="prompts:es", sha256="1" * 64)
    assert originals_of([*originals, row(), prompt, originals[0]]) == originals


def test_pairs_of_clips_that_are_not_there_are_left_out(tmp_path: Path, originals: list[Row]):
    out = tmp_path / "pairs"
    make_pairs(out, originals, [Counted().vocoder])
    moved = [replace(originals[1], page="another page")]
    found = [one for one in matched_pairs(out, moved) if one.source == "self-flip"]
    assert [one.original_sha256 for one in found] == [originals[1].sha256]
    assert found[0].page == "another page"


def test_prepare_adds_pairs_of_the_clips_that_it_kept(tmp_path: Path):
    from trainer.prepare import prepare

    corpus = write_corpus(tmp_path / "corpus", pages=2, per_page=2)
    prepared = prepare(tmp_path / "data", corpus=corpus, pairs=tmp_path / "pairs")
    humans = [one for one in prepared.rows if not one.is_synthetic]
    pairs = [one for one in prepared.rows if one.is_pair]
    sources = {one.source for one in pairs}
    # A tone is no voice: some vocoders do not reach its level, and leave it out.
    assert sources >= {"griffin-lim", "griffin-lim-mel"}
    assert {one.original_sha256 for one in pairs} <= {one.sha256 for one in humans}
    write_manifest(tmp_path / "again.csv", prepared.rows)
    assert read_manifest(tmp_path / "again.csv") == list(prepared.rows)
