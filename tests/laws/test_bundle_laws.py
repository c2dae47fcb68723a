"""The shipped model: a live call says what the trainer's offline path computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from streamtrace import Engine
from streamtrace.encoder.bundle import ENCODER_FILE
from streamtrace.encoder.conformer import EncoderConfig, StreamingConformer
from tests.bundles import default_bundle
from trainer.embed import pooled_statistics

pytestmark = pytest.mark.laws


def spoken(seed: int, seconds: float) -> np.ndarray:
    """Noise in bursts: loud enough for the gate, and different in every band."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * 16_000)) / 16_000
    tone = np.sin(2 * np.pi * 140 * time_s) ** 9 * (1 + 0.5 * np.sin(2 * np.pi * 3 * time_s))
    return (0.2 * tone + 0.01 * rng.standard_normal(time_s.size)).astype(np.float32)


async def test_a_live_call_equals_the_trainers_offline_judgement() -> None:
    bundle = default_bundle()
    shape = {**bundle.metadata["encoder"], "features": bundle.metadata["features"]}
    encoder = StreamingConformer(EncoderConfig.from_dict(shape))
    encoder.load_state_dict(load_file(bundle.path / ENCODER_FILE))
    clips = [spoken(1, 3.3), spoken(2, 5.0)]
    torch.set_num_threads(1)
    pooled = pooled_statistics(encoder, clips)
    offline = bundle.trace_model.answer(pooled.stats[0], pooled.speech_ms[0])
    async with Engine() as engine:
        for i, clip in enumerate(clips):
            call = engine.open_call()
            await call.feed_pcm(clip, rate_hz=16_000)
            final = [e for e in await call.end() if e.type == "call.score.v1"][-1].to_dict()["data"]
            assert final["speech_ms"] == pooled.speech_ms[0, i]
            assert final["spoof_probability"] == pytest.approx(
                float(offline.spoof_probability[i]), abs=1e-4
            )
            assert final["novelty"] == pytest.approx(float(offline.novelty[i]), abs=1e-3)
