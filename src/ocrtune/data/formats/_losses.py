"""What a label format cannot say, so that writing it can tell what is lost."""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from ocrtune.data.formats._shapes import as_rotated_box
from ocrtune.page import Page, TextRegion

CONTROL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no place for."""
_BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


class Loss(enum.Enum):
    """A thing that pages can hold and some formats cannot; the value is what becomes of it."""

    CURVE = "outlines of more than four points become rectangles"
    QUAD = "four-sided outlines that are no rectangles become rectangles"
    ROTATION = "turned outlines become upright boxes"
    TEXT = "texts are left out"
    IGNORED_TEXT = "texts of regions that do not count are left out"
    UNKNOWN_TEXT = "regions whose text nobody has said get an empty text"
    LINE_BREAKS = "line breaks inside texts become blanks"
    OUTER_BLANKS = "blanks around texts are cut off"
    CONTROL = "control characters become U+FFFD"


def losses_of(region: TextRegion, cannot: frozenset[Loss]) -> Iterator[Loss]:
    """Those of the losses that this region would suffer."""
    rectangle = as_rotated_box(region.polygon) if cannot & {Loss.CURVE, Loss.QUAD, Loss.ROTATION} else None
    text = region.text
    holds = {
        Loss.CURVE: len(region.polygon) > 4,
        Loss.QUAD: len(region.polygon) == 4 and rectangle is None,
        Loss.ROTATION: rectangle is not None and not rectangle.upright,
        Loss.TEXT: text is not None,
        Loss.IGNORED_TEXT: bool(text) and region.ignore,
        Loss.UNKNOWN_TEXT: text is None and not region.ignore,
        Loss.LINE_BREAKS: bool(text and _BREAKS.search(text)),
        Loss.OUTER_BLANKS: bool(text) and text != (text or "").strip(),
        Loss.CONTROL: bool(text and CONTROL.search(text)),
    }
    return (loss for loss in Loss if loss in cannot and holds[loss])


def counted(pages: Iterable[Page], cannot: frozenset[Loss], lost: Counter[Loss]) -> Iterator[Page]:
    """The pages as they pass by; what is lost on the way is counted in ``lost``."""
    for page in pages:
        if cannot:
            for region in page.regions:
                lost.update(losses_of(region, cannot))
        yield page
