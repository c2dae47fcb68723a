"""Batches for training: each is a function of seed and step, whoever makes it and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from streamtrace.values import FRAME_SAMPLES, Bools, Catalog, Float32s
from trainer.audio_cache import Clips
from trainer.augment import AugmentConfig, Augmenter
from trainer.cutting import Cutting
from trainer.manifest import Row
from trainer.nonspeech import Nonspeech
from trainer.sampling import NONSPEECH, Sampler, Shares
from trainer.speech import TICK_SAMPLES, speech_frames, speech_ticks

NO_LABEL = -1


@dataclass(frozen=True)
class Batch:
    """What one step trains on."""

    pcm: Tensor  # [B, T]
    usable: Tensor  # [B, N] bool: frames that are audio, not filling
    speech: Tensor  # [B, N] share of speech in each frame
    label: Tensor  # [B] int64: 1 synthetic, 0 human, -1 no speech at all
    source: Tensor  # [B] int64 index into the catalog, -1 for none
    family: Tensor  # [B] int64 index into the catalog, -1 for none
    page: Tensor  # [B] int64, -1 for none
    utterance: Tensor  # [B] int64: equal for clips that say the same, -1 if none else does
    clip: Tensor  # [B] int64 row of the manifest, -1 for non-speech
    failed: tuple[tuple[int, str], ...] = ()  # slots that are silence instead, and why

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)


class Batches:
    """Makes the batch of any step; two instances with the same arguments agree exactly."""

    def __init__(
        self,
        clips: Clips,
        rows: Sequence[int],
        catalog: Catalog,
        *,
        size: int,
        cutting: Cutting,
        seed: int,
        augment: AugmentConfig | None = None,
        shares: Shares | None = None,
        nonspeech: Nonspeech | None = None,
    ) -> None:
        self._clips = clips
        self._chosen = list(rows)
        self._size = size
        self._cutting = cutting
        self._seed = seed
        self._nonspeech = nonspeech or Nonspeech()
        self._augment = Augmenter(augment or AugmentConfig(), self._babble)
        self._sampler = Sampler(clips.rows, rows, shares or Shares())
        self._source = {source.name: i for i, source in enumerate(catalog.sources)}
        self._family = {name: i for i, name in enumerate(catalog.families)}
        self._page = numbered(row.page for row in clips.rows)
        made_of = {row.original_sha256 for row in clips.rows if row.is_pair}
        self._said = [utterance_of(row, made_of) for row in clips.rows]
        self._utterance = numbered(iter(self._said))
        self._ticks: dict[int, Bools] = {}

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        plan = self._sampler.plan(np.random.default_rng((self._seed, step)), self._size)
        return self.render(plan.clips, step, plan.draws)

    def render(self, plan: Sequence[int], step: int, draws: Sequence[int] | None = None) -> Batch:
        """Crop and augment planned clips; what happens to a slot never depends on its label.

        Slots with equal `draws` are cut and sent alike; by default no two are.
        """
        crop = self._cutting.crop(np.random.default_rng((self._seed, step, 0, 3)))
        failed: dict[int, str] = {}
        made: list[tuple[Float32s, Bools, Float32s]] = []
        for slot, (clip, draw) in enumerate(zip(plan, draws or range(len(plan)), strict=True)):
            slotted, why = self._tried(clip, step, draw, crop)
            made.append(slotted)
            if why:
                failed[slot] = why
        rows = [
            None if clip == NONSPEECH or slot in failed else self._clips.rows[clip]
            for slot, clip in enumerate(plan)
        ]

        def numbers(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.int64)

        return Batch(
            pcm=torch.as_tensor(np.stack([pcm for pcm, _, _ in made])),
            usable=torch.as_tensor(np.stack([usable for _, usable, _ in made])),
            speech=torch.as_tensor(np.stack([speech for _, _, speech in made])),
            label=numbers([NO_LABEL if row is None else int(row.is_synthetic) for row in rows]),
            source=numbers([_index(self._source, row and row.source) for row in rows]),
            family=numbers([_index(self._family, row and row.family) for row in rows]),
            page=numbers([_index(self._page, row and row.page) for row in rows]),
            utterance=numbers(
                [
                    _index(self._utterance, row and self._said[clip])
                    for row, clip in zip(rows, plan, strict=True)
                ]
            ),
            clip=numbers(list(plan)),
            failed=tuple(failed.items()),
        )

    def _tried(
        self, clip: int, step: int, draw: int, crop: int
    ) -> tuple[tuple[Float32s, Bools, Float32s], str]:
        """One slot, or silence without a label where its clip cannot be used, and why."""
        try:
            made = self._rendered(clip, step, draw, crop)
            if np.isfinite(made[0]).all():
                return made, ""
            why = "the channel made samples of it that are not numbers"
        except Exception as cause:  # one bad clip must not end a run; the trainer counts them
            why = f"{type(cause).__name__}: {cause}"
        frames = crop // FRAME_SAMPLES
        silence = np.zeros(frames, dtype=np.float32)
        return (np.zeros(crop, dtype=np.float32), np.ones(frames, dtype=np.bool_), silence), why

    def _rendered(
        self, clip: int, step: int, draw: int, crop: int
    ) -> tuple[Float32s, Bools, Float32s]:
        """One slot: pcm [T], usable [N], speech [N]."""
        cutting = np.random.default_rng((self._seed, step, draw, 1))
        channel = np.random.default_rng((self._seed, step, draw, 2))
        frames = crop // FRAME_SAMPLES
        speech = np.zeros(frames, dtype=np.float32)
        if clip == NONSPEECH:
            pcm = self._augment(self._nonspeech.draw(cutting, crop), channel, with_babble=False)
            return pcm, np.ones(frames, dtype=np.bool_), speech
        available = int(self._clips.lengths[clip])
        lead, start, length, is_real = self._cutting.cut(cutting, available, crop)
        pcm = np.zeros(crop, dtype=np.float32)
        voice = self._clips.pcm(clip, start, length)
        pcm[lead : lead + voice.size] = voice
        # A share of the paddings is digital silence to the end, the rest carries the line's noise.
        hushed = cutting.random() < 0.4
        pcm = self._augment(pcm, channel)
        if hushed:
            pcm[:lead] = 0
            pcm[lead + voice.size :] = 0
        ticks = self._speech_of(clip)[start // TICK_SAMPLES : (start + length) // TICK_SAMPLES]
        ticks = np.concatenate([np.zeros(lead // TICK_SAMPLES, dtype=np.bool_), ticks])
        speech = speech_frames(ticks, 0, frames)
        usable = np.ones(frames, dtype=np.bool_)
        if not is_real:
            usable[-(-(lead + voice.size) // FRAME_SAMPLES) :] = False
        return pcm, usable, speech

    def _babble(self, rng: np.random.Generator, length: int) -> Float32s:
        """One to three other clips of the same rows at once [length]."""
        mixed = np.zeros(length, dtype=np.float32)
        for _ in range(int(rng.integers(1, 4))):
            clip = self._chosen[int(rng.integers(len(self._chosen)))]
            part = self._clips.pcm(clip, 0, length)
            at = int(rng.integers(length))
            mixed += np.roll(np.pad(part, (0, length - part.size)), at)
        return mixed

    def _speech_of(self, clip: int) -> Bools:
        found = self._ticks.get(clip)
        if found is None:
            found = self._ticks[clip] = speech_ticks(self._clips.pcm(clip))
        return found


def numbered(names: Iterator[str]) -> dict[str, int]:
    """Different names by their place in sorted order; no name has no number."""
    return {name: i for i, name in enumerate(sorted({name for name in names if name}))}


def utterance_of(row: Row, made_of: Set[str]) -> str:
    """What a clip shares with those that say the same: `parallel_id`, or its original's hash."""
    if row.parallel_id:
        return row.parallel_id
    return row.original_sha256 or (row.sha256 if row.sha256 in made_of else "")


def _index(table: dict[str, int], name: str | Row | None) -> int:
    return table.get(name, -1) if isinstance(name, str) else -1
