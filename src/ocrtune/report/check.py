"""The HTML report of a data check: what was found, with examples drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ocrtune.data.check import CheckReport, Finding
from ocrtune.data.draw import draw_regions, fit_into
from ocrtune.errors import ImageError
from ocrtune.page import Image, Page, TextRegion
from ocrtune.report.figures import MISSED, jpeg
from ocrtune.report.html import Picture, Report, Table, write_report

_EACH = 3  # examples of a kind
_SURROUNDINGS = 4.0  # heights of a region that are shown around it
_LEAST = 48.0  # pixels shown around a region, at least
_SIZE = (640, 480)


def write_check_report(reports: Sequence[CheckReport], path: Path, next_command: str) -> None:
    """Write one HTML file about the checks of one or more data sets."""
    errors = sum(report.errors for report in reports)
    rows = [
        (code, found[0].severity, report.counts()[code], report.dataset, found[0].fixed_by or "a person")
        for report in reports
        for code, found in report.by_code().items()
    ]
    verdict = f"{errors} errors: mend them before training" if errors else "No errors"
    write_report(
        Report(
            title="Check of " + " and ".join(report.dataset for report in reports),
            verdict=verdict,
            good=not errors,
            tables=[Table("What was found", ("what", "severity", "count", "where", "mended by --fix"), rows)],
            data=list(reports),
            examples=[picture for report in reports for picture in _examples(report)],
            next_command=next_command,
        ),
        path,
    )


def _examples(report: CheckReport) -> Iterator[Picture]:
    for code, findings in report.by_code().items():
        drawn = 0
        for finding in findings:
            picture = drawn_finding(finding) if drawn < _EACH else None
            if picture is not None:
                drawn += 1
                yield Picture(f"{code}: {finding.where}: {finding.message}", jpeg(picture))


def drawn_finding(finding: Finding) -> Image | None:
    """The image around a finding's outline, or all of it, uint8 [H, W, 3] BGR; None where there is none to draw."""
    if finding.image is None:
        return None
    try:
        image = Page(finding.image).load()
    except ImageError:
        return None
    if finding.outline is None or not np.isfinite(finding.outline).all():
        return fit_into(image, *_SIZE)
    drawn = draw_regions(image, [TextRegion(finding.outline)], MISSED)
    low, high = finding.outline.min(axis=0), finding.outline.max(axis=0)
    margin = max(_LEAST, _SURROUNDINGS * float((high - low).min()))
    x0, y0 = np.clip(low - margin, 0, (image.shape[1] - 1, image.shape[0] - 1)).astype(int).tolist()
    x1, y1 = np.clip(high + margin, (x0 + 1, y0 + 1), (image.shape[1], image.shape[0])).astype(int).tolist()
    return fit_into(np.ascontiguousarray(drawn[y0:y1, x0:x1]), *_SIZE)
