"""REFD's stages, its bank, and the place for a front end that was trained elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

from streamtrace.values import Float32s
from tests.trainer.baselines.lessons import Doctored, lesson_of
from trainer.baselines.drawing import last_frames
from trainer.baselines.hearing import Hearing
from trainer.baselines.interface import Asked
from trainer.baselines.novel_similarity import bank_of
from trainer.baselines.refd import Graphs, Refd
from trainer.dataset import Dataset


class Elsewhere:
    """A model of speech with wide frames every 20 ms."""

    name, width, hop_samples, window_samples = "elsewhere", 96, 320, 400

    def frames(self, pcm: Float32s) -> Float32s:
        windows = np.lib.stride_tricks.sliding_window_view(pcm, self.window_samples)
        return windows[:: self.hop_samples, : self.width] * np.float32(3)


def test_the_bank_is_that_of_the_named_synthetic_clips_each_once_a_line(
    data: Dataset, tmp_path: Path
) -> None:
    refd = Refd(steps=2, batch=4)
    hearing = Hearing(data, ("clean", "g711"), tmp_path / "frames")
    lesson = lesson_of(data, tmp_path / "learnt", hearing)
    judge = refd.learn(lesson)
    none, one = np.zeros(64, np.float32), np.ones(64, np.float32)
    network = Graphs(none, one, classes=len(lesson.taught)).eval()
    weights = load_file(tmp_path / "learnt" / "dispersion.safetensors")
    weights.pop("key")
    network.load_state_dict(weights)
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    for clip, row in zip(lesson.train, lesson.rows, strict=True):
        for line in hearing.lines if row.is_synthetic else ():
            window = last_frames(hearing.frames(refd.front, clip, line), refd.window)
            with torch.no_grad():
                feature = network.embed(torch.as_tensor(window)[None])
                logits = network.out_layer(feature)
            found.append((feature, logits.masked_fill(~torch.as_tensor(lesson.taught), -1e3)))
    bank = bank_of(*(torch.cat(each) for each in zip(*found, strict=True)))
    torch.testing.assert_close(judge.bank["mean"], bank, atol=1e-5, rtol=1e-5)


def test_a_run_that_was_killed_between_its_stages_goes_on_as_it_would_have(
    data: Dataset, tmp_path: Path
) -> None:
    refd = Refd(steps=2, batch=4)
    lesson = lesson_of(data, tmp_path / "learnt", Hearing(data, ("clean",), tmp_path / "frames"))
    refd.learn(lesson)
    before = load_file(tmp_path / "learnt" / "dispersion.safetensors")
    (tmp_path / "learnt" / "dispersion.safetensors").unlink()
    refd.learn(lesson)
    after = load_file(tmp_path / "learnt" / "dispersion.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_any_front_end_serves(data: Dataset, tmp_path: Path) -> None:
    refd = Refd(steps=1, batch=2, front=Elsewhere())
    assert refd.window == 200
    lesson = lesson_of(data, tmp_path / "learnt", Doctored(data, ("clean",), tmp_path))
    said = refd.learn(lesson).judge([Asked(0, np.array([8_000, 16_000]))], "clean")
    assert said.spoof.shape == (2,)
    assert "elsewhere" in refd.settings
