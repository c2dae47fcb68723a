"""Features on disk: computed once, whole after a kill, apart for each front-end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainer.trees import voice_like
from trainer.manifest import DataError
from trainer.ssl.config import SslConfig
from trainer.ssl.features import INDEX_FILE, ROWS_FILE, FeatureCache, fitted_to, pooled
from trainer.ssl.front_end import load_front_end

CLIPS = [voice_like(seed, 0.8) for seed in range(4)]


def test_statistics_are_of_speech_and_of_everything_where_there_is_little() -> None:
    hidden = torch.arange(24.0).reshape(1, 1, 24, 1)
    speech = torch.zeros(1, 24)
    speech[:, 12:] = 1
    mean, deviation = pooled(hidden, speech)[0, 0].tolist()
    assert mean == pytest.approx(17.5)
    assert deviation == pytest.approx(np.arange(12, 24).std(), rel=1e-3)
    assert pooled(hidden, 0.1 * speech)[0, 0, 0].item() == pytest.approx(11.5)
    assert fitted_to(torch.tensor([[0.0, 1.0]]), 4).tolist() == [[0, 0, 1, 1]]


def test_a_clip_is_heard_once_and_a_kill_costs_one(
    encoders: dict[str, Path], tmp_path: Path
) -> None:
    front = load_front_end(SslConfig(model=str(encoders["xls-r"]), layer=-1))
    heard = 0

    def count(*_: object) -> None:
        nonlocal heard
        heard += 1

    front.model.register_forward_hook(count)
    with FeatureCache(tmp_path, front) as cache:
        first = cache.of([*CLIPS, CLIPS[0]], name="hear")
        folder = cache.folder
    assert first.shape == (5, 3, 32)
    assert heard == 4  # the same audio is one row
    np.testing.assert_array_equal(first[0], first[4])
    with FeatureCache(tmp_path, front) as cache:
        np.testing.assert_array_equal(cache.of(CLIPS, name="hear"), first[:4])
    assert heard == 4
    # What a kill leaves: half a row, half a line.
    with (folder / ROWS_FILE).open("r+b") as file:
        file.truncate(3 * 2 * 3 * 32 + 7)
    index = (folder / INDEX_FILE).read_text()
    (folder / INDEX_FILE).write_text(index[:-20])
    with FeatureCache(tmp_path, front) as cache:
        np.testing.assert_array_equal(cache.of(CLIPS[::-1], name="hear"), first[:4][::-1])
        assert isinstance(cache.rows(), np.memmap)
        with (
            pytest.raises(DataError, match="another process is adding to it"),
            cache_again(tmp_path, front),
        ):
            pass
    assert heard == 5


def cache_again(folder: Path, front: object) -> FeatureCache:
    return FeatureCache(folder, front)  # type: ignore[arg-type]


def test_another_layer_has_a_folder_of_its_own_and_only_the_beginning_is_heard(
    encoders: dict[str, Path], tmp_path: Path
) -> None:
    told = SslConfig(model=str(encoders["w2v-bert"]), layer=1, longest_s=0.5)
    long = load_front_end(told)
    with FeatureCache(tmp_path, long) as cache:
        both = cache.of([CLIPS[0], CLIPS[0][:8000]], name="hear")
        assert both.shape == (2, 1, 32)
        np.testing.assert_array_equal(both[0], both[1])
        first = cache.folder
    other = load_front_end(SslConfig(model=str(encoders["w2v-bert"]), layer=2, longest_s=0.5))
    assert FeatureCache(tmp_path, other).folder != first
