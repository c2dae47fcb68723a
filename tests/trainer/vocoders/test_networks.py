"""Every kind of small vocoder: same length out, learns, and draws nothing but what it is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.trainer.vocoders.voices import voice
from trainer.manifest import is_self_made
from trainer.vocoders.autoregression import from_codes, to_codes
from trainer.vocoders.codec import Quantiser
from trainer.vocoders.generator import Generator
from trainer.vocoders.judging import Judges, likeness_loss, passing_loss, telling_loss
from trainer.vocoders.kinds import KINDS_BY_NAME, build, source_of
from trainer.vocoders.recipe import CriticConfig, NetworkConfig, Recipe
from trainer.vocoders.spectra import spectral_loss
from trainer.vocoders.trained import through

SMALL = NetworkConfig(width=16, layers=2, codebooks=2, codes=16)
each = pytest.mark.parametrize("kind", KINDS_BY_NAME)


def small(kind: str) -> Generator:
    torch.manual_seed(0)
    return build(Recipe(kind, network=SMALL))


def crops(batch: int = 2, samples: int = 2560) -> torch.Tensor:
    return torch.as_tensor(
        np.stack([voice(1.0, seed)[2000 : 2000 + samples] for seed in range(batch)])
    )


@each
def test_an_attempt_teaches_every_weight(kind: str):
    generator = small(kind)
    # With random numbers of codebooks, not every one has its turn at once.
    for step in range(4):
        torch.manual_seed(step)
        terms, made = generator.attempt(crops())
        loss = sum(terms.values(), torch.zeros(()))
        if made is not None:
            assert made.shape == (2, 2560)
            loss = loss + spectral_loss(made, crops())
        loss.backward()
    unmoved = [name for name, p in generator.named_parameters() if p.grad is None]
    assert not unmoved


@each
def test_clips_of_any_length_come_back_at_theirs(kind: str):
    generator = small(kind).eval()
    clips = [voice(0.1), voice(0.13)[:1999]]

    def made(seed: int) -> list[np.ndarray]:
        draws = [np.random.default_rng(seed), np.random.default_rng(seed + 1)]
        return through(generator, clips, draws, torch.device("cpu"))

    first = made(0)
    assert [pcm.size for pcm in first] == [1600, 1999]
    assert all(np.isfinite(pcm).all() for pcm in first)
    assert all(np.array_equal(a, b) for a, b in zip(first, made(0), strict=True))
    if kind in ("ar", "diffusion"):
        assert not np.array_equal(first[0], made(5)[0])


@each
def test_a_source_tells_that_it_is_self_made(kind: str):
    assert is_self_made(source_of(Recipe(kind)))


@pytest.mark.parametrize("kind", ["istft", "upsample-gan", "rvq"])
def test_a_few_steps_make_the_spectra_nearer(kind: str):
    generator = small(kind)
    pcm = crops()
    optimiser = torch.optim.AdamW(generator.parameters(), lr=3e-3)
    losses: list[float] = []
    for _ in range(12):
        optimiser.zero_grad()
        made = generator.attempt(pcm).made
        assert made is not None
        loss = spectral_loss(made, pcm)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    ("kind", "term", "rate", "steps"), [("ar", "nll", 1e-2, 8), ("diffusion", "noise", 3e-3, 60)]
)
def test_a_few_steps_make_the_own_term_smaller(kind: str, term: str, rate: float, steps: int):
    generator = small(kind)
    pcm = crops()
    optimiser = torch.optim.AdamW(generator.parameters(), lr=rate)
    losses: list[float] = []
    for _ in range(steps):
        torch.manual_seed(0)
        optimiser.zero_grad()
        loss = generator.attempt(pcm).terms[term]
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.95 * losses[0]


def test_autoregression_never_hears_what_comes_later():
    """What training sees of a sample's past is what drawing sees: later samples change nothing."""
    generator = small("ar")
    pcm = crops(1)
    later = pcm.clone()
    later[:, 2000:] = 0.5
    seen: list[torch.Tensor] = []
    for wave in (pcm, later):
        states: list[torch.Tensor] = []
        hook = generator.recurrence.register_forward_hook(  # type: ignore[union-attr]
            lambda module, args, out, kept=states: kept.append(out[0])
        )
        generator.attempt(wave)
        hook.remove()
        seen.append(states[0])
    # Frames and the convolutions over them see ahead; the samples themselves must not.
    before = (2000 - 1536) // SMALL.bunch
    assert torch.allclose(seen[0][:, :before], seen[1][:, :before])
    assert not torch.allclose(seen[0][:, -1], seen[1][:, -1])


def test_codes_stand_for_their_samples():
    pcm = torch.linspace(-1.9, 1.9, 1001)
    back = from_codes(to_codes(pcm))
    assert ((back - pcm).abs() <= 0.023 * pcm.abs() + 2e-3).all()


def test_a_quantiser_gives_one_of_its_codes():
    torch.manual_seed(0)
    quantiser = Quantiser(4)
    said, index, loss = quantiser(torch.randn(2, 50, 64))
    assert said.shape == (2, 50, 64)
    assert len(torch.unique(said.detach().flatten(0, 1).round(decimals=4), dim=0)) <= 4
    assert index.max() < 4
    assert loss > 0


def test_critics_learn_to_tell():
    torch.manual_seed(0)
    judges = Judges(CriticConfig(spectrogram_width=4, period_width=2))
    human, made = crops(), 0.1 * torch.randn(2, 2560)
    optimiser = torch.optim.AdamW(judges.parameters(), lr=1e-2)
    losses: list[float] = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = telling_loss(judges(human), judges(made))
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert passing_loss(judges(made)) > passing_loss(judges(human))
    assert likeness_loss(judges(human), judges(human)) == 0
    assert len(Judges(CriticConfig(spectrogram_width=0, period_width=0)).critics) == 0
