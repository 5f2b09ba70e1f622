"""Scenario presets: a bundle as it is, seen through settings for one kind of image.

A preset changes a bundle's own settings relative to what they are, so that what calibration has fitted stays the base.
Its view of a model shares the engines, and costs nothing to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias, overload

import cv2
import numpy as np

from ocrtune.errors import named
from ocrtune.page import Image
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.runtime.preprocess import DetectionPreprocess

Clean: TypeAlias = Literal["nothing", "denoise"]


@dataclass(frozen=True)
class Preset:
    """Settings for one kind of image, relative to a bundle's own.

    Attributes:
        name: what users type.
        summary: what it is for, one sentence.
        input_scale: the detector sees the page this many times as large as by the bundle's settings; its time grows by
            the square.
        box_thresh: added to the bundle's box threshold.
        min_confidence: lines that are read with less are reported without a text; the bundle's own, where that is higher.
        clean: what is done to the page that the detector sees; the recogniser always reads the original.
    """

    name: str
    summary: str
    input_scale: float = 1.0
    box_thresh: float = 0.0
    min_confidence: float = 0.0
    clean: Clean = "nothing"

    def changes(self) -> tuple[str, ...]:
        """What differs from the bundle's own settings, in words; nothing where the preset is the bundle itself."""
        told = []
        if self.input_scale != 1:
            told.append(f"detector's input x{self.input_scale:g}")
        if self.clean != "nothing":
            told.append(f"{self.clean} before detection")
        if self.box_thresh:
            told.append(f"box_thresh {self.box_thresh:+g}")
        if self.min_confidence:
            told.append(f"min_confidence at least {self.min_confidence:g}")
        return tuple(told)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset("document", "Clean scans and screenshots: the bundle's own settings."),
            Preset("photo", "Photos with noise or blur: cleaned before the texts are looked for.", clean="denoise"),
            Preset("small-text", "Small print: the page is looked at enlarged.", input_scale=1.5),
            Preset(
                "complex",
                "Busy scenes, where pictures and patterns look like text: only what is surely one.",
                box_thresh=0.1,
                min_confidence=0.5,
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
    """A view of a detector or a pipeline, with the same engines; the model itself stays as it is."""
    if isinstance(model, TextDetector):
        own = model.thresholds
        thresholds = own.model_copy(update={"box_thresh": min(max(own.box_thresh + preset.box_thresh, 0.0), 1.0)})
        view = _View(**model.preprocess.model_dump(), input_scale=preset.input_scale, clean=preset.clean)
        return replace(model, preprocess=view, thresholds=thresholds)
    read = model.recognizer.thresholds
    strict = read.model_copy(update={"min_confidence": max(read.min_confidence, preset.min_confidence)})
    return replace(
        model,
        detector=with_preset(model.detector, preset),
        recognizer=replace(model.recognizer, thresholds=strict),
    )


class _View(DetectionPreprocess):
    """A bundle's pre-processing with what a preset changes."""

    input_scale: float
    clean: Clean

    def scale(self, width: int, height: int) -> float:
        return super().scale(width, height) * self.input_scale

    def resized(self, image: Image) -> Image:
        seen = super().resized(image)
        return _denoised(seen) if self.clean == "denoise" else seen


def _denoised(image: Image) -> Image:
    return np.asarray(cv2.bilateralFilter(image, 5, 40, 5), np.uint8)
