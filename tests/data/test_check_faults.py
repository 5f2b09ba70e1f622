"""Faults planted in a copy of real receipts: each is found, named with file and line, and gone where ``--fix`` mends it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from ocrtune.charset import Charset
from ocrtune.data.check import CheckReport, CheckSettings, check_dataset, find_leaks
from ocrtune.data.formats import parse_dataset_path, write_dataset
from ocrtune.page import read_image

LINE = 6  # of the label file, where faults are planted
QUAD = "40,300,240,300,240,330,40,330"  # a free place
SETTINGS = CheckSettings(few_pages=0)


@dataclass(frozen=True)
class Copied:
    """A folder with copies of real pages; ``first`` and ``second`` are their names without suffix."""

    folder: Path
    first: str
    second: str

    @property
    def label(self) -> Path:
        return self.folder / "box" / f"{self.first}.csv"

    @property
    def image(self) -> Path:
        return self.folder / "img" / f"{self.first}.jpg"

    def check(self, settings: CheckSettings = SETTINGS) -> CheckReport:
        return check_dataset(parse_dataset_path(f"icdar:{self.folder}"), settings)

    def plant_line(self, line: bytes) -> str:
        """Put a line into the label file; its place."""
        lines = self.label.read_bytes().splitlines()
        lines.insert(LINE - 1, line)
        self.label.write_bytes(b"\n".join(lines) + b"\n")
        return f"{self.label}:{LINE}"

    def save(self, image: np.ndarray, name: str, labels: str | None = None) -> str:
        """Add a page with the first one's labels, or others; its label file."""
        (self.folder / "img" / name).write_bytes(bytes(cv2.imencode(Path(name).suffix, image)[1]))
        return self.add_labels(Path(name).stem, labels)

    def add_labels(self, stem: str, labels: str | None = None) -> str:
        path = self.folder / "box" / f"{stem}.csv"
        path.write_text(self.label.read_text(encoding="utf-8") if labels is None else labels, encoding="utf-8")
        return str(path)


@pytest.fixture
def copied(tmp_path: Path, receipts: Path) -> Copied:
    stems = ("005", "321")
    for stem in stems:
        for part, suffix in (("img", "jpg"), ("box", "csv")):
            (tmp_path / "set" / part).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(
                receipts / "train" / part / f"{stem}.{suffix}", tmp_path / "set" / part / f"{stem}.{suffix}"
            )
    return Copied(tmp_path / "set", *stems)


def mended(report: CheckReport, folder: Path) -> CheckReport:
    """What a check of the labels that ``--fix`` would write finds."""
    write_dataset(report.pages, "json", folder / "fixed.json")
    return check_dataset(parse_dataset_path(f"json:{folder / 'fixed.json'}"), SETTINGS)


def test_the_pages_are_sound_before_anything_is_planted(copied: Copied) -> None:
    assert set(copied.check().counts()) <= {"labels-one-case"}


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("label-unreadable", b"no coordinates here"),
        ("label-unreadable", f"{QUAD},".encode() + "价格".encode("gbk")),
        ("polygon-not-pixels", b"nan,300,240,300,240,330,40,330,TOTAL"),
        ("polygon-not-pixels", b"40,300,2000000,300,2000000,330,40,330,TOTAL"),
        ("polygon-outside", b"9000,300,9200,300,9200,330,9000,330,TOTAL"),
        ("polygon-crossing", b"40,300,240,330,240,300,40,330,TOTAL"),
        ("polygon-no-area", b"40,300,240,300,240,300,40,300,TOTAL"),
        ("polygon-counter-clockwise", b"40,300,40,330,240,330,240,300,TOTAL"),
        ("polygon-over-border", b"-90,300,140,300,140,330,-90,330,TOTAL"),
        ("text-too-small", b"40,300,50,300,50,301,40,301,TOTAL"),
        ("text-empty", f"{QUAD},".encode()),
        ("text-damaged", f"{QUAD},TOT\ufffdL".encode()),
        ("text-mojibake", f"{QUAD},CafÃ© Royal".encode()),
        ("text-entity", f"{QUAD},B&amp;B".encode()),
        ("text-control", f"{QUAD},TOTAL\x07AMOUNT".encode()),
        ("text-invisible", f"{QUAD},TO\u200bTAL".encode()),
        ("text-odd-space", f"{QUAD},TOTAL\u00a0RM".encode()),
        ("text-spaces", f"{QUAD},TOTAL  RM".encode()),
        ("text-not-nfc", f"{QUAD},Cafe\u0301".encode()),
        ("text-full-width", f"{QUAD},ＴＯＴＡＬ".encode()),
        ("text-half-width", f"{QUAD},ｶﾞｿﾘﾝ".encode()),
        ("text-ligature", f"{QUAD},O\ufb03ce".encode()),
        ("text-lookalike", f"{QUAD},T\u041eTAL".encode()),
        ("text-lookalike", f"{QUAD},Мос\u0063ва".encode()),
        ("text-odd-case", f"{QUAD},TOTAl".encode()),
        ("text-too-long", b"40,300,80,300,80,330,40,330,THANK YOU AND COME AGAIN"),
        ("box-too-large", b"20,300,390,300,390,312,20,312,RM"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_faulty_line_is_named(copied: Copied, tmp_path: Path, code: str, line: bytes) -> None:
    where = copied.plant_line(line)
    report = copied.check()
    assert [(f.code, f.where) for f in report.findings if f.code == code] == [(code, where)]
    found = next(f for f in report.findings if f.code == code)
    if found.fixed_by:
        assert code not in mended(report, tmp_path).counts()


def test_a_label_that_lies_on_another(copied: Copied) -> None:
    place = copied.plant_line(f"{QUAD},TOTAL".encode())
    copied.plant_line(b"41,301,241,301,241,331,41,331,RM 7.00")
    found = copied.check().by_code()["region-overlap"]
    assert [f.where for f in found] == [place.replace(f":{LINE}", f":{LINE + 1}")]


def test_a_label_that_is_there_twice(copied: Copied, tmp_path: Path) -> None:
    lines = copied.label.read_text(encoding="utf-8").splitlines()
    where = copied.plant_line(lines[0].encode())
    report = copied.check()
    assert [f.where for f in report.by_code()["region-twice"]] == [where]
    assert "region-twice" not in mended(report, tmp_path).counts()


def damaged(copied: Copied) -> str:
    copied.image.write_bytes(copied.image.read_bytes()[:9000])
    return f"{copied.label}: {copied.image}"


def no_image(copied: Copied) -> str:
    copied.image.write_bytes(b"<html>404</html>")
    return f"{copied.label}: {copied.image}"


def blank(copied: Copied) -> str:
    return copied.save(np.full((300, 400, 3), (200, 220, 240), np.uint8), "white.png", "9,9,90,9,90,30,9,30,TOTAL\n")


def empty_page(copied: Copied) -> str:
    return copied.save(read_image(copied.image)[:200], "empty.png", "")


def ignored_page(copied: Copied) -> str:
    return copied.save(read_image(copied.image)[:200], "ignored.png", "9,9,90,9,90,30,9,30,###\n")


def tiny(copied: Copied) -> str:
    two = "2,2,12,2,12,10,2,10,A\n20,2,36,2,36,10,20,10,B\n"
    return copied.save(read_image(copied.image)[300:320, 100:140], "tiny.png", two)


def huge(copied: Copied) -> str:
    strip = cv2.resize(read_image(copied.image)[300:340], (16100, 40))
    return copied.save(strip, "huge.png", "5,5,90,5,90,35,5,35,TOTAL\n200,5,290,5,290,35,200,35,TOTAL\n")


def frames(copied: Copied) -> str:
    page = PIL.Image.open(copied.image).convert("RGB").resize((300, 500))
    page.save(copied.folder / "img" / "frames.tif", save_all=True, append_images=[page.rotate(180)])
    return copied.add_labels("frames", "40,30,240,30,240,60,40,60,TOTAL\n")


def with_exif(copied: Copied, orientation: int) -> None:
    image = PIL.Image.open(copied.image)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(copied.image, exif=exif)


def turned_photo(copied: Copied) -> str:
    with_exif(copied, 3)
    return str(copied.label)


def labels_of_the_unturned_photo(copied: Copied) -> str:
    with_exif(copied, 6)
    return str(copied.label)


def no_label(copied: Copied) -> str:
    copied.label.unlink()
    return str(copied.image)


def lonely_label(copied: Copied) -> str:
    copied.image.unlink()
    return str(copied.label)


def same_pixels(copied: Copied) -> str:
    return copied.save(read_image(copied.image), "same.png")


def saved_again(copied: Copied) -> str:
    image = read_image(copied.image)
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    (copied.folder / "img" / "small.jpg").write_bytes(bytes(cv2.imencode(".jpg", half, [1, 60])[1]))
    return copied.add_labels("small", "9,9,90,9,90,30,9,30,TOTAL\n")


def turned_by_a_quarter(copied: Copied) -> str:
    image = np.rot90(read_image(copied.image), 3)
    return copied.save(np.ascontiguousarray(image), "turned.png", "9,9,90,9,90,30,9,30,TOTAL\n")


@pytest.mark.parametrize(
    ("code", "plant"),
    [
        ("image-unreadable", damaged),
        ("image-unreadable", no_image),
        ("image-blank", blank),
        ("page-empty", empty_page),
        ("page-ignored", ignored_page),
        ("image-tiny", tiny),
        ("image-huge", huge),
        ("image-frames", frames),
        ("image-exif", turned_photo),
        ("labels-not-turned", labels_of_the_unturned_photo),
        ("image-without-label", no_label),
        ("label-without-image", lonely_label),
        ("image-twice", same_pixels),
        ("image-nearly-twice", saved_again),
        ("image-nearly-twice", turned_by_a_quarter),
    ],
)
def test_a_faulty_page_is_named(copied: Copied, tmp_path: Path, code: str, plant: Callable[[Copied], str]) -> None:
    where = plant(copied)
    report = copied.check()
    assert [f.where for f in report.findings if f.code == code] == [where]
    found = next(f for f in report.findings if f.code == code)
    if found.fixed_by:
        assert code not in mended(report, tmp_path).counts()


def test_labels_are_turned_with_their_photo(copied: Copied) -> None:
    before = {region.source: region.polygon for page in copied.check().pages for region in page.regions}
    width = read_image(copied.image).shape[0]  # of the turned image
    with_exif(copied, 6)
    for page in copied.check().pages:
        for region in page.regions if page.source == str(copied.label) else ():
            old = before[region.source]
            np.testing.assert_allclose(region.polygon, np.stack([width - old[:, 1], old[:, 0]], axis=1))


def test_images_named_twice_or_not_at_all_and_missing_ones(copied: Copied) -> None:
    line = '\t[{"transcription": "TOTAL", "points": [[40, 300], [240, 300], [240, 330], [40, 330]]}]\n'
    file = copied.folder / "Label.txt"
    names = (f"img/{copied.first}.jpg", f"./img/{copied.first}.jpg", "img/nowhere.jpg")
    file.write_text("".join(name + line for name in names), encoding="utf-8")
    found = check_dataset(parse_dataset_path(f"paddle:{file}"), SETTINGS).by_code()
    assert [f.where for f in found["image-named-twice"]] == [f"{file}:2"]
    assert [f.where for f in found["image-missing"]] == [f"{file}:3"]
    assert [f.where for f in found["image-not-labelled"]] == [str(copied.folder / "img")]
    assert f"{copied.second}.jpg" in found["image-not-labelled"][0].message


def test_a_set_that_is_too_small_or_unlike_the_charset(copied: Copied) -> None:
    for row in range(30):
        copied.plant_line(
            f"{40 + 12 * row},300,{50 + 12 * row},300,{50 + 12 * row},304,{40 + 12 * row},304,ＡA".encode()
        )
    charset = Charset(tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "))
    report = copied.check(CheckSettings(page_size=400, charset=charset))
    found = report.by_code()
    assert "2 usable pages" in found["few-pages"][0].message
    assert "Ａ:30" in found["charset-gap"][0].message
    assert f"{copied.label}:" in found["charset-gap"][0].message
    assert "lower than 8 pixels" in found["texts-small"][0].message
    assert f"{copied.label}:{LINE}" in found["labels-mixed-width"][0].message


def test_labels_that_all_say_the_same(copied: Copied) -> None:
    for stem in (copied.first, copied.second):
        label = copied.folder / "box" / f"{stem}.csv"
        lines = label.read_text(encoding="utf-8").splitlines()
        label.write_text("".join(",".join(line.split(",")[:8]) + ",text\n" for line in lines), encoding="utf-8")
    assert "'text'" in copied.check().by_code()["labels-one-text"][0].message


def test_no_page_is_usable(copied: Copied) -> None:
    for image in (copied.folder / "img").iterdir():
        image.write_bytes(b"")
    assert copied.check().counts() == {"image-unreadable": 2, "no-usable-page": 1}


def test_leaks_are_named_also_where_the_image_was_saved_again(copied: Copied, tmp_path: Path) -> None:
    val = Copied(tmp_path / "val", copied.first, copied.second)
    shutil.copytree(copied.folder, val.folder)
    image = read_image(val.image)
    val.image.write_bytes(bytes(cv2.imencode(".jpg", cv2.resize(image, None, fx=0.7, fy=0.7), [1, 70])[1]))
    leaks = list(find_leaks(copied.check(), val.check()))
    second = str(val.folder / "box" / f"{val.second}.csv")
    assert [(f.code, f.severity, f.where) for f in leaks] == [
        ("leak", "error", second),
        ("near-leak", "warning", str(val.label)),
    ]
