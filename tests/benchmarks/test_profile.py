"""Stopwatches on a running engine: every part is seen, none twice, and nothing is left behind."""

from __future__ import annotations

import threading

import pytest

from benchmarks.operators import operator_times
from benchmarks.profile import SECTIONS, operator_lines, profile_engine
from benchmarks.stopwatch import Section, timing
from tests.bundles import tiny_model


class Work:
    """Something that does something inside something."""

    def outer(self) -> int:
        """Burn a little, and more inside."""
        return burn(200_000) + self.inner()

    def inner(self, *, divided_by: int = 1) -> int:
        """Burn more."""
        return burn(600_000) // divided_by

    @classmethod
    def of(cls) -> int:
        """Of the class."""
        return burn(100)


def burn(count: int) -> int:
    """Some CPU."""
    return sum(range(count))


PARTS = (Section("a", Work, "outer"), Section("b", Work, "inner"), Section("c", Work, "of"))


def test_each_part_is_counted_without_what_is_inside_it() -> None:
    with timing(PARTS) as watch:
        threads = [threading.Thread(target=Work().outer) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        Work.of()
        watch.lap()
        Work().inner()
        assert list(watch.seconds) == ["b"]
    assert set(watch.last_lap) == {"a", "b", "c"}
    assert watch.last_lap["b"] > watch.last_lap["a"]


def test_functions_are_as_before_even_behind_an_error() -> None:
    before = [Work.__dict__[one.function] for one in PARTS]
    with pytest.raises(ZeroDivisionError), timing(PARTS):
        Work().inner(divided_by=0)
    assert [Work.__dict__[one.function] for one in PARTS] == before


async def test_every_part_of_the_engine_is_seen() -> None:
    profile = await profile_engine(tiny_model().bundle, 2, 0.5)
    assert set(profile.watch.last_lap) == {section.name for section in SECTIONS}
    lines = profile.lines()
    assert len(lines) == 2 + len(SECTIONS) + 3
    assert lines[-1].startswith("| **all** |")
    assert "100.0 %" in lines[-1]


def test_operators_of_the_step() -> None:
    operators = operator_times(tiny_model().bundle.step_path, 2, 3)
    assert [one.ms for one in operators] == sorted((one.ms for one in operators), reverse=True)
    assert "MatMul" in {one.name for one in operators}
    lines = operator_lines(operators)
    assert lines[-1].startswith("| **all** |")
