"""bfloat16 where it is safe and nowhere else; determinism given back behind a run."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from streamtrace.encoder.conformer import Encoded
from tests.trainer.runs import smoke
from trainer.arithmetic import arithmetic, exactly, fixed_parts
from trainer.config import ComputeConfig
from trainer.model import TracingModel

CPU = torch.device("cpu")


class Fixed(nn.Module):
    """Multiplies by a matrix of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.eye(4))
        self.matrix: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.matrix


class Small(nn.Module):
    """Something learned around something fixed."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.fixed, self.last = nn.Linear(4, 4), Fixed(), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first = self.first(x)
        fixed = self.fixed(first)
        return first, fixed, self.last(fixed)


def test_fixed_arithmetic_stays_exact_under_bfloat16() -> None:
    small = Small()
    assert list(fixed_parts(small)) == [small.fixed]
    with exactly(small, CPU):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            kinds = [part.dtype for part in small(torch.randn(2, 4))]
        assert kinds == [torch.bfloat16, torch.float32, torch.bfloat16]
        with (
            torch.autocast("cpu", dtype=torch.bfloat16),
            pytest.raises(RuntimeError),
        ):
            small.fixed(torch.randn(2, 3))
        assert not torch.is_autocast_enabled("cpu")  # what failed did not leave it switched
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert small(torch.randn(2, 4))[1].dtype == torch.bfloat16  # the hooks are gone


def test_the_features_are_fixed_and_nothing_that_learns_is() -> None:
    model = TracingModel(smoke().encoder, smoke().model, sources=2, families=2)
    fixed = list(fixed_parts(model))
    assert model.encoder.features in fixed
    assert not any(True for part in fixed for _ in part.parameters())


def near(halved: Encoded, exact: Encoded) -> None:
    """Learned parts nearly, measured parts exactly."""
    learned = smoke().encoder.width
    torch.testing.assert_close(
        halved.embedding[..., learned:].float(), exact.embedding[..., learned:]
    )
    torch.testing.assert_close(halved.embedding.float(), exact.embedding, atol=0.1, rtol=0.1)
    torch.testing.assert_close(halved.activity.float(), exact.activity, atol=0.1, rtol=0.1)
    assert not torch.equal(halved.activity.float(), exact.activity)


def test_the_network_at_half_precision_is_near_itself() -> None:
    torch.manual_seed(0)
    model = TracingModel(smoke().encoder, smoke().model, sources=2, families=2).eval()
    pcm = 0.1 * torch.randn(2, 19_200)
    with torch.no_grad():
        exact = model(pcm)
        with exactly(model, CPU), torch.autocast("cpu", dtype=torch.bfloat16):
            near(model(pcm), exact)


def test_a_cpu_stays_at_full_precision() -> None:
    with arithmetic(ComputeConfig(precision="bf16"), CPU, Small()) as autocast:
        assert not autocast.halved
        with autocast():
            assert nn.Linear(2, 2)(torch.randn(1, 2)).dtype == torch.float32


def test_determinism_ends_with_the_run() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with arithmetic(ComputeConfig(deterministic=True), CPU, Small()):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    with arithmetic(ComputeConfig(), CPU, Small()):
        assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_bfloat16_on_a_gpu_is_near_full_precision() -> None:
    torch.manual_seed(0)
    device = torch.device("cuda")
    model = TracingModel(smoke().encoder, smoke().model, sources=2, families=2).to(device).eval()
    pcm = 0.1 * torch.randn(2, 38_400, device=device)
    exact = model(pcm)
    with arithmetic(ComputeConfig(precision="bf16"), device, model) as autocast, autocast():
        near(model(pcm), exact)
