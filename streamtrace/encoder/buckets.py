"""The batch sizes for which a device has everything prepared: pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

SMALL = (1, 2, 4, 8, 16, 32, 64)
STRIDE = 64  # above: a padding row costs as much as a real one, and a bucket only memory


@dataclass(frozen=True, slots=True)
class Buckets:
    """Rising sizes; a batch runs in the smallest that holds it, filled up with rows of no one."""

    sizes: tuple[int, ...]

    @classmethod
    def up_to(cls, most: int) -> Buckets:
        """1, 2, 4 … 64, then every 64, the last one `most` itself."""
        if most < 1:
            raise ValueError(f"most={most}: want 1 row or more")
        regular = (*SMALL, *range(SMALL[-1] + STRIDE, most, STRIDE))
        return cls((*(size for size in regular if size < most), most))

    @property
    def most(self) -> int:
        """Rows of the largest batch."""
        return self.sizes[-1]

    def holding(self, count: int) -> int:
        """The smallest size of at least `count`."""
        if not 1 <= count <= self.most:
            raise ValueError(f"a batch of {count}: want 1 to {self.most} rows")
        return self.sizes[bisect_left(self.sizes, count)]

    def cuts(self, count: int) -> list[slice]:
        """A batch of any size in pieces that fit."""
        return [slice(at, min(at + self.most, count)) for at in range(0, count, self.most)]
