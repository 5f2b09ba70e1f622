"""One HTML file that shows what a run did, without anything from outside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from ocrtune.data.check import CheckReport
from ocrtune.files import write_whole
from ocrtune.training.diagnose.diagnosis import Diagnosis

_EXAMPLES = 5
PAGES_HEAD = "Pages with the most errors"
"""Headline of the report's last pictures."""


@dataclass(frozen=True)
class Picture:
    """An image in the report.

    Attributes:
        caption: one line.
        data: PNG or JPEG bytes.
    """

    caption: str
    data: bytes

    @property
    def uri(self) -> str:
        kind = "png" if self.data.startswith(b"\x89PNG") else "jpeg"
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class Table:
    """A table in the report."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass
class Report:
    """What the report shows, in this order.

    Attributes:
        title: headline.
        verdict: one sentence with the outcome.
        good: whether the outcome is what was wanted.
        tables: before/after first.
        diagnosis: what was found wrong with a training, the gravest first; shown below the first table.
        notes: what was found out on the way, one sentence each.
        figures: curves.
        data: checks of the data sets.
        examples: what the checks found, drawn.
        pages: worst pages drawn.
        config: resolved configuration as YAML.
        next_command: what to type next.
    """

    title: str
    verdict: str
    good: bool
    tables: list[Table] = field(default_factory=list)
    diagnosis: list[Diagnosis] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: list[Picture] = field(default_factory=list)
    data: list[CheckReport] = field(default_factory=list)
    examples: list[Picture] = field(default_factory=list)
    pages: list[Picture] = field(default_factory=list)
    config: str = ""
    next_command: str = ""


def write_report(report: Report, path: Path) -> None:
    """Write the HTML file at once."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    html = environment.get_template("report.html.j2").render(report=report, examples=_EXAMPLES, pages_head=PAGES_HEAD)
    write_whole(path, html)
