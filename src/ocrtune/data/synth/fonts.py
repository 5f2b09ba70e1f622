"""Fonts by file: what each can draw, and which one draws a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from ocrtune.errors import DataError

SUFFIXES = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_DEFAULTS = (
    "DejaVuSans|DejaVuSans-Bold|DejaVuSans-Oblique|DejaVuSansMono|DejaVuSansMono-Bold|DejaVuSerif|DejaVuSerif-Bold|"
    "DejaVuSerif-Italic|STIXGeneral|STIXGeneralBol|STIXGeneralItalic"
)
_PROBE = 24  # pixels at which a font is tried out


@dataclass(frozen=True)
class Font:
    """One face of a font file.

    Attributes:
        path, number: the file, and which face of a collection.
        family, style: as the font calls itself.
        characters: code points that its Unicode character map knows.
    """

    path: Path
    number: int
    family: str
    style: str
    characters: frozenset[int]

    @property
    def bold(self) -> bool:
        return "bold" in self.style.lower() or "black" in self.style.lower()

    @property
    def plain(self) -> bool:
        """Neither bold nor slanted: what running text is set in."""
        return not self.bold and not any(word in self.style.lower() for word in ("italic", "oblique"))

    @cached_property
    def mono(self) -> bool:
        """Whether all letters are equally wide."""
        face = self.face(_PROBE)
        return ord("i") in self.characters and face.getlength("i") == face.getlength("W")

    def face(self, size: int) -> PIL.ImageFont.FreeTypeFont:
        """The font at a size in pixels."""
        return _face(self.path, self.number, size)

    def draws(self, text: str) -> bool:
        """Whether every character has a glyph with ink in it, and stands for itself when drawn from left to right."""
        return not self.missing(text)

    def missing(self, text: str) -> str:
        """The characters of a text that the font cannot draw."""
        return "".join(c for c in dict.fromkeys(text) if not _drawn_by(self.path, self.number, self.characters, c))


class FontBook:
    """The fonts of one data set, in the order of their files.

    Args:
        fonts: at least one.
    """

    def __init__(self, fonts: Sequence[Font]) -> None:
        self.fonts = tuple(fonts)

    def draws(self, text: str) -> bool:
        """Whether one of the fonts can draw all of a text."""
        return any(font.draws(text) for font in self.fonts)

    def pick(
        self, rng: np.random.Generator, text: str = "", mono: bool | None = None, plain: bool = False
    ) -> Font | None:
        """A font that can draw a text; of equally wide letters or not, and plain, where there is a choice."""
        able = [font for font in self.fonts if font.draws(text)]
        able = [font for font in able if not plain or font.plain] or able
        able = [font for font in able if mono is None or font.mono == mono] or able
        return able[int(rng.integers(len(able)))] if able else None

    def bold(self, font: Font) -> Font:
        """The bold face of a font's family, or the font itself."""
        return next((other for other in self.fonts if other.family == font.family and other.bold), font)


def read_fonts(paths: Iterable[Path]) -> tuple[list[Font], list[DataError]]:
    """Read font files, and those of folders with all that is below them.

    Returns:
        the fonts in the order of their file names, and what was wrong with files of folders that are left out.

    Raises:
        DataError: a file that was named is no usable font, or a folder holds none.
    """
    fonts: list[Font] = []
    left_out: list[DataError] = []
    for path in paths:
        if not path.is_dir():
            fonts += _faces(path)
            continue
        before = len(fonts)
        for file in sorted(
            (f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES), key=lambda f: (f.name, str(f))
        ):
            try:
                fonts += _faces(file)
            except DataError as error:
                left_out.append(error)
        if len(fonts) == before:
            raise DataError("the folder holds no usable font", where=path, expected=", ".join(sorted(SUFFIXES)))
    return fonts, left_out


def default_fonts() -> list[Path]:
    """Fonts that come with matplotlib: the same on every machine."""
    import matplotlib

    return [Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf" for name in _DEFAULTS.split("|")]


def _faces(path: Path) -> list[Font]:
    """All faces of a file.

    Raises:
        DataError: it is no font, has no Unicode character map, or no outlines that can be drawn at any size.
    """
    from fontTools.ttLib import TTCollection, TTFont, TTLibError

    try:
        with path.open("rb") as file:
            collection = path.suffix.lower() in (".ttc", ".otc")
            parts = list(TTCollection(file, lazy=True)) if collection else [TTFont(file, lazy=True)]
            maps = [part.getBestCmap() for part in parts]
    except (TTLibError, OSError, AssertionError, KeyError, ValueError) as error:
        raise DataError(
            f"the font cannot be read: {error}", where=path, expected="a TrueType or OpenType font"
        ) from error
    fonts = []
    for number, characters in enumerate(maps):
        if not characters:
            raise DataError("the font has no Unicode character map", where=path, hint="a symbol font: use another one")
        try:
            family, style = _face(path, number, _PROBE).getname()
        except OSError as error:
            raise DataError(
                f"the font cannot be drawn: {error}", where=path, expected="outlines, not pictures of one size"
            ) from error
        known = frozenset(code for code, glyph in characters.items() if glyph != ".notdef")
        fonts.append(Font(path, number, family or path.stem, style or "", known))
    return fonts


@lru_cache(maxsize=512)
def _face(path: Path, number: int, size: int) -> PIL.ImageFont.FreeTypeFont:
    # the basic layout is the same everywhere; texts that need more are not drawn at all
    return PIL.ImageFont.truetype(str(path), size, index=number, layout_engine=PIL.ImageFont.Layout.BASIC)


@lru_cache(maxsize=1 << 16)
def _has_ink(path: Path, number: int, character: str) -> bool:
    image = PIL.Image.new("L", (3 * _PROBE, 3 * _PROBE))
    PIL.ImageDraw.Draw(image).text(
        (_PROBE, 2 * _PROBE), character, fill=255, font=_face(path, number, _PROBE), anchor="ls"
    )
    return image.getbbox() is not None


def _drawn_by(path: Path, number: int, characters: frozenset[int], character: str) -> bool:
    if character == " ":
        return True
    return ord(character) in characters and simple(character) and _has_ink(path, number, character)


@lru_cache(maxsize=1 << 16)
def simple(character: str) -> bool:
    """Whether a character is drawn by itself, from left to right: no combining mark, no Arabic or Hebrew letter.

    Devanagari and its relatives join letters by marks, so that their texts are left out as well.
    """
    return unicodedata.bidirectional(character) not in ("R", "AL", "NSM", "BN") and unicodedata.category(
        character
    ) not in (
        "Mn",
        "Mc",
        "Me",
        "Cc",
        "Cf",
        "Co",
        "Cs",
    )
