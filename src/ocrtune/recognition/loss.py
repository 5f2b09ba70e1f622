"""CTC loss (Graves et al. 2006) in PaddleOCR's form: the mean over lines, infeasible lines count nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrtune.charset import BLANK, CasePairs

_LEAST = 1e-6  # probability of the classes that no label has; keeps its logarithm finite
_ROWS = 64  # columns of text at a time: 5 MB of float32 for 18,000 classes


def ctc_loss(logits: Tensor, labels: Sequence[Sequence[int]], focal: bool = False, cases: CasePairs = ()) -> Tensor:
    """Mean negative log-likelihood of the labels, a scalar.

    Args:
        logits: float [N, T, C].
        labels: classes of each line, without blanks.
        focal: weigh each line by (1 - exp(-loss))^2, as PaddleOCR's focal form does.
        cases: see `ctc_losses`.
    """
    losses = ctc_losses(logits, labels, cases)
    return (losses * (1 - torch.exp(-losses)) ** 2).mean() if focal else losses.mean()


def ctc_losses(logits: Tensor, labels: Sequence[Sequence[int]], cases: CasePairs = ()) -> Tensor:
    """Negative log-likelihood of each line, float [N]; 0 where a label does not fit into T columns.

    All classes that no label of the batch has are one class here, which changes nothing but the time: a charset of
    18,000 characters costs no more than a small one.

    Args:
        logits: float [N, T, C].
        labels: classes of each line, without blanks.
        cases: letters whose two cases count as one: their probabilities are added up, and labels ask for neither.
    """
    capital_of = {small: capital for capital, small in cases}
    labels = [[capital_of.get(c, c) for c in label] for label in labels]
    classes = sorted({BLANK, *itertools.chain.from_iterable(labels)})
    place = {c: index for index, c in enumerate(classes)}
    log_probs = _log_probs(logits, classes, cases)
    n, steps = logits.shape[:2]
    return F.ctc_loss(
        log_probs.transpose(0, 1),
        torch.tensor([place[c] for label in labels for c in label], dtype=torch.long, device=logits.device),
        torch.full((n,), steps, dtype=torch.long),
        torch.tensor([len(label) for label in labels], dtype=torch.long),
        blank=place[BLANK],
        reduction="none",
        zero_infinity=True,
    )


def ctc_divergence(
    logits: Tensor, base: Tensor, labels: Sequence[Sequence[int]], columns: Sequence[int] | Tensor
) -> Tensor:
    """How far the columns of lines are from another network's: Kullback-Leibler divergence, mean over lines.

    Classes that neither a label of the batch has nor any column of the other network is sure of are one class here, as in
    `ctc_losses`.

    Args:
        logits: float [N, T, C].
        base: the other network's probabilities, float [N, T, C].
        labels: classes of each line, without blanks.
        columns: of each line that are no padding, int [N].
    """
    classes = sorted({BLANK, *itertools.chain.from_iterable(labels), *base.argmax(2).unique().tolist()})
    asked = base[..., classes].float()
    others = (1 - asked.sum(2, keepdim=True)).clamp(min=_LEAST)
    theirs = torch.cat([asked, others], dim=2)
    divergence = (theirs * (theirs.clamp(min=_LEAST).log() - _log_probs(logits, classes, ()))).sum(2)
    inside = torch.arange(logits.shape[1])[None] < torch.as_tensor(columns)[:, None]
    return (divergence * inside.to(divergence.device)).sum(1).mean()


def _log_probs(logits: Tensor, classes: Sequence[int], cases: CasePairs) -> Tensor:
    """Of the classes that are asked for, float [N, T, K + 1]: small letters added to their capitals, all others last."""
    small_of = dict(cases)
    letters = [index for index, c in enumerate(classes) if c in small_of]
    columns = [*classes, *(small_of[classes[index]] for index in letters)]
    log_probs: Tensor = _SomeLogProbs.apply(logits, torch.tensor(columns, device=logits.device))
    asked, small, rest = log_probs.split([len(classes), len(letters), 1], dim=2)
    if letters:
        both = torch.logaddexp(asked[..., letters], small)
        asked = asked.index_copy(2, torch.tensor(letters, device=asked.device), both)
    return torch.cat([asked, rest], dim=2)


class _SomeLogProbs(torch.autograd.Function):
    """Log-probabilities of some classes, and of all others together behind them.

    The same as log_softmax, a choice of columns, and a sum; but what is as large as the logits is only made in pieces
    that stay in the processor's cache, which halves the time of a loss over thousands of classes.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, columns: Tensor) -> Tensor:
        """float [N, T, C] and int64 [K] -> float32 (float64 for such logits) [N, T, K + 1]."""
        rows = logits.detach().flatten(0, 1)
        total = torch.cat([_wide(piece).logsumexp(1, keepdim=True) for piece in rows.split(_ROWS)])
        asked = _wide(rows.index_select(1, columns)) - total
        others = (1 - asked.exp().sum(1, keepdim=True)).clamp(min=_LEAST)
        ctx.save_for_backward(logits, columns, total, asked, others)
        return torch.cat([asked, others.log()], dim=1).unflatten(0, logits.shape[:2])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        logits, columns, total, asked, others = ctx.saved_tensors
        rows, gradient = logits.flatten(0, 1), gradient.flatten(0, 1)
        of_asked, of_others = gradient[:, :-1], gradient[:, -1:]
        of_all = gradient.sum(1, keepdim=True)
        result = torch.empty_like(rows)
        pieces = zip(*(t.split(_ROWS) for t in (result, rows, total, of_others / others - of_all)), strict=True)
        for out, piece, piece_total, factor in pieces:
            out.copy_((_wide(piece) - piece_total).exp_().mul_(factor))
        result.index_copy_(1, columns, (of_asked - asked.exp() * of_all).to(result.dtype))
        return result.unflatten(0, logits.shape[:2]), None


def _wide(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
