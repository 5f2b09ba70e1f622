"""Direction classifiers as the weight loader sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ocrtune.bundle import TaskName
from ocrtune.orientation.model import CLASSIFIERS, LineClassifier, build_classifier


class ClassifierFamily:
    """Direction classifiers."""

    task: TaskName = "orientation"
    names: Sequence[str] = tuple(CLASSIFIERS)

    def build(self, arch: str, tensors: Mapping[str, Tensor] | None = None) -> LineClassifier:
        return build_classifier(arch)

    def build_for_graph(self, arch: str, graph: Path) -> LineClassifier:
        return build_classifier(arch)

    def example(self, model: LineClassifier) -> Tensor:
        return torch.zeros(1, 3, 48, 192)

    def drop_training_branches(self, model: LineClassifier) -> None:
        """There are none."""

    def is_training_branch(self, name: str) -> bool:
        return False


FAMILY = ClassifierFamily()
