"""Label formats, one file each: `read_dataset` turns any of them into pages, `write_dataset` writes pages as any."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ocrtune.data.formats import csv, icdar, json, lmdb, paddle
from ocrtune.data.formats._text import is_line
from ocrtune.errors import DataError, UsageError, nearest
from ocrtune.page import Page, clockwise_from_top_left


class Format(Protocol):
    """What a format module offers."""

    NAME: str

    def matches(self, path: Path) -> bool:
        """Whether the path looks like this format."""
        ...

    def read(self, path: Path, report: Callable[[DataError], None]) -> Iterable[Page]:
        """All pages; every fault of a label file goes to ``report`` and reading goes on without the faulty part."""
        ...

    def write(self, pages: Sequence[Page], path: Path) -> None:
        """Write the label file or folder; image files stay where they are and are referred to."""
        ...


__all__ = ["FORMATS", "DatasetPath", "is_line", "parse_dataset_path", "read_dataset", "write_dataset"]

FORMATS: dict[str, Format] = {module.NAME: module for module in (icdar, paddle, csv, lmdb, json)}


@dataclass(frozen=True)
class DatasetPath:
    """A data set as the user named it.

    Attributes:
        path: file or folder.
        format: key of `FORMATS`.
        detected: the format was found by looking, not named by the user.
    """

    path: Path
    format: str
    detected: bool

    def __str__(self) -> str:
        return f"{self.format}:{self.path}"


def parse_dataset_path(spec: str) -> DatasetPath:
    """Resolve ``path`` or ``FORMAT:path``.

    Raises:
        DataError: the path does not exist, or no format fits.
        UsageError: the format is unknown.
    """
    name, colon, rest = spec.partition(":")
    if colon and name in FORMATS:
        return DatasetPath(_existing(Path(rest), spec), name, detected=False)
    path = Path(spec)
    if colon and rest and not path.exists() and len(name) > 1 and "/" not in name and "\\" not in name:
        close = nearest(name, FORMATS)
        raise UsageError(
            f"'{name}' is no label format",
            where=spec,
            expected=", ".join(sorted(FORMATS)),
            hint=f"did you mean '{close}:{rest}'?" if close else None,
        )
    _existing(path, spec)
    for format_name, module in FORMATS.items():
        if module.matches(path):
            return DatasetPath(path, format_name, detected=True)
    raise DataError(
        "no known label format fits this path",
        where=path,
        expected="a folder with images and label files (icdar), a label file with one image a line (paddle), a .csv file "
        'of file and text, a folder with data.mdb (lmdb), or a .json file with "images"',
        hint=f"name the format, for example icdar:{spec}",
    )


def read_dataset(
    spec: str | DatasetPath,
    report: Callable[[DataError], None] | None = None,
    *,
    required: bool = True,
    as_written: bool = False,
) -> list[Page]:
    """Read a data set into pages, regions with ``source`` set to ``file:line``.

    Args:
        spec: ``path`` or ``FORMAT:path``.
        report: takes each fault of the label files; None raises the first one.
        required: whether a data set without any page is an error.
        as_written: keep outlines that run counter-clockwise, to find fault with them.

    Raises:
        DataError: the path does not exist, no format fits, a label file is faulty (without ``report``), or there is
            not a single page.
        UsageError: the format is unknown.
    """
    dataset = parse_dataset_path(spec) if isinstance(spec, str) else spec
    pages = list(FORMATS[dataset.format].read(dataset.path, report or _raise))
    if required and not pages:
        raise DataError(
            "there is no labelled page", where=dataset, expected="at least one image with labels", hint="check the path"
        )
    if not as_written:
        for page in pages:
            for region in page.regions:
                region.polygon = clockwise_from_top_left(region.polygon)
    return pages


def write_dataset(pages: Iterable[Page], dataset_format: str, path: Path) -> None:
    """Write pages in a format; ``path`` is a folder for ``icdar`` and ``lmdb``, and a file for the others.

    Raises:
        UsageError: the format is unknown.
        DataError: a page has no image file that a label file could name.
    """
    if dataset_format not in FORMATS:
        raise UsageError(f"'{dataset_format}' is no label format", expected=", ".join(sorted(FORMATS)))
    FORMATS[dataset_format].write(list(pages), path)


def _existing(path: Path, spec: str) -> Path:
    if not path.exists():
        raise DataError("the path does not exist", where=spec, hint="check the spelling and the working directory")
    return path


def _raise(error: DataError) -> None:
    raise error
