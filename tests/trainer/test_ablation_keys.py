"""No backbone is taken for one that today's code would make: what decides it is in its key."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from trainer.ablation.keys import FITTING, HEARING, JUDGING, REPOSITORY, TRAINING

# Names, settings that are in the key themselves, and how things are stored or told.
SAY_NOTHING = {
    "streamtrace/errors.py",
    "streamtrace/values.py",
    "trainer/ablation/keys.py",
    "trainer/ablation/plan.py",
    "trainer/arithmetic.py",
    "trainer/audio_cache.py",
    "trainer/catalog.py",
    "trainer/checkpoint.py",
    "trainer/config.py",
    "trainer/dataset.py",
    "trainer/interrupts.py",
    "trainer/manifest.py",
    "trainer/parallel.py",
    "trainer/progress.py",
    "trainer/runlog.py",
    "trainer/ssl/teacher.py",  # nothing is distilled here
}


def imported(name: str) -> Iterator[str]:
    """The project's own files that a module reads from."""
    for node in ast.walk(ast.parse((REPOSITORY / name).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            path = node.module.replace(".", "/")
            if (REPOSITORY / f"{path}.py").is_file():
                yield f"{path}.py"


@pytest.mark.parametrize(
    ("begin", "code"),
    [
        ("trainer/ablation/fitting.py", (*FITTING, *HEARING)),
        ("trainer/train.py", (*TRAINING, *HEARING)),
        ("trainer/feed.py", (*TRAINING, *HEARING)),
        ("trainer/batches.py", (*TRAINING, *HEARING)),
    ],
)
def test_what_a_trainer_imports_is_in_its_key(begin: str, code: tuple[str, ...]) -> None:
    folders = tuple(name for name in code if not name.endswith(".py"))
    missing = {
        name
        for name in imported(begin)
        if name not in code and name not in SAY_NOTHING and not name.startswith(folders or ("-",))
    }
    assert missing == set()


def test_every_name_is_there() -> None:
    for name in (*HEARING, *FITTING, *TRAINING, *JUDGING):
        assert (REPOSITORY / name).exists(), name
