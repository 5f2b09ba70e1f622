"""What a check found: findings with their places, counted beyond what anybody reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ocrtune.data.check.index import PageIndex
from ocrtune.page import Image, Page, Polygon, StoredImage, TextRegion

Severity = Literal["error", "warning", "info"]
RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}
FATAL = ("no-pages", "no-usable-page", "nothing-to-learn")
"""Findings with which there is no point in going on."""
KEPT = 500
"""Findings of one kind that are kept; further ones are counted only, so that a report does not grow with the data."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or at least worth knowing.

    Attributes:
        code: what kind, for counting and for programs.
        severity: ``error`` spoils training or evaluation, ``warning`` may, ``info`` is good to know.
        message: what was found.
        where: ``file:line`` or image.
        fixed_by: what ``--fix`` does about it; None when only a person can.
        image: what to draw the finding on; None where it is about no single image.
        outline: the region that it is about, float32 [N, 2] in image pixels.
    """

    code: str
    severity: Severity
    message: str
    where: str
    fixed_by: str | None = None
    image: Path | StoredImage | Image | None = field(default=None, compare=False, repr=False)
    outline: Polygon | None = field(default=None, compare=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        image = str(self.image) if isinstance(self.image, Path) else getattr(self.image, "name", None)
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "where": self.where,
            "fixed_by": self.fixed_by,
            "image": image,
            "outline": None if self.outline is None else [[round(float(v), 2) for v in p] for p in self.outline],
        }


@dataclass
class CheckReport:
    """All that was found.

    Attributes:
        dataset: what was checked.
        pages: pages with a readable image, as ``--fix`` would write them; empty where they were not to be kept.
        total_pages: pages in the label files.
        regions, ignored: texts on readable pages, and how many of those do not count.
        findings: in the order of the pages; at most `KEPT` of a kind.
        unlisted: how many more there are, by kind.
        index: what identifies each readable page, in the order of ``pages``.
    """

    dataset: str
    pages: list[Page] = field(default_factory=list)
    total_pages: int = 0
    regions: int = 0
    ignored: int = 0
    findings: list[Finding] = field(default_factory=list)
    unlisted: Counter[tuple[Severity, str]] = field(default_factory=Counter)
    index: PageIndex = field(default_factory=PageIndex, repr=False)
    _kept: Counter[str] = field(default_factory=Counter, repr=False)

    def add(self, findings: Iterable[Finding]) -> None:
        """Take findings over; those beyond `KEPT` of a kind are counted only."""
        for finding in findings:
            if self._kept[finding.code] < KEPT:
                self._kept[finding.code] += 1
                self.findings.append(finding)
            else:
                self.unlisted[finding.severity, finding.code] += 1

    @property
    def hashes(self) -> list[str]:
        """Content hash of each readable page."""
        return [digest.hex() for digest in self.index.digests()]

    @property
    def usable_pages(self) -> int:
        """Number of pages with a readable image."""
        return len(self.index)

    @property
    def errors(self) -> int:
        listed = sum(finding.severity == "error" for finding in self.findings)
        return listed + sum(count for (severity, _), count in self.unlisted.items() if severity == "error")

    def counts(self) -> dict[str, int]:
        """Number of findings by code, the most frequent first."""
        counts = Counter(finding.code for finding in self.findings)
        for (_, code), count in self.unlisted.items():
            counts[code] += count
        return dict(counts.most_common())

    def by_code(self) -> dict[str, list[Finding]]:
        """Listed findings by code, errors first, then the most frequent."""
        groups: dict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings:
            groups[finding.code].append(finding)
        counts = self.counts()
        return dict(sorted(groups.items(), key=lambda item: (RANK[item[1][0].severity], -counts[item[0]])))

    def as_dict(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "pages": self.total_pages,
            "usable_pages": self.usable_pages,
            "regions": self.regions,
            "ignored": self.ignored,
            "errors": self.errors,
            "counts": self.counts(),
            "findings": [finding.as_dict() for finding in self.findings],
        }


def called(region: TextRegion, other: str = "the region") -> str:
    """How a message names a region."""
    return f"'{shown(region.text)}'" if region.text else other


def shown(text: str, most: int = 30) -> str:
    """The start of a text with a mark for everything that cannot be printed."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:most])
