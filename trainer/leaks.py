"""What the two sides of a split share although figures pretend that they do not."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainer.balance import kind_of
from trainer.catalog import UNNAMED
from trainer.fingerprint import Alike
from trainer.manifest import Row
from trainer.splits import Split


@dataclass(frozen=True, slots=True)
class Leaks:
    """One split; every count is of test clips, every place a pair of (training, test) rows.

    Labels and sources are counted among clips found on pages: engines and prompts are easy.
    """

    split: str
    train: int
    test: int
    test_human: int
    test_synthetic: int
    human_pages: int
    largest_human_page: float  # its share of the human test clips
    known_sources: int
    known_clips: int
    unknown_sources: int
    unknown_clips: int
    unknown_families: tuple[str, ...]
    pages: dict[str, tuple[int, int]]
    pages_renamed: dict[str, str]  # test page: training page that differs in spelling alone
    speakers: int
    speaker_clips: int
    utterances: dict[str, tuple[int, int]]
    transcript_clips: int
    recording_clips: int  # the same recording is trained on
    resynthesis_clips: int  # its copy-synthesis, or what it was made from, is trained on
    alike_untold_clips: int  # of both, without a parallel_id that says so


def leaks_of(rows: Sequence[Row], split: Split, alike: Sequence[Alike]) -> Leaks:
    """Count what crosses from the training rows to the test rows of one split."""
    train, test = split.train.tolist(), split.test.tolist()
    trained = [rows[i] for i in train if not rows[i].is_pair]
    tested = [rows[i] for i in test]
    spoken = [row for row in tested if kind_of(row) == "pages"]
    human_pages = Counter(row.page for row in spoken if not row.is_synthetic)
    humans = human_pages.total()
    synthetic = [row for row in spoken if row.is_synthetic]
    known = {row.source for row in trained if row.is_synthetic} - UNNAMED
    known_clips = [row for row in synthetic if row.source in known]
    unknown_clips = [row for row in synthetic if row.source not in known]
    families = {row.family for row in trained}
    voices = {row.speaker for row in trained if row.speaker}
    same_voice = [row.speaker for row in tested if row.speaker in voices]
    said = {_words(row.transcript) for row in trained} - {""}
    spelled = {_words(row.page): row.page for row in trained}
    pages = _shared(rows, train, test, lambda row: row.page)
    recording, resynthesis, untold = _alike_clips(rows, split, alike)
    return Leaks(
        split=split.name,
        train=len(train),
        test=len(test),
        test_human=humans,
        test_synthetic=len(synthetic),
        human_pages=len(human_pages),
        largest_human_page=max(human_pages.values(), default=0) / max(humans, 1),
        known_sources=len({row.source for row in known_clips}),
        known_clips=len(known_clips),
        unknown_sources=len({row.source for row in unknown_clips}),
        unknown_clips=len(unknown_clips),
        unknown_families=tuple(sorted({row.family for row in synthetic} - families - UNNAMED)),
        pages=pages,
        pages_renamed={
            page: spelled[_words(page)]
            for page in sorted({row.page for row in tested})
            if page not in pages and spelled.get(_words(page), page) != page
        },
        speakers=len(set(same_voice)),
        speaker_clips=len(same_voice),
        utterances=_shared(rows, train, test, lambda row: row.parallel_id),
        transcript_clips=sum(_words(row.transcript) in said for row in tested),
        recording_clips=recording,
        resynthesis_clips=resynthesis,
        alike_untold_clips=untold,
    )


def _shared(
    rows: Sequence[Row], train: Sequence[int], test: Sequence[int], name: Callable[[Row], str]
) -> dict[str, tuple[int, int]]:
    """Names on both sides, each with its first row on either."""
    trained: dict[str, int] = {}
    for i in train:
        trained.setdefault(name(rows[i]), i)
    both: dict[str, tuple[int, int]] = {}
    for i in test:
        key = name(rows[i])
        if key and key in trained:
            both.setdefault(key, (trained[key], i))
    return both


def _alike_clips(rows: Sequence[Row], split: Split, alike: Sequence[Alike]) -> tuple[int, int, int]:
    """Test clips of which the same recording is trained on, or a resynthesis; and those untold."""
    train, test = set(split.train.tolist()), set(split.test.tolist())
    recording: set[int] = set()
    resynthesis: set[int] = set()
    untold: set[int] = set()
    for pair in alike:
        for here, there in ((pair.first, pair.second), (pair.second, pair.first)):
            if here in test and there in train:
                (recording if pair.is_same_recording else resynthesis).add(here)
                if not rows[here].parallel_id or rows[here].parallel_id != rows[there].parallel_id:
                    untold.add(here)
    return len(recording), len(resynthesis - recording), len(untold)


def owners_in_several(rows: Sequence[Row], splits: Sequence[Split]) -> dict[str, tuple[str, ...]]:
    """Owners (the part of a page's name before "/") whose pages are tested in different folds."""
    folds: dict[str, set[str]] = defaultdict(set)
    pages: dict[str, set[str]] = defaultdict(set)
    for split in splits:
        for i in split.test.tolist() if split.by_page else ():
            owner, slash, _ = rows[i].page.partition("/")
            if slash and not rows[i].origin.startswith("folder:"):
                folds[owner].add(split.name)
                pages[owner].add(rows[i].page)
    return {
        owner: tuple(sorted(pages[owner]))
        for owner, found in sorted(folds.items())
        if len(found) > 1
    }


def _words(text: str) -> str:
    """Letters and digits alone: two spellings of one text or one page's name agree."""
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()
