"""Decoding: any rate and channel count becomes 16 kHz mono, and every flaw has its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.trees import voice_like, write_floats, write_wav
from trainer.decode import decode, file_sha256
from trainer.skipped import ClipError


def test_any_rate_and_channel_count_becomes_16_khz_mono(tmp_path: Path):
    path = write_wav(tmp_path / "a.wav", voice_like(1, 1.0, 8000), rate_hz=8000, channels=2)
    pcm, rate_hz = decode(path)
    assert rate_hz == 8000
    assert pcm.shape == (16_000,)
    assert 0.2 < np.abs(pcm).max() / 32768 < 0.4


def test_a_long_file_is_cut(tmp_path: Path):
    path = write_wav(tmp_path / "a.wav", voice_like(1, 3.0))
    assert decode(path, longest_s=1.0)[0].shape == (16_000,)


def test_every_flaw_has_its_name(tmp_path: Path):
    quiet = np.zeros(16_000, np.float32)
    bad = quiet.copy()
    bad[9000] = np.inf
    (tmp_path / "garbage.wav").write_bytes(b"this is no audio" * 100)
    (tmp_path / "nothing.wav").write_bytes(b"")
    (tmp_path / "folder.wav").mkdir()
    files = {
        tmp_path / "nowhere.wav": "missing",
        tmp_path / "folder.wav": "unreadable",
        tmp_path / "garbage.wav": "unreadable",
        tmp_path / "nothing.wav": "empty",
        write_wav(tmp_path / "no-samples.wav", quiet[:0]): "empty",
        write_wav(tmp_path / "short.wav", voice_like(1, 0.2)): "short",
        write_wav(tmp_path / "silent.wav", quiet): "silent",
        write_floats(tmp_path / "infinite.wav", bad): "not-a-number",
    }
    for path, flaw in files.items():
        with pytest.raises(ClipError, match=path.name) as raised:
            decode(path)
        assert raised.value.flaw == flaw, path


def test_a_file_that_cannot_be_hashed_says_why(tmp_path: Path):
    for path, flaw in ((tmp_path / "nowhere", "missing"), (tmp_path, "unreadable")):
        with pytest.raises(ClipError) as raised:
            file_sha256(path)
        assert raised.value.flaw == flaw
