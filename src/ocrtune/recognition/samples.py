"""Training samples of a recogniser: an augmented line with its label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ocrtune.augment.lines import (
    Blur,
    Chain,
    Coarse,
    Colour,
    Invert,
    Jpeg,
    LineTransform,
    MotionBlur,
    Noise,
    Perspective,
    RandAugment,
    Rotation,
    Shadow,
    Tia,
)
from ocrtune.config.schema import LineAugmentConfig, RecognitionAugmentConfig
from ocrtune.data.lines import tells_direction
from ocrtune.page import Image, Page, Polygon
from ocrtune.runtime.crop import TALL, crop_region, rectified_quad, turned_left, turned_over
from ocrtune.runtime.preprocess import LinePreprocess

_MIN_WIDTH = 8
_GAP = (0.2, 0.6)  # between joined lines, as a share of the height
_SHAKEN = 1.15  # by so much jitter can make a line longer for its height
_WINDOW = 512  # lines that are sorted by width together, so that batches hold lines of similar width


@dataclass(frozen=True)
class Line:
    """One labelled line.

    Attributes:
        page: its page, with nothing but this line's region.
        text: what is taught for it.
        label: classes of the text.
    """

    page: Page
    text: str
    label: tuple[int, ...]

    @property
    def polygon(self) -> Polygon:
        return self.page.regions[0].polygon

    def size(self) -> tuple[float, float]:
        """Width and height of its crop in pixels, as the reader sees it."""
        width, height = self._labelled_size()
        return (height, width) if runs_down(width, height, self.text) else (width, height)

    def crop(self, polygon: Polygon) -> Image:
        """The crop along an outline near the label's own, turned where the text runs downwards.

        Raises:
            ImageError: the image is missing or damaged.
        """
        crop = crop_region(self.page.load(), polygon)
        return turned_left(crop) if runs_down(*self._labelled_size(), self.text) else crop

    def _labelled_size(self) -> tuple[float, float]:
        q = rectified_quad(self.polygon)
        width = max(np.linalg.norm(q[1] - q[0]), np.linalg.norm(q[2] - q[3]))
        height = max(np.linalg.norm(q[3] - q[0]), np.linalg.norm(q[2] - q[1]))
        return float(width), float(height)


def runs_down(width: float, height: float, text: str) -> bool:
    """Whether a tall label is a text that runs downwards, rather than one or two narrow characters."""
    return height >= TALL * width and len(text) > 2


def augmentation(config: LineAugmentConfig) -> LineTransform:
    """What happens to a crop before it is scaled to the network's height."""
    chain: list[LineTransform] = [
        Tia(config.tia),
        Rotation(0.5 if config.rotate else 0.0, config.rotate),
        Perspective(config.perspective),
        Coarse(config.small),
        Blur(config.blur),
        MotionBlur(config.motion_blur),
        Colour(0.6 if config.colour else 0.0),
        Shadow(config.shadow),
        Noise(config.noise),
        Jpeg(config.jpeg),
        Invert(config.invert),
    ]
    if config.rand_augment:
        chain.append(RandAugment(magnitude=config.rand_augment))
    return Chain([transform for transform in chain if getattr(transform, "prob", 1.0) > 0])


@dataclass(frozen=True)
class Sample:
    """One line with its label.

    Attributes:
        image: uint8 [height, w, 3] BGR.
        label: classes.
    """

    image: Image
    label: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """Stacked lines.

    Attributes:
        images: uint8 [N, height, W, 3] BGR, lines at the left.
        widths: int64 [N], width of each line.
        labels: classes of each line.
    """

    images: Tensor
    widths: Tensor
    labels: list[tuple[int, ...]]


@dataclass(frozen=True)
class RecognitionSamples:
    """Samples as a pure function of (seed, epoch, index).

    Attributes:
        lines: labelled lines.
        config: how they are changed.
        transform: what `augmentation` made of it.
        preprocess: to which height lines are scaled.
        space: class of the space, for joining lines; None where the charset has none.
        seed: of everything random.
    """

    lines: Sequence[Line]
    config: RecognitionAugmentConfig
    transform: LineTransform
    preprocess: LinePreprocess
    space: int | None
    seed: int

    def __len__(self) -> int:
        return len(self.lines)

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """A permutation in which neighbours have similar widths, whose groups come at random."""
        shuffled = rng.permutation(len(self.lines))
        ratios = self._ratios
        groups = [
            group
            for start in range(0, len(shuffled), _WINDOW)
            for group in _groups(shuffled[start : start + _WINDOW], ratios)
        ]
        return np.concatenate([groups[i] for i in rng.permutation(len(groups))])

    @cached_property
    def _ratios(self) -> npt.NDArray[np.float64]:
        sizes = [line.size() for line in self.lines]
        return np.array([width / max(height, 1) for width, height in sizes])

    def name(self, index: int) -> str:
        line = self.lines[index]
        return f"{line.page.regions[0].source or line.page.name} ('{line.text}')"

    def widest(self) -> int:
        """Width in pixels of the widest sample that can come."""
        ratio = float(self._ratios.max()) * self.config.stretch * _SHAKEN
        width = max(self.preprocess.line_width(round(ratio * 1000), 1000), _MIN_WIDTH)
        joins = self.config.join > 0 and self.space is not None
        return 2 * width + round(_GAP[1] * self.preprocess.height) if joins else width

    def sample(self, epoch: int, index: int) -> Sample:
        """One line, changed.

        Raises:
            ImageError: the line's image is missing or damaged.
        """
        rng = np.random.default_rng([self.seed, epoch, index])
        line = self.lines[index]
        image, label = self._changed(line, rng), line.label
        if self.config.join and self.space is not None and rng.random() < self.config.join:
            other = self.lines[int(rng.integers(len(self.lines)))]
            joined = _joined(image, self._changed(other, rng), rng)
            if joined.shape[1] <= self.preprocess.max_width:
                image, label = joined, (*label, self.space, *other.label)
        if rng.random() < self.config.overturn and tells_direction(line.page.regions[0]):
            # a line that stands on its head should be doubted, not guessed at: then it is looked at again
            image, label = turned_over(image), ()
        return Sample(image, label)

    def _changed(self, line: Line, rng: np.random.Generator) -> Image:
        image = self.transform(line.crop(shaken(line.polygon, self.config, rng)), rng)
        stretch = float(np.exp(rng.uniform(-1, 1) * np.log(self.config.stretch)))
        wide = self.preprocess.line_width(round(image.shape[1] * stretch) or 1, image.shape[0])
        size = (max(wide, _MIN_WIDTH), self.preprocess.height)
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def shaken(polygon: Polygon, config: LineAugmentConfig, rng: np.random.Generator) -> Polygon:
    """A label's quad as a detector might have drawn it: grown or shrunk, its corners shifted.

    Outlines with more points are taken as they are.
    """
    if len(polygon) != 4:
        return polygon
    height = max(np.linalg.norm(polygon[3] - polygon[0]), np.linalg.norm(polygon[2] - polygon[1]))
    along, across = (
        _unit(polygon[1] - polygon[0] + polygon[2] - polygon[3]),
        _unit(polygon[3] - polygon[0] + polygon[2] - polygon[1]),
    )
    left, right, up, down = rng.uniform(*config.grow, 4) * height
    shift = np.array(
        [
            -left * along - up * across,
            right * along - up * across,
            right * along + down * across,
            -left * along + down * across,
        ]
    )
    noise = rng.uniform(-1, 1, (4, 2)) * config.jitter * height
    return (polygon + shift + noise).astype(np.float32)


def collate(samples: Sequence[Sample], preprocess: LinePreprocess) -> Batch:
    """Stack lines at the width of the widest."""
    width = preprocess.input_width(max(sample.image.shape[1] for sample in samples), preprocess.height)
    images = np.zeros((len(samples), preprocess.height, width, 3), np.uint8)
    for row, sample in zip(images, samples, strict=True):
        row[:, : sample.image.shape[1]] = sample.image
    widths = torch.tensor([sample.image.shape[1] for sample in samples])
    return Batch(torch.from_numpy(images), widths, [sample.label for sample in samples])


def normalised(batch: Batch, preprocess: LinePreprocess, device: torch.device) -> Tensor:
    """A batch as the network takes it, float32 [N, 3, height, W] in channels-last memory, zero behind each line."""
    images = batch.images.to(device)
    if preprocess.channels == "rgb":
        images = images.flip(-1)
    mean, std = (torch.tensor(values, device=device) for values in (preprocess.mean, preprocess.std))
    x = images * (1 / (255 * std)) - mean / std
    behind = torch.arange(x.shape[2], device=device)[None] >= batch.widths.to(device)[:, None]
    return x.masked_fill_(behind[:, None, :, None], 0.0).permute(0, 3, 1, 2)


def _groups(indices: npt.NDArray[np.int64], ratios: npt.NDArray[np.float64]) -> list[npt.NDArray[np.int64]]:
    ordered = indices[np.argsort(ratios[indices], kind="stable")]
    return np.array_split(ordered, max(1, len(ordered) // 64))


def _joined(left: Image, right: Image, rng: np.random.Generator) -> Image:
    height = left.shape[0]
    gap = np.broadcast_to(left[:, -1:], (height, int(rng.uniform(*_GAP) * height), 3))
    return np.ascontiguousarray(np.concatenate([left, gap, right], axis=1))


def _unit(vector: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return vector / max(float(np.linalg.norm(vector)), 1e-6)
