"""Receipts: typeset piece by piece with exact outlines, then photographed by `degrade`.

Texts are labelled as on real receipts: what stands in its own column is its own text, however near the next one is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from ocrtune.data.formats import write_dataset
from ocrtune.data.synth.degrade import photograph
from ocrtune.page import Page, Polygon, TextRegion, as_polygon

_FONTS = ("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSans-Oblique")
_SHOPS = (
    "Kedai Harmony|Blue Lagoon Cafe|Miller & Sons|Lucky Star Trading|Hardware Corner|Green Valley Market|Aroma Bakery"
)
_SUFFIXES = "Sdn Bhd|Ltd|Inc.|GmbH|& Co|Enterprise|Store"
_STREETS = "Jalan Merdeka|Station Road|High Street|Taman Desa|Lorong Bunga|Park Avenue|Harbour Lane|Mill Street"
_TOWNS = "Kuala Lumpur|Johor Bahru|Springfield|Ipoh|Penang|Bristol|Dublin|Selangor"
_GOODS = (
    "White bread|Milk 1L|Eggs grade A|Coffee latte|Green tea|Chicken rice|Battery AA|Cable tie 200mm|Notebook A5|"
    "Ball pen blue|Paint brush|Screw M4x20|Apple juice|Butter 250g|Olive oil|Fried noodle|Iced lemon|Soap bar|"
    "Tissue box|LED bulb 9W|Masking tape|Sandwich tuna|Orange|Dish wash 500ml|Cheese cake|Nasi lemak|Water 1.5L"
)
_NOTES = (
    "Thank you for your visit|Please come again|Goods sold are not returnable|Have a nice day|Keep this receipt|"
    "Prices include tax|Follow us online"
)

DEMO_PAGES = 64
_COMPARED = 0.375  # pages for the comparison, for each page to learn from


def demo_parts(pages: int = DEMO_PAGES) -> list[tuple[str, int, int]]:
    """Name, pages and seed of each part of the demo's data.

    Args:
        pages: to learn from.
    """
    return [("train", pages, 1), ("val", round(_COMPARED * pages), 2)]


@dataclass
class _Sheet:
    """A strip of paper that is filled from top to bottom.

    Attributes:
        width: in pixels.
        rng: decides everything.
        ink: drawn so far, uint8 [H, W]; cut to what is used in the end.
        y: next free row.
        texts, outlines: what was typeset.
    """

    width: int
    rng: np.random.Generator
    font: str
    size: int
    y: int = 0
    texts: list[str] = field(default_factory=list)
    outlines: list[Polygon] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.y = int(self.rng.uniform(0.02, 0.06) * self.width)
        self._image = PIL.Image.new("L", (self.width, 6 * self.width))
        self._draw = PIL.ImageDraw.Draw(self._image)

    @property
    def ink(self) -> np.ndarray:
        return np.asarray(self._image)[: self.y + int(0.04 * self.width)]

    @property
    def margin(self) -> float:
        return 0.05 * self.width

    def pick(self, words: str) -> str:
        return str(self.rng.choice(words.split("|")))

    def line(self, *pieces: tuple[float, str, str], scale: float = 1.0, font: str | None = None) -> None:
        """Typeset pieces of one line, each (x as a share of the printable width, anchor l/m/r, text)."""
        size = max(8, round(self.size * scale))
        face = _font(font or self.font, size)
        room = self.width - 2 * self.margin
        for share, anchor, text in pieces:
            at = (self.margin + share * room, self.y)
            self._draw.text(at, text, fill=255, font=face, anchor=anchor + "a")
            x0, y0, x1, y1 = self._draw.textbbox(at, text, font=face, anchor=anchor + "a")
            pad = 0.06 * size
            self.outlines.append(_box(x0 - pad, y0 - pad, x1 + pad, y1 + pad))
            self.texts.append(text)
        self.y += round(size * self.rng.uniform(1.2, 1.55))

    def rule(self) -> None:
        """A ruled line, which is no text."""
        y = self.y + self.size * 0.3
        room = np.linspace(self.margin, self.width - self.margin, int(self.width / self.size))
        for a, b in zip(room[::2], room[1::2], strict=False):
            self._draw.line((a, y, b, y), fill=200, width=max(1, self.size // 12))
        self.y += self.size

    def gap(self) -> None:
        self.y += round(self.size * self.rng.uniform(0.3, 1.2))


def render_receipt(seed: int, index: int) -> Page:
    """One receipt as a photo of about 600 x 1200 pixels; equal arguments give equal pixels.

    Returns:
        the page with its texts and quads, each clockwise from its own top left.
    """
    rng = np.random.default_rng([seed, index])
    width = int(rng.uniform(520, 760))
    sheet = _Sheet(width, rng, str(rng.choice(_FONTS[:4])), size=int(width * rng.uniform(0.03, 0.04)))
    for part in (_head, _numbers, _items, _totals, _foot):
        part(sheet)
        sheet.gap()
    photo, outlines = photograph(sheet.ink, sheet.outlines, rng)
    regions = [TextRegion(outline, text) for outline, text in zip(outlines, sheet.texts, strict=True)]
    return Page(photo, regions, name=f"receipt_{index:04d}.png")


def write_receipts(folder: Path, count: int, seed: int, each: Callable[[], None] = lambda: None) -> None:
    """Write ``count`` receipts as an icdar data set: ``images/``, ``gts/`` and ``list.txt``.

    Args:
        folder: gets the files.
        count: pages.
        seed: of everything; data sets of different seeds share no page.
        each: called after each page.
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    pages = []
    for index in range(count):
        page = render_receipt(seed, index)
        path = images / page.name
        path.write_bytes(bytes(cv2.imencode(".png", page.load())[1]))
        pages.append(Page(path, page.regions))
        each()
    write_dataset(pages, "icdar", folder)


def _head(sheet: _Sheet) -> None:
    rng = sheet.rng
    bold = sheet.font if sheet.font.endswith("Bold") else f"{sheet.font}-Bold"
    sheet.line(
        (0.5, "m", f"{sheet.pick(_SHOPS)} {sheet.pick(_SUFFIXES)}"), scale=float(rng.uniform(1.1, 1.5)), font=bold
    )
    sheet.line((0.5, "m", f"No. {rng.integers(1, 200)}, {sheet.pick(_STREETS)}"))
    sheet.line((0.5, "m", f"{rng.integers(10000, 99999)} {sheet.pick(_TOWNS)}"))
    if rng.random() < 0.7:
        sheet.line((0.5, "m", f"Tel: {rng.integers(10, 99)}-{rng.integers(100, 999)} {rng.integers(1000, 9999)}"))


def _numbers(sheet: _Sheet) -> None:
    """Names and their values, with a colon of its own between them on some receipts."""
    rng = sheet.rng
    day = f"{rng.integers(1, 29):02d}/{rng.integers(1, 13):02d}/20{rng.integers(15, 27)}"
    clock = f"{rng.integers(8, 22):02d}:{rng.integers(0, 60):02d}"
    column, colon = rng.uniform(0.26, 0.34), rng.random() < 0.5
    rows = [
        ("Invoice", f"INV-{rng.integers(1000, 99999)}"),
        ("Date", day),
        ("Cashier", sheet.pick("Admin|Lee|Siti|Tom|Ana")),
    ]
    for name, value in rows:
        pieces = [(0.0, "l", name), (column, "l", value)]
        if colon:
            pieces.insert(1, (column - 0.035, "l", ":"))
        if name == "Date":
            pieces.append((column + 0.36, "l", clock))
        sheet.line(*pieces)
    sheet.rule()


def _items(sheet: _Sheet) -> None:
    """Quantity, name, price, and a tax code or currency close behind the price."""
    rng = sheet.rng
    code = sheet.pick("SR|Z|T|RM|A") if rng.random() < 0.75 else None
    two_lines = rng.random() < 0.5
    edge = 1.0 if code is None else rng.uniform(0.9, 0.93)
    sheet.line((0.0, "l", "Qty"), (0.14, "l", "Item"), (edge, "r", "Price"))
    for _ in range(int(rng.integers(5, 14))):
        quantity, price = int(rng.integers(1, 9)), round(float(rng.uniform(0.5, 90)), 2)
        total = [(edge, "r", f"{quantity * price:.2f}")]
        if code is not None:
            total.append((edge + 0.018, "l", code))
        if two_lines:
            sheet.line((0.0, "l", sheet.pick(_GOODS)))
            sheet.line((0.06, "l", f"{quantity} x"), (0.17, "l", f"{price:.2f}"), *total)
        else:
            sheet.line((0.0, "l", str(quantity)), (0.14, "l", sheet.pick(_GOODS)), *total)
    sheet.rule()


def _totals(sheet: _Sheet) -> None:
    rng = sheet.rng
    net = round(float(rng.uniform(5, 400)), 2)
    tax = round(net * 0.06, 2)
    currency = sheet.pick("RM|$|EUR|GBP")
    for name, value in (("Subtotal", net), ("GST 6%", tax), ("Rounding", 0.0)):
        sheet.line((0.3, "l", name), (0.72, "l", currency), (1.0, "r", f"{value:.2f}"))
    scale = float(rng.uniform(1.0, 1.4))
    sheet.line((0.15, "l", "TOTAL"), (0.62, "l", currency), (1.0, "r", f"{net + tax:.2f}"), scale=scale)
    sheet.line((0.3, "l", sheet.pick("Cash|Visa|Card|Change")), (1.0, "r", f"{net + tax:.2f}"))


def _foot(sheet: _Sheet) -> None:
    for _ in range(int(sheet.rng.integers(1, 4))):
        sheet.line((0.5, "m", sheet.pick(_NOTES)), font=str(sheet.rng.choice(_FONTS)))


def _box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return as_polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> PIL.ImageFont.FreeTypeFont:
    """A font that comes with matplotlib, so that pages look the same on every machine."""
    import matplotlib

    return PIL.ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)
