"""Predict images, folders and PDFs, and write what was found."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ocrtune.data.draw import draw_regions, draw_texts
from ocrtune.data.formats import write_dataset
from ocrtune.errors import DataError, ImageError
from ocrtune.files import write_whole
from ocrtune.page import IMAGE_SUFFIXES, Image, Page
from ocrtune.report.figures import jpeg
from ocrtune.runtime.pages import PageModel, page_json
from ocrtune.runtime.pdf import pdf_sizes, render_pdf_page

FORMATS = ("json", "jsonl", "text", "icdar", "paddle")


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
        return pdf_sizes(self.file, self.file)[self.index]

    def load(self) -> Image:
        return render_pdf_page(self.file, self.index, self.name)


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
    pages = [PdfPage(file, index) for index in range(len(pdf_sizes(file, file)))]
    return [Page(page, name=page.name) for page in pages]


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


def _free_name(page: str, used: set[str]) -> str:
    in_pdf = re.fullmatch(r"(.*\.pdf)#(\d+)", page, flags=re.IGNORECASE | re.DOTALL)
    stem = f"{Path(in_pdf[1]).stem}_{in_pdf[2]}" if in_pdf else Path(page).stem
    name, number = f"{stem}.jpg", 2
    while name in used:
        name, number = f"{stem}_{number}.jpg", number + 1
    used.add(name)
    return name
