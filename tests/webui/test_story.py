"""In a real browser: read an image, move thresholds, read a zip, export, run the file, serve."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from ocrtune.bundle import Bundle
from ocrtune.runtime.boxes import BoxDetector
from ocrtune.runtime.engines import OnnxBoxEngine
from ocrtune.runtime.pages import page_json, page_model
from ocrtune.webui.deployment import Deployment
from ocrtune.webui.workspace import Workspace
from ocrtune.weights.registry import published_bundle
from support.pages import printed_page
from support.serving import form
from support.webui import chromium, opened, served, to_tab


@dataclass(frozen=True)
class Site:
    """The page, opened.

    Attributes:
        folder: that it may see.
        url: of its server.
        browser: with it.
        page: a tab.
    """

    folder: Path
    url: str
    browser: Browser
    page: Page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, v4_mobile: Bundle) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(v4_mobile.path, folder / "mine")
    for number in (1, 2):
        printed_page(folder / "scans" / f"{number}.png", number, 4)
    asked: list[str] = []
    workspace = Workspace.of([folder])
    with served(workspace) as url, chromium() as browser:
        page = opened(browser, url)
        page.on("request", lambda request: asked.append(request.url))
        yield Site(folder, url, browser, page)
        strangers = [address for address in asked if not address.startswith((url, "data:", "blob:"))]
        assert not strangers, f"the page asks other hosts: {strangers}"
        assert asked, "requests are seen"
    if (server := Deployment.find(workspace.outputs)) is not None:
        server.job.stop()


def choose(page: Page, label: str, name: str) -> None:
    """Take an entry of a list."""
    field = page.get_by_label(label, exact=True).locator("visible=true").first
    field.click()
    page.get_by_role("option", name=name, exact=True).locator("visible=true").first.click()


def set_number(page: Page, label: str, value: float) -> None:
    """Type the value of a slider."""
    page.get_by_label(f"number input for {label}").fill(f"{value}")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def test_an_image_is_read_and_its_thresholds_move(site: Site, tmp_path: Path) -> None:
    page, image = site.page, site.folder / "scans" / "1.png"
    choose(page, "Model", "ppocrv4-mobile")
    page.locator("#image-upload input[type=file]").first.set_input_files(str(image))
    summary = page.locator("#image-summary")
    expect(summary).to_contain_text("4 texts")
    loaded = printed_page(tmp_path / "1.png", 1, 4)
    expected = loaded.with_regions(page_model(published_bundle("ppocrv4-mobile"))(loaded.load()))
    texts = [region.text for region in expected.regions]
    expect(page.locator("#image-plain textarea")).to_have_value("\n".join(map(str, texts)))
    with page.expect_download() as download:
        page.get_by_text("Download the JSON").click()
    shown = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert shown == page_json(expected, (320, 160))
    for name in ("#image-boxes", "#image-texts"):
        page.wait_for_function("name => document.querySelector(`${name} img`)?.naturalWidth == 320", arg=name)

    page.get_by_text("Thresholds", exact=True).click()
    set_number(page, "Text score from", 1)
    expect(summary).to_contain_text("No text was found")
    expect(page.locator("#image-plain textarea")).to_have_value("")
    page.get_by_text("Back to the model's own").click()
    expect(page.locator("#image-plain textarea")).to_have_value("\n".join(map(str, texts)))


def test_what_is_no_image_is_said(site: Site, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    page = site.page
    page.locator("#image-upload").get_by_label("Clear").click()
    page.get_by_text("Boxes and texts appear here").wait_for()
    page.locator("#image-upload input[type=file]").first.set_input_files(str(tmp_path / "broken.png"))
    expect(page.get_by_text("broken.png: the image is damaged")).to_be_visible()


def test_a_zip_is_read_and_its_results_are_taken_along(site: Site, tmp_path: Path) -> None:
    page = site.page
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        for number in (1, 2):
            archive.write(site.folder / "scans" / f"{number}.png", f"{number}.png")
        archive.writestr("broken.png", b"no image")
    to_tab(page, "Batch")
    page.locator("#batch-files input[type=file]").first.set_input_files(str(tmp_path / "scans.zip"))
    expect(page.locator("#batch-files")).to_contain_text("scans.zip")
    page.locator("#batch-start").click()
    page.get_by_text("2 images read, 8 texts").wait_for()
    expect(page.locator("#batch-table")).to_contain_text("skipped: this is no image")
    with page.expect_download() as download:
        page.locator("#batch-result").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert {"predictions.jsonl", "skipped.txt", "texts/1.png.txt", "drawn/2.png.jpg"} <= set(archive.namelist())
        assert len(archive.read("predictions.jsonl").splitlines()) == 2


def test_an_exported_file_runs_as_the_page_says(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, v4_mobile: Bundle
) -> None:
    page = site.page
    to_tab(page, "Export")
    choose(page, "Model", "mine")
    page.locator("#export-start").click()
    page.get_by_text("The file does the same as the model").wait_for()
    expect(page.locator("#export-state")).to_contain_text("100.0%")
    with page.expect_download() as download:
        page.locator("#export-files a").first.click()
    assert download.value.suggested_filename == "model_800x800.onnx"
    download.value.save_as(tmp_path / "model_800x800.onnx")
    shutil.copy(site.folder / "scans" / "1.png", tmp_path / "test.jpg")
    monkeypatch.chdir(tmp_path)
    found: dict[str, np.ndarray] = {}
    exec(page.locator("#export-snippet .cm-content").inner_text(), found)
    assert (found["scores"] > 0.3).sum() == 4
    detector = BoxDetector(OnnxBoxEngine(tmp_path / "model_800x800.onnx"))
    (region, *_) = detector.detect(printed_page(tmp_path / "again.png", 1, 4).load())
    np.testing.assert_allclose(sorted(found["boxes"].reshape(-1, 4, 2)[:, :, 1].min(axis=1))[0] * 160 / 800,
                               region.polygon[:, 1].min(), atol=1e-3)  # fmt: skip


def test_a_service_answers_until_it_is_stopped(site: Site) -> None:
    page = site.page
    http_port, grpc_port = free_ports(2)
    to_tab(page, "Deploy")
    choose(page, "Model", "ppocrv4-mobile")
    page.locator("#deploy-http input").fill(str(http_port))
    page.locator("#deploy-grpc input").fill(str(grpc_port))
    page.locator("#deploy-token input").fill("sesame")
    page.locator("#deploy-start").click()
    line = page.locator("#deploy-curl .cm-content")
    expect(line).to_contain_text("curl")
    said = re.fullmatch(
        r"curl -H '(Authorization): (Bearer sesame)' -F image=@page.jpg (\S+)", line.inner_text().strip()
    )
    assert said is not None, line.inner_text()
    body, headers = form(("page.png", (site.folder / "scans" / "1.png").read_bytes()))
    connection = http.client.HTTPConnection(urlsplit(said[3]).netloc, timeout=60)
    connection.request("POST", "/predict", body, {**headers, said[1]: said[2]})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert len(answer["regions"]) == 4
    expect(page.locator("#deploy-state")).to_contain_text("1requests", use_inner_text=False)

    page.reload()  # another visit finds it again; it does not know the token
    to_tab(page, "Deploy")
    expect(page.locator("#deploy-state")).to_contain_text("It asks for a token")
    page.locator("#deploy-stop").click()
    page.get_by_text("No service runs.").wait_for()
    server = Deployment.find(Workspace.of([site.folder]).outputs)
    assert server is not None
    assert server.job.exit_code == 0


def test_the_page_fits_a_telephone(site: Site) -> None:
    for language, tabs in (("en", ("Batch", "Export", "Deploy")), ("zh", ("批量", "导出", "部署"))):
        page = opened(site.browser, site.url, (390, 844), language)
        for tab in tabs:
            to_tab(page, tab)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 390, f"{tab} is {width} pixels wide"
        page.close()
