"""Rules about one page: its image, its outlines, its texts, and whether they fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ocrtune.charset import Charset, columns_needed, normalised
from ocrtune.data.check.findings import Finding, Severity, called
from ocrtune.data.check.image import ImageFacts, turned_with_image
from ocrtune.data.check.outlines import mend_outlines
from ocrtune.data.check.texts import mend_text
from ocrtune.page import Page, TextRegion, covers

_TINY = 32  # pixels
_HUGE = 50_000_000  # pixels
_MAX_SIDE = 4000  # pixels: longer pages are shrunk before detection
_WIDE_BOX = 3.5  # heights a character from which a box is far larger than its text; usual are 0.5, of 1000 labels 2
_FLAT = 4  # pixels: lower boxes are told as too small


@dataclass(frozen=True)
class CheckSettings:
    """What the data are checked for.

    Attributes:
        page_size: longer side in pixels at which pages will be trained on.
        charset: characters that the recogniser knows; None when none was named.
        line_height: pixels to which a recogniser scales lines.
        column: pixels of that line which give one column of CTC (PP-OCR: 8).
        max_width: pixels of the longest line that is not squeezed.
        few_pages: fewer are told; 24 are what adapt divides into training, thresholds and figures.
    """

    page_size: int = 1280
    charset: Charset | None = None
    line_height: int = 48
    column: int = 8
    max_width: int = 3200
    few_pages: int = 24


def check_page(page: Page, facts: ImageFacts, settings: CheckSettings) -> tuple[Page | None, list[Finding]]:
    """Check a page whose image was looked at.

    Returns:
        the page with everything mended that can be, None where its image is of no use; and what is wrong.
    """
    where = str(page.source or page.name)
    if facts.fault:
        where = f"{page.source}: {page.image}" if page.source else page.name
        return None, [Finding("image-unreadable", "error", facts.fault, where, "leaves the page out")]
    findings = list(_image_faults(page, facts, where))
    if facts.blank and any(not region.ignore for region in page.regions):
        message = f"the image is of one colour, but {len(page.regions)} texts are labelled on it"
        findings.append(Finding("image-blank", "error", message, where, "leaves the page out", page.image))
        return None, findings

    def found(region: TextRegion, code: str, severity: Severity, message: str, fix: str | None = None) -> None:
        place = region.source or where
        findings.append(Finding(code, severity, f"{called(region)} {message}", place, fix, page.image, region.polygon))

    regions, turned = _turned(page.regions, facts)
    if turned:
        message = "the labels fit the image as it was before its EXIF rotation"
        findings.append(Finding("labels-not-turned", "error", message, where, "turns them with the image", page.image))
    scale = settings.page_size / max(facts.width, facts.height)
    regions = mend_outlines(regions, facts.width, facts.height, scale, found)
    for index, region in enumerate(regions):
        if region.ignore or region.text is None:
            continue
        if not region.text.strip():
            found(region, "text-empty", "warning", "has no text; it is learnt as text all the same")
            continue
        text, faults = mend_text(region.text)
        for fault in faults:
            found(region, fault.code, fault.severity, fault.message, fault.fixed_by)
        if text != region.text:
            regions[index] = region = replace(region, text=text)
        misfit = _misfit(region, settings)
        if misfit is not None:
            found(region, *misfit)
    if not page.regions:
        findings.append(Finding("page-empty", "info", "no text is labelled on the page", where, image=page.image))
    elif all(region.ignore for region in page.regions):
        message = f"all {len(page.regions)} texts of the page are marked as ignored"
        findings.append(Finding("page-ignored", "info", message, where, image=page.image))
    return page.with_regions(regions), findings


def _image_faults(page: Page, facts: ImageFacts, where: str) -> list[Finding]:
    size = f"{facts.width}x{facts.height} pixels"
    line = covers_image(page, facts)
    faults: list[tuple[str, Severity, str]] = []
    if min(facts.width, facts.height) < _TINY and not line:
        faults.append(("image-tiny", "warning", f"the image is only {size}"))
    if facts.width * facts.height > _HUGE or (line is False and max(facts.width, facts.height) > 4 * _MAX_SIDE):
        faults.append(
            ("image-huge", "warning", f"the image has {size}; detectors shrink it to {_MAX_SIDE}: cut it into parts")
        )
    if facts.frames > 1:
        faults.append(("image-frames", "warning", f"the file holds {facts.frames} images; only the first is used"))
    if facts.orientation != 1:
        message = f"EXIF (orientation {facts.orientation}) turns the image; labels count in the turned one"
        faults.append(("image-exif", "info", message))
    if facts.blank and not any(not region.ignore for region in page.regions):
        faults.append(("image-one-colour", "info", "the image is of one colour"))
    return [Finding(code, severity, message, where, image=page.image) for code, severity, message in faults]


def covers_image(page: Page, facts: ImageFacts) -> bool:
    """Whether the page is the cut image of one line."""
    return len(page.regions) == 1 and covers(page.regions[0], (facts.width, facts.height))


def _turned(regions: Sequence[TextRegion], facts: ImageFacts) -> tuple[list[TextRegion], bool]:
    """Regions turned with their image where they fit only the image as stored (only quarter turns show that)."""
    if facts.orientation < 5 or not regions:
        return list(regions), False
    points = np.concatenate([region.polygon for region in regions])
    slack = 2.0
    fits = (points <= (facts.width + slack, facts.height + slack)).all()
    fits_stored = (points <= (facts.height + slack, facts.width + slack)).all()
    if fits or not fits_stored:
        return list(regions), False
    return [
        replace(region, polygon=turned_with_image(region.polygon, facts.orientation, facts.width, facts.height))
        for region in regions
    ], True


def _misfit(region: TextRegion, settings: CheckSettings) -> tuple[str, Severity, str] | None:
    """Whether a text is too long for its box, or its box far larger than the text."""
    text = normalised(region.text or "")
    height, width = sorted(cv2.minAreaRect(region.polygon)[1])  # a text that runs downwards has its height across
    columns = int(min(settings.line_height * width / max(height, 1), settings.max_width)) // settings.column
    box = f"box of {width:.0f}x{height:.0f} pixels"
    if 2 * len(text) > columns and (needed := columns_needed(text)) > max(columns, 1):
        message = (
            f"has {len(text)} characters, but its {box} gives CTC only {columns} columns of {needed}: the box is too "
            "narrow, or the text is of another place"
        )
        return "text-too-long", "warning", message
    if height >= _FLAT and width / height > _WIDE_BOX * max(len(text), 2) and any(map(str.isalnum, text)):
        return "box-too-large", "warning", f"has {len(text)} characters in a {box}, which is far larger than its text"
    return None
