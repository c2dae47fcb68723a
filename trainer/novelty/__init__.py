"""How unlike everything taught a clip is: published scores, each turned so that more is newer."""

from trainer.novelty.scores import SCORES, Bank, novelty

__all__ = ["SCORES", "Bank", "novelty"]
