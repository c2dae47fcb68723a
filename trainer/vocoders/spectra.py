"""Spectra of batches of waveforms as tensors: what vocoders read, and what they are judged by."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from trainer.vocoders.mel import mel_filters

LENGTH, HOP, BANDS = 1024, 256, 80
RESOLUTIONS = ((256, 64), (512, 128), (1024, 256))


@cache
def _window(length: int, device: torch.device) -> Tensor:
    return torch.hann_window(length, device=device)


@cache
def _filters(length: int, bands: int, device: torch.device) -> Tensor:
    return torch.as_tensor(mel_filters(length, bands), device=device)


def complex_spectrogram(pcm: Tensor, length: int, hop: int) -> Tensor:
    """[B, T] -> complex [B, F, T // hop + 1], frames centred on every hop-th sample."""
    window = _window(length, pcm.device)
    return torch.stft(
        pcm, length, hop, window=window, center=True, pad_mode="constant", return_complex=True
    )


def inverse(spectra: Tensor, length: int, hop: int, size: int) -> Tensor:
    """Complex [B, F, N] -> [B, size]."""
    window = _window(length, spectra.device)
    return torch.istft(spectra, length, hop, window=window, center=True, length=size)


def magnitudes(pcm: Tensor, length: int, hop: int) -> Tensor:
    """[B, T] -> [B, F, N], with a gradient at zero."""
    spectra = complex_spectrogram(pcm, length, hop)
    return (spectra.real.square() + spectra.imag.square() + 1e-9).sqrt()


def log_mel(pcm: Tensor, length: int = LENGTH, hop: int = HOP, bands: int = BANDS) -> Tensor:
    """[B, T] -> [B, bands, T // hop + 1]."""
    mel = _filters(length, bands, pcm.device) @ magnitudes(pcm, length, hop)
    return mel.clamp(min=1e-5).log()


def spectral_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """How far two batches [B, T] are apart in log mel bands and magnitudes, several resolutions."""
    total = made.new_zeros(())
    for length, hop in RESOLUTIONS:
        found, target = magnitudes(made, length, hop), magnitudes(wanted, length, hop)
        filters = _filters(length, min(BANDS, length // 8), made.device)
        total = (
            total
            + ((filters @ found).clamp(min=1e-5).log() - (filters @ target).clamp(min=1e-5).log())
            .abs()
            .mean()
        )
        total = total + (found - target).square().sum().sqrt() / target.square().sum().sqrt()
    return total / len(RESOLUTIONS)
