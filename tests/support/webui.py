"""The page in the test's process, and a real browser that opens it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from ocrtune.webui.server import page_server
from ocrtune.webui.workspace import Workspace
from support.paths import need

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, NARROW = (1280, 900), (390, 844)
_PATIENCE = 120_000  # milliseconds: tests share the machine with others
expect.set_options(timeout=_PATIENCE)


@contextmanager
def served(workspace: Workspace, login: tuple[str, str] | None = None) -> Iterator[str]:
    """The page's address while it is served."""
    urls: list[str] = []
    ready = threading.Event()

    def started(url: str) -> None:
        urls.append(url)
        ready.set()

    server, listening = page_server(workspace, "127.0.0.1", 0, login, started)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert ready.wait(120), "the page's server does not start"
        yield urls[0]
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser without a window."""
    need(Path(CHROMIUM))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Browser, url: str, size: tuple[int, int] = WIDE, language: str = "en") -> Page:
    """The page in a tab of the browser; every request to another host than its own fails the test."""
    locale = {"zh": "zh-CN"}.get(language, language)  # Gradio's own words are in the browser's language
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, locale=locale)
    page.set_default_timeout(_PATIENCE)

    def only_here(route) -> None:  # type: ignore[no-untyped-def]
        if route.request.url.startswith((url, "data:", "blob:")):
            route.continue_()
        else:
            strangers.append(route.request.url)
            route.abort()

    strangers: list[str] = []
    page.route("**/*", only_here)
    page.goto(f"{url}/{language}/", wait_until="domcontentloaded")
    page.get_by_role("tab").first.wait_for()
    assert not strangers, f"the page asks other hosts: {strangers}"
    return page


def to_tab(page: Page, name: str) -> None:
    """Open a tab of the page; on a narrow one it may be in the menu behind the others."""
    buttons = page.locator(".tab-container button[role=tab]:visible", has_text=re.compile(f"^\\s*{name}\\s*$"))
    if not buttons.count():
        page.locator(".overflow-menu > button").first.click()
        buttons = page.locator(".overflow-dropdown button", has_text=re.compile(f"^\\s*{name}\\s*$"))
    buttons.first.click()


def shot(page: Page, path: Path) -> None:
    """A picture of the whole page."""
    page.screenshot(path=str(path), full_page=True)
