"""Encodes Opus with in-band FEC, which FFmpeg's encoder is told of in options alone."""

from __future__ import annotations

import ctypes

import numpy as np

from streamtrace.audio.libopus import find_libopus
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

VOIP = 2048
SET_BITRATE, SET_INBAND_FEC, SET_LOSS_PERCENT, SET_DTX = 4002, 4012, 4014, 4016
SET_SIGNAL, VOICE = 4024, 3001


def encode_opus(
    pcm: Float32s, *, fec: bool = True, frame_ms: int = 20, dtx: bool = False
) -> list[bytes]:
    """[T] at 16 kHz -> packets of one frame each; the end that fills no frame is left out."""
    library = find_libopus()
    assert library is not None
    library.opus_encoder_get_size.argtypes = [ctypes.c_int]
    library.opus_encoder_init.argtypes = [ctypes.c_void_p, ctypes.c_int32] + [ctypes.c_int] * 2
    pointer = ctypes.c_void_p
    encode = library.opus_encode_float
    encode.argtypes = [pointer, pointer, ctypes.c_int, pointer, ctypes.c_int32]
    state = ctypes.create_string_buffer(library.opus_encoder_get_size(1))
    assert library.opus_encoder_init(state, SAMPLE_RATE_HZ, 1, VOIP) == 0
    wanted = {SET_BITRATE: 24_000, SET_INBAND_FEC: int(fec), SET_LOSS_PERCENT: 20 * fec}
    for request, value in (wanted | {SET_DTX: int(dtx), SET_SIGNAL: VOICE}).items():
        assert library.opus_encoder_ctl(state, ctypes.c_int(request), ctypes.c_int(value)) == 0
    frame = SAMPLE_RATE_HZ * frame_ms // 1000
    room = ctypes.create_string_buffer(1500)
    packets: list[bytes] = []
    for start in range(0, len(pcm) - frame + 1, frame):
        samples = np.ascontiguousarray(pcm[start : start + frame], np.float32)
        size = encode(state, samples.ctypes.data, frame, room, len(room))
        packets.append(room.raw[:size])
    return packets
