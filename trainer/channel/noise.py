"""Other sound beside the voice, mixed in at a ratio to the voice's louder parts."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from streamtrace.values import SAMPLE_RATE_HZ, Float32s

TICK = SAMPLE_RATE_HZ // 50
STEEPEST = 1.2  # fall of the amplitude over frequency: 0 is white, 1 is a little beyond pink


def coloured(rng: np.random.Generator, length: int, slope: float) -> Float32s:
    """[length] stationary noise of unit power whose amplitude falls as frequency ** -slope."""
    size = max(length, SAMPLE_RATE_HZ)  # less would know no low frequencies
    spectrum: npt.NDArray[np.complex128] = np.fft.rfft(rng.standard_normal(size))
    spectrum[1:] /= np.arange(1, spectrum.size) ** slope
    # Below what any telephone carries, a steep slope would put all of its power.
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    spectrum[hz < 50] = 0
    noise = np.fft.irfft(spectrum, size)
    return (noise[:length] / noise.std()).astype(np.float32)


def loud_rms(pcm: Float32s) -> float:
    """The level of the louder parts: pauses must not decide how loud a clip is."""
    ticks = pcm[: pcm.size // TICK * TICK].reshape(-1, TICK)
    if ticks.size == 0:
        return 0.0
    square = np.square(ticks).mean(axis=1, dtype=np.float32)
    loud = square[square >= 0.1 * square.max()]
    return float(np.sqrt(loud.mean()))


def mixed(pcm: Float32s, noise: Float32s, snr_db: float) -> Float32s:
    """[T] with `noise` [T], so far below its louder parts; silence takes none."""
    voice, other = loud_rms(pcm), loud_rms(noise)
    if voice <= 0 or other <= 0:
        return pcm
    gain = np.float32(voice / other / 10 ** (snr_db / 20))
    return (pcm + noise * gain).astype(np.float32)


@functools.cache
def noise_bank() -> NoiseBank:
    """The one bank of this process: it holds no state, and takes a while to make."""
    return NoiseBank()


class NoiseBank:
    """Loops of noise from white to reddish, drawn once, so that drawing from it costs nothing."""

    def __init__(self, seconds: int = 30) -> None:
        rng = np.random.default_rng(20)
        size = seconds * SAMPLE_RATE_HZ
        self._loops = [coloured(rng, size, slope) for slope in np.linspace(0, STEEPEST, 5)]

    def draw(self, rng: np.random.Generator, length: int) -> Float32s:
        """[length] of one loop; now and then it swells and ebbs as traffic does, or hums."""
        loop = self._loops[int(rng.integers(len(self._loops)))]
        at = int(rng.integers(loop.size))
        swells, hums = rng.random(2)
        rate_hz, phase, mains = rng.uniform([0.2, 0, 0], [3, 2 * np.pi, 1])
        noise = np.take(loop, np.arange(at, at + length), mode="wrap")
        time_s = np.arange(length, dtype=np.float32) / np.float32(SAMPLE_RATE_HZ)
        if swells < 0.3:
            noise *= 1 + np.float32(0.8) * np.sin(2 * np.pi * rate_hz * time_s + phase)
        if hums < 0.15:
            hz = 50.0 if mains < 0.5 else 60.0
            for harmonic in (1, 3, 5):
                turns = 2 * np.pi * hz * harmonic * time_s + phase * harmonic
                noise += np.sin(turns) / np.float32(harmonic)
        return noise.astype(np.float32)
