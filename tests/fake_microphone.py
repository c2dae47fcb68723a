"""A microphone for tests: it plays what it is given, from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from streamtrace.sources.mic import BLOCK_MS, OnBlock
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

BLOCK_SAMPLES = SAMPLE_RATE_HZ * BLOCK_MS // 1000


class FakeMicrophone:
    """Hands over all of `pcm` [T] before anybody listens; `closed` when it was closed in order."""

    def __init__(self, pcm: Float32s) -> None:
        self.pcm = pcm
        self.closed = False

    @contextmanager
    def __call__(self, device: str | None, on_block: OnBlock) -> Iterator[None]:
        """Open it."""

        def play() -> None:
            for at in range(0, len(self.pcm), BLOCK_SAMPLES):
                on_block(self.pcm[at : at + BLOCK_SAMPLES], at / SAMPLE_RATE_HZ)

        thread = threading.Thread(target=play)
        thread.start()
        thread.join()
        try:
            yield
        finally:
            self.closed = True
