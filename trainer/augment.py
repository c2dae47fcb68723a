"""The same random telephone channel for both labels: it sees audio and a generator, nothing else.

Order, as sound travels: room, other noise, level, clipping, line filter, codec, receiver level.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streamtrace.errors import SettingsError
from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.channel.opus import opus_call
from trainer.codecs import alaw_call, can_encode, mulaw_call, narrow_band
from trainer.rates import HAS_SOXR

log = logging.getLogger(__name__)

# Draws `length` samples of other speech, to be noise behind the voice.
Babble: TypeAlias = Callable[[np.random.Generator, int], Float32s]

_BANK_SECONDS = 30
_SLOPES = (0.0, 0.3, 0.6, 0.9, 1.2)  # of the noise's amplitude over frequency: white to reddish


@dataclass(frozen=True)
class AugmentConfig:
    """How often each thing happens to a clip, and how hard."""

    room: float = 0.25
    noise: float = 0.5  # white to pink
    babble: float = 0.12  # other clips behind the voice
    snr_least_db: float = 5.0
    snr_most_db: float = 40.0
    level: float = 1.0
    level_least_db: float = -42.0  # of the loud parts, below full scale
    level_most_db: float = -10.0
    clip: float = 0.06
    filter: float = 0.35
    narrow: float = 0.5  # telephone band: G.711 of either law, or the band alone
    opus: float = 0.1  # dear: ten times the cost of all else together
    opus_least_bps: int = 8_000
    opus_most_bps: int = 32_000

    def __post_init__(self) -> None:
        """Refuse shares outside [0, 1]."""
        for name in ("room", "noise", "babble", "level", "clip", "filter", "narrow", "opus"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise SettingsError(f"augment.{name}={share}: want a share between 0 and 1")
        if self.narrow + self.opus > 1:
            raise SettingsError(
                f"augment.narrow={self.narrow} and augment.opus={self.opus}: "
                "want a sum of at most 1, a clip goes through one of them"
            )


def quiet() -> AugmentConfig:
    """Nothing at all happens; for measuring what augmentation brings."""
    return AugmentConfig(room=0, noise=0, babble=0, level=0, clip=0, filter=0, narrow=0, opus=0)


class Augmenter:
    """Applies the channel; holds only a bank of noise, so that drawing it costs nothing."""

    def __init__(self, config: AugmentConfig, babble: Babble | None = None) -> None:
        self.config = config
        self._babble = babble
        self._has_opus = HAS_SOXR and can_encode("libopus")
        if config.opus and not self._has_opus:
            log.warning("no Opus encoder found: augmentation goes without Opus")
        if config.narrow and not HAS_SOXR:
            log.warning("no soxr found: augmentation goes without the telephone band")
        self._bank = _noise_bank()

    def __call__(
        self, pcm: Float32s, rng: np.random.Generator, *, with_babble: bool = True
    ) -> Float32s:
        """[T] -> [T], within [-1, 1]; the same generator state gives the same result.

        Every decision is drawn whether it is used or not, so that one clip's content never
        shifts what happens to it.
        """
        at = self.config
        chance = rng.random(8)
        pcm = pcm - pcm.mean(dtype=np.float64).astype(np.float32)
        room = _room(rng) if chance[0] < at.room else None
        line = _line(rng) if chance[1] < at.filter else None
        snr_db = float(rng.uniform(at.snr_least_db, at.snr_most_db))
        level_db = float(rng.uniform(at.level_least_db, at.level_most_db))
        bitrate = int(rng.uniform(at.opus_least_bps, at.opus_most_bps))
        spread = rng.random(3)
        if room is not None:
            pcm = _convolved(pcm, room)
        if with_babble and self._babble is not None and chance[2] < at.babble:
            pcm = _mixed(pcm, self._babble(rng, pcm.size), max(snr_db, 8.0))
        elif chance[3] < at.noise:
            pcm = _mixed(pcm, self._noise(rng, pcm.size), snr_db)
        if chance[4] < at.level:
            pcm = _levelled(pcm, level_db)
        if chance[5] < at.clip:
            pcm = _clipped(pcm, 0.3 + 0.6 * float(spread[0]))
        if line is not None:
            pcm = _filtered(pcm, *line)
        pcm = self._coded(pcm, float(chance[6]), float(spread[1]), bitrate)
        return np.clip(pcm, -1.0, 1.0).astype(np.float32)

    def _coded(self, pcm: Float32s, chance: float, spread: float, bitrate: int) -> Float32s:
        if chance < self.config.narrow and HAS_SOXR:
            if spread < 0.42:
                return mulaw_call(pcm)
            if spread < 0.84:
                return alaw_call(pcm)
            return narrow_band(pcm, lambda narrow: narrow)
        if chance > 1 - self.config.opus and self._has_opus:
            return opus_call(pcm, bitrate, rate_hz=8000 if spread < 0.3 else 16_000)
        return pcm

    def _noise(self, rng: np.random.Generator, length: int) -> Float32s:
        row = self._bank[int(rng.integers(len(self._bank)))]
        at = int(rng.integers(row.size))
        return np.take(row, np.arange(at, at + length), mode="wrap")


def _noise_bank() -> list[Float32s]:
    """Loops of noise from white to reddish, drawn once from a seed of their own."""
    rng = np.random.default_rng(20)
    size = _BANK_SECONDS * SAMPLE_RATE_HZ
    bank: list[Float32s] = []
    for slope in _SLOPES:
        spectrum: npt.NDArray[np.complex128] = np.fft.rfft(rng.standard_normal(size))
        spectrum[1:] /= np.arange(1, spectrum.size) ** slope
        spectrum[0] = 0
        loop = np.fft.irfft(spectrum, size)
        bank.append((loop / loop.std()).astype(np.float32))
    return bank


def _room(rng: np.random.Generator) -> Float32s:
    """A direct path and an exponentially decaying tail, 0.1 to 0.6 s to -60 dB."""
    decay_s = float(rng.uniform(0.1, 0.6))
    size = int(decay_s * SAMPLE_RATE_HZ)
    tail = rng.standard_normal(size, dtype=np.float32)
    tail *= np.exp(-6.9 * np.arange(size, dtype=np.float32) / size).astype(np.float32)
    wet = 10.0 ** rng.uniform(-1.5, -0.2)
    response = tail * np.float32(wet / np.sqrt(np.square(tail).sum()))
    response[: int(rng.integers(16, 160))] = 0  # the first reflection comes later
    response[0] = 1.0
    return response


def _line(rng: np.random.Generator) -> tuple[float, float, float]:
    """Low and high cut-off in hertz and a tilt in dB over the band."""
    low = float(rng.uniform(20, 350))
    high = 3000 * (8 / 3) ** float(rng.random())  # evenly over octaves
    return low, high, float(rng.uniform(-6, 6))


def _fast_length(length: int) -> int:
    """A transform length with small factors only, at least `length`."""
    step = 1 << max(length.bit_length() - 4, 0)
    return -(-length // step) * step


def _convolved(pcm: Float32s, response: Float32s) -> Float32s:
    size = _fast_length(pcm.size + response.size)
    wet = np.fft.irfft(np.fft.rfft(pcm, size) * np.fft.rfft(response, size), size)
    return wet[: pcm.size].astype(np.float32)


def _filtered(pcm: Float32s, low_hz: float, high_hz: float, tilt_db: float) -> Float32s:
    """Butterworth-like slopes without phase, and a tilt, in one pass through the spectrum."""
    size = _fast_length(pcm.size + 1024)
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ).astype(np.float32) + np.float32(1e-3)
    gain = 1 / np.sqrt((1 + (low_hz / hz) ** 4) * (1 + (hz / high_hz) ** 12))
    gain *= 10 ** ((tilt_db / 20) * (hz / 4000 - 1))
    return np.fft.irfft(np.fft.rfft(pcm, size) * gain, size)[: pcm.size].astype(np.float32)


def _loud_rms(pcm: Float32s) -> float:
    """The level of the louder parts: pauses must not decide how loud a clip is."""
    ticks = pcm[: pcm.size // 320 * 320].reshape(-1, 320)
    if ticks.size == 0:
        return 0.0
    square = np.square(ticks).mean(axis=1, dtype=np.float32)
    loud = square[square >= 0.1 * square.max()]
    return float(np.sqrt(loud.mean()))


def _mixed(pcm: Float32s, noise: Float32s, snr_db: float) -> Float32s:
    voice, other = _loud_rms(pcm), _loud_rms(noise)
    if voice <= 0 or other <= 0:
        return pcm
    gain = np.float32(voice / other / 10 ** (snr_db / 20))
    return (pcm + noise * gain).astype(np.float32)


def _levelled(pcm: Float32s, level_db: float) -> Float32s:
    """Loud parts to `level_db`, unless a peak would leave [-1, 1]; digital silence stays."""
    rms = _loud_rms(pcm)
    if rms < 1e-6:
        return pcm
    gain = 10 ** (level_db / 20) / rms
    peak = float(np.abs(pcm).max())
    return (pcm * np.float32(min(gain, 0.99 / peak))).astype(np.float32)


def _clipped(pcm: Float32s, share: float) -> Float32s:
    limit = share * float(np.abs(pcm).max())
    return np.clip(pcm, -limit, limit).astype(np.float32)
