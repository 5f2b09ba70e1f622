"""Detection as the training loop sees it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ocrtune.augment.geometry import RandomView
from ocrtune.config.schema import TrainConfig
from ocrtune.detection.loss import db_loss
from ocrtune.detection.model import DBDetector, TorchEngine
from ocrtune.detection.network import Network, load_network
from ocrtune.detection.samples import Batch, DetectionSamples, PageScale, Sample, augmentation, collate
from ocrtune.detection.search import QUICK_GRID, Setting, search_thresholds
from ocrtune.detection.warmstart import BaseFit, divide_logits, fit_base
from ocrtune.nn.backbones.pplcnetv3 import PPLCNetV3Det
from ocrtune.nn.layers import Affine
from ocrtune.page import Page
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.task import Evaluation

DEFAULT_PAGE_SIZE = 1280
_FIT_VIEWS = 12
_BIAS_SCALE = 0.3


def _hold_still(model: DBDetector) -> None:
    """Freeze what costs a quarter of a step and has nothing to learn from some hundred pages.

    These are the affine layers, whose work neighbouring weights can do, and in PP-LCNetV3 the layers at half resolution,
    which find edges.
    """
    for module in model.modules():
        if isinstance(module, Affine):
            module.requires_grad_(False)
    if isinstance(model.backbone, PPLCNetV3Det):
        for name in PPLCNetV3Det.HALF_RESOLUTION:
            model.backbone.get_submodule(name).requires_grad_(False)


@dataclass(frozen=True)
class Resolved:
    """What ``auto`` came to mean, for the configuration that is written into the run."""

    config: TrainConfig
    reasons: Mapping[str, str]


class DetectionTask:
    """A detector that is fine-tuned on labelled pages.

    Args:
        config: the training configuration; what is ``auto`` in it is resolved here (see ``resolved``).
        train: pages to learn from.
        val: pages that choose the best state and its thresholds.
        progress: takes one line about what was found out.

    Attributes:
        resolved: the configuration with every ``auto`` replaced, and why.
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
        config: TrainConfig,
        train: Sequence[Page],
        val: Sequence[Page],
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._start = load_network(config.model.pretrained, config.model.arch, config.model.form)
        self._val = list(val)
        reasons = {}
        if config.model.arch == "auto":
            reasons["model.arch"] = "from the pretrained weights"
        if config.model.form == "auto":
            reasons["model.form"] = "from the pretrained weights"
        page_size = config.input.page_size
        if page_size == "auto":
            page_size, reasons["input.page_size"] = self._own_page_size()
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
            reasons["targets.shrink_ratio"] = "estimated from the base's maps" if self.base_fit else "DB's own ratio"
        self.resolved = Resolved(
            config.model_copy(
                update={
                    "model": config.model.model_copy(update={"arch": self._start.arch, "form": self._start.form}),
                    "input": config.input.model_copy(update={"page_size": page_size}),
                    "targets": spec,
                }
            ),
            reasons,
        )
        self._loss = config.loss
        self._wants_threshold = config.loss.beta > 0 or config.loss.gamma > 0
        self.samples = DetectionSamples(
            pages=list(train),
            transform=augmentation(config.augment, self.preprocess, config.input.view_size),
            spec=spec,
            with_threshold=self._wants_threshold,
            seed=config.trainer.seed,
        )

    @property
    def start(self) -> Network:
        """The network and weights that training starts from; never changed by training."""
        return self._start

    def network(self) -> DBDetector:
        """A fresh copy of the start network, with its logits brought into the range where gradients exist."""
        model = copy.deepcopy(self._start.model)
        if self.base_fit is not None:
            divide_logits(model, self.base_fit.temperature)
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
        if self._start.form == "training":
            return None
        spread = self._output_spread(network)
        scales = {}
        for name, parameter in network.named_parameters():
            size = float(parameter.detach().square().mean().sqrt())
            layer = name.rpartition(".")[0]
            if parameter.ndim == 1:
                size = max(size, _BIAS_SCALE * spread.get(layer, 0.0))
            scales[name] = max(size, 1e-6)
        return scales

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return [name for name, _ in network.named_parameters() if name.startswith("backbone.")]

    def collate(self, samples: Sequence[Sample]) -> Batch:
        return collate(samples)

    def loss(self, network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        device = next(network.parameters()).device
        output = network(self._normalised(batch.images.to(device)))
        targets = batch.float_targets()
        return db_loss(output, type(targets)(*(target.to(device) for target in targets)), self._loss)

    def evaluate(self, network: nn.Module) -> Evaluation:
        best = self.fit_thresholds(network)
        precision, recall, hmean = best.precision_recall_hmean
        return Evaluation(
            monitor=hmean,
            figures={"hmean": hmean, "precision": precision, "recall": recall},
            details={"thresholds": best.thresholds.model_dump(mode="json")},
        )

    def fit_thresholds(self, network: nn.Module) -> Setting:
        """The best of a coarse grid of thresholds on the validation pages: what the weights are worth."""
        engine = TorchEngine(network)
        return search_thresholds(engine, self._val, self.preprocess, self.thresholds, QUICK_GRID)[0]

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

    def _own_page_size(self) -> tuple[int, str]:
        own = self._own_preprocess()
        if own.resize == "long_side":
            return own.size, "from the pretrained bundle"
        return DEFAULT_PAGE_SIZE, "default"

    def _fit_base(self, config: TrainConfig, train: Sequence[Page]) -> BaseFit:
        size = config.input.view_size
        look = RandomView((size, size), PageScale(self.preprocess), scale=(1.0, 1.0), rotate=0.0)
        chosen = np.random.default_rng(config.trainer.seed).permutation(len(train))[:_FIT_VIEWS]
        views = [look(train[i].load(), train[i].regions, np.random.default_rng([0, int(i)])) for i in chosen]
        return fit_base(self._start.model, views, self.preprocess, config.targets)

    @torch.no_grad()
    def _output_spread(self, network: nn.Module) -> dict[str, float]:
        """Standard deviation of each convolution's output on a few training views, by module name."""
        squares: dict[str, list[float]] = {}

        def watch(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
            def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
                if output.shape[2] * output.shape[3] > 1:
                    squares.setdefault(name, []).append(float(output.float().var(dim=(0, 2, 3)).mean()))

            return hook

        hooks = [
            module.register_forward_hook(watch(name))
            for name, module in network.named_modules()
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
        ]
        training = network.training
        network.eval()
        for index in range(min(4, len(self.samples))):
            image, _ = self.samples.view(0, index)
            network(self._normalised(torch.from_numpy(image)[None]))
        network.train(training)
        for hook in hooks:
            hook.remove()
        return {name: float(np.sqrt(np.mean(values))) for name, values in squares.items()}
