"""Guided training of CTC: what the guide is told, what it should answer, and its loss.

Source: Hu et al., "GTC" (2020), as PP-OCRv3 to v6 train: the guide's loss is added to CTC's with the same weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrtune.charset import CasePairs
from ocrtune.nn.heads.guide import Tokens


def guide_tokens(labels: Sequence[Sequence[int]], tokens: Tokens) -> Tensor:
    """Labels as a guide counts them: start, text, end and padding, long [N, L].

    Args:
        labels: CTC classes of each line.
        tokens: the guide's.
    """
    shift = tokens.first - 1
    rows = [torch.tensor([tokens.start, *(c + shift for c in label), tokens.end]) for label in labels]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=tokens.pad)


def guide_loss(logits: Tensor, answers: Tensor, pad: int, smoothing: float) -> Tensor:
    """Mean cross entropy of the answers that are no padding, a scalar.

    Args:
        logits: float [N, L, V].
        answers: long [N, L].
        pad: token that counts nothing.
        smoothing: probability that is spread over all tokens but the right one.
    """
    classes = logits.shape[2]
    return F.cross_entropy(
        logits.float().flatten(0, 1),
        answers.flatten(),
        ignore_index=pad,
        label_smoothing=smoothing * classes / (classes - 1),  # torch spreads it over the right one as well
    )


def merged_answers(logits: Tensor, answers: Tensor, cases: CasePairs, tokens: Tokens) -> tuple[Tensor, Tensor]:
    """A guide's logits and answers in which a letter's two cases are one token, so that a loss does not ask for either.

    Args:
        logits: float [N, L, V].
        answers: long [N, L].
        cases: CTC classes that belong together.
        tokens: the guide's.

    Returns:
        float [N, L, V less the small letters] and long [N, L]; padding keeps its token.
    """
    if not cases:
        return logits, answers
    count = logits.shape[2]
    capital, small = torch.tensor(cases, device=logits.device).T + tokens.first - 1
    logits = logits.float()
    both = torch.logaddexp(logits[..., capital], logits[..., small])
    kept = torch.ones(count, dtype=torch.bool, device=logits.device).index_fill(0, small, False)
    place = torch.arange(count + 1, device=logits.device)  # the last one is SAR's padding, which is never predicted
    place[:-1] = kept.cumsum(0) - 1
    place[small] = place[capital]
    return logits.index_copy(2, capital, both)[..., kept], place[answers]
