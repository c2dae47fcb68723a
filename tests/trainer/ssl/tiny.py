"""Self-supervised encoders of two blocks, drawn at random and saved as anybody's would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

CONVOLUTIONAL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
KINDS = ("wav2vec2", "xls-r", "wavlm", "w2v-bert")


def save(folder: Path, kind: str) -> Path:
    """`config.json`, `model.safetensors` and how audio goes in, as the hub has them."""
    from transformers import (
        AutoModel,
        SeamlessM4TFeatureExtractor,
        Wav2Vec2BertConfig,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        WavLMConfig,
    )

    torch.manual_seed(KINDS.index(kind))
    extractor: Any = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False)
    if kind == "wav2vec2":
        config: Any = Wav2Vec2Config(**CONVOLUTIONAL)
    elif kind == "xls-r":
        config = Wav2Vec2Config(
            **CONVOLUTIONAL, do_stable_layer_norm=True, feat_extract_norm="layer", conv_bias=True
        )
    elif kind == "wavlm":
        config = WavLMConfig(**CONVOLUTIONAL, num_buckets=32, max_bucket_distance=80)
    else:
        config = Wav2Vec2BertConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            feature_projection_input_dim=160,
            conv_depthwise_kernel_size=3,
        )
        extractor = SeamlessM4TFeatureExtractor()
    AutoModel.from_config(config).save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder
