"""AASIST with its published weights, on the last 64,600 samples heard; it learns nothing here.

Jung et al., "AASIST: Audio Anti-Spoofing using Integrated Spectro-Temporal Graph Attention
Networks" (ICASSP 2022). It tells synthetic from human and names nobody. A shorter stretch is said
again until the window is full, as it was trained. A window costs a third of a second of a core in
ONNX Runtime and several times that in eager PyTorch, so only ends of clips are judged.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as untyped_onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch

from streamtrace.encoder.cpu import FATAL_ONLY
from streamtrace.values import Float32s
from trainer.baselines.aasist import CONFIGS, AasistConfig, load_aasist
from trainer.baselines.hearing import Hearing
from trainer.baselines.interface import Asked, Lesson, LooksAt, Said, one_by_one

onnxruntime: Any = untyped_onnxruntime
WINDOW_SAMPLES = 64_600


@dataclass(frozen=True, slots=True)
class PretrainedAasist:
    """One of the published networks; without weights it judges by chance."""

    weights: Path | None
    network: AasistConfig = CONFIGS["AASIST"]
    window_samples: int = WINDOW_SAMPLES
    looks_at: LooksAt = LooksAt.END
    clips_at_once = 64
    code = ("aasist.py", "aasist_front.py", "aasist_graph.py", "pretrained.py")

    @property
    def name(self) -> str:
        """Random weights are said, so that nobody takes them for the published ones."""
        return self.network.name + ("" if self.weights else ", random weights")

    @property
    def settings(self) -> str:
        """The weights by their sum."""
        held = b"" if self.weights is None else self.weights.read_bytes()
        return f"{self.network} {self.window_samples} {hashlib.sha256(held).hexdigest()}"

    def learn(self, lesson: Lesson) -> _Windows:
        """Nothing; the network is written as a graph that ONNX Runtime runs."""
        network = load_aasist(self.network, self.weights)
        lesson.folder.mkdir(parents=True, exist_ok=True)
        path = lesson.folder / "aasist.onnx"
        _export(network, path, self.window_samples)
        return _Windows(path, lesson.hearing, self.window_samples)


class _Windows:
    def __init__(self, path: Path, hearing: Hearing, window_samples: int) -> None:
        onnxruntime.set_default_logger_severity(FATAL_ONLY)
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = FATAL_ONLY
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._hearing, self._window = hearing, window_samples

    def judge(self, asked: Sequence[Asked], line: str) -> Said:
        """One window a look."""

        def say(one: Asked) -> Said:
            pcm = self._hearing.pcm(one.clip, line)
            logits = [self._logits(last_window(pcm[:heard], self._window)) for heard in one.looks]
            return Said(spoof=np.array([each[0] - each[1] for each in logits], np.float32))

        return one_by_one(asked, say, f"aasist {line}")

    def _logits(self, pcm: Float32s) -> Float32s:
        return self._session.run(["logits"], {"pcm": pcm[None]})[0][0]


def last_window(heard: Float32s, samples: int) -> Float32s:
    """[T] -> [samples]: the last of what was heard, or all of it again and again."""
    return np.resize(heard[-samples:], samples)


def _export(network: torch.nn.Module, path: Path, samples: int) -> None:
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns of its own internals
            torch.onnx.export(
                network,
                (torch.zeros(1, samples),),
                path,
                input_names=["pcm"],
                output_names=["logits"],
                dynamo=False,
                verbose=False,
            )
    finally:
        log.setLevel(level)
