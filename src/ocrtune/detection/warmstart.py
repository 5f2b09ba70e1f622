"""What to know of a base detector before it is fine-tuned: its shrink ratio and how far its logits are saturated.

A released detector was trained with a binary map of slope 50, which drives its logits to a hundred and more. There the
sigmoid is exactly 0 or 1 and its gradient is 0, so that wrong pixels could never be corrected. Dividing the last layer by
one temperature (Guo et al., "On Calibration of Modern Neural Networks", 2017) leaves every pixel on its side of 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F

from ocrtune.config.schema import TargetSpec
from ocrtune.detection.model import DBDetector
from ocrtune.detection.targets import Targets, make_targets
from ocrtune.page import Image, TextRegion
from ocrtune.runtime.decode import ProbMap
from ocrtune.runtime.preprocess import DetectionPreprocess

RATIOS = tuple(round(0.35 + 0.05 * i, 2) for i in range(9))
View: TypeAlias = tuple[Image, Sequence[TextRegion]]
TEMPERATURES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)


@dataclass(frozen=True)
class BaseFit:
    """How a base model's maps fit the labels.

    Attributes:
        shrink_ratio: the r whose shrink maps agree best with the model's own maps (requirements B2).
        dice_by_ratio: dice distance for each r that was tried; 0 is perfect agreement.
        temperature: by which the logits are divided best (lowest cross-entropy).
    """

    shrink_ratio: float
    dice_by_ratio: dict[float, float]
    temperature: float


def fit_base(model: DBDetector, views: Sequence[View], preprocess: DetectionPreprocess, spec: TargetSpec) -> BaseFit:
    """Compare a base model's maps with shrink maps of several ratios on labelled views.

    Args:
        model: the network with its published weights.
        views: images, uint8 [H, W, 3] with sides that are multiples of 32, and their regions.
        preprocess: how values are normalised.
        spec: how targets are drawn; its ratio does not matter.
    """
    logits = [_logits(model, image, preprocess) for image, _ in views]
    dice = {ratio: _dice(logits, [_targets(view, spec, ratio) for view in views]) for ratio in RATIOS}
    best = min(dice, key=lambda ratio: dice[ratio])
    targets = [_targets(view, spec, best) for view in views]
    x = torch.from_numpy(np.concatenate([z[t.shrink_mask > 0] for z, t in zip(logits, targets, strict=True)]))
    y = torch.from_numpy(np.concatenate([t.shrink_map[t.shrink_mask > 0] for t in targets]))
    losses = [float(F.binary_cross_entropy_with_logits(x / temperature, y)) for temperature in TEMPERATURES]
    return BaseFit(best, dice, TEMPERATURES[int(np.argmin(losses))])


@torch.no_grad()
def _logits(model: DBDetector, image: Image, preprocess: DetectionPreprocess) -> ProbMap:
    training = model.training
    model.eval()
    x = torch.from_numpy(preprocess.normalise(image)[None])
    features, _ = model.neck(model.backbone(x))
    # a sigmoid that rounds to 0 or 1 has lost how sure it was: the logits have not
    maps = model.head.training_maps(features)
    decisive = maps.shrink if maps.refined is None else maps.refined
    result = np.asarray(decisive[0, 0].numpy(), np.float32)
    model.train(training)
    return result


def _targets(view: View, spec: TargetSpec, ratio: float) -> Targets:
    image, regions = view
    plain = spec.model_copy(update={"shrink_ratio": ratio, "total_epoch": None, "gap_weight": 0.0})
    polygons, ignored = [r.polygon for r in regions], [r.ignore for r in regions]
    return make_targets(polygons, ignored, (image.shape[1], image.shape[0]), plain, with_threshold=False)[0]


def _dice(logits: Sequence[ProbMap], targets: Sequence[Targets]) -> float:
    overlap = total = 0.0
    for z, target in zip(logits, targets, strict=True):
        prob = 1 / (1 + np.exp(-np.clip(z, -30, 30)))
        overlap += float((prob * target.shrink_map * target.shrink_mask).sum())
        total += float(((prob + target.shrink_map) * target.shrink_mask).sum())
    return 1 - 2 * overlap / max(total, 1e-6)
