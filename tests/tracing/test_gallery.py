"""The gallery: nearest prototype of each owner."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.errors import BundleError
from streamtrace.tracing.gallery import NO_PROTOTYPE, Gallery
from tests import builders

SIZE, SOURCES = 6, 4
RNG = np.random.default_rng(7)
PROTOTYPES = builders.unit(RNG.standard_normal((11, SIZE)).astype(np.float32))
OWNER = np.array([4, 0, 2, 1, 4, 3, 0, 2, 2, 1, 4])


def gallery(owner=OWNER, prototypes=PROTOTYPES) -> Gallery:
    tensors = {"gallery.prototypes": prototypes, "gallery.owner": owner}
    return Gallery.from_tensors(tensors, sources=SOURCES, size=SIZE)


def test_the_nearest_prototype_of_each_owner() -> None:
    voices = builders.unit(RNG.standard_normal((2, 3, SIZE)).astype(np.float32))
    got = gallery().similarity(voices)
    assert got.shape == (2, 3, SOURCES + 1)
    for owner in range(SOURCES + 1):
        want = (voices @ PROTOTYPES[owner == OWNER].T).max(axis=-1)
        assert np.allclose(got[..., owner], want, atol=1e-6)


def test_a_prototype_is_nearest_to_itself() -> None:
    assert np.allclose(gallery().similarity(PROTOTYPES[5])[3], 1)


def test_an_owner_without_prototypes_is_never_near() -> None:
    owner = np.where(OWNER == 3, 2, OWNER)
    got = gallery(owner).similarity(PROTOTYPES[5])
    assert got[3] == NO_PROTOTYPE
    assert np.isclose(got[2], 1)


@pytest.mark.parametrize(
    ("owner", "message"),
    [
        (OWNER.astype(np.float32), "'gallery.owner' is float32"),
        (OWNER[:3], "want one integer for each of 11 prototypes"),
        (OWNER + 1, "names owners 1 to 5; want 0 to 4"),
        (OWNER - 1, "names owners -1 to 3"),
    ],
)
def test_wrong_owners_are_named(owner, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        gallery(owner)


def test_missing_tensors_are_named() -> None:
    with pytest.raises(BundleError, match=r"'gallery.owner' is missing"):
        Gallery.from_tensors({"gallery.prototypes": PROTOTYPES}, sources=SOURCES, size=SIZE)
    with pytest.raises(BundleError, match=r"'gallery.prototypes' is missing"):
        Gallery.from_tensors({"gallery.owner": OWNER}, sources=SOURCES, size=SIZE)
