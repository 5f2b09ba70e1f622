"""A sheet that templates print on: texts with the exact extent of their ink, rules, boxes, tones, bar codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw

from ocrtune.data.synth.corpus import NOT_FIRST, breaks_anywhere
from ocrtune.data.synth.fonts import Font, FontBook
from ocrtune.page import Polygon, TextRegion, as_polygon

Granularity = Literal["line", "word"]
Layer = npt.NDArray[np.uint8]
"""Coverage of the sheet, uint8 [H, W], 0 is bare paper."""
Colour = tuple[float, float, float]
"""Blue, green, red, 0 to 255."""
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels; pixel i reaches from i to i + 1."""

_PAD = 0.06  # of the font's size, around the ink
_LOWER_CASE = 0.45  # of the font's size: what a small letter covers above the baseline
_LEAST_SIZE = 9  # pixels
_LEAST_SCALE = 0.7  # to which a text is set smaller where it must fit


@dataclass(frozen=True)
class Word:
    """What stands between two spaces.

    Attributes:
        text: without spaces.
        box: its outline on the sheet: the ink, at least the height of a small letter, and a little around.
    """

    text: str
    box: Box


@dataclass
class Sheet:
    """Paper that a template prints on.

    Attributes:
        width, height: in pixels.
        book: fonts.
        font: what texts are set in where they do not say otherwise.
        rng: decides everything.
        ink: what is printed, uint8 [H, W].
        tone: areas of colour below it, uint8 [H, W].
        lines: what was typeset: the words of each text.
        missing: characters that kept texts from being printed, with their number.
        skipped: texts that no single font could draw.
        size: of its usual text in pixels.
        paper, colour, tone_colour: where the template decides about them.
    """

    width: int
    height: int
    book: FontBook
    font: Font
    rng: np.random.Generator
    lines: list[list[Word]] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    size: int = 20
    paper: Colour | None = None
    colour: Colour | None = None
    tone_colour: Colour = (120.0, 120.0, 120.0)

    def __post_init__(self) -> None:
        self.ink: Layer = np.zeros((self.height, self.width), np.uint8)
        self.tone: Layer = np.zeros((self.height, self.width), np.uint8)
        self._printed: list[Box] = []

    def crop(self, height: int) -> None:
        """Cut the paper off below."""
        self.height = min(height, self.height)
        self.ink, self.tone = self.ink[: self.height], self.tone[: self.height]

    def fitting(self, text: str, font: Font | None = None) -> Font | None:
        """The font to set a text in: the wanted one, or another that can; None, and counted, where none can."""
        wanted = font or self.font
        if wanted.draws(text):
            return wanted
        other = self.book.pick(self.rng, text)
        if other is None:
            self.skipped += 1
            self.missing.update(min((f.missing(text) for f in self.book.fonts), key=lambda missing: len(str(missing))))
        return other

    def measure(self, text: str, size: int, font: Font | None = None) -> float:
        """How far a text advances, in pixels."""
        able = font or self.font
        return float(able.face(size).getlength(text))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        *,
        anchor: Literal["l", "m", "r"] = "l",
        font: Font | None = None,
        fit: float | None = None,
        reverse: bool = False,
    ) -> bool:
        """Typeset one text, which becomes one line of the labels.

        Args:
            x, y: the anchor on the baseline, in pixels.
            text: words with single spaces.
            size: of the font in pixels.
            anchor: left end, middle or right end at ``x``.
            font: other than the sheet's.
            fit: greatest width in pixels; a longer text is set smaller, and shortened where it would be too small.
            reverse: cut out of the tone instead of printed.

        Returns:
            whether it was printed; not beyond the paper, over another text, or where no font has its characters.
        """
        able = self.fitting(text, font) if text else None
        if able is None:
            return False
        if fit is not None:
            text, size = self._fitted(text, size, able, fit)
        length = self.measure(text, size, able)
        left = x - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor] * length
        if size < _LEAST_SIZE or left < 0 or left + length > self.width or y - size < 0 or y + 0.4 * size > self.height:
            return False
        glyphs, start = [], 0
        for word in text.split(" "):
            if word:
                glyphs.append(_glyphs(left + self.measure(text[:start], size, able), y, word, size, able))
            start += len(word) + 1
        return self._print(glyphs, reverse)

    def paragraph(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        width: float,
        leading: float,
        bottom: float,
        *,
        justify: bool = False,
    ) -> float:
        """Typeset a text in lines of at most ``width`` pixels down to ``bottom``; returns the next free baseline."""
        able = self.fitting(text)
        if able is None:
            return y
        lines = _broken(text, lambda part: self.measure(part, size, able), width)
        for number, line in enumerate(lines):
            if y > bottom:
                break
            room = width - self.measure(line, size, able)
            gaps = line.count(" ")
            if justify and gaps and number < len(lines) - 1 and room < 0.3 * width:
                self._justified(x, y, line, size, able, room / gaps)
            else:
                self.text(x, y, line, size, font=able)
            y += leading * size
        return y

    def rule(self, x0: float, y0: float, x1: float, y1: float, thick: int = 1, dash: int = 0, dark: int = 230) -> None:
        """A straight line, dashed where ``dash`` is its length in pixels."""
        length = float(np.hypot(x1 - x0, y1 - y0))
        steps = np.arange(0, length, 2 * dash) if dash else np.zeros(1)
        direction = np.array([x1 - x0, y1 - y0]) / max(length, 1)
        for step in steps:
            a = np.array([x0, y0]) + direction * step
            b = np.array([x0, y0]) + direction * min(length, step + (dash or length))
            cv2.line(self.ink, _pixel(a), _pixel(b), dark, thick)

    def box(self, x0: float, y0: float, x1: float, y1: float, thick: int = 1, dark: int = 230) -> None:
        cv2.rectangle(self.ink, _pixel((x0, y0)), _pixel((x1, y1)), dark, thick)

    def fill(self, x0: float, y0: float, x1: float, y1: float, strength: int = 255) -> None:
        """An area of the tone colour."""
        cv2.rectangle(self.tone, _pixel((x0, y0)), _pixel((x1 - 1, y1 - 1)), strength, -1)

    def bars(self, x: float, y: float, width: float, height: float) -> None:
        """Something like a bar code, which is no text."""
        unit, at = max(1, int(width / 95)), int(x)
        while at < x + width - 4 * unit:
            bar, gap = (unit * int(n) for n in self.rng.integers(1, 4, 2))
            self.ink[int(y) : int(y + height), at : at + bar] = 255
            at += bar + gap

    def matrix(self, x: float, y: float, side: float) -> None:
        """Something like a two-dimensional code."""
        modules = int(self.rng.choice([21, 25]))
        unit = max(1, int(side / modules))
        cells = (self.rng.random((modules, modules)) < 0.5).astype(np.uint8) * 255
        for top, left in ((0, 0), (0, modules - 7), (modules - 7, 0)):
            cells[top : top + 7, left : left + 7] = 255
            cells[top + 1 : top + 6, left + 1 : left + 6] = 0
            cells[top + 2 : top + 5, left + 2 : left + 5] = 255
        code = np.kron(cells, np.ones((unit, unit), np.uint8))
        area = self.ink[int(y) : int(y) + len(code), int(x) : int(x) + len(code)]
        area[:] = code[: area.shape[0], : area.shape[1]]

    def regions(self, granularity: Granularity) -> list[TextRegion]:
        """What was typeset, with quads in pixels of the sheet."""
        if granularity == "word":
            return [TextRegion(_quad(word.box), word.text) for line in self.lines for word in line]
        return [
            TextRegion(_quad(_hull([word.box for word in line])), " ".join(word.text for word in line))
            for line in self.lines
        ]

    def _justified(self, x: float, y: float, line: str, size: int, font: Font, gap: float) -> None:
        glyphs, at = [], x
        for word in line.split(" "):
            glyphs.append(_glyphs(at, y, word, size, font))
            at += self.measure(word + " ", size, font) + gap
        self._print(glyphs, reverse=False)

    def _fitted(self, text: str, size: int, font: Font, width: float) -> tuple[str, int]:
        """A text that is no wider than ``width``: set somewhat smaller, then without its last words or characters."""
        length = self.measure(text, size, font)
        if length > width:
            size = max(int(size * width / length), round(_LEAST_SCALE * size))
        while text and self.measure(text, size, font) > width:
            text = (text.rpartition(" ")[0] if " " in text else text[:-1]).rstrip()
        return text, size

    def _print(self, glyphs: list[_Glyphs], reverse: bool) -> bool:
        """Print the words of one text, unless they would lie on another one."""
        if not glyphs:
            return False
        box = _hull([word.ink for word in glyphs])
        if any(_overlap(box, other) for other in self._printed):
            return False
        self._printed.append(box)
        for word in glyphs:
            word.put(self.tone if reverse else self.ink, reverse)
        self.lines.append([Word(word.text, word.box) for word in glyphs])
        return True


@dataclass(frozen=True)
class _Glyphs:
    """A drawn word.

    Attributes:
        text: what it says.
        cover: its ink and nothing around it, uint8 [h, w].
        x, y: where its ink begins on the sheet.
        baseline, size: in pixels.
    """

    text: str
    cover: Layer
    x: int
    y: int
    baseline: float
    size: int

    @property
    def ink(self) -> Box:
        return (self.x, self.y, self.x + self.cover.shape[1], self.y + self.cover.shape[0])

    @property
    def box(self) -> Box:
        """The word's outline: see `Word`."""
        x0, y0, x1, y1 = self.ink
        pad = _PAD * self.size
        top, bottom = min(y0, self.baseline - _LOWER_CASE * self.size), max(y1, self.baseline)
        return (x0 - pad, top - pad, x1 + pad, bottom + pad)

    def put(self, layer: Layer, reverse: bool) -> None:
        """Add the ink to a layer, or take it out of one."""
        height, width = self.cover.shape
        area = layer[max(0, self.y) : self.y + height, max(0, self.x) : self.x + width]
        cover = self.cover[max(0, -self.y) :, max(0, -self.x) :][: area.shape[0], : area.shape[1]]
        area[:] = np.minimum(area, 255 - cover) if reverse else np.maximum(area, cover)


def _glyphs(x: float, y: float, word: str, size: int, font: Font) -> _Glyphs:
    """Draw a word with its left end at ``x`` on the baseline ``y``."""
    face = font.face(size)
    left, top, right, bottom = face.getbbox(word, anchor="ls")
    image = PIL.Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
    PIL.ImageDraw.Draw(image).text((2 - left, 2 - top), word, fill=255, font=face, anchor="ls")
    cover = np.asarray(image)
    columns, rows = np.flatnonzero(cover.any(axis=0)), np.flatnonzero(cover.any(axis=1))
    ink = cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _Glyphs(word, ink, round(x + left) - 2 + int(columns[0]), round(y + top) - 2 + int(rows[0]), round(y), size)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _broken(text: str, measure: Callable[[str], float], width: float) -> list[str]:
    """A text in lines that are no wider than ``width``, broken at spaces and beside ideographs."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and measure((line + piece).rstrip()) > width and piece[0] not in NOT_FIRST:
            lines.append(line.strip())
            line = ""
        line += piece
    return [part for part in (*lines, line.strip()) if part]


def _pieces(text: str) -> list[str]:
    """Parts between which a line may break; spaces belong to what they follow."""
    pieces = [""]
    for character in text:
        if pieces[-1] and (pieces[-1][-1] == " " or breaks_anywhere(pieces[-1][-1])) and character != " ":
            pieces.append("")
        pieces[-1] += character
    return pieces


def _pixel(point: tuple[float, float] | npt.NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _hull(boxes: list[Box]) -> Box:
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))


def _quad(box: Box) -> Polygon:
    x0, y0, x1, y1 = box
    return as_polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
