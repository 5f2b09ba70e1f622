"""The whole loop in a real browser: labelled pages become a calibrated model that is taken home and run."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ocrtune.bundle import Bundle
from ocrtune.data.formats import read_dataset
from ocrtune.runtime.load import load_detector
from ocrtune.webui.trainings import Training
from ocrtune.webui.workspace import Workspace
from support.pages import write_heads
from support.webui import chromium, opened, served, to_tab

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
    to_tab(page, name)
    return page.get_by_role("tabpanel").filter(visible=True)


def field(panel: Locator, label: str) -> Locator:
    """What belongs to a label; Gradio's labels have the help text in them, too."""
    named = panel.locator(f"//span[@data-testid='block-info' and normalize-space()='{label}']")
    return named.locator("xpath=ancestor::*[contains(@class, 'block')][1]").locator("input, textarea").first


def choose(page: Page, panel: Locator, label: str, value: str) -> None:
    """An entry of a list."""
    field(panel, label).click()
    page.get_by_role("option", name=value, exact=True).click()


@pytest.mark.slow
def test_from_labelled_pages_to_a_model_in_use(workspace: Workspace, browser: Browser, tmp_path: Path) -> None:
    with served(workspace) as url:
        page = opened(browser, url)
        training = tab(page, "Training")
        field(training, "Training data").fill("receipts/train")
        field(training, "Validation data (optional)").fill("receipts/val")
        training.get_by_role("button", name="Check the data").click()
        expect(training.get_by_text("18 pages, 18 usable")).to_be_visible(timeout=LONG)
        choose(page, training, "Task", "detection: where text is")
        training.get_by_role("button", name="More settings").click()
        field(training, "Batch size").fill("2")
        field(training, "Input sizes to try (detection)").fill("480")
        field(training, "Further settings").fill(FURTHER)
        training.get_by_role("button", name="Start", exact=True).click()
        expect(training.locator(".state")).to_have_text("running", timeout=LONG)
        expect(training.get_by_text("of 40")).to_be_visible(timeout=LONG)
        (begun,) = Training.all(workspace)

        page.reload()  # the training is the machine's business, not the page's
        page.get_by_role("tab").first.wait_for()
        training = tab(page, "Training")
        expect(training.locator(".state")).to_have_text("running", timeout=LONG)
        expect(training.locator("#trainings input")).to_have_value(f"{begun.name} · running")
        training.get_by_role("button", name="Stop").click()
        expect(training.locator(".state")).to_have_text("stopped", timeout=LONG)
        assert "the state is saved" in begun.job.output()

        training.get_by_role("button", name="Resume").click()
        expect(training.locator(".state")).to_have_text("running", timeout=LONG)
        expect(training.locator(".state")).to_have_text("finished", timeout=2 * LONG)
        assert "resuming at step" in (begun.result / "run" / "log.txt").read_text(encoding="utf-8")

        results = tab(page, "Results")
        expect(results.locator("table").first).to_contain_text(begun.name, timeout=LONG)
        expect(results.locator(".notice")).to_contain_text("the base: hmean")
        with page.expect_download() as downloading:
            results.get_by_role("button", name="Model (bundle, zip)").click()
        downloading.value.save_as(tmp_path / "bundle.zip")
        zipfile.ZipFile(tmp_path / "bundle.zip").extractall(tmp_path)
        taken = load_detector(Bundle.load(tmp_path / "bundle"))
        assert taken.predict(read_dataset(str(workspace.path("receipts/val")))[0]).regions

        calibration = tab(page, "Calibration")
        choose(page, calibration, "Model", workspace.shown(begun.result / "bundle"))
        field(calibration, "Labelled pages").fill("receipts/train")
        field(calibration, "Pages at most").fill("8")
        calibration.get_by_role("button", name="Compute the maps").click()
        figures = calibration.locator("#figures")
        expect(figures).to_contain_text("as it was", timeout=LONG)
        expect(calibration.locator("img")).to_have_count(6, timeout=LONG)
        before = figures.inner_text()
        box = field(calibration, "Box threshold")
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
        assert calibrated.manifest.metrics["calibration"]["pages"] == 8
        assert load_detector(calibrated).thresholds.box_thresh < 0.95

        export = tab(page, "Export")
        choose(page, export, "Model", "workdirs/mine")
        export.get_by_role("radio", name="ONNX", exact=True).click()
        page.locator("#export-start").click()
        link = page.locator("#export-files a").first
        expect(link).to_be_visible(timeout=LONG)
        with page.expect_download() as downloading:
            link.click()
        downloading.value.save_as(tmp_path / "model.onnx")
        network = onnxruntime.InferenceSession(tmp_path / "model.onnx")
        (name,) = (given.name for given in network.get_inputs())
        (found,) = network.run(None, {name: np.zeros((1, 3, 64, 96), np.float32)})
        assert found.shape == (1, 1, 64, 96)
        page.close()
