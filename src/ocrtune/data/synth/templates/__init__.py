"""Documents that can be generated, one file each: a template prints a sheet."""

from __future__ import annotations

from collections.abc import Callable

from ocrtune.data.synth.sheet import Sheet
from ocrtune.data.synth.templates.form import form
from ocrtune.data.synth.templates.label import label
from ocrtune.data.synth.templates.press import Press
from ocrtune.data.synth.templates.receipt import receipt
from ocrtune.data.synth.templates.table import table
from ocrtune.data.synth.templates.text import line, text

__all__ = ["LINE", "TEMPLATES", "Press"]

LINE = "line"
"""The template whose pictures are single lines, cut out as a recogniser sees them."""
TEMPLATES: dict[str, Callable[[Press], Sheet]] = {
    "receipt": receipt,
    "form": form,
    "table": table,
    "label": label,
    "text": text,
    LINE: line,
}
