"""The tab data in a real browser: faults found, a text and a box corrected, and the label file read back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page as BrowserPage
from playwright.sync_api import expect

from ocrtune.data.formats import read_dataset, write_dataset
from ocrtune.page import Page, TextRegion
from ocrtune.webui.labels.drawing import scale_of
from ocrtune.webui.workspace import Workspace
from support.pages import printed_page, rectangle
from support.webui import chromium, opened, served

BOX = (200, 300, 300, 315)  # left, top, right, bottom in pixels of the page


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Three printed pages; the second has a text with needless spaces, and a box outside the image."""
    pages = [printed_page(tmp_path / "images" / f"page_{seed}.png", seed) for seed in range(3)]
    first, *others = pages[1].regions
    spaced = TextRegion(first.polygon, f"{first.text}  X")
    pages[1] = Page(pages[1].image, [spaced, *others, rectangle(900, 900, 950, 930, "LOST")])
    write_dataset(pages, "paddle", tmp_path / "labels.txt")
    return tmp_path / "labels.txt"


def click_on(page: BrowserPage, x: float, y: float, scale: float) -> None:
    """Click the drawn page at pixels of the image."""
    picture = page.locator("#data-page img")
    shown = picture.evaluate("image => image.getBoundingClientRect().width / image.naturalWidth")
    picture.click(position={"x": x * scale * shown, "y": y * scale * shown})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a socket of the browser's driver
def test_faults_are_found_and_corrected(labels: Path) -> None:
    before = labels.read_bytes()
    old = read_dataset(str(labels))
    scale = scale_of(old[1].load())
    with served(Workspace.of([labels.parent])) as url, chromium() as browser:
        page = opened(browser, url)
        page.get_by_role("tab", name="Data", exact=True).click()
        page.locator("#data-dataset input").click()
        page.get_by_role("option", name="labels.txt").click()
        page.locator("#data-open").click()
        expect(page.locator("#data-summary")).to_contain_text("3 pages · 25 regions")

        page.locator("#data-check").click()
        kinds = page.locator("#data-kinds tbody")
        expect(kinds).to_contain_text("outline lies outside the image")
        expect(page.locator("#data-check-state")).to_contain_text("1 errors: mend them before training")
        with page.expect_download() as download:
            page.locator("#data-report").click()
        assert "polygon-outside" in download.value.path().read_text()
        kinds.get_by_text("needless spaces").click()
        rows = page.locator("#data-findings tbody tr")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("labels.txt:2")
        rows.click()
        expect(page.locator("#data-found-page img")).to_be_visible()

        page.locator("#data-correct").click()
        text = page.locator("#data-text textarea, #data-text input")
        expect(text).to_have_value(f"{old[1].regions[0].text}")
        text.fill("CORRECTED")
        text.press("Enter")
        expect(page.locator("#data-chosen")).to_contain_text("Region 2")
        page.get_by_text("adds a box (2 clicks)").click()
        click_on(page, BOX[0], BOX[1], scale)
        expect(page.locator("#data-state")).to_contain_text("1 pages changed")
        click_on(page, BOX[2], BOX[3], scale)
        expect(page.locator("#data-chosen")).to_contain_text("Region 10")
        text.fill("ADDED")
        page.locator("#data-apply").click()
        expect(page.locator("#data-regions tr.chosen")).to_contain_text("ADDED")
        assert labels.read_bytes() == before

        page.reload()
        page.get_by_role("tab", name="Data", exact=True).click()
        page.get_by_role("tab", name="Pages", exact=True).click()
        expect(page.locator("#data-state")).to_contain_text("1 pages changed")
        page.locator("#data-sure input").check()
        page.locator("#data-write-back").click()
        expect(page.locator("#data-saved")).to_contain_text("Saved")
        kept = page.locator("#data-saved code").inner_text()

    regions = read_dataset(str(labels))[1].regions
    assert [regions[0].text, regions[9].text] == ["CORRECTED", "ADDED"]
    corners = [*regions[9].polygon.min(axis=0).tolist(), *regions[9].polygon.max(axis=0).tolist()]
    assert corners == pytest.approx(BOX, abs=1.5)
    assert [r.text for r in regions[1:9]] == [r.text for r in old[1].regions[1:]]
    assert (labels.parent / kept).read_bytes() == before
    assert re.fullmatch(r"workdirs/data/backups/[0-9-]+_labels.txt", kept)
