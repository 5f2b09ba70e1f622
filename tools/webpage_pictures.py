"""Makes the pictures of docs/webpage.md: ``PYTHONPATH=tests python tools/webpage_pictures.py DATA [FOLDER]``.

``DATA`` is a folder of images. Every tab is also taken at 390 pixels and in Chinese, into the folder ``all`` beside the
pictures, to be looked at.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import PIL.Image
from playwright.sync_api import Page, expect

from ocrtune.page import IMAGE_SUFFIXES
from ocrtune.webui.deployment import Deployment
from ocrtune.webui.workspace import Workspace
from support.webui import NARROW, WIDE, chromium, opened, served, shot, to_tab

_COLOURS = 64
_BATCH = 3
_SETTLES = 5000  # milliseconds until a tab shows what was started before


def main(data: Path, folder: Path) -> None:
    """Write the pictures.

    Args:
        data: folder of images.
        folder: takes the pictures.
    """
    images = sorted(path for path in data.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)[:_BATCH]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "all").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as seen:
        workspace = Workspace.of([Path(seen)])
        for image in images:
            shutil.copy(image, seen)
        with served(workspace) as url, chromium() as browser:
            for language in ("en", "zh"):
                for name, size in (("wide", WIDE), ("narrow", NARROW)):
                    page = opened(browser, url, size, language)
                    for tab, (names, fill) in TABS.items():
                        to_tab(page, names[language == "zh"])
                        fill(page, images)
                        shot(page, folder / "all" / f"{tab}-{language}-{name}.png")
                        if (language, name) == ("en", "wide"):
                            small = PIL.Image.open(folder / "all" / f"{tab}-{language}-{name}.png").convert("RGB")
                            small.quantize(_COLOURS).save(folder / f"webpage-{tab}.png", optimize=True)
                    page.close()
        if (server := Deployment.find(workspace.outputs)) is not None:
            server.job.stop()


def _image(page: Page, images: list[Path]) -> None:
    page.locator("#image-upload input[type=file]").first.set_input_files(str(images[0]))
    for name in ("#image-boxes", "#image-texts"):
        page.wait_for_function("name => document.querySelector(`${name} img`)?.naturalWidth > 0", arg=name)
    page.locator("#image-thresholds button").first.click()


def _batch(page: Page, images: list[Path]) -> None:
    page.locator("#batch-files input[type=file]").first.set_input_files([str(image) for image in images])
    expect(page.locator("#batch-files")).to_contain_text(images[-1].suffix)
    page.locator("#batch-start").click()
    page.locator("#batch-result").wait_for()


def _export(page: Page, images: list[Path]) -> None:
    page.wait_for_timeout(_SETTLES)
    if not page.locator("#export-files a").count():  # a later visit finds the first one's
        page.locator("#export-start").click()
    page.locator("#export-files a").first.wait_for()
    page.locator("#export-snippet .cm-content").wait_for()


def _deploy(page: Page, images: list[Path]) -> None:
    page.wait_for_timeout(_SETTLES)
    if page.locator("#deploy-start").is_enabled():
        page.locator("#deploy-start").click()
    page.locator("#deploy-curl .cm-content").wait_for()


TABS: dict[str, tuple[tuple[str, str], Callable[[Page, list[Path]], None]]] = {
    "image": (("Image", "图片"), _image),
    "batch": (("Batch", "批量"), _batch),
    "export": (("Export", "导出"), _export),
    "deploy": (("Deploy", "部署"), _deploy),
}
"""In English and Chinese, and how each is brought to show something."""

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(*sys.argv[2:3] or ("docs/images",)))
