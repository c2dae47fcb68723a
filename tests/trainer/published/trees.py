"""Published corpora in their own layouts, a few clips each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.trainer.trees import voice_like, write_wav
from trainer.published.catalogue import KINDS, Published, published
from trainer.published.listing import Listing

MLAAD_COLUMNS = (
    "path|original_file|language|is_original_language|duration|training_data|model_name|"
    "architecture|transcript"
)


def asked(kind: str, folder: Path, *options: str) -> Published:
    """As the command line asks."""
    (one,) = published([f"{kind}={folder}"], [f"{kind}.{option}" for option in options])
    return one


def listed(kind: str, folder: Path, *options: str) -> Listing:
    """What a corpus lists; any counts, for these are tiny."""
    assert kind in KINDS
    return asked(kind, folder, "any-counts", *options).listed()


def text(path: Path, *lines: str) -> Path:
    """A table of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def asvspoof2019(
    folder: Path, *, speakers: int = 2, attacks: Sequence[str] = ("A01", "A02")
) -> Path:
    """LA with audio: each speaker of each split twice human and twice through each attack."""
    seed = 0
    for split, table in (("train", "train.trn"), ("dev", "dev.trl"), ("eval", "eval.trl")):
        rows: list[str] = []
        for speaker in range(speakers):
            name = f"LA_{split[0].upper()}{speaker:03}"
            for attack in ("-", *attacks, *(["A07"] if split == "eval" else ["A06"])):
                for _ in range(2):
                    seed += 1
                    clip = f"LA_{split[0].upper()}_{seed:07}"
                    write_wav(
                        folder / f"ASVspoof2019_LA_{split}/flac/{clip}.flac",
                        voice_like(seed, 1.2),
                    )
                    key = "bonafide" if attack == "-" else "spoof"
                    rows.append(f"{name} {clip} - {attack} {key}")
        text(folder / f"ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.{table}.txt", *rows)
    return folder


PROTOCOL = {
    # language, model, utterances
    "train": [
        ("en", "suno/bark", "a_01 a_02"),
        ("en", "griffin_lim", "a_01"),
        ("it", "tts_models/it/mai_female/glow-tts", "b_01"),
    ],
    "dev": [
        ("en", "griffin_lim", "c_01"),
        ("es", "griffin_lim", "c_01"),
        ("en", "WhisperSpeech", "c_02"),
        ("es", "facebook/mms-tts-spa", "c_03"),
    ],
    "eval": [
        ("en", "suno/bark", "a_01 d_01 d_01"),
        ("fr", "griffin_lim", "d_02"),
        ("en", "WhisperSpeech", "d_03"),
        ("fr", "tts_models/fr/css10/vits", "d_04"),
    ],
}
FINE = {
    "dev___lang_seen___model_seen": [0],
    "dev___lang_not_seen___model_seen": [1],
    "dev___lang_seen___model_not_seen": [2],
    "dev___lang_not_seen___model_not_seen": [3],
    "eval___lang_seen___model_seen": [1, 2],
    "eval___lang_not_seen___model_seen": [3],
    "eval___lang_seen___model_not_seen": [0, 4],  # row 0 is misplaced: bark is trained on
    "eval___lang_not_seen___model_not_seen": [5],
}


def mlaad_protocol(folder: Path, *, before: str = "./") -> Path:
    """The official protocol's files in small, with its kinds of flaw."""
    rows = {
        split: [
            f"{before}fake/{language}/{model.replace('/', '_')}/{utterance}.wav,{model}"
            for language, model, utterances in groups
            for utterance in utterances.split()
        ]
        for split, groups in PROTOCOL.items()
    }
    for split, lines in rows.items():
        text(folder / f"{split}.csv", "path,model_name", *lines)
    for name, places in FINE.items():
        split = name.partition("_")[0]
        chosen = [rows[split][i] for i in places]
        text(folder / f"fine/{name}.csv", "path,model_name", *chosen)
    return folder


def mlaad_model(folder: Path, language: str, model: str, clips: Sequence[str], prefix: str) -> Path:
    """One model's folder with audio and its `meta.csv`."""
    home = folder / "fake" / language / model.replace("/", "_")
    for number, name in enumerate(clips):
        write_wav(home / f"{name}.wav", voice_like(sum(map(ord, language + model)) * 10 + number))
    text(
        home / "meta.csv",
        MLAAD_COLUMNS,
        *(
            f"{prefix.format(home=home.relative_to(folder))}{name}.wav|./{language}_XX/by_book/female/"
            f'ann/book/wavs/{name}.wav|{language}|True|1.5|x|{model}|vits|"So, then'
            for name in clips
        ),
    )
    return home
