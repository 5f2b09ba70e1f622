from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from ocrtune.data.check import CheckReport, Finding, check_dataset
from ocrtune.data.check.cache import FactsCache
from ocrtune.data.check.disagree import Seen, judge
from ocrtune.data.check.findings import KEPT
from ocrtune.data.check.image import ImageFacts, image_facts
from ocrtune.data.check.similar import near_pairs, perceptual_hash
from ocrtune.data.check.texts import mend_text
from ocrtune.data.formats import parse_dataset_path
from ocrtune.page import Image, Page, TextRegion
from support.pages import rectangle, sample_pages, write_paired


@pytest.mark.parametrize(
    "text",
    [
        "TOTAL (RM) 12.50",
        "Ünïcödé, naïve, Œuvre",
        "价格：¥12，含税",
        "МОСКВА Coca-Cola",  # two words of two scripts
        "10 kΩ ± 5 %, 3 µm, Δt, α-test",
        "PDFs, McDONALD, iPhone, YouTube, eBay, DVDs",
        "می\u200cخواهم",  # Persian spells with a joiner
        "R&D, AT&T, a & b; c",
        "É",
        "ΑΘΗΝΑ",
        "***",
        "ガソリン 10ℓ №5 ²",
    ],
)
def test_sound_texts_are_left_alone(text: str) -> None:
    assert mend_text(text) == (text, [])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("T\u041eTAL", "TOTAL"),
        ("\u0421OC\u0410 C\u041eLA", "COCA COLA"),
        ("\u039dOVEMBER", "NOVEMBER"),
        ("Мосc\u0432а", "Мосс\u0432а"),
        ("CafÃ©", "Café"),
        ("  a \u00a0 b\t", "a b"),
        ("&quot;A&amp;B&quot;", '"A&B"'),
        ("\ufeffTOTAL\u200b", "TOTAL"),
    ],
)
def test_texts_are_mended(text: str, meant: str) -> None:
    mended, faults = mend_text(text)
    assert mended == meant
    assert faults
    assert mend_text(mended) == (meant, []), "what is mended stays"


def photo(seed: int) -> Image:
    noise = np.random.default_rng(seed).integers(0, 255, (24, 18, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (240, 320), interpolation=cv2.INTER_CUBIC), np.uint8)


def twins(images: list[Image], boundary: int | None = None) -> list[tuple[int, int, int]]:
    return list(near_pairs(enumerate(map(perceptual_hash, images)), boundary))


def test_twins_are_found_among_many_and_others_are_not() -> None:
    images = [photo(seed) for seed in range(60)]
    images.append(np.asarray(cv2.resize(images[7], (120, 160)), np.uint8))
    images.append(np.asarray(cv2.imdecode(cv2.imencode(".jpg", images[30], [1, 40])[1], 1), np.uint8))
    images.append(np.ascontiguousarray(np.rot90(images[12], 1)))
    images.append(np.ascontiguousarray(np.rot90(images[13], -1)))
    images.append(np.ascontiguousarray(images[14][::-1, ::-1]))
    found = twins(images)
    assert found == [(60, 7, 0), (61, 30, 0), (62, 12, 90), (63, 13, 90), (64, 14, 180)]
    assert twins(images, boundary=61) == found[1:], "only pairs across the boundary"
    assert twins(images[:1]) == []


def test_a_report_stays_small_and_counts_on() -> None:
    report = CheckReport("x")
    report.add(Finding("odd", "error", f"no. {i}", "a") for i in range(KEPT + 7))
    assert len(report.findings) == KEPT
    assert report.counts() == {"odd": KEPT + 7}
    assert report.errors == KEPT + 7


def test_a_png_is_turned_by_exif_before_and_behind_its_pixels(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.new("RGB", (40, 20)).save(tmp_path / "before.png", exif=exif)
    PIL.Image.new("RGB", (40, 20)).save(tmp_path / "plain.png")
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    plain = (tmp_path / "plain.png").read_bytes()
    (tmp_path / "behind.png").write_bytes(plain[:-12] + chunk + plain[-12:])  # the last 12 bytes are IEND
    for name, orientation in (("before", 6), ("behind", 6), ("plain", 1)):
        page = Page(tmp_path / f"{name}.png")
        facts = image_facts(page)
        assert facts.orientation == orientation
        assert (facts.width, facts.height) == page.size()


def test_a_second_check_decodes_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_paired(tmp_path / "set", sample_pages(tmp_path / "images", 4))
    images = tmp_path / "set" / "img"
    (images / "page_3.png").write_bytes(b"broken")
    looked: list[str] = []

    def counting(page: Page) -> ImageFacts:
        looked.append(page.name)
        return image_facts(page)

    monkeypatch.setattr("ocrtune.data.check.run.image_facts", counting)
    dataset = parse_dataset_path(f"icdar:{tmp_path / 'set'}")
    first = check_dataset(dataset, cache=tmp_path / "cache")
    assert sorted(looked) == [f"img/page_{i}.png" for i in range(4)]
    looked.clear()
    again = check_dataset(dataset, cache=tmp_path / "cache")
    assert looked == []
    assert again.as_dict() == first.as_dict(), "faulty images are remembered as well"
    assert again.hashes == first.hashes
    (images / "page_3.png").write_bytes((images / "page_0.png").read_bytes())
    os.utime(images / "page_1.png", (1, 1))
    changed = check_dataset(dataset, cache=tmp_path / "cache")
    assert sorted(looked) == ["img/page_1.png", "img/page_3.png"]
    assert changed.counts() == {"image-twice": 1, "few-pages": 1}
    looked.clear()
    for file in (tmp_path / "cache").iterdir():
        file.write_bytes(b"no database at all" * 1000)
    assert check_dataset(dataset, cache=tmp_path / "cache").counts() == changed.counts()
    assert len(looked) == 4, "a damaged cache is as good as none"


@pytest.mark.parametrize("damaged", ["{half", "7", "[" * 100_000])
def test_a_damaged_opinion_is_none(tmp_path: Path, damaged: str) -> None:
    dataset, key = parse_dataset_path(f"paddle:{tmp_path}"), (b"a.png", "1")
    with FactsCache(tmp_path / "cache", dataset) as cache:
        cache.keep_predictions(key, "model", {"boxes": []})
        assert cache.predictions(key, "model") == {"boxes": []}
    (file,) = (tmp_path / "cache").iterdir()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE predictions SET regions = ?", (damaged,))
    with FactsCache(tmp_path / "cache", dataset) as cache:
        assert cache.predictions(key, "model") is None


def seen(boxes: list[TextRegion], *readings: tuple[str | None, float]) -> Seen:
    return Seen([TextRegion(box.polygon, box.text, score=0.95, text_score=0.99) for box in boxes], readings)


def lines(count: int, *texts: str) -> list[TextRegion]:
    return [rectangle(10, 10 + 40 * i, 200, 30 + 40 * i, texts[i] if i < len(texts) else "word") for i in range(count)]


def test_words_under_a_base_that_finds_lines() -> None:
    words = [rectangle(10 + 60 * i, 10, 60 + 60 * i, 30) for i in range(4)]
    page = Page(np.zeros((50, 300, 3), np.uint8), words, "a")
    found = judge([(page, seen([rectangle(8, 8, 245, 32)], *[(None, 0.0)] * 4))], "base")
    assert [(f.code, f.severity) for f in found] == [("granularity", "warning")]
    assert "smaller (words?)" in found[0].message
    assert "100% share a box" in found[0].message
    line = Page(page.image, [rectangle(8, 8, 245, 32)], "a")
    found = judge([(line, seen(words, (None, 0.0)))], "base")
    assert "larger (lines or paragraphs?)" in found[0].message


def test_suspicious_labels_are_ranked() -> None:
    labels = lines(8, "TOTAL", "RM 7.40", "CASH", "CHANGE")
    labels[3] = rectangle(110, 130, 300, 150, "CHANGE")  # shifted
    boxes = [*lines(6), rectangle(10, 330, 200, 350, "THANK YOU")]
    boxes[1] = rectangle(10, 50, 200, 70, None)
    labels[7] = rectangle(10, 500, 200, 520, "GHOST")
    readings = [("TOTAL", 0.99), ("AMOUNT", 0.99), ("C4SH", 0.99), (None, 0.0), ("WORD", 0.99), ("ward", 0.5)]
    page = Page(np.zeros((600, 400, 3), np.uint8), labels, "a", source="a.txt")
    for index, region in enumerate(labels):
        region.source = f"a.txt:{index + 1}"
    extra = [*boxes, rectangle(10, 250, 200, 270, None)]
    found = judge([(page, seen(extra, *readings, (None, 0.0), ("", 0.0)))], "base")
    places = [(f.code, f.where) for f in found]
    assert places[0] == ("granularity", "base")
    assert places[1] == ("suspicious-text", "a.txt:2"), "another text comes first"
    assert set(places[2:]) == {
        ("suspicious-missing", "a.txt"),
        ("suspicious-text", "a.txt:3"),
        ("suspicious-box", "a.txt:4"),
        ("suspicious-extra", "a.txt:8"),
    }
    missing = next(f for f in found if f.code == "suspicious-missing")
    assert "'THANK YOU'" in missing.message
