"""Small labelled images for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ocrtune.page import Page, TextRegion, as_polygon, reading_order


def save_image(path: Path, width: int = 160, height: int = 120, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.write_bytes(bytes(cv2.imencode(path.suffix, pixels)[1]))
    return path


def rectangle(
    x0: float, y0: float, x1: float, y1: float, text: str | None = "text", ignore: bool = False
) -> TextRegion:
    return TextRegion(as_polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]), text, ignore)


def sample_pages(folder: Path, count: int = 3) -> list[Page]:
    """Pages with a plain text, one with commas, quotes and CJK, and an ignored one."""
    pages = []
    for index in range(count):
        image = save_image(folder / f"page_{index}.png", seed=index)
        regions = [
            rectangle(10, 10, 60, 25, f"TOTAL {index}"),
            rectangle(10.5, 40.25, 90, 52, 'a, "b", 中文 ,'),
            rectangle(70, 70, 120, 90, None, ignore=True),
        ]
        pages.append(Page(image, regions))
    return pages


def printed_page(path: Path, seed: int, texts: int = 8) -> Page:
    """A white page of 320 pixels with lines of capitals that any detector finds, as a file."""
    rng = np.random.default_rng(seed)
    image = np.full((40 * texts, 320, 3), 255, np.uint8)
    regions = []
    for row in range(texts):
        text = "".join(rng.choice(list("ABCDEFGHKLMNPRST"), rng.integers(5, 12)))
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.8, 2)
        x, y = int(rng.integers(10, 60)), 40 * row + 28
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
        regions.append(rectangle(x - 1, y - height - 2, x + width + 1, y + 3, text))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return Page(path, regions)


def icdar_line(region: TextRegion) -> str:
    values = ",".join(str(round(float(v), 2)) for v in region.polygon.reshape(-1))
    return f"{values},{'###' if region.ignore else region.text}"


def write_paired(folder: Path, pages: Sequence[Page]) -> None:
    """``img/`` and ``box/`` with one csv a page, as the receipts have it."""
    for page in pages:
        target = folder / "img" / page.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(page.path.read_bytes())
        label = folder / "box" / f"{page.path.stem}.csv"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("\n".join(icdar_line(region) for region in page.regions) + "\n", encoding="utf-8")


def write_heads(pages: Sequence[Page], texts: int, folder: Path) -> None:
    """The pages down to a text, the others cut off, as paired folders ``img/`` and ``box/``: less work, as real."""
    heads = []
    (folder / "img").mkdir(parents=True)
    for page in pages:
        image = page.load()
        regions = reading_order(page.regions)[:texts]
        end = min(image.shape[0], 8 + int(max(region.polygon[:, 1].max() for region in regions)))
        path = folder / "img" / f"{Path(page.name).stem}.png"
        cv2.imwrite(str(path), image[:end])
        # a text beside the last one may begin above the cut and end below it
        heads.append(Page(path, [r for r in page.regions if r.polygon[:, 1].max() <= end]))
    write_paired(folder, heads)
