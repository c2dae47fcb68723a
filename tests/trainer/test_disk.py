"""A full disk is told with what is kept; a table is replaced whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from trainer.disk import DiskFull, told_when_full, write_table

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


@needs_dev_full
def test_a_table_that_finds_no_room_leaves_the_old_one(tmp_path: Path):
    path = tmp_path / "table.csv"
    write_table(path, ("a",), [{"a": 1}])
    (tmp_path / "table.partial").symlink_to("/dev/full")
    with (
        pytest.raises(DiskFull, match=r"No space left on device .*MB free.*all is kept.*same comm"),
        told_when_full(tmp_path, "all is kept"),
    ):
        write_table(path, ("a",), [{"a": 2}])
    assert path.read_text().split() == ["a", "1"]
    assert not (tmp_path / "table.partial").exists()
    write_table(path, ("a",), [{"a": 2}])
    assert path.read_text().split() == ["a", "2"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_quotas_and_limits_count_as_a_full_disk(tmp_path: Path, number: int):
    with pytest.raises(DiskFull) as raised, told_when_full(tmp_path / "not made yet", "kept"):
        raise OSError(number, os.strerror(number))
    assert raised.value.exit_code == 1


def test_other_errors_pass(tmp_path: Path):
    with pytest.raises(PermissionError), told_when_full(tmp_path, "kept"):
        raise PermissionError(errno.EACCES, "denied")
