"""Detection as the training loop sees it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ocrtune.augment.geometry import RandomView
from ocrtune.config.schema import DetectionConfig
from ocrtune.detection.evaluate import evaluate_detector
from ocrtune.detection.loss import db_loss, maps_divergence
from ocrtune.detection.model import DBDetector, DBOutput
from ocrtune.detection.network import FAMILY
from ocrtune.detection.samples import Batch, DetectionSamples, PageScale, Sample, augmentation, collate
from ocrtune.detection.search import QUICK_GRID, search_thresholds
from ocrtune.detection.warmstart import BaseFit, fit_base
from ocrtune.nn.backbones.pplcnetv3 import PPLCNetV3Det
from ocrtune.nn.engine import TorchEngine
from ocrtune.nn.relative import hold_affines, relative_scales
from ocrtune.page import Page
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.task import Evaluation, Spread, alone, first_usable
from ocrtune.weights.network import Network, load_start

DEFAULT_PAGE_SIZE = 1280
_FIT_VIEWS = 12
_SPREAD_VIEWS = 4


def _hold_still(model: DBDetector) -> None:
    """Freeze what costs a quarter of a step and has nothing to learn from some hundred pages.

    These are the affine layers, and in PP-LCNetV3 the layers at half resolution, which find edges.
    """
    hold_affines(model)
    if isinstance(model.backbone, PPLCNetV3Det):
        for name in PPLCNetV3Det.HALF_RESOLUTION:
            model.backbone.get_submodule(name).requires_grad_(False)


class DetectionTask:
    """A detector that is fine-tuned on labelled pages.

    Args:
        config: the training configuration; what is ``auto`` in it is resolved here.
        train: pages to learn from.
        val: pages that choose the best state and its thresholds.
        progress: takes one line about what was found out.

    Attributes:
        config: with every ``auto`` that depends on base and data replaced.
        samples: the training samples.
        base_fit: how the base fits the labels; None for fresh weights.
        preprocess: how pages are read.

    Raises:
        BundleError: the start weights are missing or do not fit.
        ConfigError: the architecture is unknown.
        ImageError: an image is missing or damaged.
    """

    def __init__(
        self,
        config: DetectionConfig,
        train: Sequence[Page],
        val: Sequence[Page],
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._start = load_start(FAMILY, config, progress)
        self._val = list(val)
        page_size = config.input.page_size
        if page_size == "auto":
            page_size = self._own_page_size()
        self.preprocess = self._own_preprocess().model_copy(update={"resize": "long_side", "size": page_size})
        self.thresholds = DetectionThresholds.model_validate(
            self._start.bundle.manifest.thresholds if self._start.bundle else {}
        )
        spec = config.targets
        self.base_fit: BaseFit | None = None
        if config.model.pretrained is not None:
            self.base_fit = self._fit_base(config, train)
            progress(
                f"the base's maps fit a shrink ratio of {self.base_fit.shrink_ratio} best; "
                f"its logits are {self.base_fit.temperature:g} times too large"
            )
        if spec.shrink_ratio == "auto":
            ratio = self.base_fit.shrink_ratio if self.base_fit else 0.4
            spec = spec.model_copy(update={"shrink_ratio": ratio})
        self.config = config.model_copy(
            update={
                "model": config.model.model_copy(update={"arch": self._start.arch, "form": self._start.form}),
                "input": config.input.model_copy(update={"page_size": page_size}),
                "targets": spec,
            }
        )
        self._loss = config.loss
        self._wants_threshold = config.loss.beta > 0 or config.loss.gamma > 0
        self.samples = DetectionSamples(
            pages=list(train),
            augment=augmentation(config.augment, self.preprocess, config.input.view_size),
            spec=spec,
            with_threshold=self._wants_threshold,
            seed=config.trainer.seed,
            cache_bytes=(config.input.cache_mb << 20) // max(1, config.data.num_workers),
        )

    @property
    def monitor(self) -> str:
        return "hmean"

    @property
    def lr_factor(self) -> float:
        return 1.0

    @property
    def start(self) -> Network[DBDetector]:
        """The network and weights that training starts from; never changed by training."""
        return self._start

    def network(self) -> DBDetector:
        """A fresh copy of the start network, with its logits brought into the range where gradients exist."""
        model = copy.deepcopy(self._start.model)
        if self.base_fit is not None:
            model.head.divide_logits(self.base_fit.temperature)
        if not self._wants_threshold:
            model.head.drop_training_branches()
        elif model.head.thresh is None:
            # the features that find the kernel also find its border: a better start than noise
            model.head.thresh = copy.deepcopy(model.head.binarize)
        if self._start.form == "deployed":
            _hold_still(model)
        return model

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        """For a folded network: each weight's root mean square, and for biases a share of their layer's output."""
        if not self._start.folded:
            return None
        views = first_usable(lambda index: self.samples.view(0, index)[0], range(len(self.samples)), _SPREAD_VIEWS)
        return relative_scales(network, lambda: [network(self._normalised(torch.from_numpy(v)[None])) for v in views])

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return [name for name, _ in network.named_parameters() if name.startswith("backbone.")]

    def collate(self, samples: Sequence[Sample]) -> Batch:
        return collate(samples)

    def largest_sample(self) -> Sample:
        """Any sample: all have the size of a view.

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
        output = network(images)
        return self._loss_of(output, batch), maps_divergence(output.maps, base(images))

    def replayed(self, pages: Sequence[Page]) -> DetectionSamples:
        """Training samples of other pages, changed and drawn as those of the training pages are."""
        return replace(self.samples, pages=list(pages))

    def measure_on(self, pages: Sequence[Page]) -> Callable[[nn.Module, Mapping[str, Any]], float]:
        """See `ocrtune.training.forgetting.Anchorable`."""

        def measure(network: nn.Module, details: Mapping[str, Any]) -> float:
            thresholds = DetectionThresholds.model_validate(details["thresholds"])
            detector = TextDetector(TorchEngine(network), self.preprocess, thresholds)
            return evaluate_detector(detector, pages).score.hmean

        return measure

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        settings = search_thresholds(
            TorchEngine(network), self._val, self.preprocess, self.thresholds, QUICK_GRID, spread=spread
        )
        best = settings[0]  # what the weights are worth
        precision, recall, hmean = best.precision_recall_hmean
        return Evaluation(
            monitor=hmean,
            figures={"hmean": hmean, "precision": precision, "recall": recall},
            details={"thresholds": best.thresholds.model_dump(mode="json")},
            # at 0.5, because the division of a base's logits moves no pixel over it
            signs={"unclip_ratio": next(s.thresholds.unclip_ratio for s in settings if s.thresholds.bin_thresh == 0.5)},
        )

    def _loss_of(self, output: DBOutput, batch: Batch) -> Mapping[str, Tensor]:
        targets = batch.float_targets()
        device = output.maps.shrink.device
        parts = db_loss(output, type(targets)(*(target.to(device) for target in targets)), self._loss)
        taught = targets.shrink_mask > 0
        return {**parts, "text": (targets.shrink_map * taught).sum() / taught.sum().clamp(min=1)}

    def _images(self, network: nn.Module, batch: Batch) -> Tensor:
        return self._normalised(batch.images.to(next(network.parameters()).device))

    def _normalised(self, images: Tensor) -> Tensor:
        """uint8 [N, H, W, 3] BGR -> float32 [N, 3, H, W] in channels-last memory."""
        mean = torch.tensor(self.preprocess.mean, device=images.device)
        std = torch.tensor(self.preprocess.std, device=images.device)
        if self.preprocess.channels == "rgb":
            images = images.flip(-1)
        return (images * (1 / (255 * std)) - mean / std).permute(0, 3, 1, 2)

    def _own_preprocess(self) -> DetectionPreprocess:
        bundle = self._start.bundle
        return DetectionPreprocess.model_validate(bundle.manifest.preprocess if bundle else {})

    def _own_page_size(self) -> int:
        own = self._own_preprocess()
        return own.size if own.resize == "long_side" else DEFAULT_PAGE_SIZE

    def _fit_base(self, config: DetectionConfig, train: Sequence[Page]) -> BaseFit:
        size = config.input.view_size
        look = RandomView((size, size), PageScale(self.preprocess), scale=(1.0, 1.0), rotate=0.0)
        order = np.random.default_rng(config.trainer.seed).permutation(len(train)).tolist()
        views = first_usable(
            lambda i: look(train[i].load(), train[i].regions, np.random.default_rng([0, i])), order, _FIT_VIEWS
        )
        return fit_base(self._start.model, views, self.preprocess, config.targets)
