"""Labels on a visitor's desk: looked at, corrected, and saved without losing anything."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ocrtune.data.check
from ocrtune.data.check import Finding
from ocrtune.data.formats import DatasetPath, Loss, read_dataset, write_dataset
from ocrtune.errors import DataError, UsageError
from ocrtune.page import Page, TextRegion
from ocrtune.webui import background
from ocrtune.webui.background import Job
from ocrtune.webui.labels.checks import Check
from ocrtune.webui.labels.desk import ON_A_SHEET, Desk, Desks
from ocrtune.webui.labels.drawing import LARGEST, page_picture, scale_of
from ocrtune.webui.labels.editing import Labels, drawn_outline, region_at
from ocrtune.webui.labels.jobs_panel import job_text
from ocrtune.webui.labels.lines_panel import lines_of
from ocrtune.webui.labels.markup import cards, table
from ocrtune.webui.labels.save_panel import save_new
from ocrtune.webui.labels.saving import new_place, write_back
from ocrtune.webui.labels.words import kind_word, loss_word, remedy_word
from ocrtune.webui.language import CHINESE, ENGLISH
from ocrtune.webui.workspace import Workspace
from support.labels import PAGE_FORMATS, target
from support.pages import rectangle, sample_pages, save_image


def opened(folder: Path, count: int = 3, label_format: str = "json") -> Desk:
    """A desk with a data set of sample pages in a format."""
    path = target(folder, label_format)
    write_dataset(sample_pages(folder / "images", count), label_format, path)
    return Desk(Labels.read(DatasetPath(path, label_format, detected=False)), lambda image: True)


def shift(desk: Desk, page: int, by: float) -> None:
    """Move the first region of a page."""
    desk.go(page)
    desk.choose(0)
    assert desk.chosen is not None
    desk.apply(desk.chosen.text or "", desk.chosen.ignore, desk.chosen.polygon + np.float32(by))


def test_a_change_can_be_taken_back(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    desk.go(1)
    desk.choose(0)
    desk.apply("TOTAL 9", True, None)
    desk.delete()
    assert [region.text for region in desk.current.regions] == ['a, "b", 中文 ,', None]
    desk.go(0)
    assert desk.undo()
    assert desk.page == 1
    assert (desk.current.regions[0].text, desk.current.regions[0].ignore) == ("TOTAL 9", True)
    assert desk.labels.changed == [1]
    assert desk.undo()
    assert not desk.undo()
    assert desk.labels.changed == []
    assert desk.current.regions[0].text == "TOTAL 1"


def test_a_text_that_nobody_has_said_stays_unknown(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    desk.choose(2)
    desk.apply("", False, None)
    assert desk.chosen is not None
    assert desk.chosen.text is None
    assert not desk.chosen.ignore


@pytest.mark.parametrize(
    ("points", "outline"),
    [
        ([(40, 30), (10, 20)], [(10, 20), (40, 20), (40, 30), (10, 30)]),  # two corners, whichever they are
        ([(-5, 5), (300, 20)], [(0, 5), (160, 5), (160, 20), (0, 20)]),  # outside the image
        ([(10, 10), (10, 30), (50, 32), (50, 12)], [(10, 10), (50, 12), (50, 32), (10, 30)]),  # counter-clockwise
        ([(10, 10), (50, 10)], None),
        ([(10, 10), (50, 10), (50, 10), (10, 10)], None),
    ],
)
def test_an_outline_that_was_clicked(
    points: list[tuple[float, float]], outline: list[tuple[float, float]] | None
) -> None:
    drawn = drawn_outline(points, (160, 120))
    assert (None if drawn is None else drawn.tolist()) == (None if outline is None else [list(p) for p in outline])


def test_a_click_means_the_smallest_region_below_it() -> None:
    regions = [rectangle(0, 0, 100, 100), rectangle(40, 40, 60, 60), rectangle(np.nan, 0, 5, 5)]
    assert region_at(regions, (50, 50), 5) == 1
    assert region_at(regions, (10, 10), 5) == 0
    assert region_at(regions, (103, 50), 5) == 0
    assert region_at(regions, (120, 50), 5) is None
    assert region_at([], (0, 0), 5) is None


def test_clicks_on_a_page_that_is_shown_smaller(tmp_path: Path) -> None:
    image = save_image(tmp_path / "large.png", 2 * LARGEST, 400)
    path = tmp_path / "labels.json"
    write_dataset([Page(image, [rectangle(100, 100, 300, 160, "word")])], "json", path)
    desk = Desk(Labels.read(DatasetPath(path, "json", detected=False)), lambda image: True)
    assert scale_of(desk.image()) == 0.5
    assert desk.click(100, 65, "choose")
    assert desk.region == 0
    assert desk.click(152, 82, "corner")  # the nearest corner, (300, 160), goes there
    assert desk.current.regions[0].polygon.tolist() == [[100, 100], [300, 100], [304, 164], [100, 160]]
    assert desk.click(10, 10, "box")
    assert len(desk.current.regions) == 1
    assert desk.click(60, 30, "box")
    assert desk.region == 1
    assert desk.current.regions[1].polygon.tolist() == [[20, 20], [120, 20], [120, 60], [20, 60]]
    assert desk.click(5, 5, "box")
    assert not desk.click(5, 5, "box")
    assert len(desk.current.regions) == 2
    assert not desk.clicks
    for point in ((200, 10), (260, 12), (258, 30), (199, 28)):
        assert desk.click(*point, "quad")
    assert desk.current.regions[2].polygon.tolist() == [[400, 20], [520, 24], [516, 60], [398, 56]]
    desk.choose(None)
    assert not desk.click(10, 10, "corner")


def test_pages_are_searched_and_turned(tmp_path: Path) -> None:
    desk = opened(tmp_path, ON_A_SHEET + 3)
    assert (desk.sheets, len(desk.on_sheet())) == (2, ON_A_SHEET)
    desk.turn(1)
    assert desk.on_sheet() == [12, 13, 14]
    desk.turn(1)
    assert desk.sheet == 1
    desk.search("total 13", "", None, "")
    assert desk.rows == [13]
    assert desk.page == 13
    desk.search("", "PAGE_4", None, "")
    assert desk.rows == [4]
    assert desk.page == 4
    desk.step(1)
    assert desk.page == 4
    desk.search("nowhere", "", None, "")
    assert desk.rows == []
    assert desk.sheets == 1
    desk.step(1)
    assert desk.page == 4
    assert lines_of(desk) == []


def test_a_finding_leads_to_its_region(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    desk.search("total 0", "", None, "")
    page = desk.labels.pages[2]
    finding = Finding("text-spaces", "warning", "", "", None, page.image, page.regions[1].polygon + 1)
    assert desk.find(finding)
    assert (desk.page, desk.region) == (2, 1)
    assert 2 in desk.rows
    assert not desk.find(replace(finding, image=tmp_path / "other.png"))


@pytest.mark.parametrize("label_format", [*PAGE_FORMATS, "lmdb"])
def test_changes_are_written_back_and_the_labels_before_are_kept(tmp_path: Path, label_format: str) -> None:
    desk = opened(tmp_path, 3, label_format)
    path = desk.labels.dataset.path
    before = _contents(path)
    others = [page.regions for page in desk.labels.pages]
    shift(desk, 1, 3)
    wanted = desk.current.regions[0].polygon
    kept, written = write_back(desk.labels, tmp_path / "backups", ENGLISH)
    pages = read_dataset(desk.labels.dataset)
    np.testing.assert_allclose(pages[1].regions[0].polygon, wanted, atol=0.6)
    for index in (0, 2):
        for region, old in zip(pages[index].regions, others[index], strict=True):
            np.testing.assert_allclose(region.polygon, old.polygon, atol=0.02)
            assert (region.text, region.ignore) == (old.text, old.ignore)
    saved = _contents(kept)
    assert saved
    assert set(saved.values()) <= set(before.values())
    assert written.pages >= 1
    assert desk.labels.changed == []
    assert not desk.undo()
    assert not [entry for entry in tmp_path.rglob("*") if entry.name.startswith(".")]


def _contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
    return {file.name: file.read_bytes() for file in files if file.suffix != ".png"}


@pytest.mark.parametrize("label_format", ["json", "icdar"])
def test_two_visitors_lose_nothing(tmp_path: Path, label_format: str) -> None:
    first = opened(tmp_path, 3, label_format)
    second = Desk(Labels.read(first.labels.dataset), lambda image: True)
    third = Desk(Labels.read(first.labels.dataset), lambda image: True)
    shift(first, 0, 2)
    shift(second, 1, 4)
    shift(third, 0, 6)
    write_back(first.labels, tmp_path / "backups", ENGLISH)
    write_back(second.labels, tmp_path / "backups", ENGLISH)
    corners = [page.regions[0].polygon[0].tolist() for page in read_dataset(first.labels.dataset)]
    assert corners == [[12, 12], [14, 14], [10, 10]]
    before = _contents(first.labels.dataset.path)
    with pytest.raises(DataError, match=r"somebody else has changed the same pages.*page_0"):
        write_back(third.labels, tmp_path / "backups", ENGLISH)
    with pytest.raises(DataError, match="其他人已修改了相同的页面"):
        write_back(third.labels, tmp_path / "backups", CHINESE)
    assert _contents(first.labels.dataset.path) == before
    assert third.labels.changed == [0]


def test_pages_that_came_meanwhile_stop_a_write(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    shift(desk, 0, 2)
    path = desk.labels.dataset.path
    write_dataset(read_dataset(desk.labels.dataset)[1:], "json", path, replace=True)
    before = path.read_bytes()
    with pytest.raises(DataError, match="other pages"):
        write_back(desk.labels, tmp_path / "backups", ENGLISH)
    assert path.read_bytes() == before


def test_nothing_changed_is_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was changed"):
        write_back(opened(tmp_path).labels, tmp_path / "backups", ENGLISH)
    assert not (tmp_path / "backups").exists()


def test_saved_as_a_new_data_set_in_another_format(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    workspace = Workspace.of([tmp_path])
    shift(desk, 2, 5)
    old = desk.labels.dataset.path.read_bytes()
    place = new_place(workspace.outputs, desk.labels.dataset, "corrected", "td500")
    fresh, lost = save_new(workspace, desk, "td500", workspace.shown(place), CHINESE)
    assert fresh.current.regions[0].polygon[0].tolist() == pytest.approx([15, 15], abs=0.6)
    assert loss_word(Loss.TEXT, CHINESE) in lost
    assert desk.labels.dataset.path.read_bytes() == old
    with pytest.raises(UsageError, match="already there"):
        save_new(workspace, desk, "td500", str(place), ENGLISH)
    with pytest.raises(UsageError, match="outside the folders"):
        save_new(workspace, desk, "json", str(tmp_path.parent / "elsewhere.json"), ENGLISH)
    assert new_place(workspace.outputs, desk.labels.dataset, "corrected", "td500") != place


def test_an_image_outside_the_folders_is_not_shown(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write_dataset(sample_pages(tmp_path / "outside", 1), "json", inside / "labels.json")
    workspace = Workspace.of([inside])
    desks = Desks()
    _, desk = desks.open(str(inside / "labels.json"), lambda path: workspace.holds(path.resolve()))
    with pytest.raises(UsageError, match="outside the folders"):
        desk.image()
    check = Check(desk.labels.dataset, None, 640)
    check.start(inside / "checks", desk.may_show)
    check.wait()
    assert check.report is not None
    assert all(finding.image is None for finding in check.report.findings)


def test_a_desk_with_unsaved_changes_is_not_cleared(tmp_path: Path) -> None:
    spec = str(opened(tmp_path).labels.dataset)
    desks = Desks()
    mine, desk = desks.open(spec, lambda path: True)
    shift(desk, 0, 2)
    idle, _ = desks.open(spec, lambda path: True)
    for _ in range(40):
        desks.open(spec, lambda path: True)
    assert desks.known(mine) is desk
    assert desks.known(idle) is None
    fresh, _ = desks.open(spec, lambda path: True, mine)
    assert desks.known(mine) is None
    assert desks.known(fresh) is not None
    with pytest.raises(UsageError, match="尚未打开"):
        desks.get("", CHINESE)


def test_a_check_runs_behind_the_page(tmp_path: Path) -> None:
    desk = opened(tmp_path, 4)
    desks = Desks()
    check = Check(desk.labels.dataset, None, 640)
    assert desks.checks.start(check, tmp_path / "checks", desk.may_show) is check
    check.wait()
    assert not check.running
    assert not check.error
    assert (check.done, check.total) == (4, 4)
    assert check.report is not None
    assert check.html is not None
    assert "few-pages" in check.report.counts()
    assert "few-pages" in check.html.read_text()
    assert desks.checks.of(desk.labels.dataset) is check
    again = Check(desk.labels.dataset, None, 640)
    assert desks.checks.start(again, tmp_path / "checks", desk.may_show) is again
    again.wait()
    assert not again.error


def test_a_check_can_be_stopped_and_tells_why_it_failed(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    check = Check(desk.labels.dataset, None, 640, stopped=True)
    check.start(tmp_path / "checks", desk.may_show)
    check.wait()
    assert check.report is None
    assert not check.error
    desk.labels.dataset.path.write_text("no JSON")
    check = Check(desk.labels.dataset, None, 640)
    check.start(tmp_path / "checks", desk.may_show)
    check.wait()
    assert check.report is None
    assert str(desk.labels.dataset.path) in check.error


def test_every_finding_has_words_in_both_languages() -> None:
    sources = "".join(path.read_text() for path in Path(ocrtune.data.check.__file__).parent.glob("*.py"))
    codes = {code for code in re.findall(r'"((?:[a-z]+-)+[a-z]+)"', sources) if "-" in code}
    codes |= {"leak", "granularity"}
    assert len(codes) > 45
    for code in codes:
        assert kind_word(code, CHINESE) != code, code
        assert re.search("[\u4e00-\u9fff]", remedy_word(Finding(code, "info", "", ""), CHINESE)), code
    fixes = set(re.findall(r'"((?:leaves|drops|turns|moves|decodes|writes|composes|puts) [^"{(]+)"', sources))
    assert len(fixes) > 12
    for fix in fixes:
        said = remedy_word(Finding("leak", "info", "", "", fix), CHINESE)
        assert fix not in said, fix
    assert all(re.search("[\u4e00-\u9fff]", loss_word(loss, CHINESE)) for loss in Loss)


def test_texts_from_labels_are_no_markup() -> None:
    bad = "<script>alert(1)</script>"
    assert bad not in table([bad], [[bad]])
    assert bad not in cards([(np.zeros((4, 4, 3), np.uint8), bad, False)], "lines")


def test_a_picture_shows_what_is_chosen_and_survives_odd_outlines() -> None:
    image = np.full((400, 800, 3), 255, np.uint8)
    regions = [
        rectangle(10, 10, 200, 60),
        rectangle(-900, 5, 5000, 90),
        TextRegion(np.full((4, 2), np.nan, np.float32)),
    ]
    plain, chosen = page_picture(image, regions), page_picture(image, regions, 0)
    assert plain.shape == image.shape
    assert not np.array_equal(plain, chosen)
    marked = page_picture(image, [], marked=regions[0].polygon)
    assert (marked == (0, 0, 230)).all(axis=2).any()


def test_data_sets_in_the_folders_are_found(tmp_path: Path) -> None:
    pages = sample_pages(tmp_path / "images", 2)
    names = ("icdar", "json", "paddle", "td500")
    for name in names:
        write_dataset(pages, name, target(tmp_path / name, name))
    (tmp_path / "notes.txt").write_text("nothing of interest\n")
    found = Workspace.of([tmp_path]).datasets()
    assert sorted(found) == ["icdar/icdar_set", "json/json_set.json", "paddle/paddle_set.txt", "td500"]


def test_work_goes_on_behind_the_page_and_tells_its_end(tmp_path: Path) -> None:
    desk = opened(tmp_path, 5)
    out = tmp_path / "parts"
    job = Job.start(
        tmp_path / "job", ["data", "split", str(desk.labels.dataset), "--out", str(out), "--shares", "60,40", "--json"]
    )
    for process in background._started:
        process.wait(120)

    def result(content: dict[str, dict[str, object]]) -> list[tuple[str, str]]:
        return [(name, str(entry["path"])) for name, entry in content.items()]

    text = job_text(job, result, lambda path: path.removeprefix("json:"), CHINESE)
    assert text.startswith("完成")
    parts = [out / "train.json", out / "val.json"]
    assert all(f"`{part}`" in text for part in parts)
    assert [len(read_dataset(str(part))) for part in parts] == [3, 2]
    (job.folder / "job.log").write_text('{"error": "DataError", "what": "it broke", "where": "here:1"}\n')
    assert job_text(job, result, str, ENGLISH) == "it broke\n\nhere:1"
