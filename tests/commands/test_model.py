"""`streamtrace model show|verify`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bundles import tiny_bundle
from tests.commands.cli import RunCli


def test_show_the_packaged_bundle(run_cli: RunCli) -> None:
    outcome = run_cli("model", "show")
    assert (outcome.code, outcome.err) == (0, "")
    shown = json.loads(outcome.out)
    assert len(shown["sha256"]) == 64
    assert sum(shown["sources_per_family"].values()) == len(shown["sources"])
    assert Path(shown["model_card"]).is_file()


def test_verify(run_cli: RunCli, tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path)
    outcome = run_cli("model", "verify", bundle)
    assert (outcome.code, outcome.err) == (0, "")
    assert "is whole" in outcome.out


def test_verify_a_damaged_bundle(run_cli: RunCli, tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path)
    (bundle / "MODEL_CARD.md").write_text("better than it is")
    outcome = run_cli("model", "verify", bundle)
    assert (outcome.code, outcome.out) == (2, "")
    assert "MODEL_CARD.md: damaged" in outcome.err
