"""Pages with everything that a label can say, and where each format writes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ocrtune.data.formats import FORMATS, written_suffix
from ocrtune.page import TextRegion, as_polygon
from support.pages import rectangle

LINE_FORMATS = ("csv", "lmdb")
PAGE_FORMATS = tuple(name for name in FORMATS if name not in LINE_FORMATS)


def target(folder: Path, name: str) -> Path:
    """A place for a data set of this format in a folder."""
    return folder / f"{name}_set{written_suffix(name)}"


def turned(angle: float, text: str | None = "turned", width: float = 60, height: float = 14) -> TextRegion:
    """A rectangle around (80, 60) whose text runs in the direction of so many degrees, clockwise."""
    w, h = width / 2, height / 2
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = np.array([(-w, -h), (w, -h), (w, h), (-w, h)])
    return TextRegion(as_polygon(corners @ np.array([(cos, sin), (-sin, cos)]) + (80, 60)), text)


CURVE = as_polygon([(10, 50), (40, 30), (80, 24), (120, 30), (150, 50), (140, 62), (80, 40), (20, 62)])
QUAD = as_polygon([(20, 20), (110, 30), (100, 60), (24, 48)])

REGIONS: dict[str, TextRegion] = {
    "plain": rectangle(10, 10, 60, 25, "TOTAL 5.00"),
    "signs": rectangle(10.5, 40.25, 90, 52, "a, \"b\" 'c' <d> & [e] {f} \\ ####g #h;"),
    "other scripts": rectangle(10, 40, 90, 52, "中文 العربية ไทย 𝔘 é"),
    "empty": rectangle(10, 10, 60, 25, ""),
    "unknown": rectangle(10, 10, 60, 25, None),
    "ignored": rectangle(70, 70, 120, 90, None, ignore=True),
    "difficult": rectangle(70, 70, 120, 90, "hard to read", ignore=True),
    "curve": TextRegion(CURVE, "round"),
    "curve, ignored": TextRegion(CURVE, None, ignore=True),
    "quad": TextRegion(QUAD, "askew"),
    "turned 30": turned(30),
    "turned -12.5": turned(-12.5),
    "turned 90": turned(90),
    "turned 180": turned(180),
    "turned 250": turned(250),
    "higher than wide": turned(20, "l", width=8, height=40),
    "line break": rectangle(10, 10, 60, 25, "two\nlines"),
    "blanks": rectangle(10, 10, 60, 25, "  both sides "),
    "control": rectangle(10, 10, 60, 25, "bell\x07 and null\x00"),
}
