"""The check itself: images are looked at side by side, pages are judged in their order, and none is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from ocrtune.data.check.cache import FactsCache, ImageKey, image_key
from ocrtune.data.check.findings import CheckReport, Finding
from ocrtune.data.check.image import ImageFacts, image_facts
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


def find_leaks(train: CheckReport, val: CheckReport) -> Iterator[Finding]:
    """Pages of the validation data that are also in the training data: with the same pixels, or showing the same."""
    old, new = train.index, val.index
    for row, digest in enumerate(new.digests()):
        same = old.with_pixels(digest)
        if same is not None:
            message = f"the same image is in the training data as {old.name(same)}"
            fix = "leaves the page out of the training data"
            yield Finding("leak", "error", message, new.where(row), fix, new.image(row))
    boundary = len(old)
    prints = chain(
        ((row, found) for row, _, found in old.distinct()),
        ((row + boundary, found) for row, digest, found in new.distinct() if old.with_pixels(digest) is None),
    )
    for row, earlier, turn in near_pairs(prints, boundary):
        message = f"shows the same as {old.name(earlier)} of the training data{turned_by(turn)}"
        where, image = new.where(row - boundary), new.image(row - boundary)
        yield Finding("near-leak", "warning", message, where, image=image)


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
