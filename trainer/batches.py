"""Batches for training: a function of seed and step, made one ahead in a thread of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from streamtrace.values import FRAME_SAMPLES, SAMPLE_RATE_HZ, Bools, Catalog, Float32s
from trainer.audio_cache import Clips
from trainer.augment import AugmentConfig, Augmenter, quiet
from trainer.config import TrainConfig
from trainer.manifest import Row
from trainer.nonspeech import Nonspeech
from trainer.sampling import NONSPEECH, Sampler, Shares
from trainer.speech import TICK_SAMPLES, speech_frames, speech_ticks

SHORTEST_SAMPLES = SAMPLE_RATE_HZ  # a clip is never cut shorter than a second on purpose
NO_LABEL = -1
AHEAD = 3


class HasClips(Protocol):
    """What batches need of a data set."""

    @property
    def clips(self) -> Clips: ...


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
    utterance: Tensor  # [B] int64: equal for clips of one parallel_id, -1 for none
    clip: Tensor  # [B] int64 row of the manifest, -1 for non-speech

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


class Batches:
    """Makes the batch of any step; two instances with the same arguments agree exactly."""

    def __init__(
        self,
        clips: Clips,
        rows: Sequence[int],
        catalog: Catalog,
        *,
        size: int,
        crop_samples: int,
        seed: int,
        augment: AugmentConfig | None = None,
        shares: Shares | None = None,
        nonspeech: Nonspeech | None = None,
    ) -> None:
        self._clips = clips
        self._chosen = list(rows)
        self._size = size
        self._crop = crop_samples
        self._seed = seed
        self._nonspeech = nonspeech or Nonspeech()
        self._augment = Augmenter(augment or AugmentConfig(), self._babble)
        self._sampler = Sampler(clips.rows, rows, shares or Shares())
        self._source = {source.name: i for i, source in enumerate(catalog.sources)}
        self._family = {name: i for i, name in enumerate(catalog.families)}
        self._page = _numbered(row.page for row in clips.rows)
        self._utterance = _numbered(row.parallel_id for row in clips.rows)
        self._ticks: dict[int, Bools] = {}

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        plan = self._sampler.plan(np.random.default_rng((self._seed, step)), self._size)
        return self.render(plan, step)

    def render(self, plan: Sequence[int], step: int) -> Batch:
        """Crop and augment planned clips; what happens to a slot never depends on its label."""
        made = [self._rendered(clip, step, slot) for slot, clip in enumerate(plan)]
        rows = [None if clip == NONSPEECH else self._clips.rows[clip] for clip in plan]

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
            utterance=numbers([_index(self._utterance, row and row.parallel_id) for row in rows]),
            clip=numbers(list(plan)),
        )

    def _rendered(self, clip: int, step: int, slot: int) -> tuple[Float32s, Bools, Float32s]:
        """One slot: pcm [T], usable [N], speech [N]."""
        cutting = np.random.default_rng((self._seed, step, slot, 1))
        channel = np.random.default_rng((self._seed, step, slot, 2))
        frames = self._crop // FRAME_SAMPLES
        speech = np.zeros(frames, dtype=np.float32)
        if clip == NONSPEECH:
            pcm = self._augment(
                self._nonspeech.draw(cutting, self._crop), channel, with_babble=False
            )
            return pcm, np.ones(frames, dtype=np.bool_), speech
        lead, start, length, is_real = self._cut(cutting, int(self._clips.lengths[clip]))
        pcm = np.zeros(self._crop, dtype=np.float32)
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

    def _cut(self, rng: np.random.Generator, available: int) -> tuple[int, int, int, bool]:
        """Silence before, first sample, samples kept, and whether silence behind is real audio."""
        shortened = rng.random() < 0.3
        delayed = rng.random() < 0.25
        is_real = rng.random() < 0.7
        length = min(available, self._crop)
        shorter = int(rng.uniform(min(SHORTEST_SAMPLES, length), length + 1))
        length = shorter if shortened else length
        start = int(rng.integers(available - length + 1))
        room = self._crop - length
        before = int(rng.uniform(0, 0.5) * room)
        most = min(SAMPLE_RATE_HZ // 2, max(self._crop - SHORTEST_SAMPLES, 0))
        lead = max(before, int(rng.uniform(0, most))) if delayed else 0
        length = min(length, self._crop - lead)
        return _whole(lead), _whole(start), _whole(length), is_real

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


class Ahead:
    """Batches from a step on, made in one thread while the last is trained on."""

    def __init__(self, batches: Batches, from_step: int) -> None:
        self._batches = batches
        self._step = from_step
        self._made: queue.Queue[Batch | Exception] = queue.Queue(maxsize=AHEAD)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._make, name="batches", daemon=True)

    def __enter__(self) -> Ahead:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        while self._thread.is_alive():
            try:
                self._made.get_nowait()  # makes room for a put that waits
            except queue.Empty:
                self._thread.join(timeout=0.05)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        made = self._made.get()
        if isinstance(made, Exception):
            self._made.put(made)  # nothing comes behind it: the next to ask hears the same
            raise made
        return made

    def _make(self) -> None:
        while not self._closing.is_set():
            try:
                self._made.put(self._batches.at(self._step))
            except Exception as cause:
                self._made.put(cause)  # this thread's last word
                return
            self._step += 1


def training_batches(
    data: HasClips, rows: Sequence[int], catalog: Catalog, config: TrainConfig, *, from_step: int
) -> Ahead:
    """The batches of a training run, from any step on; use as a context manager."""
    batches = Batches(
        data.clips,
        rows,
        catalog,
        size=config.batch.size,
        crop_samples=round(config.batch.crop_s * SAMPLE_RATE_HZ),
        seed=config.seed,
        augment=None if config.batch.augment else quiet(),
        nonspeech=Nonspeech.load(data.clips.folder),
    )
    return Ahead(batches, from_step)


def _numbered(names: Iterator[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(sorted({name for name in names if name}))}


def _index(table: dict[str, int], name: str | Row | None) -> int:
    return table.get(name, -1) if isinstance(name, str) else -1


def _whole(samples: int) -> int:
    """Rounded down to whole ticks, so that the speech target stays in step with the audio."""
    return samples // TICK_SAMPLES * TICK_SAMPLES
