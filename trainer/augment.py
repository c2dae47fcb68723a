"""The same random telephone channel for both labels: it sees audio and a generator, nothing else.

Order, as sound travels: room, other sound, microphone and amplifier, level, line filter, codec
(or two), receiver.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TypeAlias

import numpy as np

from streamtrace.values import Float32s
from trainer.channel.config import CODEC_NAMES, AugmentConfig, quiet
from trainer.channel.distortion import coloured_additive, convolutive, impulsive
from trainer.channel.level import clipped, gain_controlled, levelled
from trainer.channel.loss import Loss
from trainer.channel.noise import mixed, noise_bank
from trainer.channel.rooms import room
from trainer.channel.spectrum import band_limits, convolved, frequencies, shaped
from trainer.codecs import CODECS, Passage, available

__all__ = ["AugmentConfig", "Augmenter", "Babble", "quiet"]

log = logging.getLogger(__name__)

# Draws `length` samples of other speech, to be noise behind the voice.
Babble: TypeAlias = Callable[[np.random.Generator, int], Float32s]

STAGES = (
    "room",
    "babble",
    "noise",
    "convolutive",
    "impulsive",
    "coloured",
    "level",
    "agc",
    "clip",
    "filter",
    "codec",
)
# What a clip goes through even when it is spared the rest.
ALWAYS = frozenset({"level"})


class Augmenter:
    """Applies the channel; holds only a bank of noise, so that drawing it costs nothing."""

    def __init__(
        self,
        config: AugmentConfig,
        babble: Babble | None = None,
        *,
        codecs: Collection[str] | None = None,
    ) -> None:
        """Without `codecs`, all that this machine can run."""
        self.config = config
        self._babble = babble
        self._noise = noise_bank()
        wanted = {name for name in CODEC_NAMES if getattr(config, name)}
        there = available() if codecs is None else codecs
        lacking = sorted(wanted.difference(there))
        if config.codec and lacking:
            log.warning(
                "no encoder on this machine for %s: the channel goes without",
                ", ".join(lacking),
            )
        self._codecs = [name for name in CODEC_NAMES if name in wanted and name in there]
        weights = np.array([getattr(config, name) for name in self._codecs], dtype=np.float64)
        self._up_to = np.cumsum(weights / max(float(weights.sum()), 1e-12))

    def __call__(
        self, pcm: Float32s, rng: np.random.Generator, *, with_babble: bool = True
    ) -> Float32s:
        """[T] -> [T], within [-1, 1]; the same generator state gives the same result.

        Each stage has a seed of its own, drawn whether it is used or not: neither what a clip
        holds nor what else is switched on shifts what happens to it.
        """
        if pcm.size == 0:
            return pcm
        spared = rng.random() < self.config.clean
        chances = rng.random(len(STAGES))
        seeds = rng.integers(0, 2**63, size=len(STAGES))
        pcm = pcm - pcm.mean(dtype=np.float64).astype(np.float32)
        has_babble = False
        for stage, chance, seed in zip(STAGES, chances.tolist(), seeds.tolist(), strict=True):
            if chance >= getattr(self.config, stage) or (spared and stage not in ALWAYS):
                continue
            if stage == "babble":
                has_babble = with_babble and self._babble is not None
                if not has_babble:
                    continue
            if stage == "noise" and has_babble:
                continue
            pcm = self._through(stage, pcm, np.random.default_rng(seed))
        return np.clip(pcm, -1.0, 1.0).astype(np.float32)

    def _through(self, stage: str, pcm: Float32s, rng: np.random.Generator) -> Float32s:
        at = self.config
        match stage:
            case "room":
                reflected_db = float(rng.uniform(at.room_least_db, at.room_most_db))
                return convolved(pcm, room(rng, at.room_least_s, at.room_most_s, reflected_db))
            case "babble" if self._babble is not None:
                snr_db = float(rng.uniform(at.babble_least_db, at.babble_most_db))
                return mixed(pcm, self._babble(rng, pcm.size), snr_db)
            case "noise":
                snr_db = float(rng.uniform(at.snr_least_db, at.snr_most_db))
                return mixed(pcm, self._noise.draw(rng, pcm.size), snr_db)
            case "convolutive":
                return convolutive(pcm, rng)
            case "impulsive":
                return impulsive(pcm, rng, at.impulsive_most)
            case "coloured":
                snr_db = float(rng.uniform(at.snr_least_db, at.snr_most_db))
                return coloured_additive(pcm, rng, snr_db)
            case "level":
                return levelled(pcm, float(rng.uniform(at.level_least_db, at.level_most_db)))
            case "agc":
                return self._controlled(pcm, rng)
            case "clip":
                return clipped(pcm, float(rng.uniform(at.clip_least, at.clip_most)))
            case "filter":
                return self._filtered(pcm, rng)
            case "codec":
                return self._coded(pcm, rng)
            case _:
                return pcm

    def _controlled(self, pcm: Float32s, rng: np.random.Generator) -> Float32s:
        target_db = float(rng.uniform(-30, -16))
        attack_s, release_s = float(rng.uniform(0.005, 0.05)), float(rng.uniform(0.1, 1.0))
        return gain_controlled(
            pcm, target_db, attack_s, release_s, most_db=float(rng.uniform(6, 20))
        )

    def _filtered(self, pcm: Float32s, rng: np.random.Generator) -> Float32s:
        at = self.config
        low_hz = float(rng.uniform(min(20.0, at.low_most_hz), at.low_most_hz))
        # Evenly over octaves.
        high_hz = at.high_least_hz * (at.high_most_hz / at.high_least_hz) ** float(rng.random())
        tilt_db = float(rng.uniform(-at.tilt_most_db, at.tilt_most_db))
        return shaped(pcm, band_limits(frequencies(pcm), low_hz, high_hz, tilt_db))

    def _coded(self, pcm: Float32s, rng: np.random.Generator) -> Float32s:
        """Through one codec, or two that know nothing of each other."""
        twice = rng.random() < self.config.tandem
        for _ in range(1 + twice):
            if self._codecs:
                place = int(np.searchsorted(self._up_to, rng.random(), "right"))
                name = self._codecs[min(place, len(self._codecs) - 1)]
                pcm = CODECS[name](pcm, self._passage(rng))
        return pcm

    def _passage(self, rng: np.random.Generator) -> Passage:
        at = self.config
        choice, has_loss, is_bursty, is_muted, pitch = rng.random(5).tolist()
        bps = at.opus_least_bps * (at.opus_most_bps / at.opus_least_bps) ** float(rng.random())
        share = float(rng.uniform(at.loss_least, at.loss_most))
        burst = float(rng.uniform(1, at.burst_most))
        seed = int(rng.integers(0, 2**63))
        if has_loss >= at.loss:
            return Passage(choice, int(bps))
        fill = "silence" if is_muted < at.muted else "pitch" if pitch < 0.7 else "repeat"
        return Passage(
            choice, int(bps), Loss(share, burst if is_bursty < at.bursty else 0.0, fill, seed)
        )
