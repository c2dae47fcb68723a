"""Measured once, by nothing but the sound: blocks are kept, and labels play no part."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from streamtrace.encoder.conformer import StreamingConformer
from streamtrace.values import Float32s
from tests.bundles import random_encoder
from tests.trainer.runs import prepared, smoke
from tests.trainer.trees import voice_like
from trainer import measure as module
from trainer.audio_cache import MANIFEST_FILE, Clips
from trainer.augment import quiet
from trainer.lines import LINES
from trainer.manifest import write_manifest
from trainer.measure import clip_statistics, measure
from trainer.member_config import MeasureConfig

CONFIG = MeasureConfig(draws=1)
CHANNEL = replace(quiet(), noise=0.5, level=1.0)
ENCODER = smoke().encoder
ROWS = list(range(7))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("measure"))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven clips out of three blocks, which hold nine."""
    monkeypatch.setattr(module, "BLOCK", 3)


def measured(
    data: Path,
    folder: Path,
    *,
    rows: Sequence[int] = ROWS,
    config: MeasureConfig = CONFIG,
    workers: int = 1,
) -> Float32s:
    return measure(Clips.load(data), rows, config, ENCODER, CHANNEL, folder, workers=workers)


@pytest.fixture(scope="module")
def blocks(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Float32s]:
    """A folder of measured blocks, and what is in them."""
    folder = tmp_path_factory.mktemp("blocks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 3)
        return folder, measured(data, folder)


def nobody_measures(*_: object) -> Float32s:
    raise AssertionError("measured again")


def test_each_clip_over_each_line_and_draw(blocks: tuple[Path, Float32s]) -> None:
    folder, stats = blocks
    assert stats.shape == (7, len(LINES) + 1, 2 * ENCODER.signature.width)
    assert stats.dtype == np.float32
    assert np.isfinite(stats).all()
    assert len(list(folder.iterdir())) == 3
    versions = {stats[0, v].tobytes() for v in range(stats.shape[1])}
    assert len(versions) == stats.shape[1]


def test_what_is_measured_is_taken_from_its_file(
    data: Path, blocks: tuple[Path, Float32s], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, stats = blocks
    monkeypatch.setattr(module, "clip_versions", nobody_measures)
    np.testing.assert_array_equal(measured(data, folder), stats)
    # Whichever rows a run may see, it shares the blocks of all others.
    np.testing.assert_array_equal(measured(data, folder, rows=[6, 1, 5]), stats[[6, 1, 5]])
    with pytest.raises(AssertionError, match="measured again"):
        measured(data, folder, config=replace(CONFIG, seed=12))


def test_a_block_cut_short_is_measured_again_and_alone(
    data: Path, blocks: tuple[Path, Float32s], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, stats = blocks
    shutil.copytree(folder, tmp_path / "copy")
    damaged = next(f for f in sorted((tmp_path / "copy").iterdir()) if holds(f, stats[3:6]))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    counted: list[str] = []
    whole = module.clip_versions

    def counting(*given: object) -> Float32s:
        counted.append(str(given[3]))
        return whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "clip_versions", counting)
    np.testing.assert_array_equal(measured(data, tmp_path / "copy"), stats)
    assert counted == [row.sha256 for row in Clips.load(data).rows[3:6]]
    assert holds(damaged, stats[3:6])
    assert not list((tmp_path / "copy").glob("*.partial"))


def holds(path: Path, stats: Float32s) -> bool:
    return np.array_equal(load_file(path)["stats"], stats)


def test_neither_labels_nor_workers_change_a_number(
    data: Path, blocks: tuple[Path, Float32s], tmp_path: Path
) -> None:
    shutil.copytree(data, tmp_path / "swapped")
    rows = Clips.load(data).rows
    swapped = [
        replace(
            row,
            label="bonafide" if row.is_synthetic else "synthetic",
            source="bonafide" if row.is_synthetic else "turned",
            family="human" if row.is_synthetic else "coat",
            page="elsewhere",
        )
        for row in rows
    ]
    write_manifest(tmp_path / "swapped" / MANIFEST_FILE, swapped)
    found = measured(tmp_path / "swapped", tmp_path / "new", workers=2)
    np.testing.assert_array_equal(found, blocks[1])


@pytest.fixture(scope="module")
def network() -> StreamingConformer:
    return random_encoder(ENCODER)


@pytest.mark.parametrize(
    "pcm",
    [np.zeros(16_000, np.float32), voice_like(1, 0.1), np.ones(9_000, np.float32)],
    ids=["silence", "short", "dc"],
)
def test_a_clip_without_speech_has_statistics_too(
    network: StreamingConformer, pcm: Float32s
) -> None:
    assert np.isfinite(clip_statistics(network, pcm, pcm)).all()


def test_only_where_the_clean_clip_speaks_is_pooled(network: StreamingConformer) -> None:
    voice = voice_like(3, 2.0)
    pause = 1e-4 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    loud = 0.1 * np.random.default_rng(1).standard_normal(32_000).astype(np.float32)
    clean = np.concatenate([voice, pause])
    one = clip_statistics(network, clean, clean)
    other = clip_statistics(network, np.concatenate([voice, loud]), clean)
    # The spread of speech into its neighbourhood lets a frame or two in.
    assert np.abs(one - other).mean() < 0.05 * np.abs(one).mean()
