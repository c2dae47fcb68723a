"""What some losses learn beside the model and leave behind when it ships."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.config import LossConfig
from trainer.loss import worse_groups


class Critic(nn.Module):
    """For one member: the way to a teacher, directions of humans and of systems, a guess of the
    page, weights of groups.

    Only what is switched on is there, so a run without these losses has nothing more to learn.
    """

    def __init__(
        self,
        embedding: int,
        pages: int,
        config: LossConfig,
        teacher: int = 0,
        sources: int = 0,
    ) -> None:
        super().__init__()
        # From this embedding to the teacher's, which is of another width.
        self.teacher = nn.Linear(embedding, teacher) if config.distil and teacher else None
        self.human = nn.Parameter(torch.randn(embedding)) if config.oc_softmax else None
        proxied = config.aam or config.proxy_anchor
        self.proxies = nn.Parameter(torch.randn(sources, embedding)) if proxied else None
        # The label goes in too: what the page may be guessed from is then what an embedding tells
        # of it beyond the label, and telling the labels apart is not punished.
        self.page = (
            nn.Sequential(nn.Linear(embedding + 2, 64), nn.ReLU(), nn.Linear(64, pages))
            if config.adversary
            else None
        )
        if config.robust:
            self.register_buffer("groups", torch.full((2 * pages,), 0.5 / pages))
        self.groups: Tensor

    def guess_page(self, embedding: Tensor, label: Tensor) -> Tensor:
        """[B, E], [B] -> logits [B, pages]."""
        if self.page is None:
            raise ValueError("the page-adversarial loss is off: there is no guess of the page")
        return self.page(torch.cat([embedding, functional.one_hot(label, 2).to(embedding)], dim=1))

    @torch.no_grad()
    def weigh_groups(self, sums: Tensor, counts: Tensor, rate: float) -> None:
        """Raise the weight of the groups that do badly: sums of their losses, counts [G]."""
        self.groups.copy_(worse_groups(self.groups, sums, counts, rate))


class Critics(nn.ModuleList):
    """One for each member of the model."""

    def __init__(
        self,
        embeddings: Sequence[int],
        pages: int,
        config: LossConfig,
        teacher: int = 0,
        sources: int = 0,
    ) -> None:
        super().__init__(Critic(width, pages, config, teacher, sources) for width in embeddings)

    def each(self) -> list[Critic]:
        """The critics, by their type."""
        return [critic for critic in self if isinstance(critic, Critic)]
