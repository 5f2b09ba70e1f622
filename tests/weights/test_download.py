from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ocrtune.errors import BundleError
from ocrtune.weights.download import download

CONTENT = b"weights" * 1000


class _Handler(BaseHTTPRequestHandler):
    requests = 0

    def do_GET(self) -> None:
        type(self).requests += 1
        if self.path.startswith("/gone"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:100] if self.path.startswith("/broken") else CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path / "cache"))
    _Handler.requests = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_download_is_checked_and_kept(server: str) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    path = download(f"{server}/model.pdparams#sha256={digest}")
    assert path.name == "model.pdparams"
    assert path.read_bytes() == CONTENT
    assert download(f"{server}/model.pdparams#sha256={digest}") == path
    assert _Handler.requests == 1


@pytest.mark.parametrize(
    ("address", "says"),
    [("/gone.pth", "404"), ("/broken.pth", "broke off"), ("/model.pth#sha256=00", "checksum")],
)
def test_failures_are_said_and_leave_nothing(server: str, tmp_path: Path, address: str, says: str) -> None:
    with pytest.raises(BundleError, match=says):
        download(server + address)
    assert kept(tmp_path / "cache") == []


def test_server_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path))
    with pytest.raises(BundleError, match="cannot be downloaded"):
        download("http://127.0.0.1:9/model.pth")
    assert kept(tmp_path) == []
