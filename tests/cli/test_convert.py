"""`ocrtune data convert`: what users see."""

from __future__ import annotations

import json
from pathlib import Path

from ocrtune.data.formats import read_dataset, write_dataset
from ocrtune.page import Page
from support.labels import REGIONS
from support.pages import rectangle, sample_pages, save_image
from support.runs import fails, ocrtune


def test_losses_are_told(tmp_path: Path) -> None:
    write_dataset([Page(save_image(tmp_path / "a.png"), list(REGIONS.values()))], "json", tmp_path / "set.json")
    done = ocrtune("data", "convert", tmp_path / "set.json", "--format", "td500", "--out", tmp_path / "td", "--json")
    shown = json.loads(done.stdout)
    assert shown["path"] == f"td500:{tmp_path / 'td'}"
    assert (shown["pages"], shown["regions"], shown["faults"]) == (1, len(REGIONS), 0)
    assert shown["lost"]["curve"] == 2
    assert "outlines of more than four points become rectangles (2 of" in done.stderr
    fails(
        2, "data", "convert", tmp_path / "set.json", "--format", "voc", "--out", tmp_path / "td", says="already there"
    )
    fails(
        2,
        "data",
        "convert",
        tmp_path / "set.json",
        "--format",
        "vok",
        "--out",
        tmp_path / "x",
        says="did you mean 'voc'?",
    )


def test_losses_of_a_split_are_told(tmp_path: Path) -> None:
    pages = [Page(save_image(tmp_path / f"{i}.png", seed=i), [REGIONS["curve"]]) for i in range(2)]
    write_dataset(pages, "json", tmp_path / "set.json")
    split = ("data", "split", tmp_path / "set.json", "--shares", "100", "--out", tmp_path / "parts")
    done = ocrtune(*split, "--format", "voc")
    assert "voc cannot say everything: outlines of more than four points become rectangles (2 of 2" in done.stdout


def test_mended_labels_lie_beside_what_they_mend(tmp_path: Path) -> None:
    """Also where that is ``.``; a format of one file is one beside a folder, too."""
    pages = [Page(save_image(tmp_path / f"{i}.png", seed=i), [REGIONS["plain"]]) for i in range(8)]
    write_dataset(pages, "cvat", tmp_path / "export" / "annotations.xml")
    ocrtune("data", "check", ".", "--fix", "--no-cache", cwd=tmp_path / "export", check=False)
    assert len(read_dataset(str(tmp_path / "export_fixed.xml"))) == 8
    write_dataset(pages, "icdar", tmp_path / "set")
    ocrtune("data", "check", "icdar:.", "--fix", "--no-cache", cwd=tmp_path / "set", check=False)
    assert len(read_dataset(str(tmp_path / "set_fixed"))) == 8


def test_faulty_labels_stop_it_or_are_counted(tmp_path: Path) -> None:
    write_dataset(sample_pages(tmp_path / "images"), "voc", tmp_path / "voc")
    label = tmp_path / "voc" / "page_1.xml"
    label.write_text(label.read_text(encoding="utf-8").replace("<xmin>", "<xmin>x", 1), encoding="utf-8")
    fails(2, "data", "convert", tmp_path / "voc", "--format", "cvat", "--out", tmp_path / "a.xml", says="page_1.xml:")
    assert not (tmp_path / "a.xml").exists()
    arguments = ("data", "convert", tmp_path / "voc", "--format", "cvat", "--out", tmp_path / "a.xml", "--json")
    done = ocrtune(*arguments, "--skip-faulty")
    assert json.loads(done.stdout)["faults"] == 1
    assert "page_1.xml:" in done.stderr
    assert [len(page.regions) for page in read_dataset(str(tmp_path / "a.xml"))] == [3, 2, 3]


def test_images_of_a_store_become_files(tmp_path: Path) -> None:
    lines = [
        Page(save_image(tmp_path / f"{i}.png", 60, 20, i), [rectangle(0, 0, 60, 20, f"line {i}")]) for i in range(3)
    ]
    write_dataset(lines, "lmdb", tmp_path / "store")
    ocrtune("data", "convert", tmp_path / "store", "--format", "label-studio", "--out", tmp_path / "tasks.json")
    read = read_dataset(str(tmp_path / "tasks.json"))
    assert [page.regions[0].text for page in read] == ["line 0", "line 1", "line 2"]
    assert all((page.load() == line.load()).all() for page, line in zip(read, lines, strict=True))
    assert {page.path.parent for page in read} == {tmp_path / "tasks_images"}


def test_images_of_another_conversion_stay(tmp_path: Path) -> None:
    """``set.json`` and ``set.xml`` would share ``set_images``; a store without readable images leaves no folder."""
    for name, seed in (("one", 1), ("two", 2)):
        write_dataset([Page(save_image(tmp_path / f"{name}.png", seed=seed))], "lmdb", tmp_path / name)
    ocrtune("data", "convert", tmp_path / "one", "--format", "json", "--out", tmp_path / "set.json")
    before = read_dataset(str(tmp_path / "set.json"))[0].path.read_bytes()
    second = ("data", "convert", tmp_path / "two", "--out", tmp_path / "set.xml")
    fails(2, *second, "--format", "cvat", says="set_images: the images of the store would overwrite")
    assert read_dataset(str(tmp_path / "set.json"))[0].path.read_bytes() == before
    to_csv = ("data", "convert", tmp_path / "one", "--format", "csv", "--out", tmp_path / "lines.csv")
    fails(2, *to_csv, says="expected: images of one line")
    assert not (tmp_path / "lines_images").exists()
    ocrtune("data", "convert", tmp_path / "set.json", "--format", "cvat", "--out", tmp_path / "set.xml")


def test_parts_of_another_split_keep_their_images(tmp_path: Path) -> None:
    pages = [Page(save_image(tmp_path / f"{i}.png", seed=i)) for i in range(4)]
    write_dataset(pages, "lmdb", tmp_path / "store")
    split = ("data", "split", tmp_path / "store", "--shares", "50,50", "--out", tmp_path / "parts")
    fails(2, *split, "--format", "csv", says="expected: images of one line")
    assert not (tmp_path / "parts" / "images" / "train").exists()
    ocrtune(*split, "--format", "json")
    fails(2, *split, "--format", "cvat", says="train: the images of the store would overwrite")
