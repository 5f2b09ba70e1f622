"""Pseudo-labels: what a teacher is sure of is learnt, what it doubts is left out, and nothing is ever measured on them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.bundle import Bundle
from ocrtune.data.formats import read_dataset
from ocrtune.detection.metric import match_page
from ocrtune.errors import DataError, UsageError
from ocrtune.page import Image, Page
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.load import load_detector
from ocrtune.runtime.recognizer import Reading, TextRecognizer
from ocrtune.workflows.adapt import AdaptRequest, adapt
from ocrtune.workflows.adapt.job import Parts, prepare
from ocrtune.workflows.adapt.pseudo import TRUSTED_BOX, box_labels, text_labels
from ocrtune.workflows.console import Console
from support.pages import printed_page, save_image, write_paired


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 labelled pages, 4 to report on, and 5 images of which a copy of a page to report on is one."""
    folder = tmp_path_factory.mktemp("pages")
    for seed, (name, count) in enumerate((("train", 20), ("val", 4), ("more", 4))):
        drawn = [printed_page(folder / "drawn" / f"{name}_{i}.png", 100 * seed + i) for i in range(count)]
        write_paired(folder / name, drawn)
    image = next((folder / "val" / "img").iterdir())
    shutil.copy(image, folder / "more" / "img" / "a_copy.png")
    (folder / "more" / "box" / "a_copy.csv").touch()
    return folder


@pytest.fixture
def detector(v4_mobile: Bundle) -> TextDetector:
    plain = load_detector(v4_mobile)
    return replace(plain, preprocess=plain.preprocess.model_copy(update={"resize": "long_side", "size": 480}))


def test_boxes_that_are_sure_are_right_and_the_others_left_out(folder: Path, detector: TextDetector) -> None:
    labelled = read_dataset(str(folder / "train"))
    images = [page for page in read_dataset(str(folder / "more")) if page.regions]
    made = box_labels(detector, labelled, [page.with_regions([]) for page in images])
    assert [page.path for page in made.pages] == [page.path for page in images]
    trusted = [page.with_regions([r for r in page.regions if not r.ignore]) for page in made.pages]
    assert made.trusted == sum(len(page.regions) for page in trusted)
    assert all(r.score is not None and r.score >= TRUSTED_BOX for page in trusted for r in page.regions)
    matches = [match_page(page, found) for page, found in zip(images, trusted, strict=True)]
    precision = sum(m.matched for m in matches) / sum(m.predictions for m in matches)
    assert precision >= TRUSTED_BOX - 0.05
    assert sum(m.matched for m in matches) / sum(m.labels for m in matches) > 0.8

    # a teacher that is wrong about a third of its boxes is sure of none
    wrong = [page.with_regions(page.regions[::3]) for page in labelled]
    unsure = box_labels(detector, wrong, [page.with_regions([]) for page in images])
    assert unsure.trusted == 0
    assert unsure.empty == len(images)


def test_images_without_a_sure_text_and_damaged_ones_are_left_out(
    tmp_path: Path, folder: Path, detector: TextDetector
) -> None:
    blank, broken = tmp_path / "blank.png", tmp_path / "broken.png"
    cv2.imwrite(str(blank), np.full((200, 200, 3), 255, np.uint8))
    broken.write_bytes(b"broken")
    made = box_labels(detector, read_dataset(str(folder / "train")), [Page(blank), Page(broken)])
    assert made.pages == []
    assert (made.trusted, made.empty, len(made.errors)) == (0, 2, 1)


class Sayer(TextRecognizer):
    """Reads what it was told to, one line after the other."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.readings = iter(readings)

    def read(self, crops: Sequence[Image]) -> list[Reading]:
        return [next(self.readings) for _ in crops]


def test_texts_that_are_sure_are_learnt_in_the_case_of_the_labels(tmp_path: Path) -> None:
    images = [Page(save_image(tmp_path / f"{i}.png", 60, 20, seed=i)) for i in range(5)]
    readings = [Reading("Total", 0.99), Reading("Tax", 0.5), Reading("", 0.0), Reading("sum", 0.96, turned=True)]
    made = text_labels(Sayer([*readings, Reading("Net 5", 0.95)]), None, images, "upper")
    assert [[r.text for r in page.regions] for page in made.pages] == [["TOTAL"], ["NET 5"]]
    assert (made.trusted, made.empty) == (2, 3)
    (region,) = made.pages[0].regions
    assert region.polygon.tolist() == [[0, 0], [60, 0], [60, 20], [0, 20]]
    plain = text_labels(Sayer([Reading("Total", 0.99)]), None, images[:1], None)
    assert plain.pages[0].regions[0].text == "Total"


def test_a_persons_labels_are_half_of_what_is_seen() -> None:
    pages = [Page(Path(f"{i}.png")) for i in range(12)]
    parts = Parts(pages, [], [], Path("a.json"), Path("b.json"), [])
    assert parts.sources == ["json:a.json"]
    taught = replace(parts, pseudo_file=Path("p.json"), pseudo_pages=60)
    assert taught.sources == ["json:a.json"] * 5 + ["json:p.json"]
    assert replace(taught, pseudo_pages=3).sources == ["json:a.json", "json:p.json"]


def request(folder: Path, out: Path, *overrides: str, unlabelled: Sequence[str] = ("more",)) -> AdaptRequest:
    return AdaptRequest(
        str(folder / "train"),
        str(folder / "val"),
        "detection",
        None,
        300,
        out,
        overrides,
        sizes=(480,),
        unlabelled=tuple(folder / name for name in unlabelled),
    )


def test_pages_to_be_measured_on_are_never_learnt_from(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    parts = prepare(request(folder, tmp_path / "a"), Console(say=said.append))
    assert len(parts.unlabelled) == 4
    assert "a_copy.png" not in {page.path.name for page in parts.unlabelled}
    assert any("4 images without labels; 1 left out" in line for line in said)
    with pytest.raises(DataError, match="labelled already"):
        prepare(request(folder, tmp_path / "b", unlabelled=["train", "val"]), Console())


def test_directions_have_no_pseudo_labels(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="directions"):
        adapt(replace(request(folder, tmp_path / "out"), task="orientation"), Console())


@pytest.mark.slow
def test_adapt_with_unlabelled_images(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    small = ("schedule.steps=2", "input.page_size=480", "input.view_size=96", "data.batch_size=2", "trainer.evals=1")
    said: list[str] = []
    result = adapt(request(folder, out, *small, "data.num_workers=0"), Console(say=said.append))
    assert any("unlabelled images are sure enough" in line for line in said)
    pseudo = read_dataset(f"json:{out / 'pseudo.json'}")
    assert {page.path.resolve().parent for page in pseudo} == {folder / "more" / "img"}
    assert not {page.path.name for page in pseudo} & {"a_copy.png"}
    (stage,) = result.stages
    assert stage.config.data.train[-1] == f"json:{out / 'pseudo.json'}"
    assert stage.config.model.pretrained == str(out / "teacher" / "run" / "bundle")
    assert any("unlabelled images" in note for note in stage.outcome.notes)
    assert "unlabelled images" in (out / "report.html").read_text(encoding="utf-8")
