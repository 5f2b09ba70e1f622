"""What one visitor has before him: an opened data set, the pages that fit a search, a page and a region of it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ocrtune.data.check import Finding
from ocrtune.data.formats import parse_dataset_path
from ocrtune.errors import UsageError
from ocrtune.page import Image, Page, Polygon, TextRegion
from ocrtune.webui.labels.checks import Check, Checks
from ocrtune.webui.labels.drawing import scale_of
from ocrtune.webui.labels.editing import Labels, drawn_outline, moved_corner, region_at
from ocrtune.webui.language import Language

ON_A_SHEET = 12
_REACH = 12.0  # pixels of the shown picture within which a click means a region
_VISITORS = 32


@dataclass
class Desk:
    """An opened data set and the place in it.

    Attributes:
        labels: the pages, with the visitor's changes.
        may_show: whether an image file may be drawn.
        rows: indices of the pages that fit the search.
        sheet: number of the contact sheet, from 0.
        page: index of the page that is shown large.
        region: index of the chosen region.
        marked: outline of the finding that led here.
        clicks: corners clicked so far for an outline, in image pixels.
        warned: whether the visitor was told that opening something else loses changes.
    """

    labels: Labels
    may_show: Callable[[Path], bool]
    rows: list[int] = field(default_factory=list)
    sheet: int = 0
    page: int = 0
    region: int | None = None
    marked: Polygon | None = None
    clicks: list[tuple[float, float]] = field(default_factory=list)
    warned: bool = False
    _image: tuple[int, Image] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.rows = list(range(len(self.labels.pages)))

    @property
    def current(self) -> Page:
        """The page that is shown large."""
        return self.labels.pages[self.page]

    @property
    def chosen(self) -> TextRegion | None:
        """The chosen region."""
        return None if self.region is None else self.current.regions[self.region]

    def load(self, page: Page) -> Image:
        """A page's image, uint8 [H, W, 3] BGR.

        Raises:
            ImageError: it is missing or damaged.
            UsageError: it lies outside the folders of the web page.
        """
        if isinstance(page.image, Path) and not self.may_show(page.image):
            raise UsageError("the image lies outside the folders of this page", where=page.name)
        return page.load()

    def image(self) -> Image:
        """The image of the page that is shown large; kept while it stays there. Raises as `load`."""
        if self._image is None or self._image[0] != self.page:
            self._image = (self.page, self.load(self.current))
        return self._image[1]

    def search(self, text: str, name: str, check: Check | None, code: str) -> None:
        """Show only pages with a text, a file name, and a kind of finding; empty ones fit everything."""
        images = None
        if code and check is not None and check.report is not None:
            images = {f.image for f in check.report.findings if f.code == code and isinstance(f.image, Path)}
        self.rows = [i for i, page in enumerate(self.labels.pages) if _fits(page, text.strip(), name.strip(), images)]
        self.sheet = 0
        if self.rows and self.page not in self.rows:
            self.go(self.rows[0])

    def on_sheet(self) -> list[int]:
        """Indices of the pages of the contact sheet."""
        return self.rows[self.sheet * ON_A_SHEET : (self.sheet + 1) * ON_A_SHEET]

    @property
    def sheets(self) -> int:
        """Number of contact sheets, at least 1."""
        return max(1, -(-len(self.rows) // ON_A_SHEET))

    def turn(self, step: int) -> None:
        """Go to another contact sheet."""
        self.sheet = min(max(0, self.sheet + step), self.sheets - 1)

    def go(self, page: int) -> None:
        """Show a page large, and the sheet that it is on."""
        self.page, self.region, self.marked, self.clicks = page, None, None, []
        if page in self.rows:
            self.sheet = self.rows.index(page) // ON_A_SHEET

    def step(self, step: int) -> None:
        """Go to the next or the previous page that fits the search."""
        if self.rows:
            at = self.rows.index(self.page) if self.page in self.rows else -1
            self.go(self.rows[min(max(0, at + step), len(self.rows) - 1)])

    def find(self, finding: Finding) -> bool:
        """Go to the page and the region that a finding is about; False where it is about no page."""
        for index, page in enumerate(self.labels.pages):
            same = page.image == finding.image if finding.image is not None else page.source == finding.where
            if same:
                if index not in self.rows:
                    self.rows = list(range(len(self.labels.pages)))
                self.go(index)
                self.marked = finding.outline
                self.region = _nearest(page, finding.outline)
                return True
        return False

    def choose(self, number: int | None) -> None:
        """Choose a region of the page by its index."""
        self.clicks = []
        self.region = number if number is not None and 0 <= number < len(self.current.regions) else None

    def click(self, x: float, y: float, action: str) -> bool:
        """A click on the shown picture.

        Args:
            x, y: pixels of the picture.
            action: ``choose``, ``corner`` (moves one of the chosen region), ``box`` (two corners of a new one) or
                ``quad`` (four).

        Returns:
            False where the points enclose nothing, so that nothing came of them.
        """
        image = self.image()
        scale = scale_of(image)
        size, point = (image.shape[1], image.shape[0]), (x / scale, y / scale)
        if action == "choose":
            self.choose(region_at(self.current.regions, point, _REACH / scale))
            return True
        if action == "corner":
            moved = None if self.chosen is None else moved_corner(self.chosen.polygon, point, size)
            if moved is None or self.chosen is None:
                return False
            self.apply(self.chosen.text or "", self.chosen.ignore, moved)
            return True
        self.clicks.append(point)
        if len(self.clicks) < (2 if action == "box" else 4):
            return True
        outline, self.clicks = drawn_outline(self.clicks, size), []
        if outline is None:
            return False
        self.labels.change(self.page, [*self.current.regions, TextRegion(outline, "")])
        self.region = len(self.current.regions) - 1
        return True

    def apply(self, text: str, ignore: bool, outline: Polygon | None) -> None:
        """Give the chosen region a text, a mark and an outline; a text that nobody has said stays so while it is empty."""
        if self.region is None or self.chosen is None:
            return
        said = None if not text and self.chosen.text is None else text
        polygon = self.chosen.polygon if outline is None else outline
        same = np.array_equal(polygon, self.chosen.polygon)
        if not same or (said, ignore) != (self.chosen.text, self.chosen.ignore):
            self.labels.replace(self.page, self.region, replace(self.chosen, polygon=polygon, text=said, ignore=ignore))

    def delete(self) -> None:
        """Delete the chosen region."""
        if self.region is not None:
            self.labels.replace(self.page, self.region, None)
            self.region = None

    def undo(self) -> bool:
        """Take the last change back, and show its page; False where there is none."""
        index = self.labels.undo()
        if index is None:
            return False
        if index != self.page:
            self.go(index)
        self.choose(self.region)
        return True

    def size(self) -> tuple[int, int]:
        """Width and height of the page that is shown large. Raises as `load`."""
        image = self.image()
        return image.shape[1], image.shape[0]


@dataclass
class Desks:
    """The desks of the last visitors, by a name that only their browser knows, and the checks that all share.

    A desk with changes that were not saved stays.

    Attributes:
        checks: of every data set.
        secret: encrypts the names in the browsers.
    """

    checks: Checks = field(default_factory=Checks)
    secret: str = field(default_factory=secrets.token_hex)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _desks: dict[str, Desk] = field(default_factory=dict)

    def open(self, spec: str, may_show: Callable[[Path], bool], before: str = "") -> tuple[str, Desk]:
        """Open a data set, ``PATH`` or ``FORMAT:PATH``, on a desk of its own.

        Args:
            spec: the data set.
            may_show: whether an image file may be drawn.
            before: name of the visitor's desk so far, which goes.

        Returns:
            the desk's name, and the desk.

        Raises:
            DataError, UsageError: the data set cannot be read.
        """
        desk = Desk(Labels.read(parse_dataset_path(spec)), may_show)
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._desks.pop(before, None)
            self._desks[name] = desk
            idle = [key for key, other in self._desks.items() if key != name and not other.labels.changed]
            for key in idle[: max(0, len(self._desks) - _VISITORS)]:
                del self._desks[key]
        return name, desk

    def put(self, name: str, desk: Desk) -> None:
        """Put something else on a visitor's desk."""
        with self._lock:
            self._desks[name] = desk

    def get(self, name: str | None, say: Language) -> Desk:
        """A visitor's desk.

        Raises:
            UsageError: no data set was opened.
        """
        desk = self._desks.get(name or "")
        if desk is None:
            what = say("no data set is open", "尚未打开数据集")
            raise UsageError(what, hint=say("choose one above and press Open", "请在上方选择数据集并点击“打开”"))
        return desk

    def known(self, name: str | None) -> Desk | None:
        """A visitor's desk, if there is one."""
        return self._desks.get(name or "")


def _fits(page: Page, text: str, name: str, images: set[Path] | None) -> bool:
    if name and name.lower() not in page.name.lower():
        return False
    if images is not None and page.image not in images:
        return False
    return not text or any(text.lower() in (region.text or "").lower() for region in page.regions)


def _nearest(page: Page, outline: Polygon | None) -> int | None:
    """The region whose extent is the most like an outline's."""
    if outline is None or not np.isfinite(outline).all() or not page.regions:
        return None
    extent = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
    extents = [np.concatenate([r.polygon.min(axis=0), r.polygon.max(axis=0)]) for r in page.regions]
    distances = [float(np.abs(extent - other).max()) for other in extents]
    nearest = int(np.argmin(distances))
    side = float(max(extent[2] - extent[0], extent[3] - extent[1], 4.0))
    return nearest if distances[nearest] < side / 2 else None
