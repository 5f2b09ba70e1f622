"""Predict images, folders and PDFs, and write what was found."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ocrtune.bundle import Bundle
from ocrtune.data.draw import draw_regions, draw_texts
from ocrtune.data.formats import write_dataset
from ocrtune.errors import DataError, ImageError
from ocrtune.files import write_whole
from ocrtune.page import IMAGE_SUFFIXES, Image, Page, TextRegion, whole_image
from ocrtune.report.figures import jpeg
from ocrtune.runtime.load import load_detector, load_orientation, load_pipeline, load_recognizer

FORMATS = ("json", "jsonl", "text", "icdar", "paddle")
PDF_DPI = 200.0
_POINTS = 72.0  # a PDF's unit, per inch


class PageModel(Protocol):
    """Something that finds or reads texts on a page: a detector, a recogniser of single lines, a pipeline."""

    def __call__(self, image: Image) -> list[TextRegion]: ...


def page_model(bundle: Bundle) -> PageModel:
    """A bundle of any task as something that looks at whole images.

    A recogniser or direction classifier takes the image as one line.

    Raises:
        BundleError: the bundle has no ONNX file, or its settings do not fit.
    """
    task = bundle.manifest.task
    if task == "ocr":
        return load_pipeline(bundle).read
    if task == "detection":
        return load_detector(bundle).detect
    if task == "recognition":
        recognizer = load_recognizer(bundle)

        def read(image: Image) -> list[TextRegion]:
            reading = recognizer.read([image])[0]
            outline = whole_image(image.shape[1], image.shape[0])
            return [TextRegion(outline, reading.text, text_score=reading.confidence, angle=180.0 * reading.turned)]

        return read
    orientation = load_orientation(bundle)

    def turned(image: Image) -> list[TextRegion]:
        probability = float(orientation.probabilities([image])[0])
        angle = 180.0 if probability > orientation.thresholds.turn_thresh else 0.0
        score = probability if angle else 1 - probability
        return [TextRegion(whole_image(image.shape[1], image.shape[0]), score=score, angle=angle)]

    return turned


@dataclass
class Predictions:
    """What was found.

    Attributes:
        pages: in the order of the images; damaged ones are left out.
        sizes: width and height of each.
        errors: one for each damaged image.
    """

    pages: list[Page] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    errors: list[ImageError] = field(default_factory=list)


@dataclass(frozen=True)
class PdfPage:
    """One page of a PDF, rendered when it is asked for.

    Attributes:
        file: the PDF.
        index: from 0.
    """

    file: Path
    index: int

    @property
    def name(self) -> str:
        return f"{self.file}#{self.index + 1}"

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.load().shape[:2]
        return width, height

    def load(self) -> Image:
        """Render at `PDF_DPI`, uint8 [H, W, 3] BGR.

        Raises:
            ImageError: the page cannot be rendered.
        """
        import pypdfium2

        try:
            with pypdfium2.PdfDocument(self.file) as document:
                return np.asarray(document[self.index].render(scale=PDF_DPI / _POINTS).to_numpy()[..., :3], np.uint8)
        except pypdfium2.PdfiumError as error:
            raise ImageError(f"the page cannot be rendered: {error}", where=self.name) from error


def find_images(sources: Sequence[Path]) -> tuple[list[Page], list[ImageError]]:
    """Images and PDF pages among files and folders, folders sorted by name.

    Returns:
        pages without regions, and an error for each PDF that cannot be opened.

    Raises:
        DataError: a source does not exist, or there is no image at all.
    """
    files: list[Path] = []
    for source in sources:
        if source.is_dir():
            files += sorted(path for path in source.rglob("*") if path.suffix.lower() in (*IMAGE_SUFFIXES, ".pdf"))
        elif source.is_file():
            files.append(source)
        else:
            raise DataError("the path does not exist", where=source)
    if not files:
        raise DataError(
            "there is no image",
            where=", ".join(map(str, sources)),
            expected=", ".join(sorted({*IMAGE_SUFFIXES, ".pdf"})),
        )
    pages, errors = [], []
    for file in files:
        if file.suffix.lower() != ".pdf":
            pages.append(Page(file, name=str(file)))
            continue
        try:
            pages += _pdf_pages(file)
        except ImageError as error:
            errors.append(error)
    return pages, errors


def _pdf_pages(file: Path) -> list[Page]:
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(file) as document:
            return [Page(PdfPage(file, index), name=PdfPage(file, index).name) for index in range(len(document))]
    except pypdfium2.PdfiumError as error:
        raise ImageError(
            f"the PDF cannot be opened: {error}", where=file, expected="a PDF without a password"
        ) from error


def predict_images(
    model: PageModel, pages: Sequence[Page], draw: Path | None = None, each: Callable[[], None] = lambda: None
) -> Predictions:
    """Predict images one after the other; a damaged one is noted and left out.

    Args:
        model: finds or reads texts.
        pages: images.
        draw: folder for pictures with what was found, and beside them what was read.
        each: called after each image.
    """
    found = Predictions()
    if draw is not None:
        draw.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    for page in pages:
        try:
            image = page.load()
        except ImageError as error:
            found.errors.append(error)
        else:
            predicted = page.with_regions(model(image))
            found.pages.append(predicted)
            found.sizes.append((image.shape[1], image.shape[0]))
            if draw is not None:
                read = any(region.text is not None for region in predicted.regions)
                picture = (draw_texts if read else draw_regions)(image, predicted.regions)
                (draw / _free_name(page.name, names)).write_bytes(jpeg(picture))
        each()
    return found


def write_predictions(
    pages: Sequence[Page], sizes: Sequence[tuple[int, int]], output_format: str, out: Path | None
) -> None:
    """Write predictions as a list of JSON objects, as JSON lines, as plain text (one line a text), or as label files."""
    if output_format in ("icdar", "paddle"):
        assert out is not None
        write_dataset(pages, output_format, out, replace=True)
        return
    entries = [page_json(page, size) for page, size in zip(pages, sizes, strict=True)]
    if output_format == "text":
        parts = ["".join(f"{region.text}\n" for region in page.regions if region.text) for page in pages]
        text = parts[0] if len(parts) == 1 else "".join(f"# {p.name}\n{t}\n" for p, t in zip(pages, parts, strict=True))
    elif output_format == "jsonl":
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    else:
        text = json.dumps(entries[0] if len(entries) == 1 else entries, ensure_ascii=False, indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    write_whole(out, text)


def page_json(page: Page, size: tuple[int, int]) -> dict[str, Any]:
    """The interface's JSON object of one predicted page."""
    return {
        "image": page.name,
        "width": size[0],
        "height": size[1],
        "regions": [_region_json(region) for region in page.regions],
    }


def _region_json(region: TextRegion) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "polygon": [[round(float(v), 2) for v in point] for point in region.polygon],
        "score": None if region.score is None else round(region.score, 4),
    }
    if region.text is not None:
        shown["text"] = region.text
        shown["text_score"] = None if region.text_score is None else round(region.text_score, 4)
    if region.angle is not None:
        shown["angle"] = region.angle
    return shown


def _free_name(page: str, used: set[str]) -> str:
    in_pdf = re.fullmatch(r"(.*\.pdf)#(\d+)", page, flags=re.IGNORECASE | re.DOTALL)
    stem = f"{Path(in_pdf[1]).stem}_{in_pdf[2]}" if in_pdf else Path(page).stem
    name, number = f"{stem}.jpg", 2
    while name in used:
        name, number = f"{stem}_{number}.jpg", number + 1
    used.add(name)
    return name
