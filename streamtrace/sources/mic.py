"""The microphone as a live source: the only file that imports sounddevice (it needs PortAudio)."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from streamtrace.errors import AudioError
from streamtrace.ports import LegOpened, SourceItem
from streamtrace.sources.ring import AudioRing
from streamtrace.values import SAMPLE_RATE_HZ, AudioChunk, Float32s, Leg

BLOCK_MS = 20
MOST_WAITING_S = 2.0  # older audio gives way and shows as a gap

OnBlock = Callable[[Float32s, float], None]  # [T] at 16 kHz, and when it came


class OpenDevice(Protocol):
    """Starts a device that calls `on_block` from its own thread, until the context is left."""

    def __call__(self, device: str | None, on_block: OnBlock) -> AbstractContextManager[object]: ...


class MicSource:
    """Blocks of 20 ms for as long as it is iterated; it never ends by itself."""

    def __init__(self, device: str | None, *, open_device: OpenDevice) -> None:
        self._device = device
        self._open_device = open_device

    async def __aiter__(self) -> AsyncGenerator[SourceItem]:
        """The device is open exactly as long as somebody listens."""
        loop = asyncio.get_running_loop()
        ring = AudioRing(most_age_s=MOST_WAITING_S, most_audio_s=MOST_WAITING_S)
        position = 0

        def on_block(pcm: Float32s, came_s: float) -> None:
            nonlocal position
            if not loop.is_closed():
                loop.call_soon_threadsafe(ring.put, AudioChunk(position, pcm), came_s)
            position += len(pcm)

        with self._open_device(self._device, on_block):
            yield LegOpened(Leg.CALLER, "pcm", SAMPLE_RATE_HZ)
            async for audio in ring:
                yield audio


def open_portaudio(device: str | None, on_block: OnBlock) -> AbstractContextManager[object]:
    """A started input stream at 16 kHz mono; AudioError where there is no such device."""
    sounddevice = _sounddevice()

    def callback(block: Any, frames: int, when: object, status: object) -> None:
        on_block(np.array(block[:, 0], np.float32), time.monotonic())

    try:
        return sounddevice.InputStream(
            samplerate=SAMPLE_RATE_HZ,
            blocksize=SAMPLE_RATE_HZ * BLOCK_MS // 1000,
            channels=1,
            dtype="float32",
            device=int(device) if device is not None and device.isdigit() else device,
            callback=callback,
        )
    except (sounddevice.PortAudioError, ValueError) as cause:
        devices = str(sounddevice.query_devices()).strip()
        remedy = f"choose another with --device:\n{devices}" if devices else "plug one in"
        raise AudioError(f"the microphone cannot be opened: {cause}; {remedy}") from None


def portaudio_version() -> str:
    """PortAudio's own words about itself; AudioError where it is missing."""
    return str(_sounddevice().get_portaudio_version()[1])


def _sounddevice() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except OSError:
        raise AudioError(
            "PortAudio is missing: install it (Debian: apt-get install libportaudio2)"
        ) from None
    except ImportError:
        raise AudioError("sounddevice is missing: pip install sounddevice") from None
