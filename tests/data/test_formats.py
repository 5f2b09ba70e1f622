from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrtune.data.formats import parse_dataset_path, read_dataset, write_dataset
from ocrtune.errors import DataError, UsageError
from ocrtune.page import Page, TextRegion, as_polygon
from support.pages import rectangle, sample_pages, save_image, write_paired

PAGE_FORMATS = ("icdar", "json", "paddle")


def target(folder: Path, name: str) -> Path:
    return {"icdar": folder / "written", "paddle": folder / "labels.txt", "json": folder / "labels.json"}[name]


@pytest.mark.parametrize("name", PAGE_FORMATS)
def test_round_trip_keeps_everything_and_is_detected(tmp_path: Path, name: str) -> None:
    pages = sample_pages(tmp_path / "images")
    path = target(tmp_path, name)
    write_dataset(pages, name, path)
    found = parse_dataset_path(str(path))
    assert (found.format, found.detected) == (name, True)
    read = read_dataset(str(path))
    assert len(read) == len(pages)
    for mine, theirs in zip(pages, read, strict=True):
        assert theirs.path.resolve() == mine.path.resolve()
        assert [r.text for r in theirs.regions] == [r.text for r in mine.regions]
        assert [r.ignore for r in theirs.regions] == [r.ignore for r in mine.regions]
        for a, b in zip(mine.regions, theirs.regions, strict=True):
            np.testing.assert_allclose(a.polygon, b.polygon, atol=0.01)


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20).map(str.strip))
@pytest.mark.parametrize("name", PAGE_FORMATS)
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, name: str, text: str) -> None:
    folder = tmp_path_factory.mktemp("texts")
    image = save_image(folder / "a.png", 8, 8)
    ignore = text in ("###", "*")
    write_dataset(
        [Page(image, [TextRegion(as_polygon([(0, 0), (5, 0), (5, 5), (0, 5)]), text)])], name, target(folder, name)
    )
    region = read_dataset(f"{name}:{target(folder, name)}")[0].regions[0]
    assert region.ignore == ignore
    if not ignore:
        assert region.text == text


def test_real_receipts_and_scene_text(receipts: Path, scene_text: Path) -> None:
    for part, count in (("train", 200), ("val", 50)):
        assert parse_dataset_path(str(receipts / part)).format == "icdar"
        assert len(read_dataset(str(receipts / part))) == count
    words = read_dataset(f"icdar:{scene_text}")
    assert any(region.ignore for page in words for region in page.regions)


def test_paired_folders_with_bom_crlf_and_commas(tmp_path: Path) -> None:
    save_image(tmp_path / "img" / "a.png")
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "a.csv").write_bytes(
        "\ufeff1,2,30,2,30,12,1,12,A, B, C\r\n\r\n4,20,30,20,30,32,4,32,###\r\n".encode()
    )
    page = read_dataset(str(tmp_path))[0]
    assert [r.text for r in page.regions] == ["A, B, C", None]
    assert page.regions[1].ignore
    assert page.regions[0].source == f"{tmp_path / 'box' / 'a.csv'}:1"


def test_line_that_is_not_utf8_is_named_with_what_to_do(tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "images", 1)
    write_paired(tmp_path / "set", pages)
    label = tmp_path / "set" / "box" / "page_0.csv"
    label.write_bytes(label.read_bytes() + "1,2,30,2,30,12,1,12,中文\n".encode("gbk"))
    with pytest.raises(DataError) as caught:
        read_dataset(str(tmp_path / "set"))
    assert caught.value.where == f"{label}:4"
    assert "iconv" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("no numbers at all", "does not start with coordinates"),
        ("1,2,3,text", "does not start with coordinates"),
    ],
)
def test_one_bad_icdar_line_is_named_and_the_rest_is_kept(tmp_path: Path, line: str, says: str) -> None:
    write_paired(tmp_path / "set", sample_pages(tmp_path / "images", 1))
    label = tmp_path / "set" / "box" / "page_0.csv"
    label.write_text(label.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    faults: list[DataError] = []
    pages = read_dataset(f"icdar:{tmp_path / 'set'}", faults.append)
    assert len(pages[0].regions) == 3
    assert len(faults) == 1
    assert says in faults[0].what
    assert (faults[0].where or "").endswith("page_0.csv:4")


def test_bad_paddle_lines(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png")
    good = 'a.png\t[{"transcription": "x", "points": [[0,0],[9,0],[9,9],[0,9]]}]'
    bad = ["a.png no tab", "a.png\t[not json", 'a.png\t[{"points": [[0,0]]}]', "gone.png\t[]"]
    (tmp_path / "labels.txt").write_text("\n".join([good, *bad]) + "\n", encoding="utf-8")
    faults: list[DataError] = []
    pages = read_dataset(f"paddle:{tmp_path / 'labels.txt'}", faults.append)
    assert len(pages) == 1
    assert [fault.where for fault in faults] == [f"{tmp_path / 'labels.txt'}:{n}" for n in (2, 3, 4, 5)]


def test_json_boxes_polygons_and_ignore(tmp_path: Path) -> None:
    save_image(tmp_path / "img_001.jpg")
    annotations = [
        {"bbox": [10, 20, 30, 40], "text": "Hello"},
        {"polygon": [[1, 1], [9, 1], [9, 5], [5, 7], [1, 5]], "bbox": [0, 0, 1, 1], "text": "poly"},
        {"bbox": [50, 50, 60, 60], "text": "?", "ignore": True},
    ]
    document = {"images": [{"file_name": "img_001.jpg", "annotations": annotations}]}
    (tmp_path / "set.json").write_text(json.dumps(document), encoding="utf-8")
    regions = read_dataset(str(tmp_path / "set.json"))[0].regions
    assert regions[0].polygon.tolist() == [[10, 20], [30, 20], [30, 40], [10, 40]]
    assert len(regions[1].polygon) == 5
    assert regions[2].ignore


def test_json_keeps_what_predictions_say(tmp_path: Path) -> None:
    region = rectangle(10, 10, 60, 25, "read")
    region.score, region.text_score, region.angle = 0.75, 0.5, 90.0
    write_dataset([Page(save_image(tmp_path / "a.png"), [region])], "json", tmp_path / "found.json")
    read = read_dataset(str(tmp_path / "found.json"))[0].regions[0]
    assert (read.score, read.text_score, read.angle) == (0.75, 0.5, 90.0)


def test_unknown_paths_and_formats(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_dataset(str(tmp_path / "gone"))
    with pytest.raises(UsageError) as caught:
        read_dataset(f"icdr:{tmp_path}")
    assert "icdar" in (caught.value.hint or "")
    with pytest.raises(DataError, match="no known label format"):
        read_dataset(str(tmp_path))
    with pytest.raises(DataError, match="no labelled page"):
        read_dataset(f"icdar:{tmp_path}")
