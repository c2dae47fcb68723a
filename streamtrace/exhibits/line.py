"""What a leg's spectrum tells of its line: how far up it carries sound."""

from __future__ import annotations

from streamtrace.exhibits.bands import BANDS, CODES_PER_DB, QUIETEST_DB, Bytes, band_edges_hz

LOUD_CODE = int(CODES_PER_DB * (-60 - QUIETEST_DB))  # a column with less in all bands is silence
FALLEN_CODES = 45 * CODES_PER_DB  # a band so far below its column's loudest holds nothing
LEAST_SHARE = 0.02  # of loud columns: a hiss is rare, a click is rarer
LEAST_COLUMNS = 25  # loud ones: two seconds

_UPPER_HZ: tuple[int, ...] = tuple(round(hz / 100) * 100 for hz in band_edges_hz()[1:])


def bandwidth_hz(columns: Bytes) -> int | None:
    """[N, BANDS] -> the upper end of what was heard; None where too little was.

    Measured against each column's own loudest band, so it does not depend on how loud a voice is:
    a wide line shows in its hisses, which are loudest high up.
    """
    loudest = columns.max(axis=1, initial=0)
    loud = loudest >= LOUD_CODE
    if loud.sum() < LEAST_COLUMNS:
        return None
    least = loudest[loud].astype(int) - FALLEN_CODES
    heard = (columns[loud] >= least[:, None]) & (columns[loud] > 0)
    carried = heard.mean(axis=0) >= LEAST_SHARE
    return _UPPER_HZ[max(band for band in range(BANDS) if carried[band])]
