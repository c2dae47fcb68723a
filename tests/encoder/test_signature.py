"""The fixed measurements: each against its definition, and steps that add up to the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from streamtrace.audio.doubling import Doubler
from streamtrace.encoder.conformer import EncoderConfig, StreamingConformer
from streamtrace.encoder.features import (
    BINS,
    FFT_SAMPLES,
    FULL_SCALE,
    LOW_BINS,
    PHASE_FLOOR,
    FeatureConfig,
    Spectra,
    Spectrum,
    bins_hz,
)
from streamtrace.encoder.signature import (
    LAG_STEP,
    LEAST_LAG,
    LOWEST_BIN,
    MOST_LAG,
    SMOOTH_BINS,
    Signature,
    SignatureConfig,
    cosine_matrix,
    even_bands,
    lag_matrix,
    levinson,
    response_matrix,
    rough_matrix,
    turn,
)
from streamtrace.values import CONTEXT_SAMPLES, LOOKBACK_FRAMES, STEP_FRAMES, STEP_SAMPLES, Float32s
from tests.bundles import random_encoder
from trainer.rates import resample

FULL = SignatureConfig()
CEPSTRA = FULL.wide_cepstra + FULL.low_cepstra
PARTS = {  # columns of a frame
    "cepstra": slice(0, CEPSTRA),
    "movement": slice(CEPSTRA, 4 * CEPSTRA),
    "steady": slice(4 * CEPSTRA, 4 * CEPSTRA + 40),
    "scatter": slice(4 * CEPSTRA + 40, 4 * CEPSTRA + 80),
    "quick": slice(4 * CEPSTRA + 80, 4 * CEPSTRA + 100),
    "fine": slice(4 * CEPSTRA + 100, 4 * CEPSTRA + 180),
    "reflections": slice(4 * CEPSTRA + 180, 4 * CEPSTRA + 196),
    "turns": slice(4 * CEPSTRA + 196, 4 * CEPSTRA + 212),
    "gain": slice(4 * CEPSTRA + 212, 4 * CEPSTRA + 213),
    "period": slice(4 * CEPSTRA + 213, 4 * CEPSTRA + 214),
}
NARROW = EncoderConfig(
    width=8, layers=1, heads=2, left_steps=2, kernel=3, subsample_channels=(2, 2), signature=FULL
)
NETWORK = random_encoder(NARROW)
SECOND = torch.arange(4 * STEP_SAMPLES) / 16_000


@torch.no_grad()
def measured(pcm: Tensor | Float32s, network: StreamingConformer = NETWORK) -> Tensor:
    """[T] -> [N, width], from the beginning of a call."""
    whole = torch.as_tensor(pcm, dtype=torch.float32)
    padded = torch.nn.functional.pad(whole, (CONTEXT_SAMPLES, 0))
    return network.measure(padded[None])[1][0]


def noise(samples: int, level: float = 0.1, seed: int = 0) -> Tensor:
    return level * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def spectra_of(count: int, *, power: float = 1.0) -> Spectra:
    """[1, count, BINS] of nothing in particular, and those between."""
    real, imaginary = (power / PHASE_FLOOR) ** 0.5 * torch.randn(2, 1, 2 * count - 1, BINS)
    even, between = slice(None, None, 2), slice(3, -1, 2)
    power_of_all = real**2 + imaginary**2
    return Spectra(
        real[:, even],
        imaginary[:, even],
        power_of_all[:, even],
        real[:, between, :LOW_BINS],
        imaginary[:, between, :LOW_BINS],
    )


def test_the_columns_are_as_many_as_the_config_says() -> None:
    assert measured(noise(STEP_SAMPLES)).shape == (STEP_FRAMES, FULL.width)
    assert PARTS["period"].stop == FULL.width


@pytest.mark.parametrize(
    "config",
    [
        SignatureConfig(5, 3, 0, 0),
        SignatureConfig(0, 0, 6, 0),
        SignatureConfig(0, 0, 0, 4),
        SignatureConfig(0, 3, 6, 4),
    ],
)
def test_any_part_can_be_left_out(config: SignatureConfig) -> None:
    signature = Signature(config, FeatureConfig())
    spectra = 4 * 2 + LOOKBACK_FRAMES
    features = torch.randn(1, spectra, FeatureConfig().width)
    assert signature(spectra_of(spectra), features).shape == (1, 2, config.width)


def test_without_any_part_nothing_is_measured() -> None:
    bare = EncoderConfig(
        width=8,
        layers=1,
        heads=2,
        subsample_channels=(2, 2),
        signature=SignatureConfig(0, 0, 0, 0),
    )
    network = random_encoder(bare)
    assert bare.embedding_width == 8
    assert measured(noise(STEP_SAMPLES), network).shape == (STEP_FRAMES, 0)
    with torch.no_grad():
        assert network(noise(STEP_SAMPLES)[None]).embedding.shape == (1, STEP_FRAMES, 8)


def test_training_leaves_it_out_and_learns_from_the_same_features() -> None:
    pcm = noise(CONTEXT_SAMPLES + 2 * STEP_SAMPLES)[None]
    network = random_encoder(NARROW)
    with torch.no_grad():
        serving, _ = network.measure(pcm)
        training, nothing = network.train().measure(pcm)
    assert torch.allclose(serving, training, atol=1e-5)
    assert nothing.shape == (1, 2 * STEP_FRAMES, 0)


def test_steps_with_their_context_equal_the_whole() -> None:
    pcm = noise(5 * STEP_SAMPLES) * torch.sin(torch.arange(5 * STEP_SAMPLES) / 900)
    padded = torch.nn.functional.pad(pcm, (CONTEXT_SAMPLES, 0))
    with torch.no_grad():
        steps = [
            NETWORK.measure(padded[None, at : at + CONTEXT_SAMPLES + STEP_SAMPLES])[1][0]
            for at in range(0, len(pcm), STEP_SAMPLES)
        ]
    assert torch.allclose(torch.cat(steps), measured(pcm), atol=1e-5)


@pytest.mark.parametrize(
    "pcm",
    [
        torch.zeros(STEP_SAMPLES),
        torch.full((STEP_SAMPLES,), 1.0),
        torch.full((STEP_SAMPLES,), 1e-6),
        torch.sign(noise(STEP_SAMPLES)),
        torch.cat([torch.zeros(STEP_SAMPLES // 2), noise(STEP_SAMPLES // 2, 1.0)]),
        torch.nn.functional.one_hot(torch.tensor(2000), STEP_SAMPLES),
    ],
    ids=["silence", "dc", "faint-dc", "square-noise", "onset", "click"],
)
def test_nothing_that_can_be_heard_breaks_it(pcm: Tensor) -> None:
    found = measured(pcm)
    assert torch.isfinite(found).all()
    assert float(found.abs().max()) < 200
    assert float(found[:, PARTS["steady"]].abs().max()) <= 1 + 1e-5


def test_silence_has_no_phase_no_fine_structure_and_no_resonance() -> None:
    found = measured(torch.zeros(STEP_SAMPLES))
    for part in ("movement", "steady", "scatter", "quick", "fine", "turns", "gain", "period"):
        assert float(found[:, PARTS[part]].abs().max()) < 1e-3, part


def test_a_steady_sinusoid_turns_evenly_and_noise_does_not() -> None:
    hz = 1000.0
    tone = measured(0.3 * torch.sin(2 * np.pi * hz * SECOND))[3:]
    hiss = measured(noise(len(SECOND)))[3:]
    band = int((hz - 100) / (7800 / 40))
    for part in ("steady", "quick"):
        assert float(tone[:, PARTS[part]][:, band].min()) > 0.99
    assert float(tone[:, PARTS["scatter"]][:, band].max()) < 0.05
    # Not quite 0: windows of 25 ms every 10 ms share samples.
    assert abs(float(hiss[:, PARTS["steady"]].mean())) < 0.15
    assert float(hiss[:, PARTS["scatter"]].mean()) > 0.5


def test_a_sinusoid_of_any_frequency_is_steady_in_its_own_band() -> None:
    for band, hz in ((5, 1173.0), (20, 4101.7), (37, 7412.5)):
        found = measured(0.3 * torch.sin(2 * np.pi * hz * SECOND))[3:, PARTS["steady"]]
        assert float(found[:, band].min()) > 0.95


def test_the_second_difference_of_phase() -> None:
    rng = np.random.default_rng(0)
    phase = torch.as_tensor(rng.uniform(-np.pi, np.pi, (3, 7, 5)))
    first, second, third = zip(torch.cos(phase), torch.sin(phase), strict=True)
    cosine, sine = turn(turn(first, second), turn(second, third))
    bend = phase[2] - 2 * phase[1] + phase[0]
    assert torch.allclose(cosine, torch.cos(bend))
    assert torch.allclose(sine, torch.sin(bend))


def test_phases_are_compared_where_the_columns_say() -> None:
    """Over 10 ms with the two windows before, over 5 ms at the two steps that end with it."""
    phase = torch.as_tensor(np.random.default_rng(0).uniform(-np.pi, np.pi, (13, BINS)))
    spectrum = torch.polar(torch.full_like(phase, 1e3), phase).to(torch.complex64)[None]
    even, between = spectrum[:, ::2], spectrum[:, 3:-1:2, :LOW_BINS]
    power = even.abs() ** 2
    spectra = Spectra(even.real, even.imag, power, between.real, between.imag)
    signature = Signature(SignatureConfig(0, 0, 40, 0), FeatureConfig())
    found = signature(spectra, torch.zeros(1, 7, FeatureConfig().width))[0, 0]

    def bends(step: int, ends: range) -> Tensor:
        return torch.stack([phase[i] - 2 * phase[i - step] + phase[i - 2 * step] for i in ends])

    bands = torch.as_tensor(even_bands(40)).double()
    slow, quick = bends(2, range(6, 13, 2)), bends(1, range(5, 13))
    wanted = [torch.cos(slow), torch.sin(slow).abs(), torch.cos(quick)]
    means = torch.cat([part.mean(0) @ bands for part in wanted])[:100]  # quick: half of them
    assert torch.allclose(found[:100].double(), means, atol=1e-4)


@pytest.mark.parametrize("every", [0, 1, 2])
def test_a_folded_window_is_the_transform_seen_from_its_centre(every: int) -> None:
    pcm = torch.round(noise(CONTEXT_SAMPLES + STEP_SAMPLES) * FULL_SCALE) / FULL_SCALE
    spectra = Spectrum()(pcm[None])
    assert spectra.real.shape == (1, 4 * STEP_FRAMES + LOOKBACK_FRAMES, BINS)
    time = np.arange(400)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (time + 0.5) / 400)

    def direct(start: int) -> np.ndarray:
        angle = 2j * np.pi * np.outer(time - 199.5, bins_hz()) / 16_000
        cut = pcm[start : start + 400].double().numpy() * hann / np.sqrt(hann.sum())
        return cut @ np.exp(-angle) / PHASE_FLOOR**0.5

    place = 1 + 11 * every
    even, odd = direct(160 * place), direct(160 * place + 80)
    for wanted, real, imaginary in (
        (even, spectra.real[0, place], spectra.imaginary[0, place]),
        (odd, spectra.real_between[0, place - 1], spectra.imaginary_between[0, place - 1]),
    ):
        found = real.double().numpy() + 1j * imaginary.double().numpy()
        wanted = wanted[: len(found)]
        assert np.abs(found - wanted).max() < 1e-6 * np.abs(wanted).max()
    assert np.allclose(spectra.power[0, place], np.abs(even) ** 2, rtol=1e-4, atol=1e6)


@pytest.mark.parametrize("part", PARTS)
def test_the_level_is_not_heard(part: str) -> None:
    pcm = noise(4 * STEP_SAMPLES)
    quiet, loud = measured(pcm)[3:, PARTS[part]], measured(4 * pcm)[3:, PARTS[part]]
    tolerance = 2e-3 if part in ("cepstra", "movement") else 1e-2
    assert torch.allclose(quiet, loud, atol=tolerance)


def test_movement_is_measured_over_one_two_and_three_features() -> None:
    signature = Signature(SignatureConfig(5, 3, 0, 0), FeatureConfig())
    features = torch.randn(1, LOOKBACK_FRAMES + 4, FeatureConfig().width)
    spectra = spectra_of(features.shape[1])
    c = features[0] @ signature.cepstra
    at = range(LOOKBACK_FRAMES, LOOKBACK_FRAMES + 4)
    wanted = torch.cat(
        [
            torch.stack([c[t] for t in at]).mean(0),
            torch.stack([(c[t] - c[t - 1]).abs() for t in at]).mean(0),
            torch.stack([(c[t] - 2 * c[t - 1] + c[t - 2]).abs() for t in at]).mean(0),
            torch.stack([(c[t] - c[t - 3]).abs() for t in at]).mean(0),
        ]
    )
    assert torch.allclose(signature(spectra, features)[0, 0], wanted, atol=1e-5)


def test_a_buzz_is_periodic_and_has_lines() -> None:
    buzz = (torch.arange(4 * STEP_SAMPLES) % 80 == 0).float()  # 200 Hz
    found, hiss = measured(0.3 * buzz)[3:], measured(noise(4 * STEP_SAMPLES))[3:]
    assert float(found[:, PARTS["period"]].min()) > 0.5
    assert float(hiss[:, PARTS["period"]].max()) < 0.4
    assert float(found[:, PARTS["fine"]].mean()) > 1.5 * float(hiss[:, PARTS["fine"]].mean())


def test_the_matrix_of_cepstra_is_an_orthonormal_dct() -> None:
    matrix = cosine_matrix(79, 79)
    # The first row is not halved: only its length differs from the textbook's.
    assert np.allclose(matrix[:, 1:].T @ matrix[:, 1:], np.eye(78), atol=1e-5)
    assert np.allclose(matrix[:, 0] @ matrix[:, 1:], 0, atol=1e-5)


def test_the_level_takes_no_part_in_cepstra() -> None:
    signature = Signature(SignatureConfig(5, 3, 0, 0), FeatureConfig())
    features = torch.randn(1, LOOKBACK_FRAMES + 8, FeatureConfig().width)
    louder = features.clone()
    louder[..., -1] += 3.0
    spectra = spectra_of(features.shape[1])
    assert torch.equal(signature(spectra, features), signature(spectra, louder))


def test_bands_are_means_of_neighbours_and_leave_out_the_edges() -> None:
    matrix = even_bands(40)
    assert np.allclose(matrix.sum(axis=0), 1)
    assert ((matrix > 0).sum(axis=1) <= 1).all()
    hz = bins_hz()
    used = hz[matrix.any(axis=1)]
    assert used.min() >= 100
    assert used.max() < 7900


def test_roughness_is_what_stands_off_the_running_mean() -> None:
    x = np.random.default_rng(0).standard_normal(BINS)
    lowest = LOWEST_BIN - 1  # bins begin with 1
    padded = np.pad(x[lowest:], SMOOTH_BINS // 2, mode="edge")
    smooth = np.convolve(padded, np.full(SMOOTH_BINS, 1 / SMOOTH_BINS), mode="valid")
    found = x @ rough_matrix()
    assert np.allclose(found[lowest:], x[lowest:] - smooth, atol=1e-5)
    assert np.allclose(np.ones(BINS) @ rough_matrix(), 0, atol=1e-5)


def test_lags_are_the_autocorrelation_of_what_is_not_offset() -> None:
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(FFT_SAMPLES))
    spectrum[:LOWEST_BIN] = 0
    x = np.fft.irfft(spectrum)
    lags = np.array([0, 1, 7, LEAST_LAG, MOST_LAG - LAG_STEP])
    direct = [x @ np.roll(x, lag) for lag in lags]
    assert np.allclose(np.abs(spectrum[1:]) ** 2 @ lag_matrix(lags), direct, atol=1e-2)


def test_a_constant_offset_is_hardly_heard() -> None:
    pcm = noise(4 * STEP_SAMPLES)
    moved = (measured(pcm + 0.02)[3:] - measured(pcm)[3:]).abs()
    assert float(moved.max()) < 0.1  # its leakage into the first band
    for part in ("reflections", "turns", "gain", "period"):
        assert float(moved[:, PARTS[part]].max()) < 0.005, part


def test_the_response_is_that_of_the_filter() -> None:
    taps = np.random.default_rng(0).standard_normal(7)
    wanted = np.fft.rfft(taps, FFT_SAMPLES)[1:]
    found = taps @ response_matrix(6)
    assert np.allclose(found[:BINS] + 1j * found[BINS:], wanted, atol=1e-5)


def test_levinson_solves_the_normal_equations() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    x = np.random.default_rng(0).standard_normal((3, 400))
    x[:, 2:] += 0.9 * x[:, 1:-1] - 0.5 * x[:, :-2]
    lags = np.stack([[row[: 400 - k] @ row[k:] for k in range(9)] for row in x])
    lags /= lags[:, :1]
    filters, reflections, error = levinson(torch.as_tensor(lags), 8)
    for row, taps, k, left in zip(lags, filters, reflections, error, strict=True):
        column = row[:8].copy()
        column[0] = row[0] * 1.0005 + 1e-4
        solved = linalg.solve_toeplitz(column, -row[1:])
        assert np.allclose(taps, [1, *solved], atol=1e-8)
        assert np.isclose(k[-1], solved[-1])
        assert np.isclose(left.item(), (column[0] + solved @ row[1:]) / column[0])


def test_prediction_of_the_unpredictable_and_of_the_certain_stays_bounded() -> None:
    flat = torch.tensor([[1.0, 0, 0, 0], [0.0, 0, 0, 0]])
    filters, reflections, error = levinson(flat, 3)
    assert torch.equal(filters, torch.tensor([[1.0, 0, 0, 0]]).expand(2, 4))
    assert not reflections.any()
    assert torch.allclose(error, torch.ones(2, 1))
    tone = torch.cos(0.3 * torch.arange(17.0))[None]
    filters, reflections, error = levinson(tone, 16)
    assert torch.isfinite(filters).all()
    assert float(reflections.abs().max()) <= 0.995 + 1e-6
    assert float(error.min()) > 0


def test_the_config_goes_to_plain_values_and_back() -> None:
    config = EncoderConfig(signature=SignatureConfig(4, 3, 5, 2))
    assert EncoderConfig.from_dict(config.to_dict()) == config
    assert config.embedding_width == config.width + config.signature.width == 128 + 28 + 22 + 6


def test_what_a_resampler_leaves_above_a_telephone_line_is_not_heard() -> None:
    """One line in 16 bits and the same in floats: above 4 kHz lie rounding noise and nothing."""
    narrow = noise(4 * STEP_SAMPLES // 2, level=0.05)
    line = torch.as_tensor(resample(narrow.numpy(), 8_000, 16_000)[: 4 * STEP_SAMPLES])
    rounded = torch.round(line * FULL_SCALE) / FULL_SCALE
    assert torch.equal(measured(line), measured(rounded))
    doubler = Doubler()
    doubled = np.concatenate([doubler.feed(narrow.numpy()), doubler.flush()])
    other = torch.as_tensor(doubled[: 4 * STEP_SAMPLES])
    difference = (measured(line) - measured(other))[LOOKBACK_FRAMES:]
    for part in ("steady", "scatter", "quick"):
        assert difference[:, PARTS[part]].mean(dim=0).abs().max() < 0.2, part
