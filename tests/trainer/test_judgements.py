"""The frozen table: what is saved is what is read, and two judges meet on the clips they share."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.judged import corpus, judged
from tests.trainer.trees import row
from trainer.judgements import (
    WHOLE_S,
    Clip,
    Judgements,
    aligned,
    joined,
    read_judgements,
    save_judgements,
)
from trainer.manifest import DataError


def same(a: Judgements, b: Judgements) -> None:
    for field in fields(Judgements):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            np.testing.assert_allclose(one, other, rtol=1e-6, err_msg=field.name)
        else:
            assert one == other, field.name


def test_what_is_saved_is_read_without_pickle(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "judgements.safetensors"
    table = judged(corpus(20))
    save_judgements(table, path)
    same(read_judgements(path), table)
    assert read_judgements(path).prefixes_s[-1] == WHOLE_S
    assert b"pickle" not in path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "judgements.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"judgements\.safetensors: no judgements to read"):
        read_judgements(path)
    with pytest.raises(DataError, match="nowhere: no judgements to read"):
        read_judgements(tmp_path / "nowhere")


def test_tables_that_do_not_fit_are_refused() -> None:
    table = judged(corpus(20))
    with pytest.raises(DataError, match=r"llr is .*, want \(2, 3, 19\)"):
        replace(table, clips=table.clips[1:])
    with pytest.raises(DataError, match="nothing over 'tin can' at inf s"):
        table.place("tin can")
    with pytest.raises(DataError, match="differ in lines"):
        joined([table, replace(judged(corpus(20), lines=("clean", "noise")))])


def test_two_judges_are_aligned_on_the_clips_they_share_in_one_order() -> None:
    mine, theirs = judged(corpus(20)), judged(corpus(24), seed=1)
    shuffled = theirs.select([*range(23, 4, -1)])
    a, b = aligned(mine, shuffled)
    assert a.clips == b.clips == mine.clips[5:]
    np.testing.assert_array_equal(a.llr, mine.llr[:, :, 5:])
    np.testing.assert_array_equal(b.llr, theirs.llr[:, :, 5:20])
    whole, _ = aligned(mine, mine)
    assert whole is mine


def test_parts_join_to_the_whole() -> None:
    table = judged(corpus(20))
    same(joined([table.select(range(7)), table.select(range(7, 20))]), table)


def test_a_clip_keeps_what_its_row_says() -> None:
    made = row(origin="pairs:world", original_sha256="1" * 64, source="self-world")
    found = Clip.of(made, fold=2, taught=True)
    assert (found.synthetic, found.is_pair, found.fold, found.taught) == (True, True, 2, True)
    assert (found.source, found.original_sha256) == ("self-world", "1" * 64)
    assert not Clip.of(row(), fold=0, taught=False).is_pair
