"""Pre-processing of images for a network: one implementation for training's evaluation, the CLI and the servers."""

from __future__ import annotations

from typing import Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ocrtune.page import Image

Batch: TypeAlias = npt.NDArray[np.float32]
"""float32 [N, 3, H, W], normalised, as a network takes it."""


class DetectionPreprocess(BaseModel):
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

    model_config = ConfigDict(extra="forbid", frozen=True)

    resize: Literal["long_side", "limit_max", "limit_min"] = "limit_max"
    size: int = Field(960, ge=32)
    multiple: int = Field(32, ge=1)
    max_side: int = Field(4000, ge=32)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    channels: Literal["bgr", "rgb"] = "bgr"

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the network's input for an image of this size, all in pixels."""
        long, short = max(width, height), min(width, height)
        if self.resize == "limit_min":
            scale = self.size / short if short < self.size else 1.0
        else:
            scale = self.size / long if self.resize == "long_side" or long > self.size else 1.0
        scale = min(scale, self.max_side / long)
        return self._rounded(width * scale), self._rounded(height * scale)

    def _rounded(self, side: float) -> int:
        return max(round(int(side) / self.multiple) * self.multiple, self.multiple)

    def __call__(self, image: Image) -> Batch:
        """Resize and normalise one image, uint8 [H, W, 3] BGR, to float32 [1, 3, h, w]."""
        height, width = image.shape[:2]
        size = self.input_size(width, height)
        resized = image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(self.normalise(np.asarray(resized, np.uint8)).transpose(2, 0, 1)[None])

    def normalise(self, image: Image) -> npt.NDArray[np.float32]:
        """Scale uint8 [H, W, 3] BGR to the network's range, float32 [H, W, 3] in the order of ``channels``."""
        std = np.array(self.std, np.float32)
        gain, bias = 1 / (255 * std), -np.array(self.mean, np.float32) / std
        if self.channels == "rgb":
            image = image[..., ::-1]
        return np.asarray(image * gain + bias, np.float32)
