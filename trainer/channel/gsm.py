"""A GSM full-rate encoder (ETSI GSM 06.10), because FFmpeg can only decode it.

Arithmetic is in floats where the standard has 16-bit integers: the frames are valid and decode
as a telephone's would, but are not bit by bit those of the reference encoder.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamtrace.values import Float32s

FRAME, SUBFRAME, ORDER = 160, 40, 8
FRAME_BYTES = 33
LEAST_LAG, MOST_LAG = 40, 120

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# How the eight log-area ratios are quantised (table 3.1 of the standard).
_STEEPNESS = np.array([20, 20, 20, 20, 13.637, 15, 8.334, 8.824])
_OFFSET = np.array([0, 0, 4, -5, 0.184, -3.5, -0.666, -2.235])
_LEAST = np.array([-32, -32, -16, -16, -8, -8, -4, -4])
_RATIO_BITS = (6, 6, 5, 5, 4, 4, 3, 3)
_PULSES = 13  # of 40 samples, every third is sent
_SUBFRAME_BITS = (7, 2, 2, 6, *([3] * _PULSES))
_GAIN_EDGES = (0.2, 0.5, 0.8)  # between the four gains of the long-term predictor
_GAINS = (0.10, 0.35, 0.65, 1.00)
_SMOOTHING = np.array([-134, -374, 0, 2054, 5741, 8192, 5741, 2054, 0, -374, -134]) / 8192


def _block_levels() -> tuple[Reals, Reals]:
    """The 64 sizes of a block of pulses: from which on each is used, and as what it is decoded."""
    code = np.arange(64)
    exponent = np.maximum((code >> 3) - 1, 0)
    least = np.where(code < 16, code * 32.0, ((code & 7) + 8) * 2.0 ** (exponent + 5))
    # The middle of each interval, up to its end, as the standard's factors have it.
    decoded = np.where(code < 16, (code + 1) * 32.0, ((code & 7) + 9) * 2.0 ** (exponent + 5))
    return least, decoded


_BLOCK_LEAST, _BLOCK_DECODED = _block_levels()


def _grids() -> Reals:
    """[4 * 13, 40]: a subframe's residual to its four possible grids of smoothed pulses."""
    smooth = np.zeros((SUBFRAME, SUBFRAME))
    for i in range(SUBFRAME):
        for tap, weight in enumerate(_SMOOTHING):
            j = i + 5 - tap
            if 0 <= j < SUBFRAME:
                smooth[i, j] = weight
    rows = [grid + 3 * pulse for grid in range(4) for pulse in range(_PULSES)]
    return smooth[rows]


_GRIDS = _grids()


def encode_gsm(pcm: Float32s) -> list[bytes]:
    """[T] at 8 kHz, T a multiple of 160, to frames of 33 bytes."""
    count = pcm.size // FRAME
    if count == 0:
        return []
    signal = _emphasised(np.clip(pcm[: count * FRAME], -1, 1).astype(np.float64) * 16384)
    codes, decoded = _ratios(signal.reshape(count, FRAME))
    residual = _residual(signal, decoded)
    fields = np.concatenate([codes, _subframes(residual).reshape(count, -1)], axis=1)
    return _packed(fields)


def _emphasised(signal: Reals) -> Reals:
    """Without its offset, and with its high frequencies raised."""
    size = signal.size + 8000  # behind which nothing of the offset filter is left
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    response = (1 - turn) / (1 - (32735 / 32768) * turn) * (1 - (28180 / 32768) * turn)
    return np.fft.irfft(np.fft.rfft(signal, size) * response, size)[: signal.size]


def _ratios(frames: Reals) -> tuple[Ints, Reals]:
    """[F, 160] to the codes of log-area ratios [F, 8] and their decoded values [F, 8]."""
    correlation = np.stack(
        [(frames[:, lag:] * frames[:, : FRAME - lag]).sum(axis=1) for lag in range(ORDER + 1)],
        axis=1,
    )
    reflection = _schur(correlation)
    size = np.abs(reflection)
    ratio = np.sign(reflection) * np.where(
        size < 0.675, size, np.where(size < 0.95, 2 * size - 0.675, 8 * size - 6.375)
    )
    code = np.rint(_STEEPNESS * ratio + _OFFSET)
    code = np.clip(code, _LEAST, -_LEAST - 1)
    return (code - _LEAST).astype(np.int64), (code - _OFFSET) / _STEEPNESS


def _schur(correlation: Reals) -> Reals:
    """Autocorrelations [F, 9] to reflection coefficients [F, 8]; of silence they are zero."""
    ahead = correlation.copy()
    behind = correlation.copy()
    found = np.zeros((len(correlation), ORDER))
    is_live = correlation[:, 0] > 1e-3
    for n in range(ORDER):
        energy = np.where(behind[:, 0] > 0, behind[:, 0], 1.0)
        is_live = is_live & (behind[:, 0] > 0) & (np.abs(ahead[:, 1]) <= behind[:, 0])
        r = np.where(is_live, -ahead[:, 1] / energy, 0.0)[:, None]
        found[:, n] = r[:, 0]
        ahead, behind = (
            ahead[:, 1:] + r * behind[:, : ahead.shape[1] - 1],
            behind[:, : ahead.shape[1] - 1] + r * ahead[:, 1:],
        )
    return found


def _residual(signal: Reals, ratios: Reals) -> Reals:
    """[T] through the lattice of each frame's ratios [F, 8], eased in over its first 40 samples."""
    before = np.concatenate([np.zeros((1, ORDER)), ratios[:-1]])
    share = np.ones(FRAME)
    share[:13], share[13:27], share[27:40] = 0.25, 0.5, 0.75
    eased = before[:, None] + share[:, None] * (ratios - before)[:, None]  # [F, 160, 8]
    size = np.abs(eased)
    reflection = np.sign(eased) * np.where(
        size < 0.675, size, np.where(size < 1.225, 0.5 * size + 0.3375, 0.125 * size + 0.796875)
    )
    reflection = reflection.reshape(-1, ORDER)
    ahead, behind = signal, signal
    for n in range(ORDER):
        late = np.concatenate([[0.0], behind[:-1]])
        r = reflection[:, n]
        ahead, behind = ahead + r * late, late + r * ahead
    return ahead


def _subframes(residual: Reals) -> Ints:
    """[T] to the codes of each 5 ms [T / 40, 17]: lag, gain, grid, block size and pulses."""
    count = residual.size // SUBFRAME
    codes = np.zeros((count, 4 + _PULSES), dtype=np.int64)
    past = np.zeros(MOST_LAG + residual.size)  # as the decoder will have it
    for i in range(count):
        at = MOST_LAG + i * SUBFRAME
        now = residual[i * SUBFRAME : (i + 1) * SUBFRAME]
        seen = past[at - MOST_LAG : at]
        agreement = np.correlate(seen, now, "valid")  # [81], the longest lag first
        best = int(agreement.argmax())
        lag = MOST_LAG - best
        predicted = seen[best : best + SUBFRAME]
        energy = float(predicted @ predicted)
        ratio = float(agreement[best]) / energy if energy > 0 else 0.0
        gain = sum(ratio > edge for edge in _GAIN_EDGES)
        predicted = _GAINS[gain] * predicted
        grids = (_GRIDS @ (now - predicted)).reshape(4, _PULSES)
        grid = int(np.square(grids).sum(axis=1).argmax())
        pulses = grids[grid]
        most = float(np.abs(pulses).max())
        block = int(np.searchsorted(_BLOCK_LEAST, most, "right")) - 1
        pulse = np.clip(np.floor(pulses / _BLOCK_DECODED[block] * 4) + 4, 0, 7).astype(np.int64)
        past[at : at + SUBFRAME] = predicted
        past[at + grid : at + grid + 3 * _PULSES : 3] += (2 * pulse - 7) / 8 * _BLOCK_DECODED[block]
        codes[i, :4] = lag, gain, grid, block
        codes[i, 4:] = pulse
    return codes


def _packed(fields: Ints) -> list[bytes]:
    """[F, 76] codes to frames, highest bit first, behind the mark 1101."""
    widths = (*_RATIO_BITS, *(_SUBFRAME_BITS * 4))
    bits = [np.tile(np.array([1, 1, 0, 1], dtype=np.uint8), (len(fields), 1))]
    for column, width in enumerate(widths):
        shifts = np.arange(width - 1, -1, -1)
        bits.append(((fields[:, column, None] >> shifts) & 1).astype(np.uint8))
    return [row.tobytes() for row in np.packbits(np.concatenate(bits, axis=1), axis=1)]
