"""What a task's room offers to the training loop: a network, samples, a loss and an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor, nn


class Samples(Protocol):
    """Training samples as a pure function of (epoch, index), so that any process can make any of them."""

    def __len__(self) -> int:
        """Samples in an epoch."""
        ...

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """The order of an epoch, a permutation of the indices; samples that should share a batch lie together."""
        ...

    def sample(self, epoch: int, index: int) -> Any:
        """One sample; equal arguments give equal samples.

        Raises:
            OcrtuneError: the sample's image or labels cannot be used.
        """
        ...


@dataclass(frozen=True)
class Evaluation:
    """Figures of a network on the validation data.

    Attributes:
        monitor: the figure that a run is about; higher is better.
        figures: everything that is logged, by name.
        details: what the task needs later, such as the fitted thresholds; plain values only.
        merit: what states are compared by, higher is better, where ``monitor`` is too coarse for that; None: ``monitor``.
        signs: what else a diagnosis of the training looks at, by name.
    """

    monitor: float
    figures: Mapping[str, float]
    details: Mapping[str, Any]
    merit: float | None = None
    signs: Mapping[str, float] = field(default_factory=dict)


class Task(Protocol):
    """One kind of model, seen from the loop."""

    @property
    def monitor(self) -> str:
        """Name of the figure that a run is about."""
        ...

    @property
    def lr_factor(self) -> float:
        """Factor on the automatic learning rate."""
        ...

    @property
    def samples(self) -> Samples:
        """The training samples."""
        ...

    def network(self) -> nn.Module:
        """The network in the form that is trained, with its start weights."""
        ...

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        """Factors on the learning rate by parameter name (see `ocrtune.training.optim`); None for plain rates."""
        ...

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        """Names of the parameters that ``freeze.backbone_epochs`` holds still."""
        ...

    def collate(self, samples: Sequence[Any]) -> Any:
        """Samples as a batch of tensors."""
        ...

    def loss(self, network: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """Scalars: the sum under ``loss``, its parts, and what else is logged of each step."""
        ...

    def evaluate(self, network: nn.Module) -> Evaluation:
        """Measure the network on the validation data through the runtime's pre-processing and decoding."""
        ...
