from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ocrtune.data.formats import is_line, parse_dataset_path, read_dataset, write_dataset
from ocrtune.errors import DataError
from ocrtune.page import Page
from support.pages import rectangle, sample_pages, save_image

TEXTS = ["TOTAL 5.00", 'a, "b"', "[1]", "中文 空格", "0", " "]


@pytest.fixture
def lines(tmp_path: Path) -> list[Page]:
    pages = []
    for index, text in enumerate(TEXTS):
        image = save_image(tmp_path / "images" / f"{index}.png", 60 + index, 20, seed=index)
        pages.append(Page(image, [rectangle(0, 0, 60 + index, 20, text)]))
    return pages


@pytest.mark.parametrize(("name", "file"), [("paddle", "labels.txt"), ("csv", "labels.csv"), ("lmdb", "store")])
def test_lines_survive_writing_and_reading(name: str, file: str, lines: list[Page], tmp_path: Path) -> None:
    target = tmp_path / file
    write_dataset(lines, name, target)
    assert parse_dataset_path(str(target)).format == name, "the format is detected"
    read = read_dataset(str(target))
    assert [page.regions[0].text for page in read] == TEXTS
    for before, after in zip(lines, read, strict=True):
        np.testing.assert_array_equal(before.load(), after.load())
        np.testing.assert_array_equal(before.regions[0].polygon, after.regions[0].polygon)
        assert is_line(after)


def test_pages_with_several_texts_are_no_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 texts") as caught:
        write_dataset(sample_pages(tmp_path), "csv", tmp_path / "out.csv")
    assert "data crop" in (caught.value.hint or "")
    assert not (tmp_path / "out.csv").exists(), "nothing half-written is left"


def test_paddle_recognition_lines_in_all_their_forms(lines: list[Page], tmp_path: Path) -> None:
    label = tmp_path / "rec.txt"
    label.write_text(
        "images/0.png\tTOTAL\r\n"
        + json.dumps(["images/1.png", "images/2.png"])
        + "\tsame\n"
        + "images/3.png\twith size\t63\t20\n"
        + "images/4.png\t###\n"
        + "images/missing.png\tx\n",
        encoding="utf-8",
    )
    faults: list[DataError] = []
    pages = read_dataset(f"paddle:{label}", faults.append)
    assert [page.regions[0].text for page in pages] == ["TOTAL", "same", "same", "with size", None]
    assert pages[-1].regions[0].ignore
    assert len(faults) == 1
    assert "missing.png does not exist" in faults[0].what
    assert faults[0].where == f"{label}:5"


def test_paddle_direction_labels_turn_the_outline(lines: list[Page], tmp_path: Path) -> None:
    label = tmp_path / "cls.txt"
    label.write_text("images/0.png\t0\nimages/1.png\t180\n", encoding="utf-8")
    upright, turned = read_dataset(f"paddle:{label}")
    assert (upright.regions[0].angle, turned.regions[0].angle) == (0, 180)
    assert turned.regions[0].polygon[0].tolist() == [61, 20], "it starts at the text's own top left"
    again = tmp_path / "again.txt"
    write_dataset([upright, turned], "paddle", again)
    assert again.read_text(encoding="utf-8") == label.read_text(encoding="utf-8")


def test_damaged_stores_and_tables_are_told(lines: list[Page], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "data.mdb").write_bytes(b"no lmdb at all")
    with pytest.raises(DataError, match="cannot be opened"):
        read_dataset(f"lmdb:{broken}")
    table = tmp_path / "t.csv"
    table.write_text("file,text\nimages/0.png,one,too many\nimages/1.png,fine\n", encoding="utf-8")
    faults: list[DataError] = []
    pages = read_dataset(f"csv:{table}", faults.append)
    assert [page.regions[0].text for page in pages] == ["fine"]
    assert "3 cells" in faults[0].what
    assert faults[0].where == f"{table}:2"
