"""Rules about a data set as a whole, from sums that stay small however many pages there are."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ocrtune.charset import normalised
from ocrtune.data.check.findings import CheckReport, Finding, shown
from ocrtune.data.check.image import ImageFacts
from ocrtune.data.check.index import PageIndex
from ocrtune.data.check.pages import CheckSettings, covers_image
from ocrtune.data.check.similar import near_pairs
from ocrtune.data.check.texts import is_full_width
from ocrtune.page import IMAGE_SUFFIXES, Page

_MANY_LETTERS = 200
_SMALL_TEXT = 8.0  # pixels at the training size below which few texts are found
_MANY_SMALL = 0.25
_OTHER_SCALE = 4.0  # a page's median text height against the data set's
_ENOUGH_PAGES = 20  # for a median over pages
_MANY_TEXTS = 20
_FOLDERS = 100  # of images that are searched for unlabelled ones
_EXAMPLES = 12


@dataclass
class SetSums:
    """What has been seen so far.

    Attributes:
        settings: what the data are checked for.
        capitals, small: letters that have another case.
        wide, plain: full-width letters and digits, and others of the same kind.
        counted, low: texts that count, and those that are small at the training size.
        texts: different texts, up to two.
        unknown: characters outside the charset, with how often they occur; and where first.
        heights: median text height of each readable page in pixels at the training size; NaN without texts, and for
            images of one line.
        folders: where the images are.
    """

    settings: CheckSettings
    capitals: int = 0
    small: int = 0
    wide: int = 0
    plain: int = 0
    counted: int = 0
    low: int = 0
    texts: set[str] = field(default_factory=set)
    unknown: Counter[str] = field(default_factory=Counter)
    first_unknown: dict[str, str] = field(default_factory=dict)
    first_wide: str = ""
    heights: array[float] = field(default_factory=lambda: array("f"))
    folders: dict[Path, None] = field(default_factory=dict)

    def add(self, page: Page, facts: ImageFacts) -> None:
        """Count a readable page in."""
        scale = self.settings.page_size / max(facts.width, facts.height)
        line = covers_image(page, facts)
        sides = []
        for region in page.regions:
            if region.ignore:
                continue
            sides.append(min(cv2.minAreaRect(region.polygon)[1]) * scale)
            if region.text:
                self._add_text(region.text, region.source or page.name)
        self.counted += len(sides)
        self.low += 0 if line else sum(side < _SMALL_TEXT for side in sides)
        self.heights.append(float(np.median(sides)) if sides and not line else float("nan"))
        if isinstance(page.image, Path) and len(self.folders) < _FOLDERS:
            self.folders[page.image.parent] = None

    def _add_text(self, text: str, where: str) -> None:
        if len(self.texts) < 2:
            self.texts.add(text)
        upper, lower = text.upper(), text.lower()
        if upper != lower:
            self.capitals += sum(a != b for a, b in zip(text, lower, strict=False))
            self.small += sum(a != b for a, b in zip(text, upper, strict=False))
        if text.isascii():
            self.plain += sum(map(str.isalnum, text))
        else:
            wide = sum(map(is_full_width, text))
            if wide and not self.wide:
                self.first_wide = where
            self.wide += wide
            self.plain += sum(c.isascii() and c.isalnum() for c in text)
        if self.settings.charset is not None:
            for character in self.settings.charset.unknown([text]):
                self.unknown[character] += normalised(text).count(character)
                self.first_unknown.setdefault(character, where)


def whole_set(report: CheckReport, sums: SetSums) -> Iterator[Finding]:
    """What is wrong with the data set; call it when every page has been seen."""
    if not report.total_pages:
        yield Finding("no-pages", "error", "there is not a single labelled page", report.dataset)
        return
    if not report.usable_pages:
        yield Finding("no-usable-page", "error", "not a single page has a usable image", report.dataset)
        return
    if report.regions == report.ignored:
        what = (
            "no text is labelled at all" if not report.regions else f"all {report.regions} texts are marked as ignored"
        )
        yield Finding("nothing-to-learn", "error", f"{what}: there is nothing to learn", report.dataset)
    yield from twins(report.index)
    yield from _unlabelled_images(report, sums)
    yield from _texts(report, sums)
    yield from _heights(report, sums)


def twins(index: PageIndex) -> Iterator[Finding]:
    """Pages that are named twice, hold the same pixels, or show the same."""
    for row, earlier in index.named_again():
        message = f"the image is named before, at {index.where(earlier)}"
        yield Finding("image-named-twice", "warning", message, index.where(row), image=index.image(row))
    for row, earlier in index.same_pixels():
        message = f"the same image as {index.name(earlier)} ({index.where(earlier)})"
        yield Finding("image-twice", "warning", message, index.where(row), image=index.image(row))
    for row, earlier, turn in near_pairs((row, found) for row, _, found in index.distinct()):
        message = f"shows the same as {index.name(earlier)}{turned_by(turn)} ({index.where(earlier)})"
        yield Finding("image-nearly-twice", "warning", message, index.where(row), image=index.image(row))


def turned_by(turn: int) -> str:
    return f", turned by {turn} degrees" if turn else ""


def _unlabelled_images(report: CheckReport, sums: SetSums) -> Iterator[Finding]:
    for folder in sums.folders:
        real = os.path.realpath(folder)
        names = sorted(
            entry.name
            for entry in os.scandir(folder)
            if os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES
            and not report.index.has_image(os.path.join(real, entry.name))
        )
        if names:
            some = ", ".join(names[:3])
            message = f"{len(names)} images in the folder have no usable label in this data set: {some}"
            yield Finding("image-not-labelled", "info", message, str(folder))


def _texts(report: CheckReport, sums: SetSums) -> Iterator[Finding]:
    if len(sums.texts) == 1 and sums.counted >= _MANY_TEXTS:
        message = f"every text is labelled as '{shown(next(iter(sums.texts)))}': is that a stand-in?"
        yield Finding("labels-one-text", "warning", message, report.dataset)
    case = "capitals" if not sums.small else "small letters" if not sums.capitals else None
    if case and sums.capitals + sums.small >= _MANY_LETTERS:
        yield Finding(
            "labels-one-case",
            "info",
            f"all letters of the labels are {case}; where the images have both, compare with "
            "--text-policy ignore-case (adapt looks at the images and does so by itself)",
            report.dataset,
        )
    if sums.wide and sums.plain:
        message = (
            f"{sums.wide} letters and digits are full-width and {sums.plain} are plain (first: {sums.first_wide}): "
            "a recogniser cannot tell them apart, so write all in one way"
        )
        yield Finding("labels-mixed-width", "warning", message, report.dataset)
    if sums.unknown:
        listed = " ".join(f"{shown(c)}:{count}" for c, count in sums.unknown.most_common(_EXAMPLES))
        first = sums.first_unknown[sums.unknown.most_common(1)[0][0]]
        message = (
            f"{len(sums.unknown)} characters are not in the charset, {sums.unknown.total()} times in all: {listed}"
            f"{' ...' if len(sums.unknown) > _EXAMPLES else ''} (first: {first}); train with text.unknown=extend, or map"
        )
        yield Finding("charset-gap", "warning", message, report.dataset)


def _heights(report: CheckReport, sums: SetSums) -> Iterator[Finding]:
    size = sums.settings.page_size
    if sums.counted >= _MANY_TEXTS and sums.low > _MANY_SMALL * sums.counted:
        message = (
            f"{sums.low / sums.counted:.0%} of the texts are lower than {_SMALL_TEXT:g} pixels at the training size of "
            f"{size}: train at a larger one, or cut the pages into parts"
        )
        yield Finding("texts-small", "warning", message, report.dataset)
    heights = np.array(sums.heights)
    labelled = np.flatnonzero(~np.isnan(heights))
    if len(labelled) >= _ENOUGH_PAGES:
        usual = float(np.median(heights[labelled]))
        for row in labelled[np.abs(np.log(np.maximum(heights[labelled], 1e-3) / usual)) > np.log(_OTHER_SCALE)]:
            message = (
                f"its texts are {heights[row]:.0f} pixels high at the training size, and {usual:.0f} on most pages"
            )
            where, image = report.index.where(int(row)), report.index.image(int(row))
            yield Finding("page-other-scale", "info", message, where, image=image)
    if report.usable_pages < sums.settings.few_pages:
        message = f"{report.usable_pages} usable pages are few: calibration needs 8 that were not trained on"
        yield Finding("few-pages", "warning", message, report.dataset)
