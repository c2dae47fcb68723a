"""Several processes train one model: as one process that averages by hand would."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import torch

from streamtrace.errors import SettingsError
from tests.trainer.runs import ALL_ON, assert_same, child, prepared, smoke, tensors
from trainer.arithmetic import Autocast
from trainer.batches import numbered
from trainer.catalog import catalog_of
from trainer.critics import Critics
from trainer.dataset import Dataset
from trainer.feed import training_batches
from trainer.model import TracingModel
from trainer.objective import Objective, embedding_widths, weighted
from trainer.parallel import joined
from trainer.train import learning_rate, train

TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")
LOSS = {key: value for key, value in ALL_ON["loss"].items() if key != "robust"}
CONFIG = smoke({"optimiser": {"steps": 3}, "loss": LOSS, "batch": {"size": 16, "crop_s": 0.96}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes that nothing disturbed.

    Both hold the same weights to the last bit, or it would have failed when it saved.
    """
    out = tmp_path_factory.mktemp("whole")
    ran = child(folder, out, CONFIG, launcher=TORCHRUN)
    assert ran.returncode == 0, ran.stdout
    return out


def steps_and_processes(out: Path) -> tuple[int, int]:
    state = json.loads((out / "checkpoint/state.json").read_text())
    return state["step"], state["processes"]


def test_two_processes_are_one_that_averages(folder: Path, whole: Path) -> None:
    assert steps_and_processes(whole) == (3, 2)
    assert len((whole / "log.jsonl").read_text().splitlines()) == 3  # one process writes
    want = by_hand(Dataset.load(folder))
    for name, value in want.items():
        torch.testing.assert_close(
            torch.as_tensor(tensors(whole)[f"model {name}"]), value, msg=name
        )


@pytest.mark.slow
@pytest.mark.timeout(400)  # two starts of two processes, on a machine that may be busy
def test_two_processes_stop_together_and_go_on_as_two_alone(
    folder: Path, whole: Path, tmp_path: Path
) -> None:
    # The one that does not save is asked to stop in step 1; step 2 tells the other.
    asked = child(folder, tmp_path, CONFIG, "step", 1, int(signal.SIGINT), launcher=TORCHRUN)
    assert asked.returncode != 0, asked.stdout
    assert steps_and_processes(tmp_path) == (2, 2)
    with pytest.raises(SettingsError, match=r"differs in processes \(2, now 1\)"):
        train(CONFIG, Dataset.load(folder), tmp_path)
    assert steps_and_processes(tmp_path) == (2, 2)
    resumed = child(folder, tmp_path, CONFIG, launcher=TORCHRUN)
    assert resumed.returncode == 0, resumed.stdout
    assert steps_and_processes(tmp_path) == (3, 2)
    assert_same(whole, tmp_path)


def by_hand(data: Dataset) -> dict[str, torch.Tensor]:
    """The weights after three steps over two halves of each batch, one after the other."""
    catalog = catalog_of(data.rows)
    torch.manual_seed(CONFIG.seed)
    model = TracingModel(
        CONFIG.encoder,
        CONFIG.model,
        sources=len(catalog.sources),
        families=len(catalog.families),
    )
    pages = len(numbered(row.page for row in data.rows))
    critics = Critics(embedding_widths(model), pages, CONFIG.loss)
    parameters = [*model.parameters(), *critics.parameters()]
    optimiser = torch.optim.AdamW(parameters, weight_decay=CONFIG.optimiser.weight_decay)
    exact = Autocast(torch.device("cpu"), halved=False)
    objective = Objective(model, critics, CONFIG.loss, exact, lambda values: values)
    half = smoke({"optimiser": {"steps": 3}, "loss": LOSS, "batch": {"size": 8, "crop_s": 0.96}})
    model.train()
    with training_batches(data, range(len(data.rows)), catalog, half, from_step=0) as batches:
        for step in range(3):
            gradients, running = [], []
            start = {name: value.clone() for name, value in model.state_dict().items()}
            for rank in (0, 1):
                torch.manual_seed((CONFIG.seed * 1_000_003 + step) * 2 + rank)
                for name, value in model.state_dict().items():
                    value.copy_(start[name])
                loss = weighted(objective.terms(next(batches), step), CONFIG.loss)
                gradients.append(torch.autograd.grad(loss, parameters))
                running.append([b.clone() for b in model.buffers() if b.is_floating_point()])
            floats = (b for b in model.buffers() if b.is_floating_point())
            for buffer, one, other in zip(floats, *running, strict=True):
                buffer.copy_((one + other) / 2)
            for parameter, one, other in zip(parameters, *gradients, strict=True):
                parameter.grad = (one + other) / 2
            for module in (model, critics):
                torch.nn.utils.clip_grad_norm_(module.parameters(), CONFIG.optimiser.clip)
            optimiser.param_groups[0]["lr"] = learning_rate(step, CONFIG)
            optimiser.step()
    return model.state_dict()


def test_alone_there_is_nothing_to_add_up() -> None:
    with joined() as here:
        assert (here.rank, here.world, here.leads) == (0, 1, True)
        values = torch.tensor([1.0, 2.0])
        assert torch.equal(here.total(values), values)
        assert here.agree([])
        assert here.average([], stop=True)
        assert not here.average([], stop=False)


def test_a_batch_that_cannot_be_divided_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "nobody")
    with pytest.raises(SettingsError, match="RANK, WORLD_SIZE, LOCAL_RANK: want whole numbers"):
        train(CONFIG, Dataset.load(folder), tmp_path / "run")
