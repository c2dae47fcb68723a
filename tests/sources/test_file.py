"""Audio files of every kind are decoded as they are, or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamtrace.errors import AudioError
from streamtrace.sources.file import decode_file, decode_mono, read_blocks
from tests.audio_files import cut, speech_like, write_encoded, write_wav


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_of_any_rate_and_width(tmp_path: Path, rate_hz: int, width: int) -> None:
    pcm = speech_like(0.3, rate_hz)
    audio = decode_file(write_wav(tmp_path / "a.wav", pcm, rate_hz, width))
    assert audio.rate_hz == rate_hz
    assert audio.pcm.dtype == np.float32
    assert audio.pcm.shape == (1, len(pcm))
    np.testing.assert_allclose(audio.pcm[0], pcm, atol=2 / 2 ** (8 * width - 1) + 1e-6)


def test_channels_stay_apart(tmp_path: Path) -> None:
    pcm = np.stack([speech_like(0.5, seed=seed) for seed in range(6)])
    audio = decode_file(write_wav(tmp_path / "six.wav", pcm))
    np.testing.assert_allclose(audio.pcm, pcm, atol=1e-4)


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".opus", ".ogg", ".m4a"])
@pytest.mark.parametrize("channels", [1, 2])
def test_compressed_files(tmp_path: Path, suffix: str, channels: int) -> None:
    pcm = np.stack([speech_like(2.0)] * channels)
    audio = decode_file(write_encoded(tmp_path / f"a{suffix}", pcm))
    assert audio.pcm.shape[0] == channels
    assert audio.pcm.shape[1] / audio.rate_hz == pytest.approx(2.0, abs=0.15)
    assert float(np.abs(audio.pcm).max()) <= 1.0


def test_flac_is_exact(tmp_path: Path) -> None:
    pcm = np.round(speech_like(1.0) * 32_768) / np.float32(32_768)
    audio = decode_file(write_encoded(tmp_path / "a.flac", pcm))
    np.testing.assert_array_equal(audio.pcm[0], pcm)


def test_blocks_join_to_the_whole(tmp_path: Path) -> None:
    file = write_wav(tmp_path / "long.wav", speech_like(5.5))
    blocks = [block.pcm for block in read_blocks(file)]
    assert len(blocks) == 6
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), decode_file(file).pcm)


def test_mono_at_16_khz(tmp_path: Path) -> None:
    tone = np.sin(np.arange(8_000) / 9).astype(np.float32) / 2
    mono = decode_mono(write_wav(tmp_path / "a.wav", np.stack([tone, -tone]), 8_000))
    assert mono.shape == (16_000,)
    assert float(np.abs(mono).max()) < 1e-3  # the two channels cancel


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    file = write_encoded(tmp_path / "a.flac", speech_like(0.5)).rename(tmp_path / "a#1: x.mp3")
    assert decode_file(file).pcm.shape == (1, 8_000)


def _text(file: Path) -> None:
    file.write_text("This is a letter, not a recording.\n" * 300)


def _noise(file: Path) -> None:
    file.write_bytes(np.random.default_rng(0).bytes(50_000))


def _playlist(file: Path) -> None:
    file.write_text("ffconcat version 1.0\nfile other.wav\n")


def _no_samples(file: Path) -> None:
    write_wav(file, np.zeros(0, np.float32))


def _not_numbers(file: Path) -> None:
    pcm = np.full(1_000, np.nan, "<f4").tobytes()
    header = b"WAVEfmt \x10\0\0\0\x03\0\x01\0\x80\x3e\0\0\0\xfa\0\0\x04\0\x20\0data"
    body = header + len(pcm).to_bytes(4, "little") + pcm
    file.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda file: None, "no such file"),
        (Path.mkdir, "is a folder"),
        (Path.touch, "empty file"),
        (_text, "not audio"),
        (_noise, "not audio"),
        (_playlist, "not audio"),
        (_no_samples, "holds no audio samples"),
        (_not_numbers, "not numbers"),
    ],
    ids=["missing", "folder", "empty", "text", "noise", "playlist", "no samples", "nan"],
)
def test_what_is_not_audio(
    tmp_path: Path, make: Callable[[Path], None], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.wav"
    make(file)
    with pytest.raises(AudioError, match=reason):
        decode_file(file)
    assert capfd.readouterr() == ("", "")  # the decoder's own noise stays out


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".opus", ".m4a"])
def test_cut_files(
    tmp_path: Path, suffix: str, keep: float, capfd: pytest.CaptureFixture[str]
) -> None:
    write = write_wav if suffix == ".wav" else write_encoded
    file = write(tmp_path / f"a{suffix}", speech_like(4.0))
    with pytest.raises(AudioError, match=r"truncated|damaged"):
        decode_file(cut(file, keep))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".opus"])
def test_files_with_a_hole(tmp_path: Path, suffix: str) -> None:
    file = write_encoded(tmp_path / f"a{suffix}", speech_like(4.0))
    whole = bytearray(file.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 1_000] = bytes(1_000)
    file.write_bytes(whole)
    with pytest.raises(AudioError, match=r"truncated|damaged"):
        decode_file(file)


def test_a_wav_written_into_a_pipe_is_whole(tmp_path: Path) -> None:
    file = write_wav(tmp_path / "a.wav", speech_like(0.5))
    whole = bytearray(file.read_bytes())
    whole[4:8] = whole[40:44] = b"\xff\xff\xff\xff"  # its writer could not go back
    file.write_bytes(whole)
    assert decode_file(file).pcm.shape == (1, 8_000)


def test_a_name_that_no_system_takes() -> None:
    with pytest.raises(AudioError, match="NUL"):
        decode_file("a\0b.wav")
