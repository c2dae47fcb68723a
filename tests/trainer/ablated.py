"""A whole ablation in seconds: tiny clips, tiny networks, every kind of row."""

from __future__ import annotations

from pathlib import Path

from trainer.judgements import read_judgements, save_judgements
from trainer.report import JUDGEMENTS

SIGNATURE = "wide_cepstra = 6\nlow_cepstra = 4\nbands = 6\norder = 4"
PLAN = f"""
name = "tiny"
full = "both"
folds = 2
seeds = [1, 2]
conformer_seeds = [1]
draws = 20
doctor = DOCTOR

[signature]
{SIGNATURE}

[network]
hidden = 8
embedding = 6
steps = STEPS
batch = 16

[conformer.encoder]
width = 16
layers = 1
heads = 2
left_steps = 2
kernel = 3
subsample_channels = [4, 4]

[conformer.encoder.signature]
wide_cepstra = 0
low_cepstra = 0
bands = 0
order = 0

[conformer.model]
embedding = 6
attentive = false

[conformer.batch]
size = 8
crop_s = 0.96
augment = false

[conformer.optimiser]
steps = 3
warmup_steps = 1

[[row]]
name = "plain"
backbone = "signature"
stages = ["cross-entropy"]

[[row]]
name = "all"
backbone = "signature"
stages = ["cross-entropy", "real-emphasis", "fake-dispersion"]
over = "plain"

[[row]]
name = "conformer"
backbone = "conformer"
stages = ["cross-entropy", "real-emphasis", "fake-dispersion"]

[[row]]
name = "both"
backbone = "ensemble"
of = ["all", "conformer"]
over = "all"
says = "a <Conformer> & more"
"""


def write_plan(
    path: Path, *, steps: int = 4, doctor: bool = False, baselines: tuple[Path, ...] = ()
) -> Path:
    """The plan above, with as many steps, and with baselines."""
    told = PLAN.replace("STEPS", str(steps)).replace("DOCTOR", str(doctor).lower())
    told += "".join(f'\n[[baseline]]\npath = "{one}"\n' for one in baselines)
    path.write_text(told)
    return path


def as_baseline(judged: Path, folder: Path, name: str) -> Path:
    """Somebody else's judgements, under a name of their own and of fewer clips."""
    from dataclasses import replace

    found = read_judgements(judged)
    few = found.select(list(range(0, len(found.clips) - 2)))
    save_judgements(replace(few, name=name), folder / JUDGEMENTS)
    return folder
