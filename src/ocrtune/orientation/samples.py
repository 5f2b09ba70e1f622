"""Training samples of a direction classifier: lines, every second one turned over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ocrtune.augment.lines import AutoAugment, Chain, Erase, LineTransform
from ocrtune.config.schema import OrientationAugmentConfig
from ocrtune.page import Image, Page
from ocrtune.recognition.samples import augmentation as line_augmentation
from ocrtune.recognition.samples import shaken
from ocrtune.runtime.crop import crop_region, turned_over
from ocrtune.runtime.preprocess import LinePreprocess


def augmentation(config: OrientationAugmentConfig) -> LineTransform:
    """What happens to a crop before it is turned or not: the same for both directions, so that nothing tells them."""
    chain = [line_augmentation(config)]
    if config.auto_augment:
        chain.append(AutoAugment(0.5))
    if config.erase != "none":
        chain.append(Erase(config.erase_prob, config.erase))
    return Chain(chain)


@dataclass(frozen=True)
class Sample:
    """One line and its direction.

    Attributes:
        image: uint8 [height, w, 3] BGR.
        turned: whether it is upside down.
    """

    image: Image
    turned: bool


@dataclass(frozen=True)
class Batch:
    """Stacked lines.

    Attributes:
        images: float32 [N, 3, H, W], normalised.
        directions: probability of each direction, float32 [N, 2]; 0 or 1 unless lines were mixed.
    """

    images: Tensor
    directions: Tensor


@dataclass(frozen=True)
class OrientationSamples:
    """Samples as a pure function of (seed, epoch, index); index 2i is line i upright, 2i + 1 the same turned over.

    Attributes:
        lines: pages of one line each.
        config: how they are changed.
        transform: what `augmentation` made of it.
        preprocess: size of the input.
        seed: of everything random.
    """

    lines: Sequence[Page]
    config: OrientationAugmentConfig
    transform: LineTransform
    preprocess: LinePreprocess
    seed: int

    def __len__(self) -> int:
        return 2 * len(self.lines)

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.permutation(len(self))

    def name(self, index: int) -> str:
        page, turned = self.lines[index // 2], bool(index % 2)
        return f"{page.regions[0].source or page.name}{' (turned over)' if turned else ''}"

    def sample(self, epoch: int, index: int) -> Sample:
        """One line, changed, then turned or not.

        Raises:
            ImageError: the line's image is missing or damaged.
        """
        rng = np.random.default_rng([self.seed, epoch, index])
        page, turned = self.lines[index // 2], bool(index % 2)
        crop = crop_region(page.load(), shaken(page.regions[0].polygon, self.config, rng))
        image = self.transform(crop, rng)
        return Sample(self.preprocess.resized(turned_over(image) if turned else image), turned)


def collate(
    samples: Sequence[Sample], preprocess: LinePreprocess, config: OrientationAugmentConfig, seed: int
) -> Batch:
    """Stack lines, and mix them with each other where that is asked for.

    Mixup (Zhang et al. 2018) adds pairs of lines, CutMix (Yun et al. 2019) sets a piece of one into the other; the
    labels are mixed in the same shares.
    """
    images = torch.from_numpy(preprocess([sample.image for sample in samples], preprocess.max_width))
    directions = F.one_hot(torch.tensor([int(sample.turned) for sample in samples]), 2).float()
    if config.mix == "none":
        return Batch(images, directions)
    # a function of the samples alone, so that any process mixes the same
    rng = np.random.default_rng([seed, int(sum(int(sample.image[0, 0, 0]) for sample in samples)), len(samples)])
    share = float(rng.beta(config.mix_alpha, config.mix_alpha))
    other = torch.from_numpy(rng.permutation(len(samples)))
    if config.mix == "mixup":
        return Batch(share * images + (1 - share) * images[other], share * directions + (1 - share) * directions[other])
    height, width = images.shape[2:]
    h, w = round(height * np.sqrt(1 - share)), round(width * np.sqrt(1 - share))
    y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    mixed = images.clone()
    mixed[:, :, y : y + h, x : x + w] = images[other][:, :, y : y + h, x : x + w]
    kept = 1 - h * w / (height * width)
    return Batch(mixed, kept * directions + (1 - kept) * directions[other])
