"""Pre-processing of images for a network: one implementation for training's evaluation, the CLI and the servers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ocrtune.page import Image

Batch: TypeAlias = npt.NDArray[np.float32]
"""float32 [N, 3, H, W], normalised, as a network takes it."""


class _Normalisation(BaseModel):
    """How pixel values become a network's range."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: Literal["bgr", "rgb"] = "bgr"

    def normalise(self, image: Image, planes: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
        """Scale an image to the network's range.

        Args:
            image: uint8 [H, W, 3] BGR.
            planes: where to write, float32 [3, H, W], whose rows may have a distance; None makes it.

        Returns:
            float32 [3, H, W] in the order of ``channels``.
        """
        if planes is None:
            planes = np.empty((3, *image.shape[:2]), np.float32)
        # 256 values a channel: a table is 12 times faster than arithmetic on every pixel, and gives the same bits
        std = np.array(self.std, np.float32)
        gain, bias = 1 / (255 * std), -np.array(self.mean, np.float32) / std
        tables = np.arange(256, dtype=np.float32) * gain[:, None] + bias[:, None]
        for index, (plane, table) in enumerate(zip(planes, tables, strict=True)):
            channel = 2 - index if self.channels == "rgb" else index
            cv2.LUT(cv2.extractChannel(image, channel), table, dst=plane)
        return planes


class DetectionPreprocess(_Normalisation):
    """How a page becomes a detector's input; stored in the bundle.

    Attributes:
        resize: which side ``size`` sets: ``long_side`` always scales the longer side to it, ``limit_max`` only shrinks
            pages whose longer side is larger, ``limit_min`` only enlarges pages whose shorter side is smaller.
        size: length of that side in pixels.
        multiple: both sides are then rounded to a multiple of it (the network's largest stride).
        max_side: upper limit for the longer side, against pages that exhaust memory.
        mean, std: per channel, in the order of ``channels``, for values scaled to 0..1.
        channels: order of the input's channels; PaddleOCR's models take BGR with ImageNet's RGB constants.
    """

    resize: Literal["long_side", "limit_max", "limit_min"] = "limit_max"
    size: int = Field(960, ge=32)
    multiple: int = Field(32, ge=1)
    max_side: int = Field(4000, ge=32)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the network's input for an image of this size, all in pixels."""
        scale = min(self.scale(width, height), self.max_side / max(width, height))
        return self._rounded(width * scale), self._rounded(height * scale)

    def scale(self, width: int, height: int) -> float:
        """By how much an image of this size is enlarged, before ``max_side`` and ``multiple``."""
        long, short = max(width, height), min(width, height)
        if self.resize == "limit_min":
            return self.size / short if short < self.size else 1.0
        return self.size / long if self.resize == "long_side" or long > self.size else 1.0

    def resized(self, image: Image) -> Image:
        """An image, uint8 [H, W, 3], at the size of the network's input."""
        height, width = image.shape[:2]
        size = self.input_size(width, height)
        if size == (width, height):
            return image
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def _rounded(self, side: float) -> int:
        return max(round(int(side) / self.multiple) * self.multiple, self.multiple)

    def __call__(self, image: Image) -> Batch:
        """Resize and normalise one image, uint8 [H, W, 3] BGR, to float32 [1, 3, h, w]."""
        return self.normalise(self.resized(image))[None]


class LinePreprocess(_Normalisation):
    """How crops of text lines become the input of a recogniser or a direction classifier; stored in the bundle.

    Attributes:
        margin: what is cut out around a line's outline, as a share of its height; fitted, since labels and detectors
            differ in how tightly they enclose a text.
        height: of the input, in pixels; crops are scaled to it.
        fit: ``pad`` keeps the aspect ratio and fills the right with zeros after normalisation (the middle of the
            range); ``stretch`` scales to the full width.
        multiple: the width is rounded up to a multiple of it: lines of the same such width form a batch.
        min_width, max_width: of the input; longer lines are squeezed. Equal values make the width fixed.
        mean, std: of each channel, for values between 0 and 1.
        channels: in which order the network takes them.
    """

    margin: float = Field(0.0, ge=0, le=0.5)
    height: int = Field(48, ge=8)
    fit: Literal["pad", "stretch"] = "pad"
    multiple: int = Field(32, ge=1)
    min_width: int = Field(32, ge=1)
    max_width: int = Field(3200, ge=8)
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def line_width(self, width: int, height: int) -> int:
        """Width in pixels at which a crop of this size is seen, without padding."""
        return min(max(1, math.ceil(self.height * width / height)), self.max_width)

    def input_width(self, width: int, height: int) -> int:
        """Width in pixels of the network's input for a crop of this size: a function of nothing but that size."""
        rounded = math.ceil(self.line_width(width, height) / self.multiple) * self.multiple
        return min(max(rounded, self.min_width), self.max_width)

    def resized(self, crop: Image) -> Image:
        """A crop, uint8 [H, W, 3], scaled to the input's height (``pad``) or whole size (``stretch``)."""
        height, width = crop.shape[:2]
        wide = self.line_width(width, height) if self.fit == "pad" else self.input_width(width, height)
        return np.asarray(cv2.resize(crop, (wide, self.height), interpolation=cv2.INTER_LINEAR), np.uint8)

    def __call__(self, crops: Sequence[Image], width: int) -> Batch:
        """Crops, uint8 [H, W, 3] BGR each, as float32 [N, 3, height, width]; none may be wider than ``width``."""
        batch = np.zeros((len(crops), 3, self.height, width), np.float32)
        for row, crop in zip(batch, crops, strict=True):
            line = self.resized(crop)
            self.normalise(line, row[:, :, : line.shape[1]])
        return batch
