from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.data.check import CheckReport, CheckSettings, check_dataset, find_leaks
from ocrtune.data.formats import parse_dataset_path, read_dataset, write_dataset
from ocrtune.page import Page, TextRegion, as_polygon
from support.pages import rectangle, sample_pages, save_image, write_paired


def check(pages: list[Page], folder: Path) -> CheckReport:
    write_dataset(pages, "json", folder / "set.json", replace=True)
    settings = CheckSettings(page_size=160, few_pages=0)
    return check_dataset(parse_dataset_path(f"json:{folder / 'set.json'}"), settings)


def region(*points: tuple[float, float], text: str = "text") -> TextRegion:
    return TextRegion(as_polygon(points), text)


def test_good_data_has_no_findings(tmp_path: Path) -> None:
    report = check(sample_pages(tmp_path), tmp_path)
    assert report.findings == []
    assert (report.total_pages, report.regions, report.ignored) == (3, 9, 3)


@pytest.mark.parametrize(
    ("code", "severity", "bad", "kept"),
    [
        ("polygon-crossing", "error", region((10, 10), (60, 30), (60, 10), (10, 30)), True),
        ("polygon-no-area", "error", region((10, 10), (60, 10), (60, 10), (10, 10)), False),
        ("polygon-outside", "error", region((400, 10), (460, 10), (460, 20), (400, 20)), False),
        ("polygon-over-border", "warning", region((100, 10), (190, 10), (190, 30), (100, 30)), True),
        ("polygon-counter-clockwise", "info", region((10, 10), (10, 30), (60, 30), (60, 10)), True),
        ("text-empty", "warning", region((10, 10), (60, 10), (60, 30), (10, 30), text=""), True),
        ("text-too-small", "warning", region((10, 10), (60, 10), (60, 12), (10, 12)), True),
    ],
)
def test_each_fault_of_an_outline_is_found_and_mended(
    tmp_path: Path, code: str, severity: str, bad: TextRegion, kept: bool
) -> None:
    page = sample_pages(tmp_path, 1)[0]
    report = check([page.with_regions([rectangle(5, 100, 80, 115), bad])], tmp_path)
    assert [(finding.code, finding.severity) for finding in report.findings] == [(code, severity)]
    assert "annotations[1]" in report.findings[0].where
    assert len(report.pages[0].regions) == (2 if kept else 1)
    again = check(report.pages, tmp_path)
    assert not again.errors
    if severity != "warning" or code == "polygon-over-border":
        assert again.findings == []


def test_not_finite_coordinates(tmp_path: Path) -> None:
    write_paired(tmp_path / "set", sample_pages(tmp_path / "images", 1))
    label = tmp_path / "set" / "box" / "page_0.csv"
    label.write_text("nan,2,30,2,30,12,1,12,text\n", encoding="utf-8")
    report = check_dataset(parse_dataset_path(f"icdar:{tmp_path / 'set'}"))
    assert report.counts()["polygon-not-pixels"] == 1
    assert report.findings[0].where == f"{label}:1"


def test_half_a_character_is_named_once_and_left_out(tmp_path: Path) -> None:
    labels = tmp_path / "set.json"
    write_dataset(sample_pages(tmp_path, 1), "json", labels)
    labels.write_text(labels.read_text(encoding="utf-8").replace("TOTAL 0", "TOTAL \\ud800"), encoding="utf-8")
    report = check_dataset(parse_dataset_path(f"json:{labels}"), CheckSettings(page_size=160, few_pages=0))
    assert report.counts() == {"label-unreadable": 1}
    assert [region.text for region in report.pages[0].regions] == ['a, "b", 中文 ,', None]


def test_four_corners_are_mended_to_what_training_reads(tmp_path: Path) -> None:
    """Of two corners that are equally near the top left, both take the same one as the first."""
    shuffled = region((50, 40), (20, 80), (80, 60), (20, 70))
    page = sample_pages(tmp_path, 1)[0].with_regions([shuffled])
    mended = check([page], tmp_path).pages[0].regions[0].polygon
    np.testing.assert_array_equal(mended, read_dataset(f"json:{tmp_path / 'set.json'}")[0].regions[0].polygon)


def test_damaged_missing_and_truncated_images(tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "images", 3)
    write_paired(tmp_path / "set", pages)
    images = tmp_path / "set" / "img"
    (images / "page_0.png").write_bytes(b"")
    (images / "page_1.png").write_bytes(b"not an image at all")
    photo = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8))[1].tobytes()
    (images / "page_2.png").unlink()
    (images / "page_2.jpg").write_bytes(photo[: len(photo) // 2])
    report = check_dataset(parse_dataset_path(f"icdar:{tmp_path / 'set'}"))
    assert report.counts()["image-unreadable"] == 3
    assert report.pages == []


def test_twins_leaks_and_doubled_regions(tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "a", 2)
    copy = tmp_path / "copy.bmp"
    copy.write_bytes(bytes(cv2.imencode(".bmp", pages[0].load())[1]))  # other file, same pixels
    doubled = pages[1].with_regions([*pages[1].regions, pages[1].regions[0]])
    report = check([pages[0], doubled, Page(copy, [rectangle(1, 1, 30, 20)])], tmp_path)
    assert report.counts() == {"image-twice": 1, "region-twice": 1}
    (tmp_path / "val").mkdir()
    val = check([Page(copy, [rectangle(1, 1, 30, 20)])], tmp_path / "val")
    leaks = list(find_leaks(report, val))
    assert len(leaks) == 1
    assert leaks[0].severity == "error"


def test_nothing_to_learn_and_no_pages(tmp_path: Path) -> None:
    pages = [page.with_regions([rectangle(5, 5, 50, 20, None, ignore=True)]) for page in sample_pages(tmp_path)]
    assert check(pages, tmp_path).counts() == {"page-ignored": 3, "nothing-to-learn": 1}
    (tmp_path / "none.json").write_text('{"images": []}', encoding="utf-8")
    assert check_dataset(parse_dataset_path(f"json:{tmp_path / 'none.json'}")).counts() == {"no-pages": 1}


def test_page_without_text_is_fine_but_said(tmp_path: Path) -> None:
    empty = Page(save_image(tmp_path / "blank.png", seed=99), [])
    report = check([*sample_pages(tmp_path), empty], tmp_path)
    assert report.counts() == {"page-empty": 1}
    assert not report.errors


def test_a_page_at_another_scale_than_the_others(tmp_path: Path) -> None:
    pages = sample_pages(tmp_path, 21)
    pages[4] = pages[4].with_regions([rectangle(5, 5, 150, 110, "BIG")])
    report = check(pages, tmp_path)
    assert [(f.code, f.where) for f in report.findings] == [("page-other-scale", f"{tmp_path / 'set.json'}: images[4]")]


def test_validation_data_without_a_page(tmp_path: Path) -> None:
    train = check(sample_pages(tmp_path), tmp_path)
    (tmp_path / "val.json").write_text('{"images": []}', encoding="utf-8")
    val = check_dataset(parse_dataset_path(f"json:{tmp_path / 'val.json'}"))
    assert list(find_leaks(train, val)) == []
    assert val.errors == 1
