"""The shipped model: a live call says what the trainer's offline path computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from streamtrace import Engine
from streamtrace.encoder.bundle import ENCODER_FILE
from streamtrace.encoder.conformer import EncoderConfig, StreamingConformer
from streamtrace.values import HOP_STEPS, STEP_SAMPLES
from tests.bundles import default_bundle
from trainer.embed import pooled_at_looks, pooled_statistics

pytestmark = pytest.mark.laws


def spoken(seed: int, seconds: float) -> np.ndarray:
    """Noise in bursts: loud enough for the gate, and different in every band."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * 16_000)) / 16_000
    tone = np.sin(2 * np.pi * 140 * time_s) ** 9 * (1 + 0.5 * np.sin(2 * np.pi * 3 * time_s))
    return (0.2 * tone + 0.01 * rng.standard_normal(time_s.size)).astype(np.float32)


async def test_a_live_call_equals_the_trainers_offline_judgement_at_every_look() -> None:
    bundle = default_bundle()
    shape = {**bundle.metadata["encoder"], "features": bundle.metadata["features"]}
    encoder = StreamingConformer(EncoderConfig.from_dict(shape))
    encoder.load_state_dict(load_file(bundle.path / ENCODER_FILE))
    clips = [spoken(1, 3.3), spoken(2, 5.0), spoken(3, 3.84), np.zeros(8_000, np.float32)]
    torch.set_num_threads(1)
    looks = pooled_at_looks(encoder, clips)
    offline = bundle.trace_model.answer(looks.stats, looks.speech_ms)
    whole = pooled_statistics(encoder, clips)
    np.testing.assert_array_equal(whole.stats, looks.stats[looks.first[1:] - 1])
    async with Engine() as engine:
        for i, clip in enumerate(clips):
            call = engine.open_call()
            said = [*await call.feed_pcm(clip, rate_hz=16_000), *await call.end()]
            scores = [e.to_dict()["data"] for e in said if e.type == "call.score.v1"]
            mine = range(looks.first[i], looks.first[i + 1])
            # Where the last step, padded or not, ends a hop it is scored, and again as the final.
            if -(-len(clip) // STEP_SAMPLES) % HOP_STEPS == 0:
                scores.pop(-2)
            assert len(scores) == len(mine)
            for score, k in zip(scores, mine, strict=True):
                assert score["speech_ms"] == looks.speech_ms[k]
                assert score["spoof_probability"] == pytest.approx(
                    float(offline.spoof_probability[k]), abs=1e-4
                )
                assert score["novelty"] == pytest.approx(float(offline.novelty[k]), abs=1e-3)
