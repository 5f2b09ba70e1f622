"""CTC loss (Graves et al. 2006) in PaddleOCR's form: the mean over lines, infeasible lines count nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrtune.charset import BLANK, CasePairs

_NEVER = -1e4  # a logit whose probability is 0; the gradient of F.ctc_loss is not a number at -inf


def merged_cases(logits: Tensor, labels: Sequence[Sequence[int]], cases: CasePairs) -> tuple[Tensor, list[list[int]]]:
    """Logits and labels in which a letter's two cases are one class, so that a loss does not ask for either.

    The capital's logit becomes that of both together, log(exp(a) + exp(b)), the small letter's none: all classes' sum of
    probabilities stays as it was.

    Args:
        logits: float [N, T, C].
        labels: classes of each line.
        cases: which classes belong together.
    """
    logits = logits.float()
    capital, small = (torch.tensor(column, device=logits.device) for column in zip(*cases, strict=True))
    both = torch.logaddexp(logits[..., capital], logits[..., small])
    logits = logits.index_copy(-1, capital, both).index_fill(-1, small, _NEVER)
    folded = {small: capital for capital, small in cases}
    return logits, [[folded.get(c, c) for c in label] for label in labels]


def ctc_loss(logits: Tensor, labels: Sequence[Sequence[int]], focal: bool = False) -> Tensor:
    """Mean negative log-likelihood of the labels, a scalar.

    Args:
        logits: float [N, T, C].
        labels: classes of each line, without blanks.
        focal: weigh each line by (1 - exp(-loss))^2, as PaddleOCR's focal form does.
    """
    losses = ctc_losses(logits, labels)
    return (losses * (1 - torch.exp(-losses)) ** 2).mean() if focal else losses.mean()


def ctc_losses(logits: Tensor, labels: Sequence[Sequence[int]]) -> Tensor:
    """Negative log-likelihood of each line, float [N]; 0 where a label does not fit into T columns."""
    n, steps = logits.shape[:2]
    return F.ctc_loss(
        logits.float().log_softmax(dim=2).transpose(0, 1),
        torch.tensor([c for label in labels for c in label], dtype=torch.long, device=logits.device),
        torch.full((n,), steps, dtype=torch.long),
        torch.tensor([len(label) for label in labels], dtype=torch.long),
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )


def columns_needed(label: Sequence[int]) -> int:
    """Columns that CTC needs at least for a label: its length, and a blank between equal neighbours."""
    return len(label) + sum(a == b for a, b in itertools.pairwise(label))
