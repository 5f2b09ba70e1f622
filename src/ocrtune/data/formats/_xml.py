"""XML label files, read one element after the other; entities are refused, whatever they are for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from ocrtune.data.formats._losses import CONTROL
from ocrtune.data.formats._text import brief
from ocrtune.errors import DataError

DEEPEST = 64
"""Elements inside each other; label formats need ten."""
_CHUNK = 1 << 16
_LINE = "{ocrtune}line"
_ROOT = re.compile(rb"<(?![?!])(?:[\w.-]+:)?([\w.-]+)")


def xml_root_name(path: Path) -> str:
    """Name of the outermost element without its namespace, from the first 4 KiB; "" where there is none."""
    if not path.is_file() or path.suffix.lower() != ".xml":
        return ""
    with path.open("rb") as file:
        start = re.sub(rb"<!--.*?-->", b"", file.read(4096), flags=re.DOTALL)
    found = _ROOT.search(start)
    return found[1].decode("ascii", errors="replace") if found else ""


def xml_elements(path: Path, tag: str) -> Iterator[Element]:
    """Each element of this name right below the outermost one, and then the outermost one without them.

    Names have no namespace. `line_of` tells where an element starts.

    Raises:
        DataError: the file is no well-formed XML, defines entities, or is nested too deeply.
    """
    tree = _Tree(tag)
    parser = DefusedXMLParser(target=tree)
    tree.parser = parser.parser
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                parser.feed(chunk)
                yield from tree.taken()
        root = parser.close()
    except DefusedXmlException as error:
        raise DataError(
            "the file defines entities, which can be used to attack a reader",
            where=path,
            expected="XML without entity definitions",
            hint="remove the DOCTYPE with its entities",
        ) from error
    except ParseError as error:
        where = f"{path}:{error.position[0]}"
        raise DataError(f"the file is no well-formed XML: {brief(error)}", where=where) from error
    except (ValueError, LookupError, RecursionError) as error:
        raise DataError(f"the file is no XML that can be read: {brief(error)}", where=path) from error
    yield from tree.taken()
    yield root


def read_xml(path: Path) -> Element:
    """The outermost element of a file that is small enough to be read at once.

    Raises:
        DataError: as `xml_elements`.
    """
    (root,) = xml_elements(path, "")
    return root


def line_of(element: Element) -> int:
    """The line of the file in which an element starts, from 1."""
    return int(element.get(_LINE, "0"))


def text_of(element: Element, tag: str) -> str | None:
    """The text of a child; None where there is no such child, "" where it is empty."""
    child = element.find(tag)
    return None if child is None else child.text or ""


def as_text(text: str) -> str:
    """A text as the content of an element; control characters become U+FFFD."""
    return escape(CONTROL.sub("\ufffd", text), {"\r": "&#13;"})


def as_attribute(text: str) -> str:
    """A text as an attribute's value in its quotes; control characters become U+FFFD."""
    return quoteattr(CONTROL.sub("\ufffd", text))


class _Tree(TreeBuilder):
    """Builds elements, knows their lines, and lets go of those that were taken."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.parser: Any = None
        self._tag = tag
        self._open: list[Element] = []
        self._done: list[Element] = []

    def taken(self) -> list[Element]:
        done, self._done = self._done, []
        return done

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        if len(self._open) == DEEPEST:
            raise ValueError(f"elements are nested more than {DEEPEST} deep")
        element = super().start(tag.rpartition("}")[2], attrs)
        element.set(_LINE, str(self.parser.CurrentLineNumber))
        self._open.append(element)
        return element

    def end(self, tag: str, /) -> Element:
        element = super().end(tag.rpartition("}")[2])
        self._open.pop()
        if len(self._open) == 1 and element.tag == self._tag:
            self._open[0].remove(element)
            self._done.append(element)
        return element
