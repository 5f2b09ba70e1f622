"""Reading and writing text lines and image paths, shared by the label formats."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ocrtune.errors import DataError
from ocrtune.page import Page, covers

IGNORE_TEXTS = frozenset({"###", "*"})
Report = Callable[[DataError], None]


def text_lines(path: Path, report: Report) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and text of each non-blank line of a UTF-8 file; BOM, CR and LF are dropped.

    A line that is not UTF-8 is reported with its number and left out.
    """
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        report(
            DataError(
                "the file is UTF-16, not UTF-8",
                where=f"{path}:1",
                expected="UTF-8 text",
                hint=f"iconv -f UTF-16 -t UTF-8 '{path}' > fixed.txt",
            )
        )
        return
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = line.decode("utf-8").rstrip("\r")
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


def reference_to(image: Path, base: Path) -> str:
    """How a label file in folder ``base`` names an image: relative, with forward slashes."""
    return Path(os.path.relpath(image.absolute(), base.absolute())).as_posix()


def number(value: float) -> str:
    """A coordinate without a needless fraction: ``12``, not ``12.0``."""
    return str(int(value)) if float(value).is_integer() else f"{value:.2f}"


def is_line(page: Page) -> bool:
    """Whether a page is the cut image of one line: a single region that covers it."""
    return len(page.regions) == 1 and covers(page.regions[0], page.size())
