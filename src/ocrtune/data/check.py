"""The validator: what is wrong with a labelled data set, found before training and named to the line."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import cv2
import numpy as np
import shapely

from ocrtune.data.content import content_hash, read_whole_image
from ocrtune.data.formats import DatasetPath, is_line, read_dataset
from ocrtune.errors import DataError, ImageError
from ocrtune.page import Page, Polygon, TextRegion, clockwise_from_top_left, signed_area

Severity = Literal["error", "warning", "info"]
DEFAULT_PAGE_SIZE = 1280
_LEARNABLE_SIDE = 3.0  # pixels at the training size; what is smaller leaves nothing when shrunk
_MANY_LETTERS = 200
_SLACK = 2.0  # pixels that a label may reach over the image's border before it is worth a word


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or at least worth knowing.

    Attributes:
        code: what kind, for counting and for programs.
        severity: ``error`` spoils training or evaluation, ``warning`` may, ``info`` is good to know.
        message: what was found.
        where: ``file:line`` or image.
        fixed_by: what ``--fix`` does about it; None when only a person can.
    """

    code: str
    severity: Severity
    message: str
    where: str
    fixed_by: str | None = None


@dataclass
class CheckReport:
    """All that was found.

    Attributes:
        dataset: what was checked.
        pages: pages with a readable image, as ``--fix`` would write them.
        total_pages: pages in the label files.
        regions, ignored: texts on them, and how many of those do not count.
        findings: in the order of the pages.
        hashes: content hash of each page of ``pages``.
    """

    dataset: str
    pages: list[Page] = field(default_factory=list)
    total_pages: int = 0
    regions: int = 0
    ignored: int = 0
    findings: list[Finding] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)

    @property
    def errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)

    def counts(self) -> dict[str, int]:
        """Number of findings by code, the most frequent first."""
        return dict(Counter(finding.code for finding in self.findings).most_common())

    def by_code(self) -> dict[str, list[Finding]]:
        """Findings by code, errors first, then the most frequent."""
        groups: dict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings:
            groups[finding.code].append(finding)
        rank = {"error": 0, "warning": 1, "info": 2}
        return dict(sorted(groups.items(), key=lambda item: (rank[item[1][0].severity], -len(item[1]))))

    def as_dict(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "pages": self.total_pages,
            "usable_pages": len(self.pages),
            "regions": self.regions,
            "ignored": self.ignored,
            "errors": self.errors,
            "counts": self.counts(),
            "findings": [asdict(finding) for finding in self.findings],
        }


def check_dataset(
    dataset: DatasetPath, page_size: int = DEFAULT_PAGE_SIZE, bar: Callable[[int], Callable[[], None]] | None = None
) -> CheckReport:
    """Look at every label line, every image and every outline.

    Args:
        dataset: what to check.
        page_size: longer side in pixels at which the pages will be trained on.
        bar: given the number of pages, returns what to call after each.

    Raises:
        DataError: the label file as a whole cannot be read.
    """
    report = CheckReport(str(dataset))
    faults: list[DataError] = []
    pages = read_dataset(dataset, faults.append, required=False, as_written=True)
    report.findings += [_label_fault(fault) for fault in faults]
    report.total_pages = len(pages)
    each = bar(len(pages)) if bar else lambda: None
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for page, digest, findings in pool.map(lambda page: _check_page(page, page_size), pages):
            report.findings += findings
            if page is not None and digest is not None:
                report.pages.append(page)
                report.hashes.append(digest)
                report.regions += len(page.regions)
                report.ignored += sum(region.ignore for region in page.regions)
            each()
    report.findings += _duplicates(report)
    report.findings += _whole_set(report)
    return report


def find_leaks(train: CheckReport, val: CheckReport) -> list[Finding]:
    """Pages of the validation data whose pixels are also in the training data."""
    known = dict(zip(train.hashes, train.pages, strict=True))
    return [
        Finding(
            "leak",
            "error",
            f"the same image is in the training data as {known[digest].name}",
            str(page.source or page.name),
            "leaves the page out of the validation data",
        )
        for digest, page in zip(val.hashes, val.pages, strict=True)
        if digest in known
    ]


def _label_fault(fault: DataError) -> Finding:
    message = fault.what + (f" (expected {fault.expected})" if fault.expected else "")
    return Finding("label-unreadable", "error", message, fault.where or "", "leaves the line or page out")


def _check_page(page: Page, page_size: int) -> tuple[Page | None, str | None, list[Finding]]:
    try:
        image = read_whole_image(page)
    except ImageError as error:
        where = f"{page.source}: {page.image}" if page.source else page.name
        return None, None, [Finding("image-unreadable", "error", error.what, where, "leaves the page out")]
    height, width = image.shape[:2]
    findings: list[Finding] = []
    where = str(page.source or page.name)
    if min(width, height) < 32 and not is_line(page):
        findings.append(Finding("image-tiny", "warning", f"the image is only {width}x{height} pixels", where))
    regions = []
    for region in page.regions:
        fixed, found = _check_region(region, width, height, page_size / max(width, height))
        findings += found
        if fixed is not None:
            regions.append(fixed)
    regions, repeated = _without_repeats(regions)
    findings += repeated
    if not page.regions:
        findings.append(Finding("page-empty", "info", "no text is labelled on the page", where))
    return page.with_regions(regions), content_hash(image), findings


def _check_region(region: TextRegion, width: int, height: int, scale: float) -> tuple[TextRegion | None, list[Finding]]:
    where, polygon = region.source or "", region.polygon
    name = f"'{region.text[:30]}'" if region.text else "the region"
    findings: list[Finding] = []

    def found(code: str, severity: Severity, message: str, fix: str | None = None) -> None:
        findings.append(Finding(code, severity, f"{name} {message}", where, fix))

    if not np.isfinite(polygon).all():
        found("polygon-not-finite", "error", "has a coordinate that is no number", "drops the region")
        return None, findings
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    if (high <= 0).any() or low[0] >= width or low[1] >= height:
        found(
            "polygon-outside",
            "error",
            f"lies outside the image of {width}x{height} pixels: {_box(polygon)}",
            "drops the region",
        )
        return None, findings
    if not shapely.Polygon(polygon).is_valid and cv2.contourArea(cv2.convexHull(polygon)) >= 1:
        ordered = _reordered(polygon)
        fix = "puts the four points in order" if ordered is not None else "drops the region"
        found("polygon-crossing", "error", f"has an outline that crosses or touches itself: {_box(polygon)}", fix)
        if ordered is None:
            return None, findings
        polygon = ordered
    elif abs(signed_area(polygon)) < 1:
        found("polygon-no-area", "error", f"has an area below one pixel: {_box(polygon)}", "drops the region")
        return None, findings
    elif signed_area(polygon) < 0:
        found("polygon-counter-clockwise", "info", "runs counter-clockwise", "turns it around")
        polygon = clockwise_from_top_left(polygon)
    if (low < -_SLACK).any() or high[0] > width + _SLACK or high[1] > height + _SLACK:
        found(
            "polygon-over-border",
            "warning",
            f"reaches over the border of the image ({width}x{height}): {_box(polygon)}",
            "moves the points to the border",
        )
        polygon = np.clip(polygon, 0, (width, height)).astype(np.float32)
    if region.text == "" and not region.ignore:
        found("text-empty", "warning", "has no text; it is learnt as text all the same")
    sides = cv2.minAreaRect(polygon)[1]
    if not region.ignore and min(sides) * scale < _LEARNABLE_SIDE:
        found(
            "text-too-small",
            "warning",
            f"is only {min(sides) * scale:.1f} pixels high at the training size and leaves nothing when shrunk",
        )
    return replace(region, polygon=polygon), findings


def _reordered(polygon: Polygon) -> Polygon | None:
    """Four shuffled corners in order around their centre; None for other outlines."""
    hull = cv2.convexHull(polygon, clockwise=True)[:, 0]
    if len(polygon) != 4 or len(hull) != 4:
        return None
    hull = clockwise_from_top_left(hull.astype(np.float32))
    return np.roll(hull, -int(np.argmin(hull.sum(axis=1))), axis=0)


def _without_repeats(regions: Sequence[TextRegion]) -> tuple[list[TextRegion], list[Finding]]:
    seen: set[bytes] = set()
    kept, findings = [], []
    for region in regions:
        key = np.round(region.polygon).astype(np.int32).tobytes()
        if key in seen:
            name = f"'{region.text[:30]}'" if region.text else "the region"
            message = f"{name} is labelled twice with the same outline"
            findings.append(Finding("region-twice", "warning", message, region.source or "", "drops the second one"))
        else:
            kept.append(region)
        seen.add(key)
    return kept, findings


def _duplicates(report: CheckReport) -> Iterable[Finding]:
    first: dict[str, Page] = {}
    for digest, page in zip(report.hashes, report.pages, strict=True):
        if digest in first:
            message = f"the same image as {first[digest].name}"
            yield Finding("image-twice", "warning", message, str(page.source or page.name))
        first.setdefault(digest, page)


def _whole_set(report: CheckReport) -> Iterable[Finding]:
    if not report.total_pages:
        yield Finding("no-pages", "error", "there is not a single labelled page", report.dataset)
    elif report.pages and report.regions == report.ignored:
        what = (
            "no text is labelled at all" if not report.regions else f"all {report.regions} texts are marked as ignored"
        )
        yield Finding("nothing-to-learn", "error", f"{what}: there is nothing to learn", report.dataset)
    letters = "".join(region.text or "" for page in report.pages for region in page.regions if not region.ignore)
    for case, same in (("capitals", letters.upper()), ("small letters", letters.lower())):
        if sum(map(str.isalpha, letters)) >= _MANY_LETTERS and letters == same and letters.upper() != letters.lower():
            yield Finding(
                "labels-one-case",
                "info",
                f"all letters of the labels are {case}; where the images have both, compare with "
                "--text-policy ignore-case (adapt looks at the images and does so by itself)",
                report.dataset,
            )


def _box(polygon: Polygon) -> str:
    (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
    return f"x {x0:g}..{x1:g}, y {y0:g}..{y1:g}"
