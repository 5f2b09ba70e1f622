"""Reading and writing text lines and the regions that they describe, shared by the label formats."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ocrtune.errors import DataError
from ocrtune.page import Page, Polygon, TextRegion, covers

IGNORE_TEXTS = frozenset({"###", "*"})
_BRIEF = 120  # characters
Report = Callable[[DataError], None]


def text_lines(path: Path, report: Report) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and text of each non-blank line of a UTF-8 file; BOM, CR and LF are dropped.

    A line that is not UTF-8 is reported with its number and left out.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    report(
                        DataError(
                            "the file is UTF-16, not UTF-8",
                            where=f"{path}:1",
                            expected="UTF-8 text",
                            hint=f"iconv -f UTF-16 -t UTF-8 '{path}' > fixed.txt",
                        )
                    )
                    return
                line = line.removeprefix(b"\xef\xbb\xbf")
            try:
                text = line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                report(
                    DataError(
                        f"the line is not UTF-8 (byte 0x{line[error.start]:02x} at column {error.start + 1})",
                        where=f"{path}:{number}",
                        expected="UTF-8 text",
                        hint="save the file as UTF-8; for a GBK (Chinese Windows) file: "
                        f"iconv -f GBK -t UTF-8 '{path}' > fixed.txt",
                    )
                )
                continue
            if text.strip():
                yield number, text


def brief(found: object) -> str:
    """What was found, for a message: not too long, and without halves of characters."""
    text = f"{found} is missing" if isinstance(found, KeyError) else str(found)
    text = text if len(text) <= _BRIEF else f"{text[:_BRIEF]}..."
    return text.encode(errors="backslashreplace").decode()


def labelled(polygon: Polygon, text: str | None, where: str, ignore: bool = False) -> TextRegion:
    """A region as a label says it: ``###`` and ``*`` are no texts, they mark what does not count."""
    if text in IGNORE_TEXTS:
        return TextRegion(polygon, None, ignore=True, source=where)
    return TextRegion(polygon, text, ignore, source=where)


def marked(region: TextRegion) -> str:
    """What a label says of a region where a flag tells what is ignored: its text, or ``###`` where there is none."""
    return "###" if region.ignore and region.text is None else region.text or ""


def reference_to(image: Path, base: Path) -> str:
    """How a label file in folder ``base`` names an image: relative, with forward slashes.

    Raises:
        DataError: the image's name is no UTF-8, as label files are.
    """
    name = Path(os.path.relpath(image.absolute(), base.absolute())).as_posix()
    if not is_unicode(name):
        raise DataError("the image's name is not UTF-8", where=ascii(name), hint="rename the file")
    return name


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: JSON and file names can hold halves of characters (lone surrogates)."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def number(value: float) -> str:
    """A coordinate without a needless fraction: ``12``, not ``12.0``."""
    return str(int(value)) if float(value).is_integer() else f"{value:.2f}"


def is_line(page: Page) -> bool:
    """Whether a page is the cut image of one line: a single region that covers it."""
    return len(page.regions) == 1 and covers(page.regions[0], page.size())
