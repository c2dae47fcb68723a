"""Which terms a batch has, and what switching one on or off does to the gradient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from trainer.arithmetic import Autocast
from trainer.batches import Batch
from trainer.config import LossConfig, read_config
from trainer.critics import Critics
from trainer.loss import oc_softmax_loss, spoof_losses
from trainer.model import Scores, TracingModel
from trainer.objective import Objective, embedding_widths, weighted
from trainer.pooled_objective import Labels, call_terms, unmoved

SMOKE = read_config(Path(__file__).parents[2] / "trainer" / "configs" / "smoke.toml")
PAGES = 4
OFF = LossConfig()
SWITCHES = {
    "contrast": LossConfig(contrast=0.5),
    "oc_softmax": LossConfig(oc_softmax=0.5),
    "adversary": LossConfig(adversary=0.5),
    "robust": LossConfig(robust=0.5),
    "ge2e": LossConfig(ge2e=0.5),
    "aam": LossConfig(aam=0.5),
    "proxy_anchor": LossConfig(proxy_anchor=0.5),
    "supervised": LossConfig(supervised=0.5),
}


def number(value: Tensor) -> float:
    return float(value.detach())


@pytest.fixture(scope="module")
def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    frames = 24
    label = torch.tensor([1, 1, 0, 0, 1, 1, 0, -1])
    return Batch(
        pcm=0.1 * torch.randn(8, frames * 640, generator=generator),
        usable=torch.ones(8, frames, dtype=torch.bool),
        speech=(label[:, None] >= 0).float().repeat(1, frames),
        label=label,
        source=torch.tensor([0, 0, -1, -1, 1, 1, -1, -1]),
        family=torch.tensor([0, 0, -1, -1, 1, 1, -1, -1]),
        page=torch.tensor([0, 1, 0, 1, 2, 2, 2, -1]),
        utterance=torch.tensor([5, -1, 5, -1, -1, 7, 7, -1]),
        clip=torch.arange(8),
    )


def objective(config: LossConfig) -> Objective:
    torch.manual_seed(0)
    model = TracingModel(SMOKE.encoder, SMOKE.model, sources=3, families=2)
    critics = Critics(embedding_widths(model), PAGES, config, sources=3)
    quiet = Autocast(torch.device("cpu"), halved=False)
    return Objective(model, critics, config, quiet, lambda values: values)


def gradients(config: LossConfig, batch: Batch, step: int = 500) -> dict[str, Tensor]:
    told = objective(config)
    torch.manual_seed(1)
    weighted(told.terms(batch, step), config).backward()
    return {name: p.grad.clone() for name, p in told.model.named_parameters() if p.grad is not None}


def test_a_run_with_everything_off_has_nothing_beside_the_model(batch: Batch) -> None:
    told = objective(OFF)
    assert not told.critics.state_dict()
    terms = told.terms(batch, 0)
    assert set(terms) == {"spoof", "source", "family", "n_pair", "activity"}


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_adds_its_term_and_moves_the_model(name: str, batch: Batch) -> None:
    config = SWITCHES[name]
    terms = objective(config).terms(batch, 500)
    assert set(terms) - {"spoof", "source", "family", "n_pair", "activity"} == {name}
    assert number(terms[name]) > 0
    without, with_it = gradients(OFF, batch), gradients(config, batch)
    assert any(not torch.equal(without[key], with_it[key]) for key in without)


@pytest.mark.parametrize("name", SWITCHES)
def test_a_weight_of_zero_is_the_model_without_the_term(name: str, batch: Batch) -> None:
    off = replace(SWITCHES[name], **{name: 0.0})
    one, other = gradients(OFF, batch), gradients(off, batch)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_an_adversary_that_is_not_raised_yet_teaches_its_critic_alone(batch: Batch) -> None:
    config = SWITCHES["adversary"]
    one, other = gradients(OFF, batch), gradients(config, batch, step=0)
    assert all(torch.equal(one[key], other[key]) for key in one)
    told = objective(config)
    torch.manual_seed(1)
    told.terms(batch, 0)["adversary"].backward()
    critic = told.critics.each()[0]
    assert critic.page is not None
    assert all(p.grad is not None and p.grad.any() for p in critic.page.parameters())


def test_the_robust_term_raises_the_groups_of_this_batch(batch: Batch) -> None:
    told = objective(LossConfig(robust=1.0, robust_rate=0.5))
    groups = told.critics.each()[0].groups
    assert groups.tolist() == [1 / (2 * PAGES)] * (2 * PAGES)
    told.terms(batch, 0)
    present = {2 * 0 + 1, 2 * 1 + 1, 2 * 0, 2 * 1, 2 * 2 + 1, 2 * 2}
    absent = set(range(2 * PAGES)) - present
    assert number(groups.sum()) == pytest.approx(1.0)
    assert min(groups[i] for i in present) > max(groups[i] for i in absent)


def test_mixing_adds_to_the_class_terms_and_leaves_running_statistics(batch: Batch) -> None:
    plain, mixing = objective(LossConfig(prefix=0.0)), objective(LossConfig(prefix=0.0, regmix=1.0))
    torch.manual_seed(1)
    one = plain.terms(batch, 0)
    torch.manual_seed(1)
    other = mixing.terms(batch, 0)
    for name in ("spoof", "source", "family"):
        assert number(other[name]) > number(one[name])
    assert torch.equal(one["n_pair"], other["n_pair"])
    for a, b in zip(plain.model.buffers(), mixing.model.buffers(), strict=True):
        assert a.dtype == torch.int64 or torch.equal(a, b)


def test_unmoved_gives_momenta_back() -> None:
    norm = torch.nn.BatchNorm1d(3, momentum=0.02)
    with unmoved(norm):
        norm(torch.randn(8, 3))
        assert norm.momentum == 0.0
    assert norm.momentum == 0.02
    assert norm.running_mean is not None
    assert not norm.running_mean.any()


def test_a_view_without_speech_has_no_label(batch: Batch) -> None:
    # The voice of each row comes late: none of the first 12 frames is speech.
    late = replace(batch, speech=batch.speech * (torch.arange(24) >= 12))
    nothing = replace(batch, label=torch.full((8,), -1), source=torch.full((8,), -1))
    config = LossConfig(prefix=0.0, running=1.0, running_steps=0, least_speech_s=0.04)
    torch.manual_seed(1)
    told = objective(config).terms(late, 0)
    torch.manual_seed(1)
    everything = objective(replace(config, least_speech_s=0.0)).terms(late, 0)
    assert number(told["spoof"]) < number(everything["spoof"])  # two of four steps teach nothing
    assert number(objective(config).terms(nothing, 0)["spoof"]) == 0.0


def test_clips_without_speech_take_no_part_in_detection() -> None:
    scores = Scores(
        embedding=functional.normalize(torch.randn(3, 4), dim=-1),
        spoof=torch.tensor([2.0, -1.0, 1e4]),
        source=torch.randn(3, 2),
        family=torch.randn(3, 2),
    )
    none = torch.full((3,), -1)
    label = torch.tensor([1, 0, -1])
    critic = Critics([4], PAGES, LossConfig()).each()[0]
    terms = call_terms(scores, Labels(label, none, none, none, none), critic, LossConfig())
    assert torch.isclose(terms["spoof"], spoof_losses(scores.spoof[:2], label[:2]).mean())
    assert number(terms["source"]) == number(terms["n_pair"]) == 0.0


def test_the_chain_of_a_contrast_is_a_page_or_an_utterance(batch: Batch) -> None:
    by_page = objective(LossConfig(contrast=1.0)).terms(batch, 0)["contrast"]
    by_words = objective(LossConfig(contrast=1.0, contrast_within="utterance")).terms(batch, 0)
    assert number(by_page) != number(by_words["contrast"])


def test_the_direction_of_human_speech_is_learned() -> None:
    critic = Critics([4], PAGES, LossConfig(oc_softmax=1.0)).each()[0]
    assert critic.human is not None
    e = functional.normalize(torch.randn(6, 4), dim=-1)
    label = torch.tensor([0, 0, 0, 1, 1, 1])
    oc_softmax_loss(e, label, critic.human).backward()
    assert critic.human.grad is not None
    assert critic.human.grad.any()


def test_a_weight_of_zero_switches_a_term_off_even_if_it_is_no_number() -> None:
    terms = {"spoof": torch.tensor(2.0), "source": torch.tensor(float("nan"))}
    assert number(weighted(terms, LossConfig(spoof=1.0, source=0.0))) == 2.0


def test_rows_pushed_outward_raise_the_terms_of_classes_alone(batch: Batch) -> None:
    torch.manual_seed(1)
    plain = objective(LossConfig(prefix=0.0)).terms(batch, 0)
    torch.manual_seed(1)
    pushed = objective(LossConfig(prefix=0.0, latent=0.5)).terms(batch, 0)
    raised = {name for name in plain if number(pushed[name]) > number(plain[name])}
    assert raised == {"spoof", "source", "family"}
    assert number(pushed["n_pair"]) == number(plain["n_pair"])
