"""What holds for every label format: written, detected, read, converted, and nothing is lost in silence."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ocrtune.cli import options
from ocrtune.data.formats import (
    FOLDER_FORMATS,
    FORMATS,
    Loss,
    read_dataset,
    stream_dataset,
    write_dataset,
)
from ocrtune.data.formats._losses import losses_of
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion
from support.labels import LINE_FORMATS, PAGE_FORMATS, REGIONS, target
from support.pages import rectangle, sample_pages, save_image


def same(a: TextRegion, b: TextRegion) -> bool:
    return (
        a.text == b.text
        and a.ignore == b.ignore
        and a.polygon.shape == b.polygon.shape
        and np.abs(a.polygon - b.polygon).max() < 0.02
    )


def test_help_names_every_format() -> None:
    assert ", ".join(sorted(FORMATS)) == options.FORMATS


@pytest.mark.parametrize("name", PAGE_FORMATS)
def test_what_is_kept_and_what_is_said_to_be_lost(name: str, tmp_path: Path) -> None:
    pages = [
        Page(save_image(tmp_path / "images" / f"{index:02d}.png"), [region])
        for index, region in enumerate(REGIONS.values())
    ]
    written = write_dataset(pages, name, target(tmp_path, name))
    assert (written.pages, written.regions) == (len(pages), len(pages))
    lost: Counter[Loss] = Counter()
    for (what, region), page in zip(REGIONS.items(), read_dataset(f"{name}:{target(tmp_path, name)}"), strict=True):
        (read,) = page.regions
        losses = list(losses_of(region, FORMATS[name].CANNOT))
        lost.update(losses)
        assert same(region, read) == (not losses), f"{what}: {losses}, read: {read}"
        assert read.ignore == region.ignore, "every format can say what does not count"
        if name != "funsd":
            half = len(region.polygon) // 2 - 1
            along, runs = (
                region.polygon[half] - region.polygon[0],
                read.polygon[len(read.polygon) // 2 - 1] - read.polygon[0],
            )
            cosine = along @ runs / np.linalg.norm(along) / np.linalg.norm(runs)
            assert cosine > 0.9, "the text still runs in the same direction"
    assert lost == written.lost


@pytest.mark.parametrize("name", PAGE_FORMATS)
def test_pages_are_detected_and_keep_their_order_and_images(name: str, tmp_path: Path) -> None:
    pages = [*sample_pages(tmp_path / "images"), Page(save_image(tmp_path / "images" / "z_blank.png"), [])]
    path = target(tmp_path, name)
    write_dataset(iter(pages), name, path)
    fitting = [other for other, module in FORMATS.items() if module.matches(path)]
    assert fitting == [name], "the format is unambiguous"
    read = read_dataset(str(path))
    assert [page.path.read_bytes() for page in read] == [page.path.read_bytes() for page in pages]
    assert [len(page.regions) for page in read] == [3, 3, 3, 0]
    assert all(region.source and str(path) in region.source for page in read for region in page.regions)


@pytest.mark.parametrize("first", PAGE_FORMATS)
def test_every_format_converts_to_every_other(first: str, tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "images", 2)
    source = target(tmp_path, first)
    write_dataset(pages, first, source)
    for second in PAGE_FORMATS:
        path = target(tmp_path / "converted", second)
        write_dataset(stream_dataset(str(source)), second, path)
        texts = "td500" not in (first, second)
        for mine, theirs in zip(pages, read_dataset(str(path)), strict=True):
            assert theirs.path.read_bytes() == mine.path.read_bytes()
            for a, b in zip(mine.regions, theirs.regions, strict=True):
                np.testing.assert_allclose(a.polygon, b.polygon, atol=0.02)
                assert a.ignore == b.ignore
                assert not texts or a.text == b.text


@pytest.mark.parametrize("name", FORMATS)
def test_images_of_the_same_name_stay_apart(name: str, tmp_path: Path) -> None:
    pages = [
        Page(save_image(tmp_path / folder / f"same{suffix}", 60, 20, seed), [rectangle(0, 0, 60, 20, folder)])
        for seed, (folder, suffix) in enumerate((("x", ".png"), ("y", ".png"), ("y", ".bmp")))
    ]
    write_dataset(pages, name, target(tmp_path, name))
    read = read_dataset(f"{name}:{target(tmp_path, name)}")
    for mine in pages:
        (found,) = [page for page in read if (page.load() == mine.load()).all()]
        assert name == "td500" or found.regions[0].text == mine.regions[0].text


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_overwritten_and_nothing_half_written(name: str, tmp_path: Path) -> None:
    line = Page(save_image(tmp_path / "a.png", 60, 20), [rectangle(0, 0, 60, 20, "first")])
    path = target(tmp_path / "out", name)

    def interrupted() -> Iterator[Page]:
        yield line
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(interrupted(), name, path)
    assert list((tmp_path / "out").iterdir()) == []
    write_dataset([line], name, path)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} or path.read_bytes()
    with pytest.raises(DataError, match="already there"):
        write_dataset([line.with_regions([rectangle(0, 0, 60, 20, "second")])], name, path)
    assert before == ({file: file.read_bytes() for file in path.rglob("*") if file.is_file()} or path.read_bytes())


KILLED = """
import os, signal, sys
from pathlib import Path
from ocrtune.data.formats import write_dataset
from support.pages import rectangle
from ocrtune.page import Page
def pages():
    for _ in range(300):
        yield Page(Path(sys.argv[1]), [rectangle(0, 0, 60, 20, "text")])
    os.kill(os.getpid(), signal.SIGKILL)
write_dataset(pages(), sys.argv[2], Path(sys.argv[3]))
"""


@pytest.mark.parametrize("name", ["json", "icdar", "voc"])
def test_a_killed_writer_leaves_nothing_under_the_name(name: str, tmp_path: Path) -> None:
    path = target(tmp_path, name)
    image = save_image(tmp_path / "a.png", 60, 20)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", KILLED, image, name, path], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    write_dataset([Page(image, [rectangle(0, 0, 60, 20)])], name, path)
    assert len(read_dataset(str(path))) == 1, "what the killed one left is in nobody's way"


@pytest.mark.parametrize("name", sorted(FOLDER_FORMATS - {"lmdb", "funsd", "total-text"}))
def test_labels_can_go_into_the_folder_of_the_images(name: str, tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "set")
    write_dataset(pages, name, tmp_path / "set")
    assert [page.path.resolve() for page in read_dataset(f"{name}:{tmp_path / 'set'}")] == [page.path for page in pages]


@pytest.mark.parametrize(
    "name", [name for name in FORMATS if name not in (*LINE_FORMATS, "td500", "funsd", "total-text")]
)
def test_images_are_named_and_not_copied(name: str, tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "images", 1)
    write_dataset(pages, name, target(tmp_path, name))
    assert list(tmp_path.rglob("*.png")) == [pages[0].path]


@pytest.mark.parametrize("name", PAGE_FORMATS)
def test_pages_are_let_go_as_they_are_written(name: str, tmp_path: Path) -> None:
    page = Page(save_image(tmp_path / "a.png", 8, 8), [rectangle(0, 0, 5, 5)])
    write_dataset(itertools.repeat(page, 40), name, target(tmp_path, name))
    alive = []

    def watched() -> Iterator[Page]:
        for number, page in enumerate(stream_dataset(f"{name}:{target(tmp_path, name)}")):
            if number % 13 == 12:
                alive.append(sum(type(each) is Page for each in gc.get_objects()))
            yield page

    before = sum(type(each) is Page for each in gc.get_objects())
    assert write_dataset(watched(), name, target(tmp_path / "again", name)).pages == 40
    assert max(alive) <= before + 3, "memory does not grow with the pages"


def test_real_pages_go_through_every_format(
    receipts: Path, scene_text: Path, cable_pages: list[Page], tmp_path: Path
) -> None:
    scenes = read_dataset(f"icdar:{scene_text / 'test_list.txt'}")
    pages = [*read_dataset(f"icdar:{receipts / 'val'}")[:3], *scenes[:5], *cable_pages[:5]]
    for name in PAGE_FORMATS:
        written = write_dataset(pages, name, target(tmp_path, name))
        cannot = FORMATS[name].CANNOT
        for mine, theirs in zip(sorted(pages, key=lambda p: p.path.name), sorted_pages(name, tmp_path), strict=True):
            for a, b in zip(mine.regions, theirs.regions, strict=True):
                assert same(a, b) or next(losses_of(a, cannot), None) is not None, (name, a, b)
        assert written.regions == sum(len(page.regions) for page in pages)


def sorted_pages(name: str, folder: Path) -> list[Page]:
    return sorted(read_dataset(f"{name}:{target(folder, name)}"), key=lambda page: page.path.name)
