"""Audio files: decoded block by block, and refused with a reason when they are not whole."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet

from streamtrace.audio.resample import Resampler
from streamtrace.errors import AudioError
from streamtrace.sources.declared import has_mp3_index, missing_bytes
from streamtrace.values import Float32s

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".webm"}
    | {".aif", ".aiff", ".au", ".caf", ".amr", ".w64"}
)
_READS = "wav, flac, mp3, ogg/opus, m4a, webm, aiff, au, caf and amr are read"
# Playlists and other formats that make FFmpeg open further files stay out.
_FORMATS = "wav,w64,flac,mp3,ogg,mov,matroska,aac,aiff,au,caf,amr"
_EXACT_LENGTH = frozenset({"flac", "ogg", "mov,mp4,m4a,3gp,3g2,mj2", "aiff", "au", "caf"})
_SLACK_SAMPLES = {"flac": 0, "mp3": 1_152}  # lossy codecs trim their delay and padding
_MOST_SLACK_SAMPLES = 4_608
_BLOCK_MS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class DecodedAudio:
    """Audio as it lay in the file, rate and channels untouched."""

    rate_hz: int
    pcm: Float32s  # [C, T] in [-1, 1]


def decode_file(path: Path | str) -> DecodedAudio:
    """The whole file in memory; raises AudioError where it is not whole, sound audio."""
    blocks = list(read_blocks(path))
    return DecodedAudio(blocks[0].rate_hz, np.concatenate([b.pcm for b in blocks], axis=1))


def decode_mono(path: Path | str) -> Float32s:
    """A file of any rate and channels, mixed down -> [T] at 16 kHz."""
    decoded = decode_file(path)
    resampler = Resampler(decoded.rate_hz)
    mixed = decoded.pcm.mean(axis=0, dtype=np.float32)
    return np.concatenate([resampler.feed(mixed), resampler.flush()])


def read_blocks(path: Path | str) -> Iterator[DecodedAudio]:
    """About one second at a time, so that an hour's recording costs no more memory than a word.

    A file cut short is found out at the latest behind its last block: what came before must not
    be reported until the iterator has ended.
    """
    path = Path(path)
    with _opened(path) as (container, stream, exact):
        rate_hz, channels = stream.rate, stream.channels
        samples = waiting = 0
        block: list[Float32s] = []
        for frame in _frames(container, stream):
            if frame.sample_rate != rate_hz or len(frame.layout.channels) != channels:
                raise AudioError("changes its rate or channels midway; split it first")
            block.append(_to_float(frame, channels))
            waiting += frame.samples
            if waiting * 1000 >= _BLOCK_MS * rate_hz:
                yield DecodedAudio(rate_hz, np.concatenate(block, axis=1))
                samples, waiting, block = samples + waiting, 0, []
        if block:
            yield DecodedAudio(rate_hz, np.concatenate(block, axis=1))
        samples += waiting
        if samples == 0:
            raise AudioError("holds no audio samples")
        if exact and stream.duration is not None and stream.time_base is not None:
            declared = round(stream.duration * stream.time_base * rate_hz)
            slack = _SLACK_SAMPLES.get(container.format.name, _MOST_SLACK_SAMPLES)
            if samples + slack < declared:
                raise AudioError(
                    f"truncated: declares {declared / rate_hz:.2f} s of audio,"
                    f" holds {samples / rate_hz:.2f} s; copy or download it again"
                )


@contextmanager
def _opened(path: Path) -> Generator[tuple[InputContainer, AudioStream, bool]]:
    """The container, its first audio stream and whether its declared length can be trusted."""
    if path.is_dir():
        raise AudioError("is a folder, not an audio file")
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise AudioError("no such file") from None
    except OSError as cause:
        raise AudioError(f"cannot be opened: {cause.strerror}") from None
    except ValueError:  # a name that no system call takes
        raise AudioError("cannot be opened: its name holds a NUL byte") from None
    with file:
        _refuse_if_cut(file)
        indexed = has_mp3_index(file)
        # A file object instead of a name: FFmpeg must judge the content, not the extension.
        try:
            container = av.open(file, mode="r", options={"format_whitelist": _FORMATS})
        except (FFmpegError, ValueError):
            raise AudioError(f"not audio, or damaged at its start ({_READS})") from None
        with container:
            if not container.streams.audio:
                raise AudioError(f"holds no audio stream ({_READS})")
            stream = container.streams.audio[0]
            name = container.format.name
            yield container, stream, name in _EXACT_LENGTH or indexed


def _refuse_if_cut(file: BinaryIO) -> None:
    if file.read(1) == b"":
        raise AudioError("empty file")
    missing = missing_bytes(file)
    if missing:
        raise AudioError(f"truncated: at least {missing} bytes are missing at its end")


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Decoded frames; a packet that cannot be decoded ends it with an AudioError.

    Alone a WAV file's last packet may fail: block codecs such as GSM leave a padded stump there,
    and the header has already vouched for the file's length.
    """
    samples = 0
    broken = False
    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except (FFmpegError, ValueError):
            broken, frames = True, []
        if broken and (frames or container.format.name != "wav"):
            break
        for frame in frames:
            samples += frame.samples
            yield frame
    else:
        return
    if samples == 0:
        raise AudioError(f"not audio that can be decoded ({_READS})")
    raise AudioError(f"damaged or truncated after {samples / (stream.rate or 1):.2f} s")


def _packets(container: InputContainer, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
    """The stream's packets; a container that cannot be read on ends them with an AudioError."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (FFmpegError, ValueError):
            raise AudioError("damaged or truncated: the container cannot be read on") from None
        if packet is None:
            return
        yield packet


def _to_float(frame: AudioFrame, channels: int) -> Float32s:
    """A frame of any sample format -> [C, T] float32 in [-1, 1]."""
    raw = frame.to_ndarray()  # planar [C, T], packed [1, T * C]
    if not frame.format.is_planar:
        raw = raw.reshape(-1, channels).T
    if np.issubdtype(raw.dtype, np.integer):
        bits = raw.dtype.itemsize * 8
        middle = 128.0 if raw.dtype == np.uint8 else 0.0
        return ((raw.astype(np.float64) - middle) / float(1 << (bits - 1))).astype(np.float32)
    if not np.isfinite(raw).all():
        raise AudioError("holds samples that are not numbers")
    return np.clip(raw, -1.0, 1.0).astype(np.float32)
