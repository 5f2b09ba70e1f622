"""Picture number ``index`` of a data set: a pure function of the recipe and the index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ocrtune.data.synth.corpus import Corpus
from ocrtune.data.synth.fonts import FontBook, default_fonts, read_fonts
from ocrtune.data.synth.scenarios import SCENARIOS, UPRIGHT, Picture, picture
from ocrtune.data.synth.sheet import Granularity, Sheet
from ocrtune.data.synth.templates import LINE, TEMPLATES, Press
from ocrtune.data.synth.texts import Texts
from ocrtune.errors import DataError, UsageError
from ocrtune.page import Image, TextRegion, whole_image
from ocrtune.runtime.crop import crop_region

_WANTED_ON_PAGE = 8
_ATTEMPTS = 25  # at a picture with a text that can be drawn
_LINE_MARGIN = 0.12  # at most around a single line, as a share of its height


@dataclass(frozen=True)
class Recipe:
    """All that decides what is generated.

    Attributes:
        templates: keys of `TEMPLATES`; each picture has one of them.
        scenarios: keys of `SCENARIOS`; each picture has one of them.
        seed: data sets of different seeds share no picture.
        granularity: whether a label is a line's piece of text, or one of its words.
        fonts: files and folders; none means the built-in ones.
        corpus: text file; None generates texts.
        backgrounds: image files that pages lie on.
        characters: that texts should contain, one after the other.
    """

    templates: tuple[str, ...]
    scenarios: tuple[str, ...] = UPRIGHT
    seed: int = 0
    granularity: Granularity = "line"
    fonts: tuple[Path, ...] = ()
    corpus: Path | None = None
    backgrounds: tuple[Path, ...] = ()
    characters: str = ""


@dataclass(frozen=True)
class Sample:
    """One generated picture.

    Attributes:
        image: uint8 [H, W, 3] BGR, before it is compressed.
        quality: of its JPEG file.
        regions: exact quads and texts.
        template, scenario: what it is.
        skipped: texts that no single font could draw.
        missing: the characters that kept them from it, with their number.
    """

    image: Image
    quality: int
    regions: list[TextRegion]
    template: str
    scenario: str
    skipped: int
    missing: Counter[str]

    def encoded(self) -> bytes:
        """The JPEG file; its compression is the last of the scenario's degradations."""
        return bytes(cv2.imencode(".jpg", self.image, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1])


class Generator:
    """Makes the pictures of a recipe.

    Args:
        recipe: see there.

    Attributes:
        book: fonts that were found.
        wanted: characters that were asked for and can be drawn, in the order of their turns.
        left_out: what is wrong with fonts of a folder.
        undrawable: characters that were asked for and that no font can draw; they are not waited for.

    Raises:
        DataError: a font or the corpus cannot be read.
        UsageError: no font can draw any of the characters that were asked for.
    """

    def __init__(self, recipe: Recipe) -> None:
        fonts, self.left_out = read_fonts(recipe.fonts or default_fonts())
        self.recipe = recipe
        self.book = FontBook(fonts)
        self._corpus = Corpus(recipe.corpus) if recipe.corpus else None
        wanted = [c for c in dict.fromkeys(recipe.characters) if not c.isspace()]
        self.wanted = [c for c in wanted if self.book.draws(c)]
        self.undrawable = [c for c in wanted if c not in self.wanted]
        if wanted and not self.wanted:
            raise UsageError(
                f"no font can draw any of the {len(wanted)} characters: {''.join(wanted[:40])}",
                where="--font",
                hint="name a font that has them with --font",
            )
        # neighbours in a charset look alike; a page shows characters from all over it
        order = np.random.default_rng([recipe.seed, len(self.wanted)]).permutation(len(self.wanted))
        self.wanted = [self.wanted[int(i)] for i in order]

    def sample(self, index: int) -> Sample:
        """Picture number ``index``; equal recipes and indices give equal pixels and labels.

        Raises:
            DataError: nothing can be drawn again and again: the fonts do not fit the texts.
            ImageError: a background is damaged.
        """
        skipped, missing = 0, Counter[str]()
        for attempt in range(_ATTEMPTS):
            rng = np.random.default_rng([self.recipe.seed, index, attempt])
            template = self.recipe.templates[int(rng.integers(len(self.recipe.templates)))]
            scenario = self.recipe.scenarios[int(rng.integers(len(self.recipe.scenarios)))]
            texts = Texts(rng, self.book.draws, self._corpus, self._turn(index, template))
            sheet = TEMPLATES[template](Press(rng, self.book, texts))
            skipped, missing = skipped + sheet.skipped, missing + sheet.missing
            if not sheet.lines:
                continue
            taken = picture(sheet, SCENARIOS[scenario], sheet.size, rng, self.recipe.backgrounds)
            image, regions = self._labelled(sheet, taken, template, rng)
            return Sample(image, taken.quality, regions, template, scenario, skipped, missing)
        raise DataError(
            f"in {_ATTEMPTS} attempts no text could be drawn; missing characters: "
            + "".join(c for c, _ in missing.most_common(40)),
            where=self.recipe.corpus,
            hint="name a font that has them with --font",
        )

    def _turn(self, index: int, template: str) -> Sequence[str]:
        """The characters that this picture should show: all have their turn."""
        if not self.wanted:
            return ()
        count = 1 if template == LINE else _WANTED_ON_PAGE
        return [self.wanted[(index * count + i) % len(self.wanted)] for i in range(min(count, len(self.wanted)))]

    def _labelled(
        self, sheet: Sheet, taken: Picture, template: str, rng: np.random.Generator
    ) -> tuple[Image, list[TextRegion]]:
        """The picture with its labels; of a single line, what a detector cuts out, as one label."""
        granularity = "line" if template == LINE else self.recipe.granularity
        regions = [replace(r, polygon=taken.view.outline(r.polygon)) for r in sheet.regions(granularity)]
        if template != LINE:
            return taken.image, regions
        line = crop_region(taken.image, regions[0].polygon, float(rng.uniform(0, _LINE_MARGIN)))
        return line, [replace(regions[0], polygon=whole_image(line.shape[1], line.shape[0]))]
