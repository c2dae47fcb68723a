"""What an Opus packet says of itself (RFC 6716, section 3): how long it is, and what it repeats."""

from __future__ import annotations

OPUS_CLOCK_HZ = 48_000
MOST_TICKS = 120 * OPUS_CLOCK_HZ // 1000  # a packet is no longer than 120 ms
LONGEST_REPEATED = 20 * OPUS_CLOCK_HZ // 1000
MOST_FRAME_BYTES = 1275

_SILK_MS = (10, 20, 40, 60)
_HYBRID_MS = (10, 20)
_CELT_MS = (2.5, 5, 10, 20)
_CELT_ONLY = 16  # configurations from here on hold no SILK layer
# Ticks of one frame, by the five bits of its configuration.
_FRAME_TICKS = tuple(
    round(ms * OPUS_CLOCK_HZ / 1000) for ms in _SILK_MS * 3 + _HYBRID_MS * 2 + _CELT_MS * 4
)


def ticks_in(packet: bytes) -> int:
    """How long the packet sounds, at 48 kHz; 0 if it is not one, or holds nothing."""
    if len(packet) < 2:
        return 0  # a bare first byte says that there is nothing to send
    frame_ticks = _FRAME_TICKS[packet[0] >> 3]
    if packet[0] & 3 == 0:
        return frame_ticks if len(packet) - 1 <= MOST_FRAME_BYTES else 0
    ticks = frame_ticks * _frames(packet)[0]
    return ticks if ticks <= MOST_TICKS else 0


def repeats_previous(packet: bytes) -> int:
    """Ticks of the packet before this one that this one holds a coarser copy of (LBRR), or 0.

    Only where one frame stands for all of the packet before it: in longer frames some parts may be
    copied and others not, and what is not would be invented.
    """
    if len(packet) < 2 or packet[0] >> 3 >= _CELT_ONLY:
        return 0
    frame_ticks = _FRAME_TICKS[packet[0] >> 3]
    if frame_ticks > LONGEST_REPEATED:
        return 0
    count, begin = _frames(packet)
    if not count or begin >= len(packet):
        return 0
    # A SILK frame begins with a bit for its activity and one for a copy of the frame before.
    return frame_ticks if packet[begin] & 0x40 else 0


def _frames(packet: bytes) -> tuple[int, int]:
    """How many frames, and where the first one's bytes begin; (0, 0) if they do not fit."""
    match packet[0] & 3:
        case 0:
            return (1, 1) if len(packet) - 1 <= MOST_FRAME_BYTES else (0, 0)
        case 1:
            half, odd = divmod(len(packet) - 1, 2)
            return (0, 0) if odd or half > MOST_FRAME_BYTES else (2, 1)
        case 2:
            size, begin = _size(packet, 1)
            second = len(packet) - begin - size
            return (2, begin) if begin and 0 <= second <= MOST_FRAME_BYTES else (0, 0)
        case _:
            return _counted_frames(packet)


def _counted_frames(packet: bytes) -> tuple[int, int]:
    """Any number of frames, of one size or each of its own, perhaps with padding behind."""
    count, at, end = packet[1] & 0x3F, 2, len(packet)
    if packet[1] & 0x40:
        while True:
            if at >= len(packet):
                return 0, 0
            padding = packet[at]
            at += 1
            end -= min(padding, 254)
            if padding < 255:
                break
    if packet[1] & 0x80:
        sizes = 0
        for _ in range(count - 1):
            size, at = _size(packet, at)
            if not at:
                return 0, 0
            sizes += size
        fits = 0 <= end - at - sizes <= MOST_FRAME_BYTES
    else:
        fits = end >= at and count > 0 and (end - at) % count == 0
        fits = fits and (end - at) // count <= MOST_FRAME_BYTES
    return (count, at) if fits and count else (0, 0)


def _size(packet: bytes, at: int) -> tuple[int, int]:
    """A frame's size in one byte or two, and where what follows begins; (0, 0) if cut short."""
    if at >= len(packet):
        return 0, 0
    if packet[at] < 252:
        return packet[at], at + 1
    if at + 1 >= len(packet):
        return 0, 0
    return packet[at] + 4 * packet[at + 1], at + 2
