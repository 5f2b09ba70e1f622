from __future__ import annotations

import io
import json
import logging
import re
import socket
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import PIL.Image
import pypdfium2
import pytest

from ocrtune.serving import server as server_module
from ocrtune.serving.limits import Limits
from ocrtune.serving.logs import JsonLines
from support.serving import Gate, Running, form, painted, running

GOOD = painted(40, 30)


def pdf(*sizes: tuple[float, float]) -> bytes:
    """Empty pages of so many points."""
    with pypdfium2.PdfDocument.new() as document:
        for size in sizes:
            document.new_page(*size).close()
        file = io.BytesIO()
        document.save(file)
    return file.getvalue()


def png_head(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds next to nothing."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def gif() -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (4, 4)).save(file, "GIF")
    return file.getvalue()


def turned_jpeg() -> bytes:
    """40 x 30 pixels as stored, to be shown turned by 90 degrees."""
    file, exif = io.BytesIO(), PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.new("RGB", (40, 30)).save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(limits=Limits(request_bytes=200_000)) as started:
        yield started


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_every_kind_of_image(server: Running, suffix: str) -> None:
    image = painted(50, 20, suffix)
    body, headers = form((f"page{suffix}", image))
    expected = {
        "image": f"page{suffix}",
        "width": 50,
        "height": 20,
        "regions": [
            {
                "polygon": [[0.0, 0.0], [50.0, 0.0], [50.0, 20.0], [0.0, 20.0]],
                "score": 0.5,
                "text": "50x20",
                "text_score": 1.0,
            }
        ],
    }
    assert server.ask("POST", "/predict", body, headers).json == expected
    raw = server.ask("POST", f"/predict?name=page{suffix}", image, {"content-type": "image/png"})
    assert raw.json == expected


def test_sizes_are_those_after_exif_rotation(server: Running) -> None:
    found = server.predict(turned_jpeg()).json
    assert (found["width"], found["height"]) == (30, 40)


def test_a_pdf_has_an_answer_for_each_page(server: Running) -> None:
    body, headers = form(("two.pdf", pdf((72, 36), (36, 36))))
    pages = server.ask("POST", "/predict", body, headers).json
    assert [(page["image"], page["width"], page["height"]) for page in pages] == [
        ("two.pdf#1", 200, 100),
        ("two.pdf#2", 100, 100),
    ]
    assert len(server.predict(pdf((72, 36))).json) == 1
    too_long = server.predict(pdf(*[(9, 9)] * 51))
    assert (too_long.status, too_long.json["what"]) == (413, "the PDF has 51 pages")
    poster = server.predict(pdf((9, 9), (14000, 14000)))
    assert poster.status == 422
    assert "38889 x 38889 pixels" in poster.json["what"]
    assert server.predict(b"%PDF-1.7 and then nothing").status == 422


HOSTILE = {
    "no byte": (b"", "the file is empty"),
    "a text": (b"<html>no image</html>", "this is no image"),
    "another kind of image": (gif(), "this is no image"),
    "the first bytes of an image": (GOOD[:20], "the image is damaged"),
    "half an image": (painted(90, 80, ".webp")[:-30], "damaged"),
    "noise behind the first bytes": (b"\xff\xd8\xff" + bytes(range(256)) * 9, "damaged"),
    "a bomb of pixels": (png_head(8000, 8000), "the image has 8000 x 8000 pixels"),
    "a bomb that Pillow knows": (png_head(60000, 60000), "far too many pixels"),
    "a side of nothing": (png_head(0, 10), "damaged"),
    "very many scans": (painted(9, 9, ".jpg") + b"\xff\xda" * 200, "more than 100 scans"),
    "a TIFF that points nowhere": (b"II*\x00\xff\xff\xff\x7f" + b"\x00" * 64, "damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_broken_image_gives_one_clear_message(server: Running, case: str) -> None:
    content, says = HOSTILE[case]
    body, headers = form(("a.png", content))
    answer = server.ask("POST", "/predict", body, headers)
    assert answer.status == 422
    assert says in answer.json["what"]
    assert set(answer.json) == {"error", "what", "where", "expected", "to_do"}
    assert answer.json["where"] == "a.png"
    assert " at 0x" not in answer.content.decode(), "no internals"
    assert server.predict(GOOD).status == 200


def test_a_batch_has_a_result_or_an_error_in_each_place(server: Running) -> None:
    files = [
        ("a.png", GOOD),
        ("b.png", b"broken"),
        ("c.pdf", pdf((36, 36), (72, 72))),
        ("d.jpg", painted(9, 8, ".jpg")),
    ]
    body, headers = form(*files)
    results = server.ask("POST", "/predict/batch", body, headers).json["results"]
    assert [result["image"] for result in results] == ["a.png", "b.png", "c.pdf#1", "c.pdf#2", "d.jpg"]
    assert [result.get("width") for result in results] == [40, None, 100, 200, 9]
    assert results[1]["error"]["what"] == "this is no image"
    many, headers = form(*[("a.png", GOOD)] * 33)
    refused = server.ask("POST", "/predict/batch", many, headers)
    assert (refused.status, refused.json["what"]) == (413, "the request has 33 files")


def test_wrong_forms_are_told(server: Running) -> None:
    body, headers = form(("a.png", GOOD), ("b.png", GOOD))
    assert "use /predict/batch" in server.ask("POST", "/predict", body, headers).json["to_do"]
    body, headers = form(("a.png", GOOD), field="file")
    assert server.ask("POST", "/predict", body, headers).json["what"] == "the form has no file 'image'"
    for kind in ("multipart/form-data", "multipart/form-data; boundary=other", "multipart/x; boundary=" + "b" * 300):
        assert server.ask("POST", "/predict", body, {"content-type": kind}).status == 400
    assert server.ask("POST", "/predict", b"--edge\r\n" + b"x" * 999, headers).status == 400
    assert server.ask("POST", f"/predict?name={'n' * 256}", GOOD).status == 422


def test_too_large_a_body_is_refused_with_and_without_its_length(server: Running) -> None:
    declared = server.predict(bytes(300_000))
    assert declared.status == 413
    with socket.create_connection(("127.0.0.1", server.address.http), timeout=60) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(30):
            connection.sendall(b"2710\r\n" + bytes(10_000) + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_memory_for_requests_is_bounded() -> None:
    with running(limits=Limits(buffered_bytes=1000)) as server:
        full = server.predict(painted(200, 200, ".bmp"))
        assert (full.status, full.json["what"]) == (503, "the memory for requests is full")
        assert server.predict(GOOD).status == 200, "what was taken is given back"


def test_heads_that_are_too_large_or_no_http(server: Running) -> None:
    for head in (
        b"GET /health HTTP/1.1\r\nX: " + b"x" * 200_000,
        b"\x16\x03\x01\x00\xff" * 20 + b"\r\n\r\n",
        b"\x00" * 99_999,
    ):
        with socket.create_connection(("127.0.0.1", server.address.http), timeout=60) as connection:
            try:
                connection.sendall(head)
                answer = connection.recv(1000)
            except ConnectionError:  # closed while we were still sending
                answer = b""
        assert answer == b"" or b" 400 " in answer
    assert server.ask("GET", "/health").json == {"status": "ok"}


def test_slow_clients_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEAD_SECONDS", 1)
    with running(limits=Limits(receive_seconds=1)) as server:
        place = ("127.0.0.1", server.address.http)
        for start in (b"", b"GET /hea"):
            with socket.create_connection(place, timeout=60) as connection:
                connection.sendall(start)
                assert connection.recv(100) == b"", "closed without an answer"
        with socket.create_connection(place, timeout=60) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
            assert connection.recv(100).startswith(b"HTTP/1.1 408")
        with socket.create_connection(place, timeout=60) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET /hea")
            assert b"HTTP/" not in (connection.recv(1000) + connection.recv(1000)), "nor a second time"


def test_a_full_queue_tells_when_to_come_back() -> None:
    gate = Gate()
    with running(gate, Limits(queue=2)) as server, ThreadPoolExecutor(2) as clients:
        accepted = [clients.submit(server.predict, painted(width, 9)) for width in (20, 21)]
        server.until_in_flight(2)
        refused = server.predict(GOOD)
        assert (refused.status, refused.json["what"]) == (503, "the queue is full")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert server.ask("GET", "/ready").status == 200
        gate.open()
        assert [one.result().json["width"] for one in accepted] == [20, 21]
        assert server.predict(GOOD).status == 200


def test_a_result_that_takes_too_long() -> None:
    gate = Gate()
    with running(gate, Limits(seconds=0.2, queue=1)) as server:
        late = server.predict(GOOD)
        assert (late.status, late.json["what"]) == (504, "there was no result within 0.2 s")
        gate.open()
        server.until_in_flight(0)
    assert gate.batches == [1]


def test_work_for_a_client_that_has_gone_is_given_up() -> None:
    gate = Gate()
    with running(gate, Limits(queue=1)) as server:
        with socket.create_connection(("127.0.0.1", server.address.http), timeout=60) as connection:
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(GOOD)}\r\n\r\n"
            connection.sendall(head.encode() + GOOD)
            server.until_in_flight(1)
        server.until_in_flight(0)
        gate.open()
        assert server.predict(GOOD).status == 200


def test_the_servers_own_failure_is_told_without_internals(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    gate.open()
    with running(gate) as server, caplog.at_level(logging.INFO, "ocrtune.serving"):
        failed = server.predict(painted(13, 5))
        assert (failed.status, failed.json["what"]) == (500, "the server failed at this request")
        assert b"thirteen" not in failed.content
        assert server.predict(GOOD).status == 200
    (fault,) = [record for record in caplog.records if record.exc_info]
    assert fault.getMessage() == "request failed"
    assert "thirteen" in str(fault.exc_info)


def test_a_token_is_asked_for() -> None:
    with running(token="secret ünlike") as server:
        body, headers = form(("a.png", GOOD))
        for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic c2VjcmV0"}):
            for method, path in (
                ("POST", "/predict"),
                ("POST", "/predict/batch"),
                ("GET", "/models"),
                ("GET", "/metrics"),
            ):
                refused = server.ask(method, path, body if method == "POST" else None, {**headers, **given})
                assert refused.status == 401
                assert refused.headers["www-authenticate"] == "Bearer"
        for path in ("/health", "/ready", "/docs", "/openapi.json"):
            assert server.ask("GET", path).status == 200
    with running(token="secret") as server:
        assert server.ask("POST", "/predict", body, {**headers, "authorization": "Bearer secret"}).status == 200


def test_what_runs_is_shown(server: Running) -> None:
    assert server.ask("GET", "/models").json["limits"]["request_bytes"] == 200_000
    assert "swagger" in server.ask("GET", "/docs").content.decode()
    unknown = server.ask("GET", "/nothing")
    assert (unknown.status, unknown.json["what"]) == (404, "Not Found")
    wrong = server.ask("GET", "/predict")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")


def test_figures_for_prometheus() -> None:
    with running() as server:
        server.predict(GOOD)
        server.predict(b"broken")
        server.ask("BREW", "/coffee")
        server.ask("BREW", "/predict")
        shown = server.ask("GET", "/metrics")
        assert shown.headers["content-type"].startswith("text/plain; version=")
        figures = dict(re.findall(r"^(ocrtune_.+) (\S+)$", shown.content.decode(), flags=re.MULTILINE))
    assert float(figures['ocrtune_requests_total{code="200",method="POST /predict",protocol="http"}']) == 1
    assert float(figures['ocrtune_requests_total{code="422",method="POST /predict",protocol="http"}']) == 1
    assert float(figures['ocrtune_requests_total{code="404",method="other",protocol="http"}']) == 1
    assert float(figures['ocrtune_requests_total{code="405",method="other",protocol="http"}']) == 1
    assert not any("BREW" in name for name in figures), "clients do not make up names of figures"
    assert float(figures["ocrtune_pages_total"]) == 1
    assert float(figures["ocrtune_pages_in_flight"]) == 0
    assert float(figures["ocrtune_batch_seconds_count"]) == 1


def test_logs_tell_what_happened_and_not_what_was_shown(caplog: pytest.LogCaptureFixture) -> None:
    with running() as server, caplog.at_level(logging.INFO, "ocrtune.serving"):
        body, headers = form(("confidential.png", painted(77, 11)))
        assert server.ask("POST", "/predict", body, headers).json["regions"][0]["text"] == "77x11"
        server.grpc_predict(painted(77, 11), "confidential.png")
    lines = [server_log(record) for record in caplog.records if record.name == "ocrtune.serving"]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["protocol"], line["method"], line["code"]) for line in requests] == [
        ("http", "POST /predict", 200),
        ("grpc", "Predict", "OK"),
    ]
    assert all(line["ms"] >= 0 for line in requests)
    assert not any("confidential" in str(line) or "77x11" in str(line) for line in lines)


def server_log(record: logging.LogRecord) -> dict[str, Any]:
    """A record as the log on stderr has it."""
    line = JsonLines().format(record)
    assert "\n" not in line
    return dict(json.loads(line))


def test_a_stop_finishes_what_was_accepted() -> None:
    gate = Gate()
    with running(gate) as server, ThreadPoolExecutor(3) as clients:
        accepted = [clients.submit(server.predict, painted(width, 9)) for width in (20, 21)]
        over_grpc = clients.submit(server.grpc_predict, painted(22, 9))
        server.until_in_flight(3)
        with socket.create_connection(("127.0.0.1", server.address.http), timeout=60) as kept:
            kept.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
            assert kept.recv(1000).startswith(b"HTTP/1.1 200")
            server.stop()
            kept.recv(1000)  # closed by the server, or the rest of its answer
        while True:  # until nobody listens any more
            try:
                socket.create_connection(("127.0.0.1", server.address.http), timeout=60).close()
            except ConnectionError:
                break
        assert not any(one.done() for one in accepted)
        assert not over_grpc.done()
        gate.open()
        assert [one.result().json["width"] for one in accepted] == [20, 21]
        assert over_grpc.result().pages[0].width == 22
