"""The fixed cepstra: an orthonormal transform, and steps that add up to the whole."""

from __future__ import annotations

import numpy as np
import torch

from streamtrace.encoder.cepstra import Cepstra, cosine_matrix
from streamtrace.encoder.features import FeatureConfig


def test_the_matrix_is_an_orthonormal_dct() -> None:
    matrix = cosine_matrix(79, 79)
    # The first row is not halved: only its length differs from the textbook's.
    assert np.allclose(matrix[:, 1:].T @ matrix[:, 1:], np.eye(78), atol=1e-5)


def test_the_level_takes_no_part() -> None:
    cepstra = Cepstra(FeatureConfig(), wide=5, low=3)
    features = torch.randn(1, 8, FeatureConfig().width)
    louder = features.clone()
    louder[..., -1] += 3.0
    tail = torch.zeros(1, 1, FeatureConfig().width)
    assert torch.equal(cepstra(features, tail), cepstra(louder, tail))


def test_steps_with_their_tails_equal_the_whole() -> None:
    config = FeatureConfig()
    cepstra = Cepstra(config, wide=5, low=3)
    features = torch.randn(2, 48, config.width)
    tail = torch.randn(2, 1, config.width)
    whole = cepstra(features, tail)
    first = cepstra(features[:, :24], tail)
    second = cepstra(features[:, 24:], features[:, 23:24])
    assert whole.shape == (2, 12, 16)
    assert torch.allclose(whole, torch.cat([first, second], dim=1), atol=1e-6)
