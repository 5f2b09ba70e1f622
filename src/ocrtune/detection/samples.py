"""Training samples of a detector: an augmented view of a page with its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ocrtune.augment import Compose, Transform
from ocrtune.augment.copypaste import CopyPaste, Scrap, cut_scraps
from ocrtune.augment.geometry import RandomView, transform_polygon, warp
from ocrtune.augment.occlusion import Occlusion
from ocrtune.augment.photometric import ColourJitter, GaussianBlur, GaussianNoise, Jpeg, MotionBlur, Shadow
from ocrtune.config.schema import AugmentConfig, TargetSpec
from ocrtune.data.page_cache import PageCache
from ocrtune.detection.loss import TargetBatch
from ocrtune.detection.targets import Targets, make_targets
from ocrtune.errors import ImageError
from ocrtune.page import Image, Page, TextRegion, whole_image
from ocrtune.runtime.preprocess import DetectionPreprocess

_DONORS = 32  # pages whose texts are pasted into others in an epoch


@dataclass(frozen=True)
class PageScale:
    """The factor by which a page of a given size is scaled when it is read in use."""

    preprocess: DetectionPreprocess

    def __call__(self, width: int, height: int) -> float:
        return self.preprocess.input_size(width, height)[0] / width


@dataclass(frozen=True)
class PageAugmentation:
    """From a page to a view of it.

    Attributes:
        look: chooses and renders the view.
        paste: adds texts of other pages; None: never.
        change: what then happens to the view's pixels.
    """

    look: RandomView
    paste: CopyPaste | None
    change: Transform

    def __call__(
        self,
        image: Image,
        regions: Sequence[TextRegion],
        rng: np.random.Generator,
        donors: Sequence[Sequence[Scrap]] = (),
    ) -> tuple[Image, list[TextRegion]]:
        """The view, uint8 [h, w, 3] BGR, and its texts.

        Args:
            image: the page, uint8 [H, W, 3] BGR.
            regions: its texts.
            rng: all chance.
            donors: texts of other pages, by page.
        """
        height, width = image.shape[:2]
        matrix, used, seen = self.look.draw(width, height, regions, rng)
        view = warp(image, matrix, used)
        if self.paste is not None:
            page = transform_polygon(whole_image(width, height), matrix)
            view, seen = self.paste(view, seen, donors, page, rng)
        return self.change(self.look.framed(view), seen, rng)


def augmentation(config: AugmentConfig, preprocess: DetectionPreprocess, view_size: int) -> PageAugmentation:
    """From a page to a square view of ``view_size`` pixels."""
    look = RandomView(
        (view_size, view_size),
        PageScale(preprocess),
        scale=config.scale,
        stretch=(1 / config.stretch, config.stretch),
        rotate=config.rotate,
        rotate_prob=config.rotate_prob,
        flip_prob=config.flip_prob,
        perspective=config.perspective,
        perspective_prob=config.perspective_prob,
        crop=config.crop,
    )
    paste = CopyPaste(config.scale, config.paste_rotate, config.copy_paste) if config.copy_paste else None
    changes: list[Transform] = [Shadow(prob=config.shadow)] if config.shadow else []
    changes += [ColourJitter()] if config.colour else []
    changes += [GaussianBlur()] if config.blur else []
    changes += [MotionBlur(prob=config.motion_blur)] if config.motion_blur else []
    changes += [GaussianNoise()] if config.noise else []
    changes += [Jpeg(prob=config.jpeg)] if config.jpeg else []
    changes += [Occlusion()] if config.occlusion else []
    return PageAugmentation(look, paste, Compose(changes))


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
        augment: from page to view.
        spec: how targets are drawn.
        with_threshold: whether the loss needs threshold maps.
        seed: of everything random.
        cache_bytes: of decoded pages that each process keeps for later epochs.
    """

    pages: Sequence[Page]
    augment: PageAugmentation
    spec: TargetSpec
    with_threshold: bool
    seed: int
    cache_bytes: int = 0

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
        donors = () if self.augment.paste is None else [s for i, s in self._donors(epoch).items() if i != index]
        return self.augment(
            self._cache.load(index), page.regions, np.random.default_rng([self.seed, epoch, index]), donors
        )

    def _donors(self, epoch: int) -> dict[int, list[Scrap]]:
        """Texts of some pages, by the page's index; the same for all samples of an epoch, so that they are cut once."""
        if epoch not in self._scraps:
            rng = np.random.default_rng([self.seed, epoch, len(self.pages)])
            self._scraps.clear()
            self._scraps[epoch] = {}
            for index in rng.permutation(len(self.pages))[:_DONORS].tolist():
                page = self.pages[index]
                try:
                    image = self._cache.load(index)
                except ImageError:
                    continue  # it is counted where its own sample is made
                scale = self.augment.look.base_scale(image.shape[1], image.shape[0])
                self._scraps[epoch][index] = cut_scraps(image, page.regions, scale, rng)
        return self._scraps[epoch]

    @cached_property
    def _cache(self) -> PageCache:
        return PageCache(self.pages, self.cache_bytes)

    @cached_property
    def _scraps(self) -> dict[int, dict[int, list[Scrap]]]:
        return {}

    def name(self, index: int) -> str:
        return self.pages[index].name

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
