"""One image as one model sees it, kept so that thresholds can be moved without running the network again."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ocrtune.bundle import Bundle
from ocrtune.page import Image, Page, TextRegion
from ocrtune.runtime.decode import ProbMap
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.load import LineModel, PageFinder
from ocrtune.runtime.pages import PageModel, page_json, reader_of
from ocrtune.runtime.pdf import render_pdf_page
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.runtime.presets import preset_by_name, with_preset
from ocrtune.runtime.recognizer import Reading, TextRecognizer
from ocrtune.serving.images import decoded, pdf_pages
from ocrtune.serving.limits import Limits
from ocrtune.webui.models import Models

LIMITS = Limits(pixels=100_000_000, pdf_pages=500)
"""Of what visitors hand in; more pixels than a server takes, since a scan of A3 at 600 dpi has 70 million."""
_KEPT = 6
_LINES = 4000


@dataclass(frozen=True)
class Tuning:
    """What a visitor may move.

    Attributes:
        bin_thresh, box_thresh, unclip_ratio: see `DetectionThresholds`.
        min_text_score: see `OcrPipeline`.
    """

    bin_thresh: float = 0.3
    box_thresh: float = 0.6
    unclip_ratio: float = 1.5
    min_text_score: float = 0.0


@dataclass
class _KnownMap(TextDetector):
    """A detector that has seen its one image already."""

    prob: ProbMap

    def prob_map(self, image: Image) -> ProbMap:
        return self.prob


@dataclass
class _Remembering(TextRecognizer):
    """A recogniser that reads no line twice: what it says depends on the line alone."""

    memory: dict[bytes, Reading] = field(default_factory=dict)

    def read(self, crops: Sequence[Image]) -> list[Reading]:
        keys = [hashlib.sha256(str(crop.shape).encode() + crop.tobytes()).digest() for crop in crops]
        new = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in self.memory}
        if len(self.memory) + len(new) > _LINES:
            self.memory.clear()
            new = dict(zip(keys, crops, strict=True))
        self.memory.update(zip(new, super().read(list(new.values())), strict=True))
        return [self.memory[key] for key in keys]


@dataclass
class Look:
    """One image as one model sees it.

    Attributes:
        name: of the image.
        image: uint8 [H, W, 3] BGR.
        model: with a preset's settings; None where it takes the whole image as one line.
        own: the model's own thresholds.
        seconds: the first reading took.
        prob: what the detector makes of the image, float32 [h, w].
        whole: what a model for single lines says.
    """

    name: str
    image: Image
    model: OcrPipeline | TextDetector | None
    own: Tuning
    seconds: float = 0.0
    prob: ProbMap | None = None
    whole: list[TextRegion] = field(default_factory=list)
    _lines: dict[bytes, Reading] = field(default_factory=dict)

    @property
    def finds(self) -> bool:
        """Whether there are boxes to move."""
        return self.model is not None

    @property
    def reads(self) -> bool:
        """Whether there are texts, with a confidence."""
        return isinstance(self.model, OcrPipeline) or any(region.text is not None for region in self.whole)

    def regions(self, tuning: Tuning) -> list[TextRegion]:
        """What is on the image, with thresholds of the visitor's own."""
        if self.model is None or self.prob is None:
            return [region for region in self.whole if (region.text_score or 0.0) >= tuning.min_text_score]
        detector = self.model.detector if isinstance(self.model, OcrPipeline) else self.model
        wanted = {name: getattr(tuning, name) for name in ("bin_thresh", "box_thresh", "unclip_ratio")}
        thresholds = detector.thresholds.model_copy(update=wanted)
        known = _KnownMap(detector.engine, detector.preprocess, thresholds, self.prob)
        if isinstance(self.model, TextDetector):
            return known.detect(self.image)
        reader = self.model.recognizer
        remembering = _Remembering(
            reader.engine, reader.preprocess, reader.charset, reader.thresholds, reader.threads, self._lines
        )
        seen = replace(self.model, detector=known, recognizer=remembering, min_text_score=tuning.min_text_score)
        return seen.read(self.image)

    def json(self, regions: list[TextRegion]) -> dict[str, Any]:
        """The interface's JSON."""
        return page_json(Page(self.image, regions, self.name), (self.image.shape[1], self.image.shape[0]))


@dataclass
class Looks:
    """The last few images that visitors looked at; what has been dropped is looked at again.

    Attributes:
        models: run them.
    """

    models: Models
    _kept: OrderedDict[tuple[str, ...], Look] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, bundle: Bundle, preset: str, content: bytes, name: str) -> Look:
        """An image file as a bundle with a preset sees it.

        Raises:
            ImageError: the file is no image, damaged, or too large.
            BundleError: the bundle cannot be run.
        """
        key = (str(bundle.path), bundle.fingerprint(), preset, hashlib.sha256(content).hexdigest(), name)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        look = self._look(bundle, preset, decoded(content, name, LIMITS), name)
        with self._lock:
            self._kept[key] = look
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return look

    def _look(self, bundle: Bundle, preset: str, image: Image, name: str) -> Look:
        view = _view(self.models, bundle, preset)
        if not isinstance(view, (OcrPipeline, TextDetector)):
            with self.models.busy:
                started = time.perf_counter()
                (whole,) = reader_of(view)([image])
                return Look(name, image, None, Tuning(), time.perf_counter() - started, whole=whole)
        detector = view.detector if isinstance(view, OcrPipeline) else view
        least = view.min_text_score if isinstance(view, OcrPipeline) else 0.0
        found = detector.thresholds
        own = Tuning(found.bin_thresh, found.box_thresh, found.unclip_ratio, least)
        with self.models.busy:
            started = time.perf_counter()
            look = Look(name, image, view, own, prob=detector.prob_map(image))
            look.regions(own)
        return replace(look, seconds=time.perf_counter() - started)


def looking(models: Models, bundle: Bundle, preset: str) -> PageModel:
    """A bundle with a preset as something that looks at whole images; presets are for bundles that find texts.

    Raises:
        BundleError: the bundle cannot be run.
    """
    read = reader_of(_view(models, bundle, preset))
    return lambda image: read([image])[0]


def _view(models: Models, bundle: Bundle, preset: str) -> PageFinder | LineModel:
    """A bundle through a preset; what takes an image as one line has none, and comes as it is."""
    model = models.get(bundle)
    return with_preset(model, preset_by_name(preset)) if isinstance(model, (OcrPipeline, TextDetector)) else model


def compact_json(page: dict[str, Any]) -> str:
    """The interface's JSON of a page, a line for each region."""
    head = json.dumps({key: value for key, value in page.items() if key != "regions"}, ensure_ascii=False)
    regions = ",\n  ".join(json.dumps(region, ensure_ascii=False) for region in page["regions"])
    return f'{head[:-1]}, "regions": [\n  {regions}\n]}}\n' if regions else f'{head[:-1]}, "regions": []}}\n'


def scaled(image: Image, regions: Sequence[TextRegion], longest: int) -> tuple[Image, list[TextRegion]]:
    """An image whose longer side is at most so many pixels, and the regions on it."""
    scale = min(1.0, longest / max(image.shape[:2]))
    if scale == 1.0:
        return image, list(regions)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    factor = np.array(small.shape[1::-1], np.float32) / np.array(image.shape[1::-1], np.float32)
    return np.asarray(small, np.uint8), [
        replace(region, polygon=np.asarray(region.polygon * factor, np.float32)) for region in regions
    ]


def pdf_page_count(path: Path) -> int:
    """Pages of a PDF.

    Raises:
        ImageError: it is damaged or locked, or a page is too large.
        TooLarge: it has too many pages.
    """
    return pdf_pages(path.read_bytes(), path.name, LIMITS)


def write_pdf_page(path: Path, number: int, folder: Path) -> Path:
    """A page of a PDF, from 1, as an image file.

    Raises:
        ImageError: it cannot be rendered.
    """
    target = folder / f"{path.stem}_{number}.png"
    target.write_bytes(bytes(cv2.imencode(".png", render_pdf_page(path, number - 1, f"{path.name}#{number}"))[1]))
    return target
