"""What a line carries besides speech: silence, noise, tones, ringing and hold music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamtrace.values import SAMPLE_RATE_HZ, Float32s

MUSIC_FILE = "music.i16"
DTMF_ROWS_HZ = (697, 770, 852, 941)
DTMF_COLUMNS_HZ = (1209, 1336, 1477, 1633)
# Tone pair, seconds on, seconds off: ringing, dialling and busy tones of several countries.
CADENCES: tuple[tuple[tuple[int, ...], float, float], ...] = (
    ((440, 480), 2.0, 4.0),
    ((425,), 1.0, 4.0),
    ((400, 450), 0.4, 0.2),
    ((350, 440), 9.0, 0.0),
    ((425,), 9.0, 0.0),
    ((480, 620), 0.5, 0.5),
    ((425,), 0.48, 0.48),
)
KINDS = ("silence", "noise", "tone", "digits", "music")


class Nonspeech:
    """Draws clips without speech; only the activity head learns from them."""

    def __init__(self, music: npt.NDArray[np.int16] | None = None) -> None:
        self._music = music
        self.kinds = KINDS if music is not None else KINDS[:-1]

    @staticmethod
    def load(folder: Path) -> Nonspeech:
        """With the hold music that `prepare` unpacked into `folder`, where it did."""
        path = folder / MUSIC_FILE
        if not path.exists() or path.stat().st_size < 2 * 10 * SAMPLE_RATE_HZ:
            return Nonspeech()
        return Nonspeech(np.memmap(path, dtype=np.int16, mode="r"))

    def draw(self, rng: np.random.Generator, length: int) -> Float32s:
        """One clip of any kind [length]."""
        kind = self.kinds[int(rng.integers(len(self.kinds)))]
        match kind:
            case "silence":
                level = 10.0 ** rng.uniform(-5.0, -3.5) * (rng.random() < 0.7)
                return (level * rng.standard_normal(length, dtype=np.float32)).astype(np.float32)
            case "noise":
                return _hum_and_noise(rng, length)
            case "tone":
                return _cadence(rng, length)
            case "digits":
                return _digits(rng, length)
            case _:
                return self._hold_music(rng, length)

    def _hold_music(self, rng: np.random.Generator, length: int) -> Float32s:
        if self._music is None or self._music.size < length:
            return np.zeros(length, dtype=np.float32)
        at = int(rng.integers(self._music.size - length + 1))
        return self._music[at : at + length].astype(np.float32) / np.float32(32768)


def _hum_and_noise(rng: np.random.Generator, length: int) -> Float32s:
    white = rng.standard_normal(length, dtype=np.float32)
    # A one-pole smoother in place of pink: any tilt will do, as long as it varies.
    size = int(rng.integers(1, 24))
    tilted = np.convolve(white, np.ones(size, dtype=np.float32) / size, mode="same")
    time_s = np.arange(length, dtype=np.float32) / SAMPLE_RATE_HZ
    hum = np.sin(2 * np.pi * float(rng.choice((50, 60, 100, 120))) * time_s)
    swell = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 2.0) * time_s)
    mixed = 0.05 * tilted * swell + rng.uniform(0, 0.02) * hum
    return mixed.astype(np.float32)


def _cadence(rng: np.random.Generator, length: int) -> Float32s:
    tones_hz, on_s, off_s = CADENCES[int(rng.integers(len(CADENCES)))]
    time_s = np.arange(length) / SAMPLE_RATE_HZ + rng.uniform(0, on_s + off_s)
    tone = sum((np.sin(2 * np.pi * hz * time_s) for hz in tones_hz), start=np.zeros(length))
    sounding = (time_s % (on_s + off_s)) < on_s
    return (rng.uniform(0.02, 0.2) * tone * sounding).astype(np.float32)


def _digits(rng: np.random.Generator, length: int) -> Float32s:
    result = np.zeros(length, dtype=np.float32)
    on, off = int(rng.integers(800, 3200)), int(rng.integers(800, 16000))
    time_s = np.arange(on) / SAMPLE_RATE_HZ
    for at in range(int(rng.integers(0, off)), length - on, on + off):
        low, high = float(rng.choice(DTMF_ROWS_HZ)), float(rng.choice(DTMF_COLUMNS_HZ))
        pair = np.sin(2 * np.pi * low * time_s) + np.sin(2 * np.pi * high * time_s)
        result[at : at + on] = 0.15 * pair
    return result
