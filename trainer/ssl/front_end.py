"""wav2vec 2.0, XLS-R, WavLM or w2v-BERT through `transformers`: audio in, the blocks' outputs out.

Weights are safetensors, never a pickle, and no code comes with them. The encoder never drops units,
layers or stretches of audio: what it says of a clip is the same whenever it is asked.
"""

from __future__ import annotations

import hashlib
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from streamtrace.errors import SettingsError
from streamtrace.values import SAMPLE_RATE_HZ
from trainer.manifest import DataError
from trainer.ssl.config import ALL_LAYERS, SslConfig

# XLS-R is a wav2vec 2.0 by its architecture.
FAMILIES = ("wav2vec2", "wavlm", "wav2vec2-bert")


class FrontEnd(nn.Module):
    """[B, T] audio at 16 kHz -> [B, L, N, H] outputs of L layers, a frame each 20 ms.

    Layer k is what comes out of k blocks, 0 what goes into the first; blocks behind the last one
    that is asked for are taken away. It stays in evaluation mode; what may move is `tuned`.
    """

    def __init__(self, model: nn.Module, extractor: Any, config: SslConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.extractor = extractor
        blocks = _blocks(model)
        depth = len(blocks)
        if config.layer > depth:
            raise SettingsError(f"ssl.layer={config.layer}: {config.model} has {depth} blocks")
        if config.layer != ALL_LAYERS:
            del blocks[config.layer :]
        self.width: int = int(model.config.hidden_size)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
        self.layers = len(blocks) + 1 if config.layer == ALL_LAYERS else 1
        self.adapters = nn.ModuleList(
            Adapter(self.width, config.adapter) for _ in blocks if config.tune == "adapters"
        )
        self._heard: list[Tensor] = []
        model.requires_grad_(False)
        if config.tune == "norms":
            for module in blocks.modules():
                if isinstance(module, nn.LayerNorm):
                    module.requires_grad_(True)
        for place, block in enumerate(blocks):
            if place == 0:
                block.register_forward_pre_hook(self._enter, with_kwargs=True)
            block.register_forward_hook(self._leave(place))
        if not len(blocks):
            raise SettingsError(f"ssl.layer={config.layer}: want a block, 1 to {depth}, or -1")
        self.train(False)

    @property
    def tuned(self) -> list[nn.Parameter]:
        """What may move, in a fixed order."""
        return [p for p in self.parameters() if p.requires_grad]

    def train(self, mode: bool = True) -> FrontEnd:
        """Never: dropping units would make a cached clip another one."""
        del mode
        return super().train(False)

    def forward(self, pcm: Tensor) -> Tensor:
        """[B, T] -> [B, L, N, H]."""
        device = next(self.model.parameters()).device
        heard = self.extractor(
            [row.numpy() for row in pcm.detach().cpu()],
            sampling_rate=SAMPLE_RATE_HZ,
            return_tensors="pt",
        )
        self._heard = []
        with torch.set_grad_enabled(torch.is_grad_enabled() and bool(self.tuned)):
            self.model(**{name: value.to(device) for name, value in heard.items()})
        layers, self._heard = self._heard, []
        chosen = layers if self.config.layer == ALL_LAYERS else layers[-1:]
        return torch.stack(chosen, dim=1)

    def _enter(self, _block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._heard.append(args[0] if args else kwargs["hidden_states"])

    def _leave(self, place: int) -> Any:
        def leave(_block: nn.Module, _args: object, output: Any) -> Any:
            said = output[0] if isinstance(output, tuple) else output
            if len(self.adapters):
                said = self.adapters[place](said)
            self._heard.append(said)
            return (said, *output[1:]) if isinstance(output, tuple) else said

        return leave


class Adapter(nn.Module):
    """A bottleneck beside the straight way (Houlsby et al., 2019); it begins as nothing at all."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.down = nn.Linear(width, inner)
        self.up = nn.Linear(inner, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[..., H] -> [..., H]."""
        return x + self.up(nn.functional.gelu(self.down(self.norm(x))))


def load_front_end(config: SslConfig) -> FrontEnd:
    """From a folder, or from the hub by name; every reason why not is told with what to do."""
    if not config.model:
        raise SettingsError("ssl.model='': want a folder, or a name on the hub")
    try:
        # By name, or whoever checks types reads every model that transformers knows: 16 s.
        transformers: Any = import_module("transformers")
        logging: Any = import_module("transformers.utils.logging")
    except ImportError as cause:
        raise SettingsError(
            "ssl.model: wants transformers: pip install 'streamtrace[ssl]'"
        ) from cause
    here = Path(config.model)
    if here.is_dir() and not list(here.glob("*.safetensors")):
        raise DataError(
            f"{here}: holds no model.safetensors; weights are read as safetensors and never as a "
            "pickle. Many models have a converted copy on the hub: name its revision"
        )
    logging.disable_progress_bar()
    told: dict[str, Any] = {"revision": config.revision, "trust_remote_code": False}
    try:
        about = transformers.AutoConfig.from_pretrained(config.model, **told)
        if about.model_type not in FAMILIES:
            raise SettingsError(
                f"ssl.model={config.model!r}: is a {about.model_type}; want one of "
                f"{', '.join(FAMILIES)}"
            )
        extractor = transformers.AutoFeatureExtractor.from_pretrained(config.model, **told)
        model = transformers.AutoModel.from_pretrained(
            config.model, use_safetensors=True, dtype=torch.float32, **told
        )
    except (OSError, ValueError) as cause:
        raise DataError(f"ssl.model={config.model!r}: cannot be loaded: {cause}") from cause
    return FrontEnd(model, extractor, config)


def fingerprint_of(front: FrontEnd) -> str:
    """Of all that decides what it says: weights as they are now, layer, length, audio's way in."""
    digest = hashlib.sha256()
    config = front.config
    digest.update(repr((config.layer, config.longest_s)).encode())
    digest.update(json.dumps(front.extractor.to_dict(), sort_keys=True, default=str).encode())
    for name, value in sorted(front.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _blocks(model: nn.Module) -> nn.ModuleList:
    blocks = getattr(getattr(model, "encoder", None), "layers", None)
    if not isinstance(blocks, nn.ModuleList):
        raise DataError(f"{type(model).__name__}: has no encoder.layers")
    return blocks
