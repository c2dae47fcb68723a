"""The tables of G.711 agree with the engine's own, as far as rounding goes."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.audio.g711 import decode_mulaw, encode_mulaw
from trainer.channel.companding import ALAW, MULAW, quantised


@pytest.mark.parametrize("table", [MULAW, ALAW])
def test_companding_is_close_monotone_and_odd(table: np.ndarray):
    ramp = np.linspace(-0.99, 0.99, 4001).astype(np.float32)
    heard = quantised(ramp, table)
    assert (np.diff(heard) >= 0).all()
    assert np.abs(heard - ramp).max() < 0.03
    assert len(np.unique(table)) in (255, 256)


def test_the_table_is_what_the_engine_decodes():
    pcm = np.random.default_rng(1).uniform(-0.98, 0.98, 5000).astype(np.float32)
    ours, engine = quantised(pcm, MULAW), decode_mulaw(encode_mulaw(pcm))
    assert (ours == engine).mean() > 0.99  # a sample between two levels may go either way
    assert set(np.unique(ours)) <= set(np.unique(MULAW))
