"""Which formats there are, and which one a path has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ocrtune.data.formats import (
    alto,
    coco_text,
    csv,
    ctw1500,
    cvat,
    funsd,
    icdar,
    json,
    label_studio,
    labelme,
    lmdb,
    paddle,
    page_xml,
    td500,
    total_text,
    voc,
)
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._text import Report
from ocrtune.errors import DataError, UsageError, nearest
from ocrtune.page import Page


class Format(Protocol):
    """What a format module offers."""

    NAME: str
    CANNOT: frozenset[Loss]
    """What pages can hold and the format cannot say."""

    def matches(self, path: Path) -> bool:
        """Whether the path looks like this format; looks at the first kilobytes, whatever is in them."""
        ...

    def read(self, path: Path, report: Report) -> Iterator[Page]:
        """All pages, one after the other; every fault of a label file goes to ``report`` and reading goes on without the
        faulty part. What is no fault of a part but of the whole file is raised as a DataError."""
        ...

    def write(self, pages: Iterable[Page], path: Path) -> None:
        """Write the label file or folder as the pages come, at once; image files stay where they are."""
        ...


# in this order they are tried on a path: what looks at a name or an outermost element comes before what looks at lines
FORMATS: dict[str, Format] = {
    module.NAME: module
    for module in (
        lmdb,
        voc,
        alto,
        page_xml,
        cvat,
        ctw1500,
        total_text,
        td500,
        funsd,
        labelme,
        coco_text,
        label_studio,
        json,
        csv,
        icdar,
        paddle,
    )
}
FOLDER_FORMATS = frozenset(
    {"alto", "ctw1500", "funsd", "icdar", "labelme", "lmdb", "page-xml", "td500", "total-text", "voc"}
)
"""Formats that are written as a folder; the others are one file."""
_SUFFIXES = {"csv": ".csv", "cvat": ".xml", "paddle": ".txt"}


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


def written_suffix(dataset_format: str) -> str:
    """How the name of a data set of this format ends, where it is written: "" for a folder."""
    return "" if dataset_format in FOLDER_FORMATS else _SUFFIXES.get(dataset_format, ".json")


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
    try:
        fitting = next((name for name, module in FORMATS.items() if module.matches(path)), None)
    except OSError as error:
        raise DataError(f"the path cannot be read: {error.strerror}", where=path) from error
    if fitting is not None:
        return DatasetPath(path, fitting, detected=True)
    raise DataError(
        "no known label format fits this path",
        where=path,
        expected=f"one of {', '.join(sorted(FORMATS))}",
        hint=f"name the format, for example icdar:{spec}",
    )


def _existing(path: Path, spec: str) -> Path:
    if not path.exists():
        raise DataError("the path does not exist", where=spec, hint="check the spelling and the working directory")
    return path
