"""Training samples of a detector: an augmented view of a page with its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ocrtune.augment import Compose, Transform
from ocrtune.augment.geometry import RandomView
from ocrtune.augment.occlusion import Occlusion
from ocrtune.augment.photometric import ColourJitter, GaussianBlur, GaussianNoise
from ocrtune.config.schema import AugmentConfig, TargetSpec
from ocrtune.detection.loss import TargetBatch
from ocrtune.detection.targets import Targets, make_targets
from ocrtune.page import Image, Page, TextRegion
from ocrtune.runtime.preprocess import DetectionPreprocess


@dataclass(frozen=True)
class PageScale:
    """The factor by which a page of a given size is scaled when it is read in use."""

    preprocess: DetectionPreprocess

    def __call__(self, width: int, height: int) -> float:
        return self.preprocess.input_size(width, height)[0] / width


def augmentation(config: AugmentConfig, preprocess: DetectionPreprocess, view_size: int) -> Transform:
    """The transform from a page to a square view of ``view_size`` pixels."""
    transforms: list[Transform] = [
        RandomView(
            (view_size, view_size),
            PageScale(preprocess),
            scale=config.scale,
            stretch=(1 / config.stretch, config.stretch),
            rotate=config.rotate,
            rotate_prob=config.rotate_prob,
            flip_prob=config.flip_prob,
        )
    ]
    transforms += [ColourJitter()] if config.colour else []
    transforms += [GaussianBlur()] if config.blur else []
    transforms += [GaussianNoise()] if config.noise else []
    transforms += [Occlusion()] if config.occlusion else []
    return Compose(transforms)


@dataclass(frozen=True)
class Sample:
    """One view with its targets.

    Attributes:
        image: uint8 [H, W, 3] BGR.
        targets: maps in the size of the image.
    """

    image: Image
    targets: Targets


@dataclass(frozen=True)
class Batch:
    """Stacked samples, small enough to be sent between processes quickly.

    Attributes:
        images: uint8 [N, H, W, 3] BGR.
        targets: shrink map and mask (threshold maps too, if wanted) as float16 [N, 1, H, W].
    """

    images: Tensor
    targets: TargetBatch

    def float_targets(self) -> TargetBatch:
        return TargetBatch(*(target.float() for target in self.targets))


@dataclass(frozen=True)
class DetectionSamples:
    """Samples as a pure function of (seed, epoch, index).

    Attributes:
        pages: labelled pages.
        transform: from page to view.
        spec: how targets are drawn.
        with_threshold: whether the loss needs threshold maps.
        seed: of everything random.
    """

    pages: Sequence[Page]
    transform: Transform
    spec: TargetSpec
    with_threshold: bool
    seed: int

    def __len__(self) -> int:
        return len(self.pages)

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.permutation(len(self.pages))

    def view(self, epoch: int, index: int) -> tuple[Image, list[TextRegion]]:
        """The augmented view of a page in an epoch.

        Raises:
            ImageError: the page's image is missing or damaged.
        """
        page = self.pages[index]
        return self.transform(page.load(), page.regions, np.random.default_rng([self.seed, epoch, index]))

    def sample(self, epoch: int, index: int) -> Sample:
        """The same with targets."""
        image, regions = self.view(epoch, index)
        polygons, ignored = [r.polygon for r in regions], [r.ignore for r in regions]
        size = (image.shape[1], image.shape[0])
        targets, _ = make_targets(polygons, ignored, size, self.spec, epoch, self.with_threshold)
        return Sample(image, targets)


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples of one size."""
    images = torch.from_numpy(np.stack([sample.image for sample in samples]))
    maps = (np.stack([s.targets[i] for s in samples])[:, None].astype(np.float16) for i in range(4))
    return Batch(images, TargetBatch(*(torch.from_numpy(stacked) for stacked in maps)))
