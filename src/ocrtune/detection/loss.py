"""The loss of DB: shrink map, threshold map and binary map.

Source: Liao et al., "DB" (2020), section 3.4, in PaddleOCR's forms: ``dice`` (PP-OCR v2 to v5), ``dice-focal`` (v6), and
``bce``, the paper's own binary cross-entropy with hard negative mining. All functions work on probabilities in float32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrtune.config.schema import LossSpec
from ocrtune.detection.model import DBOutput
from ocrtune.nn.heads.db import STEP_SLOPE, DBMaps

EPS = 1e-6
_LEAST_TEXT = 0.01  # share of pixels that count as text on views without any


class TargetBatch(NamedTuple):
    """Stacked targets, float32 [N, 1, H, W] each; see `ocrtune.detection.targets.Targets`."""

    shrink_map: Tensor
    shrink_mask: Tensor
    threshold_map: Tensor
    threshold_mask: Tensor


class Probabilities(NamedTuple):
    """Maps between 0 and 1, float32 [N, 1, H, W]; threshold and binary are None without a threshold branch.

    Attributes:
        shrink_logits, refined_logits: cross-entropy needs them, because a confident base is so far saturated that its
            probabilities are exactly 0 or 1 in float32, where a loss on probabilities has no gradient left.
        refined_logits: of the PF head's second map; None for other heads.
    """

    shrink: Tensor
    threshold: Tensor | None
    binary: Tensor | None
    shrink_logits: Tensor
    refined_logits: Tensor | None = None


def db_loss(output: DBOutput, targets: TargetBatch, spec: LossSpec) -> dict[str, Tensor]:
    """Loss of a detector's training output.

    A batch without any positive pixel (empty pages, or everything ignored) has a finite loss: dice terms are then
    constant and give no gradient, cross-entropy and focal terms still push negatives down.

    Returns:
        scalars: ``loss`` (the sum) and its weighted parts ``shrink``, ``threshold``, ``binary`` and ``auxiliary``.
    """
    parts = maps_loss(probabilities(output.maps), targets, spec)
    weights = {level: spec.auxiliary[level] for level in output.auxiliary if spec.auxiliary.get(level)}
    if weights:
        parts["auxiliary"] = sum(
            (
                w * maps_loss(probabilities(output.auxiliary[level]), targets, spec)["loss"]
                for level, w in weights.items()
            ),
            start=torch.zeros((), device=targets.shrink_map.device),
        )
        parts["loss"] = parts["loss"] + parts["auxiliary"]
    return parts


def probabilities(maps: DBMaps) -> Probabilities:
    """Logits to maps in float32, with the differentiable step 1 / (1 + exp(-k (P - T)))."""
    logits = maps.shrink.float()
    refined = None if maps.refined is None else maps.refined.float()
    shrink = logits.sigmoid()
    if maps.threshold is None:
        return Probabilities(shrink, None, None, logits, refined)
    threshold = maps.threshold.float().sigmoid()
    return Probabilities(shrink, threshold, torch.sigmoid(STEP_SLOPE * (shrink - threshold)), logits, refined)


def maps_loss(maps: Probabilities, targets: TargetBatch, spec: LossSpec) -> dict[str, Tensor]:
    """The weighted parts of one head's loss and their sum under ``loss``.

    A PF head is taught on its refined map, and on the binary map twice, as PP-OCRv4 does; without a threshold branch,
    where nothing else would reach its first map, on both maps alike.
    """
    shrink = targets.shrink_map, targets.shrink_mask
    taught = [(maps.shrink, maps.shrink_logits)]
    if maps.refined_logits is not None:
        refined = maps.refined_logits.sigmoid(), maps.refined_logits
        taught = [refined] if maps.binary is not None else [*taught, refined]
    main = torch.stack([_main_loss(*pair, targets, spec) for pair in taught]).mean()
    parts = {"shrink": spec.alpha * main}
    if maps.threshold is not None and maps.binary is not None:
        parts["threshold"] = spec.beta * masked_l1(maps.threshold, targets.threshold_map, targets.threshold_mask)
        binary = dice(maps.binary, *shrink)
        if spec.main == "dice-focal":
            binary = binary + focal(maps.binary, *shrink, spec.focal_alpha, spec.focal_gamma)
        parts["binary"] = spec.gamma * binary
        if maps.refined_logits is not None:
            parts["refined"] = spec.gamma * balanced_dice(maps.binary, *shrink, ratio=spec.ohem_ratio)
    parts["loss"] = sum(parts.values(), start=torch.zeros((), device=maps.shrink.device))
    return parts


def _main_loss(probability: Tensor, logits: Tensor, targets: TargetBatch, spec: LossSpec) -> Tensor:
    shrink = targets.shrink_map, targets.shrink_mask
    if spec.main == "dice":
        return balanced_dice(probability, *shrink, ratio=spec.ohem_ratio)
    if spec.main == "dice-focal":
        return dice(probability, *shrink) + focal(probability, *shrink, spec.focal_alpha, spec.focal_gamma)
    if spec.main == "bce":
        return balanced_bce(logits, *shrink, ratio=spec.ohem_ratio)
    return dice(probability, *shrink) + balanced_bce(logits, *shrink, ratio=spec.ohem_ratio)


def maps_divergence(maps: DBMaps, base: Tensor) -> Tensor:
    """How far the probability maps are from another network's: Kullback-Leibler divergence per pixel of its text.

    A plain mean over all pixels would hardly count the few that texts have.

    Args:
        maps: the head's logits; of a PF head both maps count.
        base: the other network's probabilities, float [N, 1, H, W].
    """
    base = base.float()
    text = base.sum().clamp(min=_LEAST_TEXT * base.numel())
    entropy = F.binary_cross_entropy(base, base, reduction="sum")
    both = [logits for logits in (maps.shrink, maps.refined) if logits is not None]
    losses = [F.binary_cross_entropy_with_logits(logits.float(), base, reduction="sum") for logits in both]
    return (torch.stack(losses).mean() - entropy) / text


def dice(prob: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """1 - 2 |P G| / (|P| + |G|) over the whole batch."""
    overlap = (prob * target * mask).sum()
    return 1 - 2 * overlap / ((prob * mask).sum() + (target * mask).sum() + EPS)


def masked_l1(prob: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference inside the mask; 0 for an empty mask."""
    return ((prob - target).abs() * mask).sum() / (mask.sum() + EPS)


def focal(prob: Tensor, target: Tensor, mask: Tensor, alpha: float, gamma: float) -> Tensor:
    """Focal loss (Lin et al. 2017), mean inside the mask."""
    prob = prob.clamp(EPS, 1 - EPS)
    positive = -alpha * target * (1 - prob) ** gamma * prob.log()
    negative = -(1 - alpha) * (1 - target) * prob**gamma * (1 - prob).log()
    return ((positive + negative) * mask).sum() / (mask.sum() + EPS)


def balanced_dice(prob: Tensor, target: Tensor, mask: Tensor, ratio: float) -> Tensor:
    """Dice as PaddleOCR balances it: the scalar has no hard negatives to choose from, so that only the empty case differs.

    Without positive pixels it is 0.
    """
    positives, negatives = _counts(target, mask, ratio)
    counted = positives + negatives
    return dice(prob, target, mask) * (counted / (counted + EPS) if positives else 0.0)


def balanced_bce(logits: Tensor, target: Tensor, mask: Tensor, ratio: float) -> Tensor:
    """Binary cross-entropy over positives and the hardest negatives, at most ``ratio`` times as many.

    Without positive pixels it is 0.
    """
    positives, negatives = _counts(target, mask, ratio)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    positive_sum = (loss * target * mask).sum()
    if positives + negatives == 0:
        return positive_sum
    hardest = (
        torch.topk((loss * (1 - target) * mask).flatten(), negatives, sorted=False).values.sum() if negatives else 0.0
    )
    return (positive_sum + hardest) / (positives + negatives + EPS)


def _counts(target: Tensor, mask: Tensor, ratio: float) -> tuple[int, int]:
    counted = (mask > 0).to(mask.dtype)
    positives = int((target * counted).sum())
    negatives = int(min(float(((1 - target) * counted).sum()), int(positives * ratio)))
    return positives, negatives
