"""Data sets as pages: read page by page or at once, and written."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ocrtune.data.formats import lmdb
from ocrtune.data.formats._images import is_absolute
from ocrtune.data.formats._losses import Loss, counted
from ocrtune.data.formats._registry import FOLDER_FORMATS, FORMATS, DatasetPath, parse_dataset_path
from ocrtune.data.formats._shapes import LARGEST, in_order
from ocrtune.data.formats._text import Report, is_unicode
from ocrtune.errors import DataError, named
from ocrtune.page import Page, TextRegion

logger = logging.getLogger(__name__)


@dataclass
class Written:
    """What `write_dataset` wrote.

    Attributes:
        pages, regions: how many.
        lost: what the format could not say, and of how many regions.
    """

    pages: int = 0
    regions: int = 0
    lost: Counter[Loss] = field(default_factory=Counter)

    def messages(self) -> list[str]:
        """One sentence for each kind of loss."""
        return [f"{loss.value} ({count} of {self.regions} regions)" for loss, count in self.lost.most_common()]


def stream_dataset(
    spec: str | DatasetPath,
    report: Callable[[DataError], None] | None = None,
    *,
    required: bool = True,
    as_written: bool = False,
) -> Iterator[Page]:
    """Read a data set page by page, so that one of any size needs little memory.

    Outlines come clockwise, those with shuffled corners put in order. Image paths from the root of another machine's
    file system are looked for near the label file; how many there were is logged as a warning at the end.

    Args:
        spec: ``path`` or ``FORMAT:path``.
        report: takes each fault of the label files; None raises the first one.
        required: whether a data set without any page is an error.
        as_written: keep outlines as the labels have them, to find fault with them.

    Raises:
        DataError: the path does not exist, no format fits, a label file is faulty (without ``report``), or there is
            not a single page.
        UsageError: the format is unknown.
    """
    dataset = parse_dataset_path(spec) if isinstance(spec, str) else spec
    return _pages(dataset, report or _raise, required, as_written)


def read_dataset(
    spec: str | DatasetPath,
    report: Callable[[DataError], None] | None = None,
    *,
    required: bool = True,
    as_written: bool = False,
) -> list[Page]:
    """All pages of a data set, regions with ``source`` set to the place in the label file; see `stream_dataset`."""
    return list(stream_dataset(spec, report, required=required, as_written=as_written))


def write_dataset(
    pages: Iterable[Page],
    dataset_format: str,
    path: Path,
    *,
    replace: bool = False,
    source: DatasetPath | None = None,
) -> Written:
    """Write pages in a format, as they come; the file or folder is there at the end completely, or not at all.

    Args:
        pages: what to write.
        dataset_format: key of `FORMATS`.
        path: a folder for `FOLDER_FORMATS`, else a file. Label files may go into a folder that is there.
        replace: whether a file that is there may be replaced; what a folder holds never is.
        source: what the pages were read from; a store remembers it, to be repaired from.

    Raises:
        ConfigError: the format is unknown.
        DataError: something is already there, or a page has no image file that a label file could name.
    """
    module = named(dataset_format, FORMATS, "label format", f"{dataset_format}:{path}")
    if dataset_format not in FOLDER_FORMATS and not replace and path.exists():
        raise DataError("something is already there", where=path, hint="choose another name")
    written = Written()
    try:
        passing = counted(_numbered(pages, written), module.CANNOT, written.lost)
        if module is lmdb and source is not None:
            lmdb.write(passing, path, f"{source.format}:{source.path.absolute()}")
        else:
            module.write(passing, path)
    except FileExistsError as error:
        raise DataError(str(error), where=path, hint="choose another name") from error
    except OSError as error:
        raise DataError(f"the labels cannot be written: {error.strerror}", where=path) from error
    return written


def _numbered(pages: Iterable[Page], written: Written) -> Iterator[Page]:
    for page in pages:
        written.pages += 1
        written.regions += len(page.regions)
        yield page


def _pages(dataset: DatasetPath, report: Report, required: bool, as_written: bool) -> Iterator[Page]:
    count, elsewhere, example = 0, 0, ""
    try:
        for page in FORMATS[dataset.format].read(dataset.path, report):
            count += 1
            if is_absolute(page.name) and isinstance(page.image, Path) and str(page.image) != page.name:
                elsewhere += 1
                example = example or page.name
            page.regions = [region for region in page.regions if _usable(region, report, as_written)]
            if not as_written:
                for region in page.regions:
                    region.polygon = in_order(region.polygon)
            yield page
    except OSError as error:
        raise DataError(f"the labels cannot be read: {error.strerror}", where=dataset) from error
    if elsewhere:
        logger.warning(
            "%s: %d image paths start at the root of another machine's file system (%s); found near the label file",
            dataset,
            elsewhere,
            example,
        )
    if required and not count:
        raise DataError(
            "there is no labelled page", where=dataset, expected="at least one image with labels", hint="check the path"
        )


def _usable(region: TextRegion, report: Report, as_written: bool) -> bool:
    """Whether the text is Unicode, and coordinates are pixels (which is for the caller to see ``as_written``)."""
    what = None
    if not as_written and not (np.abs(region.polygon) <= LARGEST).all():
        what = "a coordinate is no number, or too large to be a pixel"
    elif region.text is not None and not is_unicode(region.text):
        what = "the text holds half a character (a lone surrogate)"
    if what is not None:
        hint = "correct or delete the label; 'ocrtune data check --fix' leaves such labels out"
        report(DataError(what, where=region.source, hint=hint))
    return what is None


def _raise(error: DataError) -> None:
    raise error
