"""Total-Text: one text file a page, a line is ``x: [[...]], y: [[...]], ornt: [u'c'], transcriptions: [u'text']``.

Source: Total-Text (Ch'ng and Chan 2017), the text form of its labels. ``ornt`` is c(urved), h(orizontal),
m(ulti-oriented) or #, which marks what does not count; the text ``#`` is none. Long lines are wrapped inside the lists.
Label files are called ``poly_gt_NAME.txt`` after the image.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from ocrtune.data.formats._folder import first_label, read_each, write_each
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import as_rotated_box, outline
from ocrtune.data.formats._text import Report, brief, labelled, number, text_lines
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion

NAME = "total-text"
CANNOT = frozenset({Loss.UNKNOWN_TEXT})
_PREFIXES = ("poly_gt_", "gt_")


def matches(path: Path) -> bool:
    """Whether a folder's text files (or the file itself) start with ``x: [[``."""
    return first_label(path, ".txt", _fits)


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`."""
    return read_each(path, ".txt", _fits, report, _page)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write a folder with ``gt/`` and ``images/``, the images linked where possible."""
    write_each(pages, path, ".txt", _document, folder="gt", prefix="poly_gt_", images="images")


def _fits(file: Path) -> bool:
    errors: list[DataError] = []
    return next((text for _, text in text_lines(file, errors.append)), "").startswith("x: [[")


def _page(file: Path, images: Images, report: Report) -> Page | None:
    regions = []
    for line_number, line in _unwrapped(file, report):
        where = f"{file}:{line_number}"
        try:
            regions.append(_region(line, where))
        except MALFORMED as error:
            report(
                DataError(
                    f"the line cannot be read: {brief(error)}",
                    where=where,
                    expected="x: [[x1 x2 ...]], y: [[y1 y2 ...]], ornt: [u'c'], transcriptions: [u'text']",
                )
            )
    stem = next((file.stem[len(prefix) :] for prefix in _PREFIXES if file.stem.startswith(prefix)), file.stem)
    image = images.with_stem(stem)
    if image is None:
        report(DataError("the label file has no image", where=file, expected=f"an image called {stem} near it"))
        return None
    return Page(image, regions, name=image.name, source=str(file))


def _unwrapped(file: Path, report: Report) -> Iterator[tuple[int, str]]:
    """Lines with those that go on inside a list put together, and the number of the first of each."""
    start, parts = 0, [""]
    for line_number, line in text_lines(file, report):
        if line.startswith("x:") and parts != [""]:
            yield start, " ".join(parts)
            parts = [""]
        if parts == [""]:
            start, parts = line_number, []
        parts.append(line.strip())
    if parts != [""]:
        yield start, " ".join(parts)


def _region(line: str, where: str) -> TextRegion:
    head, found, text = line.partition("transcriptions:")
    xs, found_y, rest = head.removeprefix("x:").partition("y:")
    ys, found_kind, kind = rest.partition("ornt:")
    if not (found and found_y and found_kind):
        raise ValueError("x, y, ornt or transcriptions is missing")
    polygon = outline(zip(_numbers(xs), _numbers(ys), strict=True))
    said = _said(text)
    ignore = "#" in kind or said == "#"
    return labelled(polygon, None if said == "#" else said, where, ignore)


def _numbers(text: str) -> list[float]:
    return [float(value) for value in text.strip(" [],").replace(",", " ").split()]


def _said(text: str) -> str:
    quoted = text.strip().removeprefix("[").removesuffix("]").removeprefix("u")
    if len(quoted) < 2 or quoted[0] not in "'\"" or quoted[-1] != quoted[0]:
        return quoted
    try:
        value = ast.literal_eval(quoted)
    except (SyntaxError, ValueError):
        value = None
    return value if isinstance(value, str) else quoted[1:-1]  # DON'T was written as 'DON'T' by some


def _document(page: Page, reference: str) -> str:
    return "".join(_line(region) for region in page.regions)


def _line(region: TextRegion) -> str:
    xs, ys = (" ".join(number(value) for value in axis) for axis in region.polygon.T.tolist())
    rectangle = as_rotated_box(region.polygon)
    upright = rectangle is not None and rectangle.upright
    kind = "#" if region.ignore else "c" if len(region.polygon) > 4 else "h" if upright else "m"
    text = "#" if region.ignore and region.text is None else region.text or ""
    return f"x: [[{xs}]], y: [[{ys}]], ornt: [u'{kind}'], transcriptions: [u{text!r}]\n"
