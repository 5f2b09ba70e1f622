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
from ocrtune.recognition.loss import merged_cases


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
    """A guide's logits and answers in which a letter's two cases are one token; see `merged_cases`."""
    shift = tokens.first - 1
    pairs = [(capital + shift, small + shift) for capital, small in cases]
    logits, merged = merged_cases(logits, answers.tolist(), pairs)
    return logits, torch.tensor(merged, device=answers.device)
