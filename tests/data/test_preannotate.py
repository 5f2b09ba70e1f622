from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ocrtune.data.formats import read_dataset
from ocrtune.data.ppocrlabel import check_project, write_project
from ocrtune.data.preannotate import (
    Memory,
    Preannotation,
    confidence,
    elsewhere,
    finished_in,
    preannotate,
    review_rows,
    uncertainty,
)
from ocrtune.errors import UsageError
from ocrtune.page import Image, Page, TextRegion, as_polygon
from support.pages import rectangle, save_image


def found(x0: float, y0: float, x1: float, y1: float, score: float, text: str | None = None) -> TextRegion:
    region = rectangle(x0, y0, x1, y1, text)
    region.score, region.text_score = score, None if text is None else score
    return region


class Model:
    """Finds one text a page, the surer the brighter the page is, and counts what it looked at."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, image: Image) -> list[TextRegion]:
        self.seen += 1
        return [found(10, 10, 60, 30, float(image.mean()) / 255, "found")]


@pytest.fixture
def images(tmp_path: Path) -> list[Page]:
    """Three pages, the second one the darkest."""
    import cv2

    folder = tmp_path / "scans"
    folder.mkdir()
    for name, level in (("a", 200), ("b", 50), ("c", 120)):
        cv2.imwrite(str(folder / f"{name}.png"), np.full((90, 120, 3), level, np.uint8))
    return [Page(path) for path in sorted(folder.glob("*.png"))]


def run(
    images: list[Page],
    folder: Path,
    labelled: list[Page] | None = None,
    finished: bool = False,
    model: Model | None = None,
    fingerprint: str = "m",
) -> Preannotation:
    memory = Memory(folder / "memory.jsonl", fingerprint)
    return preannotate(model or Model(), images, labelled or [], lambda page: finished, memory)


def test_the_least_certain_page_comes_first(images: list[Page], tmp_path: Path) -> None:
    result = run(images, tmp_path)
    assert [entry.page.name for entry in result.pages] == ["b.png", "c.png", "a.png"]
    assert [row["rank"] for row in review_rows(result)] == [1, 2, 3]
    assert review_rows(result)[0]["least_certain"] == "found"


def test_uncertainty_looks_at_the_worst_texts() -> None:
    good = [found(0, 0, 9, 9, 0.99)] * 50
    bad = [found(0, 0, 9, 9, 0.2)] * 2
    assert uncertainty(good) == pytest.approx(0.01)
    assert uncertainty([*good, *bad]) == pytest.approx(1 - (0.4 + 3 * 0.99) / 5)
    assert uncertainty([]) == 1
    assert uncertainty([rectangle(0, 0, 9, 9)]) == 0, "a label without a score is sure"
    read_badly = found(0, 0, 9, 9, 0.9, "x")
    read_badly.text_score = 0.3
    assert confidence(read_badly) == 0.3


def test_a_persons_texts_stay_and_what_overlaps_them_is_dropped() -> None:
    own = [
        rectangle(10, 10, 60, 30, "mine"),
        rectangle(70, 70, 110, 90, None, ignore=True),
        TextRegion(as_polygon([(0, 100), (50, 120), (50, 100), (0, 120)]), "crossing"),
    ]
    candidates = {
        "same": found(11, 9, 61, 31, 0.9),
        "inside": found(20, 15, 25, 25, 0.9),
        "around": found(0, 0, 110, 60, 0.9),
        "in an ignored place": found(80, 75, 90, 85, 0.9),
        "touching": found(10, 28, 60, 48, 0.9),
        "below": found(10, 40, 60, 60, 0.9),
    }
    kept = elsewhere(list(candidates.values()), own)
    assert [name for name, region in candidates.items() if any(region is k for k in kept)] == ["touching", "below"]


def test_finished_pages_are_not_looked_at_and_nothing_of_a_person_is_lost(images: list[Page], tmp_path: Path) -> None:
    own = [
        images[0].with_regions([rectangle(10, 10, 60, 30, "mine"), rectangle(10, 50, 60, 70, "also mine")]),
        Page(save_image(tmp_path / "elsewhere.png"), [rectangle(0, 0, 20, 20, "other folder")]),
    ]
    model = Model()
    result = run(images, tmp_path, own, finished=True, model=model)
    assert model.seen == 2
    states = {entry.page.name: entry.state for entry in result.pages}
    assert states == {"a.png": "kept", "b.png": "predicted", "c.png": "predicted", "elsewhere.png": "kept"}
    assert [entry.page for entry in result.pages if entry.state == "kept"] == own

    unfinished = run(images, tmp_path, own)
    a = next(entry for entry in unfinished.pages if entry.page.name == "a.png")
    assert (a.state, a.dropped, a.uncertainty) == ("joined", 1, 0), "the model found the first text only"
    assert a.page.regions == own[0].regions

    moved = [images[0].with_regions([rectangle(70, 50, 110, 70, "mine")])]
    joined = next(e for e in run(images, tmp_path, moved).pages if e.page.name == "a.png")
    assert joined.state == "joined"
    assert [region.text for region in joined.page.regions] == ["mine", "found"]


def test_two_entries_of_one_image_are_both_kept(images: list[Page], tmp_path: Path) -> None:
    own = [images[0].with_regions([rectangle(10, y, 60, y + 9, f"line {y}")]) for y in (10, 50)]
    result = run(images, tmp_path, own, finished=True)
    a = next(entry for entry in result.pages if entry.page.name == "a.png")
    assert [region.text for region in a.page.regions] == ["line 10", "line 50"]


def test_stopped_work_goes_on(images: list[Page], tmp_path: Path) -> None:
    class Stops(Model):
        def __call__(self, image: Image) -> list[TextRegion]:
            if self.seen == 2:
                raise KeyboardInterrupt
            return super().__call__(image)

    with pytest.raises(KeyboardInterrupt):
        run(images, tmp_path, model=Stops())
    with (tmp_path / "memory.jsonl").open("ab") as file:
        file.write(b'\n{"model": "m", "image": "half a li')  # killed while it wrote
    second = Model()
    result = run(images, tmp_path, model=second)
    assert second.seen == 1
    assert (result.predicted, result.remembered) == (1, 2)
    third = Model()
    again = run(images, tmp_path, model=third)
    assert third.seen == 0, "the line after the broken one is whole"
    assert [entry.page.name for entry in again.pages] == ["b.png", "c.png", "a.png"]
    for one, other in zip(result.pages, again.pages, strict=True):
        np.testing.assert_array_equal(one.page.regions[0].polygon, other.page.regions[0].polygon)
        assert one.uncertainty == other.uncertainty
    changed = Model()
    save_image(images[0].path, 50, 50)
    run(images, tmp_path, model=changed)
    assert changed.seen == 1, "another image of the same name"
    other_model = Model()
    run(images, tmp_path, model=other_model, fingerprint="another")
    assert other_model.seen == 3


def test_a_damaged_image_is_told_and_its_labels_are_kept(images: list[Page], tmp_path: Path) -> None:
    images[0].path.write_bytes(b"damaged")
    images[1].path.write_bytes(b"damaged")
    own = [images[0].with_regions([rectangle(10, 10, 60, 30, "mine")])]
    result = run(images, tmp_path, own)
    assert [error.where for error in result.errors] == [str(images[0].path), str(images[1].path)]
    assert {entry.page.name: entry.state for entry in result.pages} == {"a.png": "joined", "c.png": "predicted"}


def test_ppocrlabel_project(images: list[Page], tmp_path: Path) -> None:
    """What it reads: keys are ``folder/file``; each line has one tab; the labels of a person are not touched."""
    folder = tmp_path / "scans"
    own = [
        images[0].with_regions([rectangle(10, 10, 60, 30, "mine\twith a tab"), rectangle(9, 50, 60, 70, "hard", True)])
    ]
    (folder / "Cache.cach").write_text("scans/old.png\t[]\nscans/b.png\t[]\n", encoding="utf-8")
    write_project(run(images, tmp_path, own, finished=True).pages, folder)
    cache = (folder / "Cache.cach").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[0] for line in cache] == ["scans/old.png", "scans/b.png", "scans/c.png"]
    _, entries = cache[1].split("\t")
    assert json.loads(entries) == [
        {"transcription": "found", "points": [[10, 10], [60, 10], [60, 30], [10, 30]], "difficult": False}
    ]
    assert (folder / "fileState.txt").read_text(encoding="utf-8") == "scans/a.png\t1\n"
    assert (folder / "Label.txt").read_text(encoding="utf-8").count("\t") == 1
    mine, hard = read_dataset(f"paddle:{folder}")[0].regions
    assert mine.text == "mine\twith a tab"
    assert (hard.text, hard.ignore) == ("hard", True), "what is known of a text that does not count stays"
    (folder / "Label.txt").write_text("a person's\twork", encoding="utf-8")
    write_project(run(images, tmp_path, own, finished=True).pages, folder)
    assert (folder / "Label.txt").read_text(encoding="utf-8") == "a person's\twork"
    with pytest.raises(UsageError, match="one folder"):
        check_project(images, tmp_path)


def test_what_counts_as_finished(images: list[Page], tmp_path: Path) -> None:
    labelled, empty = images[0].with_regions([rectangle(0, 0, 9, 9)]), images[1]
    finished = finished_in(tmp_path / "labels.json", complete=False)
    assert (finished(labelled), finished(empty)) == (True, False)
    assert not finished_in(tmp_path / "labels.json", complete=True)(labelled)
    (tmp_path / "scans" / "fileState.txt").write_text(
        "/home/me/scans/b.png\t1\nC:\\x\\scans\\c.png\t1\n", encoding="utf-8"
    )
    confirmed = finished_in(tmp_path / "scans" / "Label.txt", complete=False)
    assert [confirmed(page) for page in images] == [False, True, True]
    with pytest.raises(UsageError, match="PPOCRLabel has said which pages are finished"):
        finished_in(tmp_path / "scans" / "Label.txt", complete=True)
