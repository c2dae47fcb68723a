"""Labels swapped, every stage at work: the audio of a batch is the same to the bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.trainer.trees import write_corpus
from trainer.audio_cache import Clips
from trainer.augment import STAGES, AugmentConfig
from trainer.batches import Batches
from trainer.catalog import catalog_of
from trainer.channel.config import CODEC_NAMES
from trainer.cutting import Cutting
from trainer.manifest import Row
from trainer.prepare import prepare

HALF = AugmentConfig(**dict.fromkeys((*STAGES, "tandem", "loss"), 0.5), clean=0.1)
EVERYTHING = replace(HALF, codec=1.0, **dict.fromkeys(CODEC_NAMES, 1.0))


def swapped(old: Row) -> Row:
    """The other label, and a source to go with it."""
    if old.is_synthetic:
        return replace(old, label="bonafide", source="bonafide", family="human")
    return replace(old, label="synthetic", source="system-x", family="family-x")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder, corpus=write_corpus(folder / "corpus", pages=4, per_page=4))
    return Clips.load(folder)


def batches_of(clips: Clips) -> Batches:
    return Batches(
        clips,
        range(len(clips.rows)),
        catalog_of(clips.rows),
        size=16,
        cutting=Cutting(11_520),
        seed=5,
        augment=EVERYTHING,
    )


def test_swapping_all_labels_leaves_the_augmentation_identical(clips: Clips):
    other = replace(clips, rows=tuple(map(swapped, clips.rows)))
    one, two = batches_of(clips), batches_of(other)
    for step in range(3):
        mine, theirs = one.render(range(16), step), two.render(range(16), step)
        assert not mine.failed
        assert torch.equal(mine.label, 1 - theirs.label)
        assert torch.equal(mine.pcm, theirs.pcm)
        assert torch.equal(mine.speech, theirs.speech)
        assert torch.equal(mine.usable, theirs.usable)
