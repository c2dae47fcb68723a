"""`streamtrace trace`: the result line, and that nothing but the audio decides what it says."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audio_files import cut, speech_like, write_encoded, write_wav
from tests.bundles import tiny_bundle, tiny_model
from tests.commands.cli import RunCli

KEYS = [
    "path",
    "leg",
    "verdict",
    "spoof_probability",
    "attribution",
    "families",
    "novelty",
    "speech_ms",
    "duration_ms",
    "first_verdict_ms",
    "first_synthetic_ms",
    "first_synthetic_speech_ms",
    "model",
]


@pytest.fixture(scope="module")
def tiny() -> Path:
    """A model of random weights."""
    return tiny_model().bundle.path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of many kinds, rates and lengths."""
    folder = tmp_path_factory.mktemp("recordings")
    stereo = np.stack([speech_like(2.5, seed=1), speech_like(2.5, seed=2)])
    return [
        write_wav(folder / "narrow.wav", speech_like(3.1, 8_000, seed=3), 8_000),
        write_wav(folder / "cd.wav", speech_like(2.2, 44_100, seed=4), 44_100, width=3),
        write_encoded(folder / "a.flac", speech_like(2.0, seed=5)),
        write_encoded(folder / "a.mp3", speech_like(2.7, seed=6)),
        write_encoded(folder / "a.opus", stereo),
        write_encoded(folder / "b.ogg", speech_like(1.7, seed=7)),
    ]


def assert_alike(one: Any, other: Any) -> None:
    """Equal to 1e-4, whatever is nested."""
    match one:
        case dict():
            assert list(one) == list(other)
            for key in one:
                assert_alike(one[key], other[key])
        case list():
            assert len(one) == len(other)
            for a, b in zip(one, other, strict=True):
                assert_alike(a, b)
        case float():
            assert one == pytest.approx(other, abs=1e-4)
        case _:
            assert one == other


def test_the_result_line(run_cli: RunCli, tiny: Path, recordings: list[Path]) -> None:
    outcome = run_cli("trace", "--format", "jsonl", "--model", tiny, *recordings)
    assert (outcome.code, outcome.err) == (0, "")
    assert [line["path"] for line in outcome.lines] == [str(file) for file in recordings]
    for line in outcome.lines:
        assert list(line) == KEYS
        assert line["leg"] is None
        assert line["model"]["id"] == "tiny"
        assert 0 <= line["spoof_probability"] <= 1
        assert math.isfinite(line["novelty"])
        sources = [share["source"] for share in line["attribution"]]
        assert sorted(sources) == ["espeak-ng", "hifigan", "melgan", "unknown"]
        unknown = line["attribution"][sources.index("unknown")]
        assert unknown["family"] is None
        for shares in (line["attribution"], line["families"]):
            probabilities = [share["probability"] for share in shares]
            assert sum(probabilities) == pytest.approx(1, abs=1e-5)
            assert probabilities == sorted(probabilities, reverse=True)
    assert outcome.lines[0]["duration_ms"] == 3_100


@pytest.mark.laws
def test_chunks_and_company_do_not_matter(
    run_cli: RunCli, tiny: Path, recordings: list[Path]
) -> None:
    def trace(chunk_ms: int, *files: Path) -> list[dict[str, Any]]:
        said = run_cli(
            "trace", "--format", "jsonl", "--model", tiny, "--chunk-ms", chunk_ms, *files
        )
        assert said.code == 0
        return said.lines

    expected = [trace(20, file)[0] for file in recordings]
    for chunk_ms in (10, 20, 37, 500, 60_000):
        assert_alike(trace(chunk_ms, *recordings), expected)
    assert_alike(trace(37, *recordings * 9), expected * 9)


@pytest.mark.parametrize("pcm", [np.zeros(24_000, np.float32), np.full(4_000, 1e-5, np.float32)])
def test_silence_is_no_speech_and_finite(
    run_cli: RunCli, tiny: Path, tmp_path: Path, pcm: np.ndarray
) -> None:
    file = write_wav(tmp_path / "silence.wav", pcm, width=3)
    (line,) = run_cli("trace", "--format", "jsonl", "--model", tiny, file).lines
    assert (line["verdict"], line["speech_ms"]) == ("no_speech", 0)
    assert line["first_verdict_ms"] is None
    shares = [share["probability"] for share in line["attribution"] + line["families"]]
    assert all(map(math.isfinite, [line["spoof_probability"], line["novelty"], *shares]))


def test_legs_are_what_the_channels_are_alone(run_cli: RunCli, tiny: Path, tmp_path: Path) -> None:
    parties = [speech_like(2.0, seed=seed) for seed in range(3)]
    alone = [write_wav(tmp_path / f"{n}.wav", pcm) for n, pcm in enumerate(parties)]
    together = write_wav(tmp_path / "three.wav", np.stack(parties))
    flags = ("trace", "--format", "jsonl", "--model", tiny, "--legs")
    lines = run_cli(*flags, together).lines
    assert [line["leg"] for line in lines] == ["caller", "callee", "channel-3"]
    for line, expected in zip(lines, run_cli(*flags, *alone).lines, strict=True):
        assert expected["leg"] == "caller"
        same = {"path": None, "leg": None}
        assert_alike(line | same, expected | same)


def test_channels_are_mixed_down(run_cli: RunCli, tiny: Path, tmp_path: Path) -> None:
    pcm = speech_like(2.0)
    cancelled = write_wav(tmp_path / "cancelled.wav", np.stack([pcm, -pcm]), width=3)
    (line,) = run_cli("trace", "--format", "jsonl", "--model", tiny, cancelled).lines
    assert line["verdict"] == "no_speech"


def test_events_come_before_their_file_s_result(
    run_cli: RunCli, tiny: Path, recordings: list[Path]
) -> None:
    lines = run_cli("trace", "--events", "--model", tiny, *recordings[:2]).lines
    results = [at for at, line in enumerate(lines) if "event" not in line]
    assert len(results) == 2
    assert results[1] == len(lines) - 1
    of_first = [line["event"] for line in lines[: results[0]]]
    assert [of_first[0]["type"], of_first[-1]["type"]] == ["call.started.v1", "call.ended.v1"]
    assert {event["data"]["external_id"] for event in of_first} == {str(recordings[0])}
    finals = [e for e in of_first if e["type"] == "call.score.v1" and e["data"]["is_final"]]
    assert len(finals) == 1
    assert finals[0]["data"]["verdict"] == lines[results[0]]["verdict"]


def test_the_table(run_cli: RunCli, tiny: Path, recordings: list[Path]) -> None:
    outcome = run_cli("trace", "--model", tiny, *recordings)
    header, *rows = outcome.out.splitlines()
    assert header.split()[:2] == ["verdict", "synthetic"]
    assert [row.split()[-1] for row in rows] == [str(file) for file in recordings]


def test_folders_recurse_and_names_stay_as_typed(
    run_cli: RunCli, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "calls" / "b"
    deep.mkdir(parents=True)
    write_wav(deep / "2.wav", speech_like(0.5))
    write_wav(deep / "1.WAV", speech_like(0.5))
    write_wav(tmp_path / "calls" / "z.wav", speech_like(0.5))
    (deep / "notes.txt").write_text("not asked for")
    monkeypatch.chdir(tmp_path)
    outcome = run_cli("trace", "--format", "jsonl", "--model", tiny, "./calls/z.wav", "calls")
    assert (outcome.code, outcome.err) == (0, "")
    paths = [line["path"] for line in outcome.lines]
    assert paths == ["./calls/z.wav", "calls/z.wav", "calls/b/1.WAV", "calls/b/2.wav"]


def test_manifest(run_cli: RunCli, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    write_wav(tmp_path / "audio" / "ünï, x.wav", speech_like(0.5))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        'label,path\nhuman,"audio/ünï, x.wav"\nhuman,audio/none.wav\n'
        'human,"audio/ünï, x.wav"\nhuman,\n',
        encoding="utf-8-sig",
    )
    outcome = run_cli("trace", "--format", "jsonl", "--model", tiny, "--manifest", manifest)
    assert [line["path"] for line in outcome.lines] == ["audio/ünï, x.wav"] * 2
    assert outcome.err.splitlines() == [
        "audio/none.wav: no such file",
        f"{manifest} line 5: column `path` is empty",
    ]
    assert outcome.code == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"file,label\na.wav,human\n", "no column `path` (columns: file, label)"),
        (b"", "no column `path` (columns: none)"),
        (b"path\n\xff\xfe\n", "not UTF-8"),
        (None, "No such file"),
    ],
)
def test_bad_manifests(
    run_cli: RunCli, tiny: Path, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    manifest = tmp_path / "manifest.csv"
    if content is not None:
        manifest.write_bytes(content)
    outcome = run_cli("trace", "--model", tiny, "--manifest", manifest)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert str(manifest) in outcome.err
    assert reason in outcome.err


def test_bad_files_are_told_and_the_others_go_on(
    run_cli: RunCli, tiny: Path, tmp_path: Path
) -> None:
    good = write_wav(tmp_path / "good.wav", speech_like(0.6))
    late = write_wav(tmp_path / "late.wav", speech_like(3.0))
    text, empty, silent = (tmp_path / name for name in ("text.wav", "empty.mp3", "zero.wav"))
    text.write_text("no audio\n" * 99)
    empty.touch()
    write_wav(silent, np.zeros(0, np.float32))
    flac = cut(write_encoded(tmp_path / "a.flac", speech_like(3.0)))
    hollow = tmp_path / "hollow"
    hollow.mkdir()
    bad = [tmp_path / "none.wav", text, empty, silent, cut(late), flac, hollow]
    outcome = run_cli("trace", "--format", "jsonl", "--model", tiny, *bad, good)
    assert outcome.code == 2
    assert [line["path"] for line in outcome.lines] == [str(good)]
    told = [line.split(": ", 1) for line in outcome.err.splitlines()]
    assert [name for name, _ in told] == [str(file) for file in bad]
    reasons = ["no such", "not audio", "empty", "no audio samples", "trunc", "trunc", "no audio f"]
    for (_, said), reason in zip(told, reasons, strict=True):
        assert reason in said


def test_bad_models(run_cli: RunCli, tmp_path: Path) -> None:
    file = write_wav(tmp_path / "a.wav", speech_like(0.5))
    damaged = tiny_bundle(tmp_path)
    with (damaged / "step.onnx").open("r+b") as step:
        step.seek(2_000)
        step.write(b"damage")
    hollow = tmp_path / "hollow"
    hollow.mkdir()
    for model, reason in [
        (tmp_path / "none", "no such model directory"),
        (hollow, "manifest.json"),
        (damaged, "step.onnx: damaged"),
    ]:
        outcome = run_cli("trace", "--model", model, file)
        assert (outcome.code, outcome.out) == (2, "")
        assert reason in outcome.err
        assert outcome.err.count("\n") == 1
    shutil.rmtree(damaged)


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace"],
        ["trace", "a.wav", "--manifest", "m.csv"],
        ["trace", "a.wav", "--chunk-ms", "0"],
        ["trace", "a.wav", "--format", "xml"],
        ["trace", "a.wav", "--format", "table", "--events"],
    ],
)
def test_bad_usage(run_cli: RunCli, arguments: list[str]) -> None:
    outcome = run_cli(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err


def test_a_file_name_that_is_no_text_is_found_again(
    run_cli: RunCli, tiny: Path, tmp_path: Path
) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9.wav")
    write_wav(file, speech_like(1.0))
    traced = run_cli("trace", file, "--format", "jsonl", "--events", "--model", tiny)
    assert traced.code == 0
    assert traced.lines[-1]["path"] == str(file)
    table = run_cli("trace", file, "--model", tiny)
    assert "caf\\udce9.wav" in table.out
