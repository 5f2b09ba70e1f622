"""Whole data sets: equal for equal recipes, in any format, taken up again where a run stopped."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.data.formats import read_dataset
from ocrtune.data.synth.fonts import default_fonts
from ocrtune.data.synth.generate import Generator, Recipe
from ocrtune.data.synth.job import JOURNAL, Written, generate
from ocrtune.data.synth.templates import LINE
from ocrtune.errors import ImageError, Interrupted, UsageError
from ocrtune.page import Page
from ocrtune.runtime.load import load_recognizer
from ocrtune.weights.registry import resolve_part
from support.pages import save_image
from support.runs import fails, ocrtune

LINES = Recipe((LINE,), ("clean", "photo"), seed=5)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pages_of(data_format: str, written: Written) -> list[Page]:
    return read_dataset(f"{data_format}:{written.labels}")


def test_a_picture_is_a_function_of_recipe_and_index() -> None:
    recipe = Recipe(("receipt", "label", LINE), seed=1)
    first, second = Generator(recipe), Generator(recipe)
    backwards = [second.sample(index) for index in reversed(range(3))][::-1]
    for index, other in enumerate(backwards):
        sample = first.sample(index)
        assert sample.encoded() == other.encoded()
        assert [r.text for r in sample.regions] == [r.text for r in other.regions]
        assert all(np.array_equal(a.polygon, b.polygon) for a, b in zip(sample.regions, other.regions, strict=True))
    assert first.sample(0).encoded() != Generator(Recipe(("receipt", "label", LINE), seed=2)).sample(0).encoded()


def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    for workers in (1, 2):
        generate(Generator(LINES), 17, tmp_path / str(workers), "paddle", workers)
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_a_stopped_run_is_taken_up_again(tmp_path: Path) -> None:
    left = iter(range(3))

    def stop_at_four() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="what was made is kept"):
        generate(Generator(LINES), 9, tmp_path / "stopped", "paddle", each=stop_at_four)
    with (tmp_path / "stopped" / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write('{"image": "000004.jpg", "templ')  # killed while it wrote
    assert generate(Generator(LINES), 9, tmp_path / "stopped", "paddle").made == 5
    generate(Generator(LINES), 9, tmp_path / "whole", "paddle")
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    assert generate(Generator(LINES), 9, tmp_path / "whole", "paddle").made == 0


def test_a_set_can_grow_but_not_shrink_or_change(tmp_path: Path) -> None:
    out = tmp_path / "set"
    generate(Generator(LINES), 4, out, "lmdb")
    written = generate(Generator(LINES), 6, out, "lmdb")
    assert (written.made, written.pages, len(pages_of("lmdb", written))) == (2, 6, 6)
    again = generate(Generator(LINES), 6, out, "csv")
    assert (again.made, len(pages_of("csv", again)), len(pages_of("lmdb", written))) == (0, 6, 6)
    with pytest.raises(UsageError, match="6 pictures already, more than the 3 asked for"):
        generate(Generator(LINES), 3, out, "lmdb")
    with pytest.raises(UsageError, match="of other settings, fonts or texts"):
        generate(Generator(Recipe((LINE,), ("clean", "photo"), seed=6)), 8, out, "lmdb")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("of hours", encoding="utf-8")
    with pytest.raises(UsageError, match="the folder is not empty"):
        generate(Generator(LINES), 3, tmp_path / "mine", "lmdb")


def test_old_labels_stay_until_there_are_new_ones(tmp_path: Path) -> None:
    out = tmp_path / "set"
    first = generate(Generator(LINES), 2, out, "voc")
    before = files(first.labels)
    image = out / "images" / "000000.jpg"
    data = image.read_bytes()
    image.unlink()
    with pytest.raises(ImageError):
        generate(Generator(LINES), 3, out, "voc")
    assert files(first.labels) == before
    image.write_bytes(data)
    assert len(pages_of("voc", generate(Generator(LINES), 3, out, "voc"))) == 3
    assert sorted(path.name for path in out.iterdir()) == ["images", "synth.jsonl", "voc"]


@pytest.mark.parametrize("data_format", ["paddle", "icdar", "json"])
def test_pages_in_every_format(tmp_path: Path, data_format: str) -> None:
    recipe = Recipe(("label", "receipt"), ("photo",), seed=2, granularity="word")
    generator = Generator(recipe)
    written = generate(generator, 3, tmp_path / "set", data_format)
    pages = pages_of(data_format, written)
    assert written.pages == len(pages) == 3
    assert written.regions == sum(len(page.regions) for page in pages)
    for index, page in enumerate(pages):
        sample = generator.sample(index)
        assert page.load().shape == sample.image.shape
        assert [r.text for r in page.regions] == [r.text for r in sample.regions]
        for read, made in zip(page.regions, sample.regions, strict=True):
            assert np.abs(read.polygon - made.polygon).max() < 0.02


@pytest.mark.parametrize("data_format", ["paddle", "csv", "lmdb"])
def test_lines_in_every_format(tmp_path: Path, data_format: str) -> None:
    generator = Generator(LINES)
    pages = pages_of(data_format, generate(generator, 4, tmp_path / "set", data_format))
    assert [page.regions[0].text for page in pages] == [generator.sample(i).regions[0].text for i in range(4)]


def test_pages_lie_on_the_photos_that_were_given(tmp_path: Path) -> None:
    photo = np.full((300, 400, 3), (20, 200, 20), np.uint8)
    cv2.imwrite(str(tmp_path / "green.png"), photo)
    recipe = Recipe(("label",), ("scan",), backgrounds=(tmp_path / "green.png",), seed=4)
    image = Generator(recipe).sample(0).image.astype(int)
    border = np.concatenate([image[:4].reshape(-1, 3), image[-4:].reshape(-1, 3)])
    grey = np.ptp(image.reshape(-1, 3), axis=1).max() < 10
    assert grey or (border[:, 1] > border[:, 0] + 60).mean() > 0.5


def test_a_recogniser_reads_what_the_labels_say() -> None:
    generator = Generator(Recipe((LINE,), ("clean",), seed=8))
    samples = [generator.sample(index) for index in range(16)]
    readings = load_recognizer(resolve_part("ppocrv6-small", "recognition")).read([s.image for s in samples])
    right = [reading.text == sample.regions[0].text for reading, sample in zip(readings, samples, strict=True)]
    assert sum(right) >= 14


def test_command_makes_a_set_and_goes_on(tmp_path: Path) -> None:
    command = ("data", "synth", "--out", tmp_path / "set", "--template", "label", "--template", "line", "--json")
    first = json.loads(ocrtune(*command, "--count", 2).stdout)
    assert first["path"] == f"paddle:{tmp_path / 'set' / 'labels.txt'}"
    assert (first["pages"], first["made"], first["skipped"], first["undrawable"]) == (2, 2, 0, "")
    done = ocrtune(*command, "--count", 5)
    assert json.loads(done.stdout)["made"] == 3
    assert f"next: ocrtune data show paddle:{tmp_path / 'set' / 'labels.txt'}" in done.stderr
    assert len(read_dataset(first["path"])) == 5
    told = ocrtune(*command, "--count", 5, "--format", "td500")
    assert "td500 cannot say everything: texts are left out" in told.stderr


def test_command_finds_what_data_lack(tmp_path: Path) -> None:
    image = save_image(tmp_path / "a.png")
    (tmp_path / "train.txt").write_text("".join(f"{image.name}\tabc €\n" for _ in range(30)), encoding="utf-8")
    (tmp_path / "charset.txt").write_text("a\nb\nc\n€\n§\nß\n中\n", encoding="utf-8")
    done = ocrtune(
        "data", "synth", "--out", tmp_path / "set", "--template", "line", "--count", 4, "--json", "--scenario", "clean",
        "--lacking", f"paddle:{tmp_path / 'train.txt'}", "--charset", tmp_path / "charset.txt",
    )  # fmt: skip
    shown = json.loads(done.stdout)
    assert shown["characters"] == {"§": 2, "ß": 2}
    assert shown["undrawable"] == "中"
    assert "3 of 7 characters are in fewer than 20 texts" in done.stderr


def test_command_says_what_is_wrong(tmp_path: Path) -> None:
    synth = ("data", "synth", "--out", tmp_path / "set")
    fails(2, *synth, "--template", "reciept", says="did you mean 'receipt'?")
    fails(2, *synth, "--lacking", "x.txt", says="--lacking and --charset belong together")
    fails(2, *synth, "--format", "csv", says="csv holds images of one line")
    fails(2, *synth, "--format", "csv", "--template", "line", "--template", "form", says="only --template line")
    fails(2, *synth, "--backgrounds", tmp_path, says="the folder holds no images")
    fails(2, *synth, "--font", default_fonts()[0].parent / "none.ttf", says="the font cannot be read")
    assert not (tmp_path / "set").exists()
