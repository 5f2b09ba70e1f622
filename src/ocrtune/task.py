"""What a task's room offers to the training loop: a network, samples, a loss and an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ocrtune.errors import ImageError

if TYPE_CHECKING:
    from torch import Tensor, nn


A = TypeVar("A")
B = TypeVar("B")


class Spread(Protocol):
    """Shares a piece of work out over the processes of a run."""

    def __call__(self, items: Sequence[A], work: Callable[[Sequence[A]], list[B]]) -> list[B]:
        """What ``work`` gives for each item, in their order and on every process; each does a part of them.

        Raises:
            OcrtuneError: of the first process whose part went wrong.
        """
        ...


def alone(items: Sequence[A], work: Callable[[Sequence[A]], list[B]]) -> list[B]:
    """The `Spread` of a single process."""
    return work(items)


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
            OcrtuneError: the sample's image or labels cannot be used; an ImageError is a matter of this sample alone.
        """
        ...

    def name(self, index: int) -> str:
        """What a sample is called where something is wrong with it."""
        ...


_T = TypeVar("_T")


def first_usable(make: Callable[[int], _T], indices: Iterable[int], count: int) -> list[_T]:
    """What is made of the first so many samples whose images are whole; fewer where there are no more.

    Raises:
        ImageError: no image is.
    """
    made: list[_T] = []
    fault: ImageError | None = None
    for index in indices:
        if len(made) == count:
            break
        try:
            made.append(make(index))
        except ImageError as error:
            fault = error
    if not made and fault is not None:
        raise fault
    return made


@dataclass(frozen=True)
class Evaluation:
    """Figures of a network on the validation data.

    Attributes:
        monitor: the figure that a run is about; higher is better.
        figures: everything that is logged, by name.
        details: what the task needs later, such as the fitted thresholds; plain values only.
        merit: what states are compared by, higher is better, where ``monitor`` is too coarse for that; None: ``monitor``.
        warning: what should be said at once; None where all is well.
        enough: whether the run should end here.
        signs: what else a diagnosis of the training looks at, by name.
    """

    monitor: float
    figures: Mapping[str, float]
    details: Mapping[str, Any]
    merit: float | None = None
    warning: str | None = None
    enough: bool = False
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

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        """Measure the network on the validation data through the runtime's pre-processing and decoding.

        Args:
            network: the network, the same on every process.
            spread: shares the data out; the figures do not depend on it.
        """
        ...
