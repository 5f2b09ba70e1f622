"""Folders with one label file a page: finding the files, reading each, writing each."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ocrtune.data.formats._images import FreeStems, Images, place_image
from ocrtune.data.formats._text import Report, brief, reference_to
from ocrtune.errors import DataError
from ocrtune.files import whole_folder
from ocrtune.page import Page, TextRegion

_LOOKED_AT = 5  # label files that have to tell which format a folder has
_LISTS = frozenset({"classes.txt", "predefined_classes.txt", "readme.txt"})
Fits = Callable[[Path], bool]
"""Whether a label file is of a format; looks at its beginning."""


def first_label(path: Path, suffix: str, fits: Fits) -> bool:
    """Whether one of the first label files of a folder, or of a folder in it, or the file itself, is of a format."""
    if path.is_file():
        return path.suffix.lower() == suffix and fits(path)
    return path.is_dir() and any(_holds(folder, suffix, fits) for folder in (path, *_inner(path)))


def label_files(path: Path, suffix: str, fits: Fits) -> Iterator[Path]:
    """The label files of a folder (or of the one folder in it that holds such files) by name, or the file itself.

    Raises:
        DataError: several folders hold such files, so that it is not clear which one is meant.
    """
    if path.is_file():
        yield path
        return
    folder = path
    if not _holds(path, suffix, fits):
        holding = [inner for inner in _inner(path) if _holds(inner, suffix, fits)]
        if len(holding) > 1:
            raise DataError(
                f"several folders hold {suffix} files: {', '.join(inner.name for inner in holding)}",
                where=path,
                hint=f"name the part that you mean: {holding[0]}",
            )
        folder = holding[0] if holding else path
    for name in sorted(_names(folder, suffix)):
        yield folder / name


def read_each(
    path: Path, suffix: str, fits: Fits, report: Report, read_page: Callable[[Path, Images, Report], Page | None]
) -> Iterator[Page]:
    """The page of each label file; a file that cannot be read at all is reported and left out."""
    images: Images | None = None
    for file in label_files(path, suffix, fits):
        images = images or Images(file.parent)
        try:
            page = read_page(file, images, report)
        except DataError as error:
            report(error)
            continue
        except OSError as error:
            report(DataError(f"the label file cannot be read: {error.strerror}", where=file))
            continue
        if page is not None:
            yield page


def named_page(name: str, regions: list[TextRegion], file: Path, images: Images, report: Report) -> Page | None:
    """A page whose label file names its image; None, and a report, where the image is not there."""
    if not name:
        report(DataError("the label file names no image", where=file, expected="the path of an image"))
        return None
    image = images.named(name)
    if image is None:
        report(no_image(name, file, file.parent))
        return None
    return Page(image, regions, name=name, source=str(file))


def no_image(name: str, where: object, base: Path) -> DataError:
    """The error for an image that a label names and nobody finds."""
    return DataError(
        f"the image {brief(name)} does not exist",
        where=where,
        expected=f"a path below {base}",
        hint="'ocrtune data check' lists all that is missing",
    )


def write_each(
    pages: Iterable[Page],
    path: Path,
    suffix: str,
    render: Callable[[Page, str], str],
    *,
    folder: str = "",
    prefix: str = "",
    images: str | None = None,
) -> None:
    """Write one label file a page into a folder, at once.

    Args:
        pages: what to write.
        path: the data set's folder.
        suffix: of the label files.
        render: gives the content of a page's label file, from the page and the path of its image as the label file
            has to name it.
        folder: inside ``path``, for the label files.
        prefix: in front of the image's name, for the label file.
        images: folder inside ``path`` that gets the images, for formats whose label files name none; None where they do.

    Raises:
        DataError: a page has no image file of its own.
        FileExistsError: a label file is already there.
    """
    with whole_folder(path) as partial:
        labels = partial / folder
        labels.mkdir(exist_ok=True)
        if images is not None:
            (partial / images).mkdir(exist_ok=True)
        stems = FreeStems(labels, suffix)
        for page in pages:
            stem = stems.take(f"{prefix}{page.path.stem}")
            content = render(page, reference_to(page.path, path / folder))
            (labels / f"{stem}{suffix}").write_bytes(content.encode())
            if images is not None:
                name = stem.removeprefix(prefix)
                there = path / images / f"{name}{page.path.suffix}"
                if not (there.exists() and there.samefile(page.path)):
                    place_image(page.path, partial / images, name)


def _holds(folder: Path, suffix: str, fits: Fits) -> bool:
    return any(fits(folder / name) for name in itertools.islice(_names(folder, suffix), _LOOKED_AT))


def _names(folder: Path, suffix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            listed = name.startswith(".") or name.lower() in _LISTS
            if name.lower().endswith(suffix) and not listed and entry.is_file():
                yield name


def _inner(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if item.is_dir() and not item.name.startswith("."))
