"""The check itself: images are looked at side by side, pages are judged in their order, and none is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ocrtune.data.check.cache import FactsCache, ImageKey, image_key
from ocrtune.data.check.findings import CheckReport, Finding
from ocrtune.data.check.image import ImageFacts, image_facts
from ocrtune.data.check.index import repeats
from ocrtune.data.check.pages import CheckSettings, check_page
from ocrtune.data.check.similar import near_pairs
from ocrtune.data.check.wholeset import SetSums, turned_by, whole_set
from ocrtune.data.formats import FORMATS, DatasetPath, stream_dataset
from ocrtune.errors import DataError
from ocrtune.page import Page
from ocrtune.runtime.engines import available_cores

_AHEAD = 8  # pages a core that are looked at before they are judged
_FILE_FAULTS = (
    ("has no label file", "image-without-label"),
    ("has no image", "label-without-image"),
    ("does not exist", "image-missing"),
)
Bar = Callable[[int], Callable[[], None]]
"""Given the number of pages, returns what to call after each."""


def check_dataset(
    dataset: DatasetPath,
    settings: CheckSettings | None = None,
    bar: Bar | None = None,
    *,
    cache: Path | None = None,
    keep_pages: bool = True,
) -> CheckReport:
    """Look at every label line, every image and every outline.

    Args:
        dataset: what to check.
        settings: what for; None for the defaults.
        bar: shows how far it is.
        cache: folder where what was found out about images is kept; None looks at all of them.
        keep_pages: whether the report holds the mended pages; without them it stays small however large the data are.

    Raises:
        DataError: the label file as a whole cannot be read.
    """
    settings = settings or CheckSettings()
    report, sums = CheckReport(str(dataset)), SetSums(settings)
    pages = stream_dataset(dataset, lambda fault: report.add([_label_fault(fault)]), required=False, as_written=True)
    each = bar(page_count(dataset)) if bar else lambda: None
    with FactsCache(cache, dataset) as known:
        for page, facts in _looked_at(pages, known):
            report.total_pages += 1
            mended, findings = check_page(page, facts, settings)
            report.add(findings)
            if mended is not None:
                report.index.add(mended, facts)
                report.regions += len(mended.regions)
                report.ignored += sum(region.ignore for region in mended.regions)
                sums.add(mended, facts)
                if keep_pages:
                    report.pages.append(mended)
            each()
    report.add(whole_set(report, sums))
    return report


def page_count(dataset: DatasetPath) -> int:
    """Number of labelled pages: the labels are read through for it, which takes a fiftieth of what looking at images does.

    Raises:
        DataError: the label file as a whole cannot be read.
    """
    return sum(1 for _ in FORMATS[dataset.format].read(dataset.path, lambda fault: None))


def find_leaks(train: CheckReport, val: CheckReport) -> list[Finding]:
    """Pages of the validation data that are also in the training data: with the same pixels, or showing the same."""
    rows: dict[bytes, int] = {}
    for row, digest in enumerate(train.index.contents()):
        rows.setdefault(digest.tobytes(), row)
    findings, leaked = [], set()
    for row, digest in enumerate(val.index.contents()):
        if digest.tobytes() in rows:
            leaked.add(row)
            message = f"the same image is in the training data as {train.index.name(rows[digest.tobytes()])}"
            fix = "leaves the page out of the training data"
            findings.append(Finding("leak", "error", message, val.index.where(row), fix, val.index.image(row)))
    old, new = _distinct(train), [row for row in _distinct(val) if row not in leaked]
    prints = np.concatenate([train.index.prints()[old], val.index.prints()[new]])
    for i, j, turn in near_pairs(prints, boundary=len(old)):
        row = new[i - len(old)]
        message = f"shows the same as {train.index.name(old[j])} of the training data{turned_by(turn)}"
        findings.append(Finding("near-leak", "warning", message, val.index.where(row), image=val.index.image(row)))
    return findings


def _distinct(report: CheckReport) -> list[int]:
    """Rows of pages that show something, the first of those with the same pixels."""
    again = {row for row, _ in repeats(report.index.contents())}
    return [row for row in range(len(report.index)) if row not in again and not report.index.blank[row]]


def _label_fault(fault: DataError) -> Finding:
    message = fault.what + (f" (expected {fault.expected})" if fault.expected else "")
    code = next((code for words, code in _FILE_FAULTS if words in fault.what), "label-unreadable")
    return Finding(code, "error", message, fault.where or "", "leaves the line or page out")


def _looked_at(pages: Iterable[Page], known: FactsCache) -> Iterator[tuple[Page, ImageFacts]]:
    """Pages in their order with what is known of their images.

    Threads do it: decoding, hashing and scaling happen outside Python, and processes would copy every page to and fro.
    """
    cores = available_cores()
    waiting: deque[tuple[Page, ImageKey | None, Future[ImageFacts] | ImageFacts]] = deque()

    def first() -> tuple[Page, ImageFacts]:
        page, key, facts = waiting.popleft()
        if isinstance(facts, Future):
            facts = facts.result()
            known.keep(key, facts)
        return page, facts

    with ThreadPoolExecutor(cores) as pool:
        for page in pages:
            key = image_key(page)
            waiting.append((page, key, known.facts(key) or pool.submit(image_facts, page)))
            if len(waiting) > _AHEAD * cores:
                yield first()
        while waiting:
            yield first()
