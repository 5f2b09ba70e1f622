"""What a base model says about labels: whether they are cut as it cuts, and which of them are probably wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ocrtune.bundle import Bundle
from ocrtune.data.check.cache import FactsCache, image_key
from ocrtune.data.check.disagree import Seen, apart, judge
from ocrtune.data.check.findings import Finding
from ocrtune.data.check.pages import CheckSettings
from ocrtune.data.formats import DatasetPath, stream_dataset
from ocrtune.data.lines import readable
from ocrtune.errors import BundleError, ImageError
from ocrtune.page import Image, Page, TextRegion, as_polygon
from ocrtune.runtime.crop import crop_region
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.load import load_detector, load_recognizer
from ocrtune.runtime.recognizer import TextRecognizer

_PROBE_WIDTH = 320  # pixels of a line that shows how many columns the network gives


@dataclass(frozen=True)
class BaseModel:
    """The model that will be fine-tuned, as it is.

    Attributes:
        name: as the user calls it.
        fingerprint: of what makes its predictions.
        detector, recognizer: what it has of them.
    """

    name: str
    fingerprint: str
    detector: TextDetector | None = field(repr=False)
    recognizer: TextRecognizer | None = field(repr=False)

    def settings(self, settings: CheckSettings) -> CheckSettings:
        """The settings with the recogniser's own characters and columns; a charset that was named stays."""
        if self.recognizer is None:
            return settings
        preprocess = self.recognizer.preprocess
        width = preprocess.input_width(_PROBE_WIDTH, preprocess.height)
        blank = np.zeros((1, 3, preprocess.height, width), np.float32)
        classes, _ = self.recognizer.engine(blank)
        return replace(
            settings,
            charset=settings.charset or self.recognizer.charset,
            line_height=preprocess.height,
            column=width // classes.shape[1],
            max_width=preprocess.max_width,
        )


def load_base(bundle: Bundle, name: str) -> BaseModel:
    """The detector and the recogniser of a bundle.

    Raises:
        BundleError: it has neither, or its files do not fit.
    """
    task = bundle.manifest.task
    if task == "orientation":
        raise BundleError(
            "the bundle finds directions, and neither finds nor reads texts",
            where=bundle.path,
            expected="a bundle for detection, recognition or ocr",
        )
    detector = load_detector(bundle) if task in ("detection", "ocr") else None
    recognizer = load_recognizer(bundle) if task in ("recognition", "ocr") else None
    parts = [bundle] if task != "ocr" else [part for t in ("detection", "recognition") if (part := bundle.part(t))]
    return BaseModel(name, "+".join(part.fingerprint() for part in parts), detector, recognizer)


def ask_base(
    dataset: DatasetPath,
    base: BaseModel,
    pages: int,
    most: int,
    bar: Callable[[int], Callable[[], None]] | None = None,
    cache: Path | None = None,
) -> list[Finding]:
    """Compare labels with what a base model finds and reads; the most suspicious ones come first.

    Args:
        dataset: labelled pages; faulty ones are passed over.
        base: the model.
        pages: how many there are.
        most: how many are looked at, evenly spread over the data.
        bar: shows how far it is.
        cache: folder where what the model said is kept.

    Raises:
        DataError: the label file as a whole cannot be read.
    """
    rows = set(np.linspace(0, pages - 1, min(most, pages)).round().astype(int).tolist())
    every = enumerate(stream_dataset(dataset, lambda fault: None, required=False))
    chosen = (page for row, page in every if row in rows)
    each = bar(len(rows)) if bar else lambda: None
    with FactsCache(cache, dataset) as known:
        return judge(_seen(chosen, base, known, each), base.name)


def _seen(
    pages: Iterable[Page], base: BaseModel, known: FactsCache, each: Callable[[], None]
) -> Iterator[tuple[Page, Seen]]:
    for page in pages:
        key, model = image_key(page), f"{base.fingerprint} {_outlines(page)}"
        said = known.predictions(key, model)
        if said is None:
            try:
                said = _look(base, page.load(), page.regions)
            except ImageError:
                said = None  # the check has told it
            else:
                known.keep_predictions(key, model, said)
        if said is not None:
            yield page, Seen([_region(entry) for entry in said["boxes"]], [tuple(r) for r in said["readings"]])
        each()


def _look(base: BaseModel, image: Image, labels: Sequence[TextRegion]) -> dict[str, Any]:
    """Boxes on the page, with a text where there is no label, and what is read in each label that has a text."""
    boxes = base.detector.detect(image) if base.detector is not None else []
    outlines = {f"box {i}": boxes[i].polygon for i in np.flatnonzero(apart(labels, boxes))}
    outlines |= {f"label {i}": region.polygon for i, region in enumerate(labels) if readable(region)}
    texts: dict[str, tuple[str, float]] = {}
    if base.recognizer is not None:
        margin = base.recognizer.preprocess.margin
        readings = base.recognizer.read([crop_region(image, outline, margin) for outline in outlines.values()])
        texts = {key: (r.text, round(r.confidence, 4)) for key, r in zip(outlines, readings, strict=True)}
    shown = [
        {"polygon": box.polygon.round(1).tolist(), "score": box.score, "read": texts.get(f"box {i}")}
        for i, box in enumerate(boxes)
    ]
    return {"boxes": shown, "readings": [texts.get(f"label {i}", (None, 0.0)) for i in range(len(labels))]}


def _region(entry: dict[str, Any]) -> TextRegion:
    text, confidence = entry["read"] or (None, None)
    return TextRegion(as_polygon(entry["polygon"]), text, score=entry["score"], text_score=confidence)


def _outlines(page: Page) -> str:
    """Changes with the labels' outlines, and with which of them have texts."""
    digest = hashlib.blake2b(digest_size=8)
    for region in page.regions:
        digest.update(region.polygon.tobytes() + bytes([readable(region)]))
    return digest.hexdigest()
