"""Encoders of each kind through the loading that real ones take, and what is read of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from streamtrace.errors import SettingsError
from tests.trainer.ssl.tiny import KINDS
from tests.trainer.trees import voice_like
from trainer.manifest import DataError
from trainer.ssl.config import SslConfig
from trainer.ssl.front_end import FrontEnd, fingerprint_of, load_front_end

CLIP = torch.as_tensor(voice_like(3, 1.0))[None]


def loaded(folder: Path, **changes: Any) -> FrontEnd:
    return load_front_end(SslConfig(**{"model": str(folder), "layer": 1, **changes}))


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_what_the_encoder_itself_calls_its_hidden_states(
    encoders: dict[str, Path], kind: str
) -> None:
    everything = loaded(encoders[kind], layer=-1)
    hidden = everything(CLIP)
    assert hidden.shape[:2] == (1, 3)
    assert hidden.shape[3] == everything.width == 16
    assert 45 <= hidden.shape[2] <= 50  # a frame each 20 ms
    heard = everything.extractor([CLIP[0].numpy()], sampling_rate=16_000, return_tensors="pt")
    told = everything.model(**heard, output_hidden_states=True).hidden_states
    torch.testing.assert_close(hidden[:, 0], told[0])
    torch.testing.assert_close(hidden[:, 1], told[1])
    for layer in (1, 2):
        torch.testing.assert_close(
            loaded(encoders[kind], layer=layer)(CLIP)[0, 0], hidden[0, layer]
        )


@pytest.mark.parametrize("kind", KINDS)
def test_what_moves_is_what_was_asked_for_and_begins_where_it_was(
    encoders: dict[str, Path], kind: str
) -> None:
    frozen = loaded(encoders[kind])
    assert frozen.tuned == []
    assert not frozen(CLIP).requires_grad
    for tune in ("norms", "adapters"):
        moving = loaded(encoders[kind], tune=tune)
        torch.testing.assert_close(moving(CLIP), frozen(CLIP))
        moving(CLIP).square().mean().backward()
        assert all(parameter.grad is not None for parameter in moving.tuned)
        still = [p for p in moving.model.parameters() if not p.requires_grad]
        assert all(p.grad is None for p in still)
        assert len(moving.tuned) > 2
        count = sum(p.numel() for p in moving.tuned)
        assert count < 0.4 * sum(p.numel() for p in moving.parameters())


def test_it_never_drops_anything_and_is_known_by_its_weights(encoders: dict[str, Path]) -> None:
    front = loaded(encoders["wavlm"], tune="adapters")
    before = fingerprint_of(front)
    front.train()
    torch.testing.assert_close(front(CLIP), front(CLIP), rtol=0, atol=0)
    assert fingerprint_of(loaded(encoders["wavlm"], tune="adapters")) != before  # drawn anew
    assert fingerprint_of(loaded(encoders["wavlm"])) == fingerprint_of(loaded(encoders["wavlm"]))
    assert fingerprint_of(loaded(encoders["wavlm"], layer=2)) != fingerprint_of(
        loaded(encoders["wavlm"])
    )


def test_what_cannot_be_read_is_told_with_what_to_do(
    encoders: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"ssl\.layer=3: .* has 2 blocks"):
        loaded(encoders["wavlm"], layer=3)
    with pytest.raises(SettingsError, match=r"ssl\.layer=0: want a block, 1 to 2, or -1"):
        loaded(encoders["wavlm"], layer=0)
    with pytest.raises(SettingsError, match=r"ssl\.model='': want a folder"):
        load_front_end(SslConfig())
    pickled = Path(shutil.copytree(encoders["wavlm"], tmp_path / "pickled"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"holds no model\.safetensors; .* never as a pickle"):
        loaded(pickled)
    other = Path(shutil.copytree(encoders["wavlm"], tmp_path / "other"))
    about = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**about, "model_type": "hubert"}))
    with pytest.raises(SettingsError, match="is a hubert; want one of wav2vec2, wavlm"):
        loaded(other)
    (other / "config.json").unlink()
    with pytest.raises(DataError, match=r"other': cannot be loaded"):
        loaded(other)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"tune": "all"}, "ssl.tune='all': want one of none, norms, adapters"),
        ({"layer": -2}, "ssl.layer=-2: want -1 for all, or 0 or more"),
        ({"longest_s": 0.0}, "ssl.longest_s=0.0: want more than 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        SslConfig(**changes)
