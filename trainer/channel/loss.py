"""Which packets never arrive: one by one, or in bursts as on real networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamtrace.values import Bools
from trainer.channel.concealment import Fill

PACKET_S = 0.02  # of speech in one packet, as telephones send it


def scattered(rng: np.random.Generator, packets: int, share: float) -> Bools:
    """Each packet is lost by itself with the same probability: [packets]."""
    return np.asarray(rng.random(packets) < share)


def bursts(rng: np.random.Generator, packets: int, share: float, mean_burst: float) -> Bools:
    """Gilbert's two states: a line that is up or down, `mean_burst` packets long when down.

    `share` of all packets is lost in the long run; it is at most what such bursts can make.
    """
    up_again = 1.0 / max(mean_burst, 1.0)
    down = min(share * up_again / max(1.0 - share, 1e-6), 1.0)
    chance = rng.random(packets + 1)
    lost = np.zeros(packets, dtype=np.bool_)
    is_down = bool(chance[0] < share)
    for i in range(packets):
        lost[i] = is_down
        is_down = bool(chance[i + 1] < (1.0 - up_again if is_down else down))
    return lost


@dataclass(frozen=True)
class Loss:
    """What a line loses, and what is played instead; the same seed loses the same packets."""

    share: float
    burst: float  # packets in a burst, on average; 0: each is lost by itself
    fill: Fill
    seed: int

    def of(self, packets: int) -> Bools:
        """Which of so many packets are lost: [packets]."""
        rng = np.random.default_rng(self.seed)
        if self.burst:
            return bursts(rng, packets, self.share, self.burst)
        return scattered(rng, packets, self.share)
