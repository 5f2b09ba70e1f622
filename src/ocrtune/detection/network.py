"""Detectors as the weight loader sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ocrtune.bundle import TaskName
from ocrtune.detection.model import DETECTORS, DBDetector, build_detector


class DetectorFamily:
    """DB detectors; their threshold branch and auxiliary heads are for training alone."""

    task: TaskName = "detection"
    names: Sequence[str] = tuple(DETECTORS)

    def build(self, arch: str, tensors: Mapping[str, Tensor] | None = None) -> DBDetector:
        return build_detector(arch)

    def build_for_graph(self, arch: str, graph: Path) -> DBDetector:
        return build_detector(arch)

    def example(self, model: DBDetector) -> Tensor:
        return torch.zeros(1, 3, 64, 64)

    def drop_training_branches(self, model: DBDetector) -> None:
        model.head.drop_training_branches()

    def is_training_branch(self, name: str) -> bool:
        return name.startswith(("head.thresh", "head.aux_"))


FAMILY = DetectorFamily()
