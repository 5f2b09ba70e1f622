from __future__ import annotations

import hashlib
import multiprocessing
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ocrtune.errors import BundleError
from ocrtune.weights import download as module
from ocrtune.weights.download import cached_path, download

CONTENT = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    """Serves the same content everywhere; the path says what goes wrong, ``breaks`` how often."""

    requests: list[tuple[str, str | None]]
    breaks = 0
    version = '"v1"'

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.requests.append((self.path, wanted))
        if self.path.startswith("/gone"):
            self.send_error(404)
            return
        if self.path.startswith("/busy") and len(self.requests) == 1:
            self.send_error(503)
            return
        if self.path.startswith("/elsewhere"):
            self.send_response(302)
            self.send_header("Location", "/model.pdparams")
            self.end_headers()
            return
        content, start = CONTENT, 0
        if wanted is not None and self.headers.get("If-Range") == self.version and "/norange" not in self.path:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if "/noversion" not in self.path:
            self.send_header("ETag", self.version)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if type(self).breaks > 0:
            type(self).breaks -= 1
            self.wfile.write(content[start : start + 200_000])
            self.close_connection = True
        else:
            self.wfile.write(content[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(module, "_CHUNK", 50_000)
    _Handler.requests, _Handler.breaks, _Handler.version = [], 0, '"v1"'
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_download_is_checked_and_kept(server: str) -> None:
    told: list[str] = []
    shown: list[tuple[int, int | None]] = []
    address = f"{server}/model.pdparams#sha256={DIGEST}"
    path = download(address, told.append, lambda done, total: shown.append((done, total)))
    assert path == cached_path(address)
    assert path.read_bytes() == CONTENT
    assert told == [f"downloading {server}/model.pdparams"]
    assert shown[-1] == (len(CONTENT), len(CONTENT))
    assert len(shown) > 5
    assert download(address) == path
    assert len(_Handler.requests) == 1
    assert kept(path.parent) == ["model.pdparams"]


def test_unknown_checksum_is_recorded_and_said(server: str) -> None:
    told: list[str] = []
    path = download(f"{server}/model.pdparams", told.append)
    assert DIGEST in told[-1]
    assert path.with_name("model.pdparams.sha256").read_text() == f"{DIGEST}  model.pdparams\n"


def test_transfer_that_breaks_off_goes_on_where_it_stopped(server: str) -> None:
    _Handler.breaks = 2
    path = download(f"{server}/model.pdparams#sha256={DIGEST}")
    assert path.read_bytes() == CONTENT
    assert _Handler.requests == [
        ("/model.pdparams", None),
        ("/model.pdparams", "bytes=200000-"),
        ("/model.pdparams", "bytes=400000-"),
    ]


def test_next_call_goes_on_as_well(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", ())
    _Handler.breaks = 1
    address = f"{server}/model.pdparams"
    with pytest.raises(BundleError, match="broke off after 200000 of 512000 bytes"):
        download(address)
    assert kept(tmp_path / "cache") == [".model.pdparams.partial", ".model.pdparams.partial.version"]
    assert download(address).read_bytes() == CONTENT
    assert _Handler.requests[-1] == ("/model.pdparams", "bytes=200000-")
    assert kept(tmp_path / "cache") == ["model.pdparams", "model.pdparams.sha256"]


@pytest.mark.parametrize("path", ["/norange/model.pth", "/noversion/model.pth"])
def test_server_that_cannot_go_on_starts_again(server: str, path: str) -> None:
    _Handler.breaks = 1
    assert download(server + path).read_bytes() == CONTENT
    assert len(_Handler.requests) == 2


def test_changed_file_is_fetched_anew(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", ())
    _Handler.breaks = 1
    with pytest.raises(BundleError, match="broke off"):
        download(f"{server}/model.pth")
    _Handler.version = '"v2"'
    assert download(f"{server}/model.pth").read_bytes() == CONTENT
    assert _Handler.requests[-1] == ("/model.pth", "bytes=200000-")


def test_busy_server_is_asked_again_and_redirects_are_followed(server: str) -> None:
    assert download(f"{server}/busy.pth").read_bytes() == CONTENT
    assert download(f"{server}/elsewhere.pth").read_bytes() == CONTENT


def test_missing_file_and_wrong_checksum_leave_nothing(server: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="answered 404") as caught:
        download(f"{server}/gone.pth")
    assert len(_Handler.requests) == 1, "another try would not change the answer"
    assert str(cached_path(f"{server}/gone.pth")) in (caught.value.hint or "")
    with pytest.raises(BundleError, match="checksum"):
        download(f"{server}/model.pth#sha256=00")
    assert kept(tmp_path / "cache") == [".model.pth.partial.version"]
    assert download(f"{server}/model.pth#sha256={DIGEST}").read_bytes() == CONTENT


def test_without_a_network_the_error_says_which_file_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCRTUNE_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "_PAUSES", (0.0,))
    address = "http://127.0.0.1:9/model.pth"
    with pytest.raises(BundleError, match="cannot be downloaded") as caught:
        download(address)
    place = cached_path(address)
    assert f"put it at {place}" in (caught.value.hint or "")
    assert kept(tmp_path) == []
    place.write_bytes(b"brought on a stick")
    assert download(address) == place


def _fetch(address: str) -> None:
    assert download(address).read_bytes() == CONTENT


def test_processes_wait_for_each_other(server: str) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_fetch, args=(f"{server}/model.pth#sha256={DIGEST}",)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(_Handler.requests) == 1
