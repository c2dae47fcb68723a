"""How often each thing happens to a clip on its way, and how hard: the table `[augment]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streamtrace.errors import SettingsError

SHARES = (
    "clean",
    "room",
    "babble",
    "noise",
    "convolutive",
    "impulsive",
    "coloured",
    "level",
    "agc",
    "clip",
    "filter",
    "codec",
    "tandem",
    "loss",
    "bursty",
    "muted",
)
# Smallest and largest of one range, and what both have to lie between.
_RANGES = (
    ("room_least_s", "room_most_s", 0.02, 3.0),
    ("room_least_db", "room_most_db", -60.0, 10.0),
    ("snr_least_db", "snr_most_db", -10.0, 80.0),
    ("babble_least_db", "babble_most_db", -10.0, 80.0),
    ("level_least_db", "level_most_db", -80.0, 0.0),
    ("clip_least", "clip_most", 0.01, 1.0),
    ("high_least_hz", "high_most_hz", 1000.0, 8000.0),
    ("loss_least", "loss_most", 0.0, 0.5),
    ("opus_least_bps", "opus_most_bps", 6000, 128_000),
)


@dataclass(frozen=True)
class AugmentConfig:
    """Shares are of clips; what is zero never happens.

    Everything but `level` spares a share `clean` of all clips, and the other shares are of the
    rest. The weights of codecs count against each other; one that this machine lacks is as zero.
    """

    clean: float = 0.28

    room: float = 0.2
    room_least_s: float = 0.1  # until it has fallen by 60 dB
    room_most_s: float = 0.6
    room_least_db: float = -20.0  # reflections against the direct sound
    room_most_db: float = -3.0

    noise: float = 0.4  # white to reddish; swelling, humming
    snr_least_db: float = 8.0  # below the louder parts of the voice
    snr_most_db: float = 40.0
    babble: float = 0.1  # other clips behind the voice; then no other noise
    babble_least_db: float = 10.0
    babble_most_db: float = 35.0

    convolutive: float = 0.08  # RawBoost's three: a non-linear chain,
    impulsive: float = 0.05  # samples thrown off,
    impulsive_most: float = 0.03  # no more than this share of them,
    coloured: float = 0.05  # and noise with notches

    level: float = 1.0
    level_least_db: float = -42.0  # of the loud parts, below full scale
    level_most_db: float = -10.0
    agc: float = 0.12
    clip: float = 0.06
    clip_least: float = 0.3  # of the peak
    clip_most: float = 0.9

    filter: float = 0.3
    low_most_hz: float = 350.0
    high_least_hz: float = 3000.0
    high_most_hz: float = 8000.0
    tilt_most_db: float = 6.0  # either way, over the band

    codec: float = 0.7
    band: float = 1.0  # 8 kHz and back, nothing else
    mulaw: float = 4.0
    alaw: float = 4.0
    gsm: float = 0.5
    amr: float = 0.8
    g722: float = 0.6
    g726: float = 0.8
    g723: float = 0.2
    speex: float = 0.6
    opus: float = 2.0
    opus_least_bps: int = 8_000
    opus_most_bps: int = 40_000
    tandem: float = 0.12  # of coded clips: through a second codec behind the first
    loss: float = 0.3  # of coded clips: some packets never arrive
    loss_least: float = 0.005
    loss_most: float = 0.1
    bursty: float = 0.5  # of these: in bursts, not one by one
    burst_most: float = 4.0  # packets in a burst, on average
    muted: float = 0.2  # of these: nothing is played instead

    def __post_init__(self) -> None:
        """Refuse what is no share, no weight or no range."""
        for name in (*SHARES, "impulsive_most"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise SettingsError(f"augment.{name}={share}: want a share between 0 and 1")
        for name in CODEC_NAMES:
            weight = getattr(self, name)
            if not 0 <= weight < float("inf"):
                raise SettingsError(f"augment.{name}={weight}: want a weight, 0 or more")
        for least, most, bottom, top in _RANGES:
            low, high = getattr(self, least), getattr(self, most)
            if not bottom <= low <= high <= top:
                raise SettingsError(
                    f"augment.{least}={low} and augment.{most}={high}: "
                    f"want both between {bottom} and {top}, the first no more than the second"
                )
        for name, bottom, top in (
            ("low_most_hz", 0, 1000),
            ("tilt_most_db", 0, 30),
            ("burst_most", 1, 50),
        ):
            value = getattr(self, name)
            if not bottom <= value <= top:
                raise SettingsError(f"augment.{name}={value}: want {bottom} to {top}")
        if self.codec and not any(getattr(self, name) for name in CODEC_NAMES):
            raise SettingsError(
                f"augment.codec={self.codec}: want a weight above 0 for one of "
                f"{', '.join(CODEC_NAMES)}, or codec = 0"
            )


CODEC_NAMES = ("band", "mulaw", "alaw", "gsm", "amr", "g722", "g726", "g723", "speex", "opus")


def quiet() -> AugmentConfig:
    """Nothing at all happens; for measuring what augmentation brings."""
    nothing: dict[str, Any] = dict.fromkeys(SHARES, 0.0)
    return AugmentConfig(**nothing)
