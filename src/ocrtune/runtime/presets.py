"""Scenario presets: a bundle as it is, seen through settings for one kind of image.

A preset changes a bundle's own settings relative to what they are, so that what calibration has fitted stays the base.
Its view of a model shares the engines, and costs nothing to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import overload

import cv2
import numpy as np

from ocrtune.errors import named
from ocrtune.page import Image
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.runtime.preprocess import DetectionPreprocess, LinePreprocess

# grey levels: above clean scans and photos that were looked at, and above slight noise on blur, where smoothing only harms
_NOISY_PAGE = 2.2
_NOISY_LINE = 4.0
_NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


@dataclass(frozen=True)
class Preset:
    """Settings for one kind of image, relative to a bundle's own.

    Attributes:
        name: what users type.
        summary: what it is for, one sentence.
        input_scale: the detector sees the page this many times as large as by the bundle's settings; its time grows by
            the square.
        box_thresh: added to the bundle's box threshold.
        min_text_score: lines that are read with less confidence are left out; of a detector alone, nothing is.
        clean: where a page is noisy, the detector sees it shrunk by averaging, denoised and sharpened; lines that are noisy
            are denoised before they are read.
    """

    name: str
    summary: str
    input_scale: float = 1.0
    box_thresh: float = 0.0
    min_text_score: float = 0.0
    clean: bool = False

    def changes(self) -> tuple[str, ...]:
        """What differs from the bundle's own settings, in words; nothing where the preset is the bundle itself."""
        told = []
        if self.input_scale != 1:
            told.append(f"detector's input x{self.input_scale:g}")
        if self.clean:
            told += [
                "where noisy, detector's input shrunk by averaging, denoised and sharpened",
                "noisy lines denoised",
            ]
        if self.box_thresh:
            told.append(f"box_thresh {self.box_thresh:+g}")
        if self.min_text_score:
            told.append(f"lines read with less confidence than {self.min_text_score:g} left out")
        return tuple(told)

    def told(self) -> str:
        """The same as one line."""
        return "; ".join(self.changes()) or "nothing changes"


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset("document", "Clean scans and screenshots: the bundle's own settings."),
            Preset(
                "photo", "Photos with noise, as of bad light: cleaned before texts are looked for and read.", clean=True
            ),
            Preset("small-text", "Small print: the page is looked at enlarged.", input_scale=1.5),
            Preset(
                "complex",
                "Busy scenes, where patterns look like text: looked at enlarged, and only what surely is one is kept.",
                input_scale=1.25,
                box_thresh=0.1,
                min_text_score=0.7,
            ),
        )
    }
)
"""By name, in the order in which they are shown."""


def preset_by_name(name: str, where: str = "--preset") -> Preset:
    """The preset that a user named.

    Args:
        name: as the user typed it.
        where: the setting that named it.

    Raises:
        ConfigError: there is none of this name; the nearest one is told.
    """
    return named(name, PRESETS, "preset", where)


@overload
def with_preset(model: TextDetector, preset: Preset) -> TextDetector: ...
@overload
def with_preset(model: OcrPipeline, preset: Preset) -> OcrPipeline: ...
def with_preset(model: TextDetector | OcrPipeline, preset: Preset) -> TextDetector | OcrPipeline:
    """A view of a detector or a pipeline, as its bundle made it, with the same engines; the model itself stays as it is."""
    if isinstance(model, TextDetector):
        own = model.thresholds
        thresholds = own.model_copy(update={"box_thresh": min(own.box_thresh + preset.box_thresh, 1.0)})
        view = _View(**model.preprocess.model_dump(), input_scale=preset.input_scale, clean=preset.clean)
        return replace(model, preprocess=view, thresholds=thresholds)
    lines = model.recognizer.preprocess
    seen = _DenoisedLines(**lines.model_dump()) if preset.clean else lines
    return replace(
        model,
        detector=with_preset(model.detector, preset),
        recognizer=replace(model.recognizer, preprocess=seen),
        min_text_score=preset.min_text_score,
    )


class _View(DetectionPreprocess):
    """A bundle's pre-processing with what a preset changes."""

    input_scale: float
    clean: bool

    def scale(self, width: int, height: int) -> float:
        return super().scale(width, height) * self.input_scale

    def resized(self, image: Image) -> Image:
        if not self.clean:
            return super().resized(image)
        height, width = image.shape[:2]
        size = self.input_size(width, height)
        shrinks = size[0] < width and size[1] < height
        seen = np.asarray(
            cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8
        )
        return _sharpened(_denoised(seen)) if _noise(seen) > _NOISY_PAGE else super().resized(image)


class _DenoisedLines(LinePreprocess):
    """A bundle's pre-processing of lines whose noise is taken out first."""

    def resized(self, crop: Image) -> Image:
        return super().resized(_denoised(crop) if _noise(crop) > _NOISY_LINE else crop)


def _noise(image: Image) -> float:
    """Standard deviation of the noise of an image, uint8 [H, W, 3], in grey levels.

    Immerkaer, "Fast noise variance estimation" (1996), with the median of the responses instead of their mean, which edges
    would raise. It is 0 where most of the image is of one colour.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    responses = np.abs(cv2.filter2D(grey, cv2.CV_32F, _NOISE_MASK))
    return float(np.median(responses)) / (6 * 0.6745)  # the mask's gain, and a normal distribution's median


def _denoised(image: Image) -> Image:
    """An image, uint8 [H, W, 3], smoothed within its edges (Tomasi and Manduchi 1998)."""
    return np.asarray(cv2.bilateralFilter(image, 5, 40, 5), np.uint8)


def _sharpened(image: Image) -> Image:
    """An image, uint8 [H, W, 3], whose edges are steeper by unsharp masking."""
    return np.asarray(cv2.addWeighted(image, 1.5, cv2.GaussianBlur(image, (0, 0), 1.5), -0.5, 0), np.uint8)
