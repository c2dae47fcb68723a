"""The terms of the loss, each a plain function of tensors; a term without rows is zero.

Rows without a label are masked, never picked out: a GPU then need not be asked how many there are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

NOWHERE = -1e4  # a logit that no softmax hears, and that leaves gradients finite


def mean_known(losses: Tensor, known: Tensor) -> Tensor:
    """The mean of [B] losses over the rows that are `known` [B] bool; zero if none is."""
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp(min=1)


def spoof_losses(logits: Tensor, share: Tensor) -> Tensor:
    """Binary cross-entropy of each row: [B], [B] share of synthetic voice in it -> [B]."""
    return functional.binary_cross_entropy_with_logits(
        logits, share.to(logits.dtype), reduction="none"
    )


def class_losses(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of each row: [B, C], [B] class or -1 for none -> [B], zero for none."""
    return functional.cross_entropy(logits, target, ignore_index=-1, reduction="none")


def cross_entropy_known(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy over the rows that have a target."""
    return mean_known(class_losses(logits, target), target >= 0)


def n_pair_loss(embedding: Tensor, source: Tensor, scale: float) -> Tensor:
    """Multi-class N-pair (Sohn, 2016) on unit vectors: one anchor-positive pair a source.

    [B, E], [B] (negative: no source) -> scalar. The first row of a source is its anchor, the second
    its positive. With N pairs it is the cross-entropy over the N x N matrix of anchor-positive
    products; fewer than two pairs teach nothing and give zero. The published penalty on the
    embedding's length is left out: here every length is one.
    """
    same = (source[:, None] == source) & (source >= 0)
    place = same.tril(-1).sum(dim=1)  # [B] rows of its source before it
    follows = same & (place == 1)  # [B, B]
    anchor = (place == 0) & follows.any(dim=1)  # [B]
    positive = follows.to(torch.int8).argmax(dim=1)  # [B] row of each row's positive
    products = scale * embedding @ embedding[positive].T  # [B, B]
    logits = products.masked_fill(~anchor, NOWHERE)
    return mean_known(logits.logsumexp(dim=1) - products.diagonal(), anchor)


def pair_contrast(
    embedding: Tensor, label: Tensor, source: Tensor, chain: Tensor, temperature: float
) -> Tensor:
    """Supervised contrast (Khosla et al., 2020) whose negatives share the recording chain.

    [B, E] unit vectors, [B] each -> scalar. `chain` numbers pages or utterances, -1 for none. For
    an anchor i with positives P and negatives N, with s = cosine / temperature,

        mean over p in P of -log(exp s_ip / (exp s_ip + sum over n in N of exp s_in)).

    Positives are of the same class (human, or the same source), wherever they were recorded;
    negatives have the other label and the *same* chain. All that a negative does not share with
    its anchor is the generator, so nothing else can push the two apart. Rows without either
    partner teach nothing.
    """
    voiced = label >= 0
    human = label == 0
    alike = torch.where(human[:, None], human, (source[:, None] == source) & (source >= 0) & ~human)
    itself = torch.eye(len(label), dtype=torch.bool, device=label.device)
    positive = alike & voiced[:, None] & voiced & ~itself  # [B, B]
    negative = (chain[:, None] == chain) & (chain >= 0) & (label[:, None] != label)
    negative = negative & voiced[:, None] & voiced
    likeness = embedding @ embedding.T / temperature
    against = likeness.masked_fill(~negative, NOWHERE).logsumexp(dim=1, keepdim=True)
    each = torch.where(positive, functional.softplus(against - likeness), 0.0).sum(dim=1)
    count = positive.sum(dim=1)
    return mean_known(each / count.clamp(min=1), (count > 0) & negative.any(dim=1))


def oc_softmax_loss(
    embedding: Tensor,
    label: Tensor,
    centre: Tensor,
    *,
    scale: float = 20.0,
    human_cosine: float = 0.9,
    synthetic_cosine: float = 0.2,
) -> Tensor:
    """One-class softmax (Zhang et al., 2021): humans near one direction, the rest away from it.

    [B, E] unit vectors, [B] (1 synthetic, 0 human, else none), [E] -> scalar:
    mean softplus(scale * s), s = human_cosine - cosine for humans, cosine - synthetic_cosine else.
    """
    cosine = embedding @ functional.normalize(centre, dim=0)
    wrong = torch.where(label == 0, human_cosine - cosine, cosine - synthetic_cosine)
    return mean_known(functional.softplus(scale * wrong), label >= 0)


def distil_losses(guess: Tensor, target: Tensor) -> Tensor:
    """One minus the cosine with the teacher's embedding, row by row: [B, E], [B, E] -> [B]."""
    return 1 - functional.cosine_similarity(guess, target, dim=-1)


def soft_label_losses(logits: Tensor, target: Tensor, temperature: float) -> Tensor:
    """What is missed of a teacher's softened shares (Hinton et al., 2015): [B, S] each -> [B].

    KL(teacher || student) at `temperature`, times its square, which keeps the gradient's size. A
    class that the teacher was never taught has a logit that no softmax hears, and asks for nothing.
    """
    wanted = functional.log_softmax(target / temperature, dim=-1)
    said = functional.log_softmax(logits / temperature, dim=-1)
    each = functional.kl_div(said, wanted, reduction="none", log_target=True).sum(dim=-1)
    return temperature**2 * each


def group_sums(losses: Tensor, group: Tensor, groups: int) -> Tensor:
    """[B], [B] (negative: none) -> [2, G]: the sum of each group's losses, and its rows."""
    # A product with a 0/1 matrix, not a scatter: the same to the last bit on every run.
    belongs = (group[:, None] == torch.arange(groups, device=group.device)).to(losses.dtype)
    return torch.stack([losses @ belongs, belongs.sum(dim=0)])


def group_robust_loss(losses: Tensor, group: Tensor, weights: Tensor) -> Tensor:
    """Group DRO (Sagawa et al., 2020): groups of a batch by their weight, not by their size.

    [B] losses, [B] group (negative: none), [G] weights -> scalar. The weights of the groups that
    are present are scaled to a sum of one, for a batch holds few of the many groups.
    """
    sums, counts = group_sums(losses, group, len(weights))
    share = weights * (counts > 0)
    share = share / share.sum().clamp(min=torch.finfo(share.dtype).tiny)
    return (share * sums / counts.clamp(min=1)).sum()


def worse_groups(weights: Tensor, sums: Tensor, counts: Tensor, rate: float) -> Tensor:
    """The weights [G] after one exponentiated step towards groups with a high loss."""
    raised = weights * torch.exp(rate * sums / counts.clamp(min=1))
    return raised / raised.sum()


def mixed(one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """RegMixup (Pinto et al., 2022) of inputs, targets or losses: share of one, the rest other."""
    return share * one + (1 - share) * other


def reverse_gradient(x: Tensor, strength: float) -> Tensor:
    """`x` itself; what flows back is turned round and scaled (Ganin and Lempitsky, 2015)."""

    def turned(gradient: Tensor) -> Tensor:
        return -strength * gradient

    same = x.clone()
    if same.requires_grad:
        same.register_hook(turned)
    return same


def reversal_ramp(step: int, over: int) -> float:
    """From 0 to 1 over so many steps, 2 / (1 + exp(-10 p)) - 1 as Ganin and Lempitsky raise it."""
    return math.tanh(5.0 * min(1.0, step / max(1, over)))
