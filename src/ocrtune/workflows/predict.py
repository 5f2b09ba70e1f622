"""Predict images and folders, and write what was found."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ocrtune.data.draw import draw_regions
from ocrtune.data.formats import write_dataset
from ocrtune.errors import DataError, ImageError
from ocrtune.page import IMAGE_SUFFIXES, Page
from ocrtune.report.figures import jpeg
from ocrtune.runtime.detector import TextDetector

FORMATS = ("json", "jsonl", "icdar", "paddle")


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


def find_images(sources: Sequence[Path]) -> list[Path]:
    """Image files among files and folders, folders sorted by name.

    Raises:
        DataError: a source does not exist, or there is no image at all.
    """
    images: list[Path] = []
    for source in sources:
        if source.is_dir():
            images += sorted(path for path in source.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        elif source.is_file():
            images.append(source)
        else:
            raise DataError("the path does not exist", where=source)
    if not images:
        raise DataError(
            "there is no image", where=", ".join(map(str, sources)), expected=", ".join(sorted(IMAGE_SUFFIXES))
        )
    return images


def predict_images(
    detector: TextDetector, images: Sequence[Path], draw: Path | None = None, each: Callable[[], None] = lambda: None
) -> Predictions:
    """Predict files one after the other; a damaged one is noted and left out.

    Args:
        detector: the model.
        images: files.
        draw: folder for pictures with the regions.
        each: called after each image.
    """
    found = Predictions()
    if draw is not None:
        draw.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    for path in images:
        try:
            image = Page(path).load()
        except ImageError as error:
            found.errors.append(error)
        else:
            page = Page(path, detector.detect(image), name=str(path))
            found.pages.append(page)
            found.sizes.append((image.shape[1], image.shape[0]))
            if draw is not None:
                (draw / _free_name(path, names)).write_bytes(jpeg(draw_regions(image, page.regions)))
        each()
    return found


def write_predictions(
    pages: Sequence[Page], sizes: Sequence[tuple[int, int]], output_format: str, out: Path | None
) -> None:
    """Write predictions as a list of JSON objects, as JSON lines, or as label files."""
    if output_format in ("icdar", "paddle"):
        assert out is not None
        write_dataset(pages, output_format, out)
        return
    entries = [page_json(page, size) for page, size in zip(pages, sizes, strict=True)]
    if output_format == "jsonl":
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    else:
        text = json.dumps(entries[0] if len(entries) == 1 else entries, ensure_ascii=False, indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, out)


def page_json(page: Page, size: tuple[int, int]) -> dict[str, Any]:
    """The interface's JSON object of one predicted page."""
    regions = [
        {
            "polygon": [[round(float(v), 2) for v in point] for point in region.polygon],
            "score": None if region.score is None else round(region.score, 4),
        }
        for region in page.regions
    ]
    return {"image": page.name, "width": size[0], "height": size[1], "regions": regions}


def _free_name(path: Path, used: set[str]) -> str:
    name, number = f"{path.stem}.jpg", 2
    while name in used:
        name, number = f"{path.stem}_{number}.jpg", number + 1
    used.add(name)
    return name
