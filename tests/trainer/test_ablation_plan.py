"""What an ablation may be told, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamtrace.errors import SettingsError
from trainer.ablation.plan import plan_from_dict, read_plan

CONFIGS = Path(__file__).parents[2] / "trainer" / "configs"
ROW = {"name": "a", "backbone": "signature", "stages": ["cross-entropy"]}
SMALL = {"signature": {"wide_cepstra": 0, "low_cepstra": 0, "bands": 0, "order": 0}}
PLAN: dict[str, Any] = {"full": "a", "row": [ROW], "conformer": {"encoder": SMALL}}


def plan(**changes: Any) -> object:
    return plan_from_dict({**PLAN, **changes}, where="plan.toml", folder=Path("/plans"))


@pytest.mark.parametrize("name", ["ablation", "ablation-full"])
def test_the_plans_that_ship_hold_the_whole_ladder(name: str) -> None:
    told = read_plan(CONFIGS / f"{name}.toml")
    assert told.full == "ensemble"
    assert len(told.seeds) >= 3
    full = told.row("+ Fake Dispersion").loss
    assert all((full.oc_softmax, full.regmix, full.n_pair, full.source))
    assert told.row("cross-entropy").loss.n_pair == 0
    for stage in ("GE2E", "AAM-softmax", "proxy-anchor", "supervised contrast"):
        assert told.row(f"{stage} for N-pair").loss.n_pair == 0


def test_a_baseline_lies_beside_the_plan() -> None:
    told = plan_from_dict(
        {**PLAN, "baseline": [{"path": "x/y"}]}, where="plan.toml", folder=Path("/plans")
    )
    assert told.baselines == (Path("/plans/x/y"),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"full": "b"}, "full='b': no such row"),
        ({"row": [ROW, ROW]}, "want each name once"),
        ({"row": [{**ROW, "backbone": "xlsr"}]}, "backbone='xlsr'"),
        ({"row": [{**ROW, "stages": []}]}, "want stages"),
        ({"row": [{**ROW, "stages": ["magic"]}]}, "'magic': no such stage"),
        ({"row": [{**ROW, "over": "z"}]}, "over='z': no row before it"),
        ({"row": [ROW, {"name": "e", "backbone": "ensemble", "of": ["a"]}]}, "want a row on the"),
        ({"row": [{**ROW, "colour": 1}]}, "colour: no such key"),
        ({"lines": ["clean"]}, "want 'g711' among them"),
        ({"lines": ["clean", "g711", "x"]}, "'x': no such line"),
        ({"seeds": []}, "one or more seeds"),
        ({"network": {"hidden": 0}}, "network.hidden=0"),
        ({"network": {"depth": 2}}, "depth: no such key"),
        ({"conformer": {}}, "want all of it zero"),
        ({"baseline": [{"folder": "x"}]}, "want a path"),
        ({"row": {"name": "a"}}, r"want tables, \[\[row\]\]"),
        ({"steps": 3}, "steps: no such key"),
    ],
)
def test_what_cannot_be_compared_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan(**changes)


def test_a_plan_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_plan(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name =")
    with pytest.raises(SettingsError, match="not TOML"):
        read_plan(tmp_path / "bad.toml")
