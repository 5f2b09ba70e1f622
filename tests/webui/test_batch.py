"""Batches: zips that harm nobody, damaged images that are named, results that can be used."""

from __future__ import annotations

import json
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from ocrtune.bundle import Bundle
from ocrtune.data.formats import read_dataset
from ocrtune.errors import DataError
from ocrtune.webui.archive import Room, unpack_images
from ocrtune.webui.batch import Batch
from ocrtune.webui.models import Models
from support.pages import printed_page

SMALL = Room(files=3, bytes=4000, file_bytes=3000)


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def link(archive: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("scan.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, "/etc/passwd")


@pytest.mark.parametrize(
    ("fill", "says"),
    [
        (lambda archive: archive.writestr("../out.png", b""), "leaves its folder"),
        (lambda archive: archive.writestr("a/../../out.png", b""), "leaves its folder"),
        (lambda archive: archive.writestr("/etc/out.png", b""), "leaves its folder"),
        (lambda archive: archive.writestr("..\\out.png", b""), "leaves its folder"),
        (lambda archive: archive.writestr("C:\\out.png", b""), "leaves its folder"),
        (link, "holds a link"),
        (lambda archive: archive.writestr("bomb.png", bytes(3001)), "too large: bomb.png"),
        (lambda archive: [archive.writestr(f"{n}.png", bytes(1500)) for n in range(3)], "too large: 2.png"),
        (lambda archive: [archive.writestr(f"{n}.png", b"") for n in range(4)], "holds 4 images"),
        (lambda archive: [archive.writestr(name, b"") for name in ("a.png", "a.png/b.png")], "cannot be unpacked"),
    ],
)
def test_zips_that_do_harm_are_refused(tmp_path: Path, fill: Callable[[zipfile.ZipFile], object], says: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        fill(archive)
    with pytest.raises(DataError, match=says):
        unpack_images(tmp_path / "bad.zip", tmp_path / "in" / "here", SMALL)
    outside = {path.name for path in tmp_path.iterdir()} | {path.name for path in (tmp_path / "in").iterdir()}
    assert outside == {"bad.zip", "in", "here"}


def test_a_zip_that_lies_about_its_sizes_is_cut_off(tmp_path: Path) -> None:
    path = zipped(tmp_path / "liar.zip", **{"bomb.png": bytes(100_000)})
    content = path.read_bytes().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged|too large"):
        unpack_images(path, tmp_path / "here", SMALL)
    assert sum(file.stat().st_size for file in (tmp_path / "here").iterdir()) <= SMALL.file_bytes


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_damaged_zips_are_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(DataError, match="the zip is damaged"):
        unpack_images(tmp_path / "bad.zip", tmp_path / "here", SMALL)


def test_only_images_are_taken(tmp_path: Path) -> None:
    names = ("a/1.png", "a/2.JPG", "__MACOSX/a/._1.png", "a/.hidden.png", "run.sh", "notes.txt", "b.pdf")
    path = zipped(tmp_path / "mixed.zip", **dict.fromkeys(names, b"x"))
    taken = unpack_images(path, tmp_path / "here", SMALL)
    assert [file.relative_to(tmp_path / "here").as_posix() for file in taken] == ["a/1.png", "a/2.JPG", "b.pdf"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pages, a PDF of one, and a damaged image."""
    folder = tmp_path_factory.mktemp("images")
    for number, name in enumerate(("a/1.png", "b/1.png")):
        printed_page(folder / name, number, 2)
    PIL.Image.open(folder / "a" / "1.png").save(folder / "scan.pdf", resolution=200)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


def run(batch: Batch, bundle: Bundle, labels: str | None = None) -> list[float]:
    return list(batch.run(bundle, "document", Models(), labels, threading.Event()))


def test_a_folder_gives_texts_pictures_and_labels(tmp_path: Path, images: Path, v4_mobile: Bundle) -> None:
    batch = Batch(tmp_path)
    batch.take_folder(images)
    left = run(batch, v4_mobile, "icdar")
    assert (len(left), left[-1]) == (4, 0.0)
    assert [name for name, _ in batch.faults] == ["broken.jpg"]
    with zipfile.ZipFile(batch.zip) as archive:
        archive.extractall(tmp_path / "out")
    out = tmp_path / "out"
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert [line["image"] for line in lines] == ["a/1.png", "b/1.png", "scan.pdf#1"]
    assert all(len(line["regions"]) == 2 for line in lines)
    assert "broken.jpg: the image is damaged" in (out / "skipped.txt").read_text()
    assert {path.relative_to(out / "drawn").as_posix() for path in (out / "drawn").rglob("*.jpg")} == {
        "a/1.png.jpg",
        "b/1.png.jpg",
        "scan.pdf_1.jpg",
    }
    for name in ("a/1.png", "b/1.png"):  # unpacked where the images are, the labels name them
        (out / name).parent.mkdir()
        (out / name).write_bytes((images / name).read_bytes())
    pages = read_dataset(f"icdar:{out / 'labels'}")
    assert [(page.path.is_file(), len(page.regions)) for page in pages] == [(True, 2)] * 3
    assert (images / "a" / "1.png").is_file(), "the visitor's files stay"


def test_uploads_of_one_name_are_kept_apart(tmp_path: Path, images: Path, v4_mobile: Bundle) -> None:
    batch = Batch(tmp_path)
    batch.take_uploads([images / "a" / "1.png", images / "b" / "1.png", zipped(tmp_path / "1.zip", **{"1.png": b""})])
    run(batch, v4_mobile)
    assert [page.name for page in batch.pages] == ["1.png", "1_2.png"]
    assert [name for name, _ in batch.faults] == ["1/1.png"]


def test_a_stopped_batch_keeps_what_it_has(tmp_path: Path, images: Path, v4_mobile: Bundle) -> None:
    batch, stop = Batch(tmp_path), threading.Event()
    batch.take_folder(images)
    for _ in batch.run(v4_mobile, "document", Models(), None, stop):
        stop.set()
    assert (batch.done, len(batch.sources)) == (1, 3)
    assert "predictions.jsonl" in zipfile.ZipFile(batch.zip).namelist()


def test_others_come_in_between(tmp_path: Path, images: Path, v4_mobile: Bundle) -> None:
    batch, models = Batch(tmp_path), Models()
    batch.take_folder(images)
    for _ in batch.run(v4_mobile, "document", models, None, threading.Event()):
        assert not models.busy.locked()


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no image"):
        Batch(tmp_path).take_uploads([zipped(tmp_path / "text.zip", **{"a.txt": b"text"})])


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path, images: Path) -> None:
    (tmp_path / "seen").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "seen" / "out.png").symlink_to(images / "a" / "1.png")
    with pytest.raises(DataError, match="there is no image"):
        Batch(tmp_path / "work").take_folder(tmp_path / "seen")
