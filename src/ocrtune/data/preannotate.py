"""Pages labelled by a model for a person to correct: the least certain first, and never over a person's own work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely

from ocrtune.data.records import MALFORMED, as_records, from_records
from ocrtune.errors import DataError, ImageError, UsageError
from ocrtune.page import Image, Page, Polygon, TextRegion

LEAST_CERTAIN = 5
"""Texts of a page by which its uncertainty is told: a few bad ones are not hidden by many good ones."""
OVERLAP = 0.2
"""Share of the smaller of two texts that both cover, from which they are the same place."""
State = Literal["predicted", "joined", "kept"]


@dataclass(frozen=True)
class Annotated:
    """A page as it is written.

    Attributes:
        page: its image and texts: a person's first, then what was found.
        state: ``predicted``; ``joined``: a person's unfinished page with what was found elsewhere on it; ``kept``: a
            person's finished page.
        uncertainty: 0 to 1, of what was found; see `uncertainty`. A page to which nothing was added has 0.
        dropped: texts that were found where a person's are.
    """

    page: Page
    state: State
    uncertainty: float
    dropped: int = 0


@dataclass
class Preannotation:
    """What was done.

    Attributes:
        pages: the least certain first.
        predicted: images that the model looked at.
        remembered: images that it had looked at before.
        errors: one for each damaged image.
    """

    pages: list[Annotated] = field(default_factory=list)
    predicted: int = 0
    remembered: int = 0
    errors: list[ImageError] = field(default_factory=list)


class Memory:
    """What a model has found so far, in a file that grows by a line an image, so that stopped work goes on.

    Args:
        path: JSON lines; those of another model, or of images that have changed, do not count.
        model: fingerprint of the model.
    """

    def __init__(self, path: Path, model: str) -> None:
        self._path = path
        self._model = model
        self._known = dict(self._entries())

    def get(self, image: Path) -> list[TextRegion] | None:
        """What was found on an image; None where it was not looked at."""
        return self._known.get(_identity(image))

    def add(self, image: Path, regions: Sequence[TextRegion]) -> None:
        """Remember what was found on an image."""
        identity = _identity(image)
        self._known[identity] = list(regions)
        entry = {"model": self._model, "image": identity, "regions": as_records(regions)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            # the line break comes first: it ends a line that was cut off when the work was stopped
            file.write(b"\n" + json.dumps(entry, ensure_ascii=False).encode())

    def _entries(self) -> Iterator[tuple[str, list[TextRegion]]]:
        for line in self._path.read_bytes().splitlines() if self._path.is_file() else ():
            try:
                entry = json.loads(line)
                if entry["model"] == self._model:
                    yield str(entry["image"]), from_records(entry["regions"])
            except MALFORMED:
                continue


def preannotate(
    model: Callable[[Image], list[TextRegion]],
    images: Sequence[Page],
    labelled: Sequence[Page],
    finished: Callable[[Page], bool],
    memory: Memory,
    each: Callable[[], None] = lambda: None,
) -> Preannotation:
    """Find the texts of images, and join them with what a person has labelled.

    Args:
        model: finds texts, and reads them where it can.
        images: image files.
        labelled: a person's pages; those without an image among ``images`` are kept as well.
        finished: whether a person's page is complete: it is kept as it is and not looked at.
        memory: of what was found before.
        each: called after each image.
    """
    result = Preannotation()
    own = _by_image(labelled)
    seen: set[Path] = set()
    for image in images:
        key = image.path.resolve()
        if key not in seen:
            seen.add(key)
            mine = own.get(key)
            if mine is not None and finished(mine):
                result.pages.append(Annotated(mine, "kept", 0.0))
            else:
                _add_predicted(result, model, image, mine, memory)
        each()
    others = [page for key, page in own.items() if key not in seen]
    result.pages += [Annotated(page, "kept" if finished(page) else "joined", 0.0) for page in others]
    result.pages.sort(key=lambda entry: -entry.uncertainty)
    return result


def _by_image(labelled: Sequence[Page]) -> dict[Path, Page]:
    """A person's pages by their image; several of one image are joined."""
    own: dict[Path, Page] = {}
    for page in labelled:
        key = page.path.resolve()
        own[key] = own[key].with_regions([*own[key].regions, *page.regions]) if key in own else page
    return own


def _add_predicted(
    result: Preannotation,
    model: Callable[[Image], list[TextRegion]],
    image: Page,
    mine: Page | None,
    memory: Memory,
) -> None:
    found = memory.get(image.path)
    if found is not None:
        result.remembered += 1
    else:
        try:
            found = model(image.load())
        except ImageError as error:
            result.errors.append(error)
            if mine is not None:
                result.pages.append(Annotated(mine, "joined", 0.0))
            return
        memory.add(image.path, found)
        result.predicted += 1
    if mine is None or not mine.regions:
        result.pages.append(Annotated(image.with_regions(found), "predicted", uncertainty(found)))
        return
    new = elsewhere(found, mine.regions)
    joined = mine.with_regions([*mine.regions, *new])
    doubt = uncertainty(new) if new else 0.0
    result.pages.append(Annotated(joined, "joined", doubt, len(found) - len(new)))


def uncertainty(regions: Sequence[TextRegion]) -> float:
    """How much a page needs a person's look, 0 to 1.

    One minus the mean confidence of its `LEAST_CERTAIN` least certain texts; the confidence of a text is the smaller one of
    its being there and being read. A page on which nothing was found has 1: it is blank, or all was missed.
    """
    confidences = sorted(confidence(region) for region in regions)[:LEAST_CERTAIN]
    return 1 - sum(confidences) / len(confidences) if confidences else 1.0


def confidence(region: TextRegion) -> float:
    """The smaller one of a text's scores; 1 where it has none."""
    return min((score for score in (region.score, region.text_score) if score is not None), default=1.0)


def elsewhere(found: Sequence[TextRegion], own: Sequence[TextRegion]) -> list[TextRegion]:
    """What was found where a person has labelled nothing, neither a text nor a place to ignore."""
    outlines = [_outline(region.polygon) for region in own]
    kept = []
    for region in found:
        outline = _outline(region.polygon)
        if not any(outline.intersection(other).area > OVERLAP * min(outline.area, other.area) for other in outlines):
            kept.append(region)
    return kept


def finished_in(labels: Path, complete: bool) -> Callable[[Page], bool]:
    """When a page of a label file counts as finished.

    Where PPOCRLabel's ``fileState.txt`` lies beside the labels, it says so; otherwise a page with any label is finished,
    unless the user wants such pages completed.

    Raises:
        UsageError: the user wants it where PPOCRLabel says which pages are finished.
    """
    state = (labels if labels.is_dir() else labels.parent) / "fileState.txt"
    if not state.is_file():
        return lambda page: bool(page.regions) and not complete
    if complete:
        raise UsageError(
            "PPOCRLabel has said which pages are finished",
            where=state,
            hint="leave out --complete: pages that are not confirmed there are completed",
        )
    confirmed = confirmed_pages(state)
    return lambda page: f"{page.path.parent.name}/{page.path.name}" in confirmed


def confirmed_pages(state: Path) -> set[str]:
    """Pages that a person has confirmed in PPOCRLabel, as ``folder/file``.

    Raises:
        DataError: the file is no UTF-8 text.
    """
    try:
        text = state.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the states of the pages cannot be read: {error}", where=state) from error
    names = (line.partition("\t")[0].replace("\\", "/") for line in text.splitlines() if line.strip())
    return {"/".join(name.split("/")[-2:]) for name in names}


def review_rows(result: Preannotation) -> list[dict[str, Any]]:
    """What a person looks at first: a row a page, the least certain first."""
    rows = []
    for rank, entry in enumerate(result.pages, start=1):
        regions = entry.page.regions
        worst = min(regions, key=confidence, default=None)
        rows.append(
            {
                "rank": rank,
                "image": entry.page.name,
                "uncertainty": round(entry.uncertainty, 4),
                "state": entry.state,
                "texts": len(regions),
                "least_certain": (worst.text or "") if worst is not None and confidence(worst) < 1 else "",
            }
        )
    return rows


def _outline(polygon: Polygon) -> Any:
    outline = shapely.Polygon(polygon) if np.isfinite(polygon).all() else shapely.Polygon()
    return outline if outline.is_valid else outline.buffer(0)


def _identity(image: Path) -> str:
    """An image file as it is now: another content of the same name is another image."""
    try:
        status = image.stat()
    except OSError:
        return str(image.resolve())
    return f"{image.resolve()} {status.st_size} {status.st_mtime_ns}"
