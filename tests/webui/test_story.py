"""The whole loop in a real browser: labelled pages become a calibrated model that is taken home and run."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ocrtune.bundle import Bundle
from ocrtune.data.formats import read_dataset
from ocrtune.runtime.load import load_detector
from ocrtune.webui.trainings import Training
from ocrtune.webui.workspace import Workspace
from support.pages import write_heads
from support.webui import chromium, opened, served

FURTHER = "schedule.steps=40\ninput.page_size=480\ninput.view_size=96\ntrainer.evals=1\ntrainer.checkpoint_minutes=0.01"
LONG = 120_000  # milliseconds; a machine that is busy is no fault


@pytest.fixture(scope="module")
def workspace(receipts: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("workspace")
    for name, split, count in (("train", "train", 18), ("val", "val", 3)):
        write_heads(read_dataset(f"icdar:{receipts / split}")[:count], 8, folder / "receipts" / name)
    return Workspace.of([folder])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def tab(page: Page, name: str) -> Locator:
    """Opens a tab; gives what is on it."""
    page.get_by_role("tab", name=name, exact=True).click()
    return page.get_by_role("tabpanel").filter(visible=True)


@pytest.mark.slow
def test_from_labelled_pages_to_a_model_in_use(workspace: Workspace, browser: Browser, tmp_path: Path) -> None:
    with served(workspace) as url:
        page = opened(browser, url)
        training = tab(page, "Training")
        training.get_by_placeholder("receipts/train").fill("receipts/train")
        training.get_by_placeholder("receipts/val").fill("receipts/val")
        training.get_by_role("button", name="Check the data").click()
        expect(training.get_by_text("18 pages, 18 usable")).to_be_visible(timeout=LONG)
        training.get_by_label("Task").click()
        page.get_by_role("option", name="detection").click()
        training.get_by_role("button", name="More settings").click()
        training.get_by_label("Batch size").fill("2")
        training.get_by_label("Input sizes to try").fill("480")
        training.get_by_label("Further settings").fill(FURTHER)
        training.get_by_role("button", name="Start", exact=True).click()
        expect(training.locator(".state")).to_have_text("running", timeout=LONG)
        expect(training.get_by_text("of 40")).to_be_visible(timeout=LONG)
        (begun,) = Training.all(workspace)

        page.reload()  # the training is the machine's business, not the page's
        training = tab(page, "Training")
        expect(training.locator(".state")).to_have_text("running", timeout=LONG)
        expect(training.get_by_text(begun.result.parent.name)).to_have_count(0)  # in the list only
        training.get_by_role("button", name="Stop").click()
        expect(training.locator(".state")).to_have_text("stopped", timeout=LONG)
        assert "the state is saved" in begun.job.output()

        training.get_by_role("button", name="Resume").click()
        expect(training.locator(".state")).to_have_text("running", timeout=LONG)
        expect(training.locator(".state")).to_have_text("finished", timeout=2 * LONG)
        assert "resuming at step" in (begun.result / "run" / "log.txt").read_text(encoding="utf-8")

        results = tab(page, "Results")
        expect(results.locator("table").first).to_contain_text(begun.name, timeout=LONG)
        expect(results.locator(".verdict")).to_contain_text("the base: hmean")
        with page.expect_download() as downloading:
            results.get_by_role("button", name="Model (bundle, zip)").click()
        downloading.value.save_as(tmp_path / "bundle.zip")
        zipfile.ZipFile(tmp_path / "bundle.zip").extractall(tmp_path)
        taken = load_detector(Bundle.load(tmp_path / "bundle"))
        assert taken.predict(read_dataset(str(workspace.path("receipts/val")))[0]).regions

        calibration = tab(page, "Calibration")
        calibration.get_by_label("Model").fill(workspace.shown(begun.result / "bundle"))
        page.keyboard.press("Enter")
        calibration.get_by_label("Labelled pages").fill("receipts/train")
        calibration.get_by_role("button", name="Compute the maps").click()
        figures = calibration.locator("#figures")
        expect(figures).to_contain_text("as it was", timeout=LONG)
        expect(calibration.locator("img")).to_have_count(6, timeout=LONG)
        before = figures.inner_text()
        box = calibration.get_by_label("Box threshold").first
        box.fill("0.95")
        box.press("Enter")
        expect(figures).to_contain_text("0.95", timeout=LONG)
        assert figures.inner_text() != before
        calibration.get_by_role("button", name="Find the best").click()
        expect(figures).to_contain_text("best", timeout=LONG)
        calibration.get_by_placeholder("name").fill("mine")
        calibration.get_by_role("button", name="Save as new bundle").click()
        expect(calibration.get_by_text("Saved:")).to_be_visible(timeout=LONG)
        calibrated = Bundle.load(workspace.outputs / "mine")
        assert calibrated.manifest.metrics["calibration"]["pages"] == 18
        assert load_detector(calibrated).thresholds.box_thresh < 0.95
        page.close()
