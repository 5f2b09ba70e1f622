"""The page as a server: who gets in, what it hands out, and that it asks nobody else."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ocrtune.errors import UsageError
from ocrtune.webui.language import preferred
from ocrtune.webui.server import login_of
from ocrtune.webui.workspace import Workspace
from support.pages import save_image
from support.webui import served


def ask(url: str, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's folder, with an output and links out of it; beside it a secret."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "seen" / "workdirs").mkdir(parents=True)
    (folder / "secret.txt").write_text("sesame")
    (folder / "seen" / "workdirs" / "model.onnx").write_text("model")
    (folder / "seen" / "workdirs" / "link.txt").symlink_to(folder / "secret.txt")
    (folder / "seen" / "link").symlink_to(folder)
    save_image(folder / "seen" / "image.png")
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with served(Workspace.of([folder / "seen"])) as address:
        yield address


@pytest.fixture(scope="module")
def locked(folder: Path) -> Iterator[str]:
    with served(Workspace.of([folder / "seen"]), ("name", "pass:wörd")) as address:
        yield address


@pytest.mark.parametrize("path", ["..", "../secret.txt", "/etc/passwd", "link/secret.txt", "link", "seen/../../x", " "])
def test_paths_out_of_the_folders_are_refused(folder: Path, path: str) -> None:
    with pytest.raises(UsageError, match=r"outside the folders|no path was given"):
        Workspace.of([folder / "seen"]).path(path)


def test_paths_in_the_folders_are_found(folder: Path) -> None:
    workspace = Workspace.of([folder / "seen"])
    for text in ("image.png", "./image.png", str(folder / "seen" / "image.png")):
        assert workspace.path(text) == (folder / "seen" / "image.png").resolve()
    assert workspace.dataset("icdar:workdirs") == f"icdar:{(folder / 'seen' / 'workdirs').resolve()}"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_files_out_of_the_outputs_are_not_handed_out(url: str, folder: Path, language: str) -> None:
    root = folder / "seen"
    for path in (
        "/etc/passwd",
        folder / "secret.txt",
        root / "image.png",  # in the page's folder, but not what it made
        root / "workdirs" / ".." / ".." / "secret.txt",
        root / "workdirs" / "%2e%2e" / "%2e%2e" / "secret.txt",
        root / "workdirs" / "link.txt",
        root / "link" / "secret.txt",
    ):
        for route in ("file=", "stream/", "proxy="):
            status, content = ask(url, f"/{language}/gradio_api/{route}{path}")
            assert status in (400, 403, 404), (path, route)
            assert b"sesame" not in content
            assert b"root:" not in content
    assert ask(url, f"/{language}/gradio_api/file={root / 'workdirs' / 'model.onnx'}") == (200, b"model")


def test_without_the_login_nothing_is_served(locked: str) -> None:
    wrong = base64.b64encode(b"name:other").decode()
    for headers in (
        {},
        {"Authorization": f"Basic {wrong}"},
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer x"},
    ):
        for path in (
            *("/", "/en/", "/zh/", "/en/config", "/en/gradio_api/info", "/en/gradio_api/config", "/en/theme.css"),
            *("/en/assets/index.js", "/en/gradio_api/queue/data", "/zh/gradio_api/startup-events", "/en/monitoring"),
        ):
            assert ask(locked, path, **headers) == (401, b"log in"), (path, headers)
        for path in ("/en/gradio_api/upload", "/en/gradio_api/queue/join", "/zh/gradio_api/call/look"):
            assert ask(locked, path, "POST", **headers)[0] == 401, path


def test_with_the_login_the_page_is_served(locked: str) -> None:
    right = base64.b64encode("name:pass:wörd".encode()).decode()
    status, content = ask(locked, "/en/", Authorization=f"Basic {right}")
    assert status == 200
    assert b"ocrtune" in content


@pytest.mark.parametrize("text", ["", "name", "name:", ":password"])
def test_half_a_login_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="login"):
        login_of(text)


def test_the_browsers_language_is_chosen(url: str) -> None:
    assert preferred("zh-CN,zh;q=0.9,en;q=0.8").code == "zh"
    assert preferred("de,en;q=0.5").code == "en"
    assert preferred("de").code == "en"
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", "/", headers={"Accept-Language": "zh"})
    assert connection.getresponse().getheader("location") == "zh/"
    connection.close()


def test_every_text_is_in_both_languages(url: str) -> None:
    """What stands on both pages in the same words is a name, not a forgotten translation."""
    texts = []
    for language in ("en", "zh"):
        config = json.loads(ask(url, f"/{language}/config")[1])
        texts.append(
            {
                str(component["props"].get(key))
                for component in config["components"]
                for key in ("label", "info", "placeholder", "value")
                if isinstance(component["props"].get(key), str)
            }
        )
    english, chinese = texts
    assert len(chinese - english) > 50
    assert not any("\u4e00" <= character <= "\u9fff" for text in english for character in text.replace("中文", ""))
    both = {text for text in english & chinese if " " in text and "ocrtune" not in text}
    assert not both, both
