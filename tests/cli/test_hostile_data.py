"""`adapt` and `train` on data that cannot work: one clear error each, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrtune.data.formats import write_dataset
from ocrtune.page import Page
from support.pages import rectangle, sample_pages, save_image, write_paired
from support.runs import fails, ocrtune, small_config, small_dataset


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fails(2, "adapt", tmp_path / "empty", "--out", tmp_path / "out", says="no known label format")
    fails(2, "adapt", f"icdar:{tmp_path / 'empty'}", "--out", tmp_path / "out", says="not a single labelled page")


def test_everything_ignored(tmp_path: Path) -> None:
    pages = [page.with_regions([rectangle(5, 5, 60, 30, None, ignore=True)]) for page in sample_pages(tmp_path, 30)]
    write_dataset(pages, "json", tmp_path / "set.json")
    fails(2, "adapt", tmp_path / "set.json", "--out", tmp_path / "out", says="nothing to learn")
    config = small_config(tmp_path / "small", data={"train": f"json:{tmp_path / 'set.json'}"})
    fails(2, "train", config, says="nothing to learn")


def test_too_few_pages(tmp_path: Path) -> None:
    small_dataset(tmp_path / "few", pages=5)
    fails(1, "adapt", tmp_path / "few", "--out", tmp_path / "out", says="too few")


def test_output_folder_with_other_things(tmp_path: Path) -> None:
    small_dataset(tmp_path / "few", pages=3)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    fails(2, "adapt", tmp_path / "few", "--out", tmp_path / "out", says="not empty")
    fails(2, "demo", "--out", tmp_path / "out", says="no demo made")
    assert (tmp_path / "out" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_budget_that_cannot_work(tmp_path: Path) -> None:
    small_dataset(tmp_path / "set", pages=26)
    fails(2, "adapt", tmp_path / "set", "--budget", "soon", "--out", tmp_path / "a", says="20m")
    fails(1, "adapt", tmp_path / "set", "--budget", "1s", "--out", tmp_path / "b", says="--budget")


def test_training_names_the_bad_line(tmp_path: Path) -> None:
    write_paired(tmp_path / "set", sample_pages(tmp_path / "images", 4))
    label = tmp_path / "set" / "box" / "page_2.csv"
    label.write_text("1,2,3\n", encoding="utf-8")
    config = small_config(tmp_path / "small", data={"train": f"icdar:{tmp_path / 'set'}"})
    fails(2, "train", config, says=f"{label}:1")


def test_training_names_the_broken_image(tmp_path: Path) -> None:
    write_paired(tmp_path / "set", sample_pages(tmp_path / "images", 4))
    image = tmp_path / "set" / "img" / "page_3.png"
    image.write_bytes(image.read_bytes()[:40])
    config = small_config(tmp_path / "small", data={"train": f"icdar:{tmp_path / 'set'}", "num_workers": 1})
    fails(2, "train", config, says="page_3.png")


@pytest.mark.slow
def test_pages_without_text_tiny_boxes_and_huge_images_can_be_trained_on(tmp_path: Path) -> None:
    pages = [Page(save_image(tmp_path / "blank.png", seed=5), [])]
    pages.append(
        Page(save_image(tmp_path / "dots.png", seed=6), [rectangle(i, i, i + 1, i + 1) for i in range(5, 60, 9)])
    )
    pages.append(Page(save_image(tmp_path / "huge.jpg", 10000, 3000, seed=7), [rectangle(100, 100, 3000, 500, "huge")]))
    pages.append(Page(save_image(tmp_path / "point.png", 1, 1, seed=8), [rectangle(0, 0, 1, 1)]))
    write_dataset(pages, "json", tmp_path / "set.json")
    config = small_config(tmp_path / "small", data={"train": f"json:{tmp_path / 'set.json'}"})
    done = ocrtune("train", config, "schedule.steps=4", "trainer.evals=1")
    assert "bundle:" in done.stdout
