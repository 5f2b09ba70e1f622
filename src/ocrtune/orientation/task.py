"""Direction classification as the training loop sees it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.config.schema import OrientationConfig
from ocrtune.data.lines import MAX_FIT_LINES, spread_sample, tells_direction
from ocrtune.errors import DataError
from ocrtune.nn.engine import TorchEngine
from ocrtune.nn.relative import relative_scales
from ocrtune.orientation.evaluate import evaluate_orientation
from ocrtune.orientation.metric import OrientationResult, fit_threshold
from ocrtune.orientation.model import LineClassifier
from ocrtune.orientation.network import FAMILY
from ocrtune.orientation.samples import Batch, OrientationSamples, Sample, augmentation, collate
from ocrtune.page import Page
from ocrtune.runtime.load import orientation_settings
from ocrtune.runtime.orientation import LineOrientation, OrientationThresholds
from ocrtune.task import Evaluation, Spread, alone, first_usable
from ocrtune.weights.defaults import line_preprocess
from ocrtune.weights.network import Network, load_start

_SPREAD_SAMPLES = 32
_LR_FACTOR = 0.5


class OrientationTask:
    """A direction classifier that is fine-tuned on lines of any labelled pages.

    Args:
        config: the training configuration.
        train: pages or lines to learn from, whose labels start at the text's own top left.
        val: the same, for choosing the best state and the threshold.
        progress: takes one line about what was found out.

    Attributes:
        config: with every ``auto`` that depends on the data replaced.
        samples: the training samples.
        preprocess: size of the input.

    Raises:
        BundleError: the start weights are missing or do not fit.
        ConfigError: the architecture is unknown.
        DataError: no line shows its direction.
        ImageError: an image is missing or damaged.
    """

    def __init__(
        self,
        config: OrientationConfig,
        train: Sequence[Page],
        val: Sequence[Page],
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._start = load_start(FAMILY, config, progress)
        bundle = self._start.bundle
        self.preprocess = line_preprocess(self._start.arch) if bundle is None else orientation_settings(bundle)[0]
        self._val = spread_sample(val, MAX_FIT_LINES)
        lines = _single_lines(train)
        if not lines:
            raise DataError("no line shows its direction", expected="labelled texts with letters or digits")
        progress(f"{len(lines)} lines, each seen upright and turned over")
        self.config = config.model_copy(
            update={"model": config.model.model_copy(update={"arch": self._start.arch, "form": self._start.form})}
        )
        self.samples = OrientationSamples(
            lines, config.augment, augmentation(config.augment), self.preprocess, config.trainer.seed
        )

    @property
    def monitor(self) -> str:
        return "accuracy"

    @property
    def lr_factor(self) -> float:
        return _LR_FACTOR

    @property
    def start(self) -> Network[LineClassifier]:
        """The network and weights that training starts from; never changed by training."""
        return self._start

    def network(self) -> LineClassifier:
        """A fresh copy of the start network."""
        return copy.deepcopy(self._start.model)

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        if not self._start.folded:
            return None
        some = first_usable(lambda index: self.samples.sample(0, index), range(len(self.samples)), _SPREAD_SAMPLES)
        batch = self.collate(some)
        return relative_scales(network, lambda: network(batch.images))

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return [name for name, _ in network.named_parameters() if name.startswith("backbone.")]

    def collate(self, samples: Sequence[Sample]) -> Batch:
        return collate(samples, self.preprocess, self.config.augment, self.config.trainer.seed)

    def largest_sample(self) -> Sample:
        """Any sample: all are padded to the width of the input.

        Raises:
            ImageError: its image is missing or damaged.
        """
        return self.samples.sample(0, 0)

    def loss(self, network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        return self._loss_of(network(self._images(network, batch)), batch)

    def loss_beside(
        self, network: nn.Module, base: Callable[[Tensor], Tensor], batch: Batch
    ) -> tuple[Mapping[str, Tensor], Tensor]:
        """See `ocrtune.training.forgetting.Anchorable`."""
        images = self._images(network, batch)
        logits = network(images)
        divergence = F.kl_div(logits.float().log_softmax(1), base(images).float(), reduction="batchmean")
        return self._loss_of(logits, batch), divergence

    def replayed(self, pages: Sequence[Page]) -> OrientationSamples:
        """Training samples of other lines, changed as the training lines are."""
        return replace(self.samples, lines=_single_lines(pages))

    def measure_on(self, pages: Sequence[Page]) -> Callable[[nn.Module, Mapping[str, Any]], float]:
        """See `ocrtune.training.forgetting.Anchorable`."""

        def measure(network: nn.Module, details: Mapping[str, Any]) -> float:
            thresholds = OrientationThresholds.model_validate(details["thresholds"])
            return evaluate_orientation(
                LineOrientation(TorchEngine(network), self.preprocess, thresholds), pages
            ).accuracy

        return measure

    def _images(self, network: nn.Module, batch: Batch) -> Tensor:
        return batch.images.to(next(network.parameters()).device, memory_format=torch.channels_last)

    def _loss_of(self, logits: Tensor, batch: Batch) -> Mapping[str, Tensor]:
        return {"loss": F.cross_entropy(logits.float(), batch.directions.to(logits.device))}

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        result = self.measured(network, spread)
        return Evaluation(
            monitor=result.accuracy,
            figures={"accuracy": result.accuracy},
            details={"thresholds": {"turn_thresh": result.threshold}, "collapsed": result.collapsed},
            signs={"turned": result.called_turned},
        )

    def measured(self, network: nn.Module, spread: Spread = alone) -> OrientationResult:
        """A network on the validation lines, with the threshold fitted to them."""
        classifier = LineOrientation(TorchEngine(network), self.preprocess, OrientationThresholds())
        found = evaluate_orientation(classifier, self._val, spread=spread)
        return OrientationResult(found.probabilities, found.turned, fit_threshold(found.probabilities, found.turned))


def _single_lines(pages: Sequence[Page]) -> list[Page]:
    """Every line that shows its direction, as a page of its own."""
    return [page.with_regions([r]) for page in pages for r in page.regions if tells_direction(r)]
