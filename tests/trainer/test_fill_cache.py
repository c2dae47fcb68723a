"""The audio cache survives kills, full disks and lost files, and refuses audio with two labels."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.trees import row, voice_like, write_corpus, write_wav
from trainer.audio_cache import AUDIO_FILE, INDEX_FILE, MANIFEST_FILE, Clips
from trainer.decode import file_sha256
from trainer.disk import DiskFull
from trainer.fill_cache import build_cache
from trainer.manifest import DataError, Row
from trainer.prepare import prepare

resource = pytest.importorskip("resource", reason="limits on a file's size are POSIX")


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to write past `size`, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def clips_of(folder: Path, count: int, *, first: int = 0) -> list[Row]:
    """Distinct clips of a second each, alternately human and synthetic."""
    rows: list[Row] = []
    for i in range(first, first + count):
        path = write_wav(folder / f"{i}.wav", voice_like(i, 1.0))
        human = {"label": "bonafide", "source": "bonafide", "family": "human"} if i % 2 else {}
        rows.append(row(path=str(path), sha256=file_sha256(path), **human))
    return rows


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path):
    rows = clips_of(tmp_path, 6)
    build_cache(tmp_path / "data", rows[:2])
    before = (tmp_path / "data" / MANIFEST_FILE).read_bytes()
    whole = [Clips.load(tmp_path / "data").pcm(i) for i in range(2)]
    with (
        files_no_larger_than(140_000),  # four clips and a half
        pytest.raises(DiskFull, match=r"data: File too large.*every clip decoded so far is kept"),
    ):
        build_cache(tmp_path / "data", rows)
    assert (tmp_path / "data" / MANIFEST_FILE).read_bytes() == before
    for i, pcm in enumerate(whole):
        np.testing.assert_array_equal(Clips.load(tmp_path / "data").pcm(i), pcm)
    assert len((tmp_path / "data" / INDEX_FILE).read_text().splitlines()) == 1 + 4
    kept, _ = build_cache(tmp_path / "data", rows)
    assert len(kept) == 6
    clips = Clips.load(tmp_path / "data")
    np.testing.assert_allclose(clips.pcm(5), voice_like(5, 1.0), atol=1e-4)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("name", ["manifest", "skipped"])
def test_a_disk_that_fills_up_at_the_end_keeps_the_old_tables(tmp_path: Path, name: str):
    rows = clips_of(tmp_path, 4)
    build_cache(tmp_path / "data", rows[:2])
    (tmp_path / f"data/{name}.partial").symlink_to("/dev/full")
    before = (tmp_path / f"data/{name}.csv").read_bytes()
    with pytest.raises(DiskFull, match="No space left on device"):
        build_cache(tmp_path / "data", rows)
    assert (tmp_path / f"data/{name}.csv").read_bytes() == before
    assert len(Clips.load(tmp_path / "data").rows) in (2, 4)
    assert len(build_cache(tmp_path / "data", rows)[0]) == 4


@pytest.mark.parametrize("cut", [1, 30, 80, 10_000])
def test_an_index_that_was_cut_off_is_mended(tmp_path: Path, cut: int):
    rows = clips_of(tmp_path, 4)
    build_cache(tmp_path / "data", rows)
    index = tmp_path / "data" / INDEX_FILE
    text = index.read_bytes()
    index.write_bytes(text[:-cut] or text[:5])
    build_cache(tmp_path / "data", rows)
    clips = Clips.load(tmp_path / "data")
    for i in range(4):
        np.testing.assert_allclose(clips.pcm(i), voice_like(i, 1.0), atol=1e-4)


def test_audio_that_was_lost_is_decoded_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    prepare(tmp_path / "data", corpus=write_corpus(tmp_path / "corpus"))
    audio = tmp_path / "data" / AUDIO_FILE
    whole = audio.read_bytes()
    audio.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"audio\.i16: missing, empty or shorter"):
        Clips.load(tmp_path / "data")
    prepare(tmp_path / "data", corpus=tmp_path / "corpus")
    assert "audio.i16: lacks 6 clips; decoding them again" in capsys.readouterr().err
    assert audio.read_bytes() == whole
    index = tmp_path / "data" / INDEX_FILE
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(DataError, match="11 rows have no audio"):
        Clips.load(tmp_path / "data")


def test_an_index_that_is_no_index_says_what_to_do(tmp_path: Path):
    rows = clips_of(tmp_path, 2)
    build_cache(tmp_path / "data", rows)
    index = tmp_path / "data" / INDEX_FILE
    index.write_text(index.read_text().replace(",16000,", ",sixteen,"))
    with pytest.raises(DataError, match=r"index\.csv.*delete the folder and prepare again"):
        build_cache(tmp_path / "data", rows)


def test_one_file_under_both_labels_names_both_rows(tmp_path: Path):
    fake, human = clips_of(tmp_path, 2)
    human = row(
        path=fake.path, sha256=fake.sha256, label="bonafide", source="bonafide", family="human"
    )
    with pytest.raises(DataError) as raised:
        build_cache(tmp_path / "data", [fake, human], listed=["t.csv, row 2", "t.csv, row 3"])
    said = str(raised.value)
    assert "the same file under both labels" in said
    assert f"t.csv, row 2: {fake.path} is synthetic but t.csv, row 3: {fake.path} is bona" in said


def test_one_recording_under_both_labels_is_found_behind_other_bytes(tmp_path: Path):
    fake, human = clips_of(tmp_path, 2)
    other = write_wav(tmp_path / "other.wav", voice_like(0, 1.0), channels=2)
    human = row(
        path=str(other),
        sha256=file_sha256(other),
        label="bonafide",
        source="bonafide",
        family="human",
        origin="folder:mine",
    )
    with pytest.raises(DataError, match=r"the same audio under both labels(.|\n)*folder:mine: "):
        build_cache(tmp_path / "data", [fake, human], listed=["t.csv, row 2", ""])


def test_many_conflicts_are_counted(tmp_path: Path):
    rows = [row(path=f"{i}.wav", sha256=f"{i:064x}") for i in range(9)]
    rows += [
        row(path=one.path, sha256=one.sha256, label="bonafide", source="bonafide") for one in rows
    ]
    with pytest.raises(DataError, match="and 4 more"):
        build_cache(tmp_path / "data", rows)


def test_two_runs_never_write_to_one_folder(tmp_path: Path):
    fcntl = pytest.importorskip("fcntl")
    rows = clips_of(tmp_path, 2)
    build_cache(tmp_path / "data", rows)
    with (tmp_path / "data" / AUDIO_FILE).open("ab") as audio:
        fcntl.flock(audio, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another prepare is writing here"):
            build_cache(tmp_path / "data", rows)
    assert len(build_cache(tmp_path / "data", rows)[0]) == 2
