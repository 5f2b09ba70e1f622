"""The command itself with a published pipeline: the same answers everywhere, stops, kills, wrong calls, load."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from _serving import Client, ServerProcess, grpc_client, http_client, load, server_process
from google.protobuf.json_format import MessageToDict

from ocrtune.errors import UsageError
from ocrtune.page import Page
from ocrtune.serving.server import Address
from support.pages import write_heads
from support.paths import ROOT
from support.runs import OCRTUNE, fails, ocrtune, quiet_environment
from support.serving import running

BUNDLE, DETECTOR = "ppocrv4-mobile", "ppocrv4-mobile-det"


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory, receipt_pages: list[Page]) -> list[Path]:
    """The first texts of some receipts, as image files."""
    folder = tmp_path_factory.mktemp("heads")
    write_heads(receipt_pages[:3], 3, folder / "set")
    return sorted((folder / "set" / "img").iterdir())


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with server_process(BUNDLE) as started:
        yield started


def page_of(message: Any) -> dict[str, Any]:
    """A gRPC answer's one page in the shape of the predict JSON."""
    page = MessageToDict(message, preserving_proto_field_name=True)["pages"][0]
    for region in page["regions"]:
        region["polygon"] = [[point.get("x", 0.0), point.get("y", 0.0)] for point in region["polygon"]]
    return {"image": "", **page}


def test_command_line_http_and_grpc_give_the_same(server: ServerProcess, heads: list[Path]) -> None:
    lines = ocrtune("predict", BUNDLE, *heads, "--format", "jsonl").stdout.splitlines()
    with http_client(server.http) as over_http, grpc_client(server.grpc) as over_grpc:
        for path, line in zip(heads, lines, strict=True):
            expected = {**json.loads(line), "image": ""}
            assert expected["regions"], "there is something to read"
            assert over_http(path.read_bytes()) == ("200", expected)
            code, answer = over_grpc(path.read_bytes())
            assert (code, page_of(answer)) == ("OK", expected)


def test_pages_that_are_read_together_are_read_as_alone(server: ServerProcess, heads: list[Path]) -> None:
    images = [path.read_bytes() for path in heads]
    alone = load(1, images, partial(http_client, server.http))
    together = load(6, images * 2, partial(http_client, server.http))
    assert together.codes == {"200": 2 * len(images)}
    expected = [result["regions"] for _, result in sorted(alone.results, key=lambda one: one[0])]
    for index, result in together.results:
        assert_same(result["regions"], expected[index % len(heads)])


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Equal but for what another batch size does to the last digit of a score."""
    assert [{**one, "text_score": None} for one in found] == [{**one, "text_score": None} for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["text_score"] == pytest.approx(other["text_score"], abs=2e-4)


def test_killed_started_again_and_stopped_with_work_in_hand(heads: list[Path]) -> None:
    image = heads[0].read_bytes()
    with server_process(DETECTOR) as first:
        port = first.http
        with http_client(port) as send:
            before = send(image)
        first.process.kill()
        first.process.wait()
    with server_process(DETECTOR, http_port=port) as second:
        answers: list[tuple[str, Any]] = []

        def ask(client: Client) -> None:
            with client() as send:
                answers.append(send(image))

        clients = [partial(http_client, second.http)] * 11 + [partial(grpc_client, second.grpc)]
        threads = [threading.Thread(target=ask, args=[client]) for client in clients]
        for thread in threads:
            thread.start()
        while second.figure("ocrtune_pages_in_flight") < 4 and second.figure("ocrtune_pages_total") < 4:
            pass
        assert second.stop() == 0
        for thread in threads:
            thread.join()
    codes = Counter(code for code, _ in answers)
    assert codes["200"] + codes["OK"] >= 4, "what was accepted is answered"
    assert set(codes) <= {"200", "OK", "503", "UNAVAILABLE", "closed"}, "what came after is refused"
    assert all(answer == before for answer in answers if answer[0] == "200"), "as before the kill"


def test_wrong_calls_are_explained(tmp_path: Path) -> None:
    fails(2, "serve", "no-such-bundle", says="neither a bundle folder")
    (tmp_path / "fastapi.py").write_text("raise ImportError('not here')", encoding="utf-8")
    environment = {**quiet_environment(), "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "src")])}
    done = subprocess.run([*OCRTUNE, "serve", BUNDLE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "ocrtune[serve]" in done.stderr


def test_a_taken_port_is_told(server: ServerProcess) -> None:
    for address in (Address("127.0.0.1", server.http, 0), Address("127.0.0.1", 0, server.grpc)):
        told = f"127.0.0.1:{address.http or address.grpc}: the address cannot be listened on"
        with pytest.raises(UsageError, match=told), running(address=address):
            pass


def test_serving_loads_no_torch() -> None:
    check = "import sys, ocrtune.serving.server, ocrtune.weights.registry; assert 'torch' not in sys.modules"
    subprocess.run([*OCRTUNE[:1], "-c", check], env=quiet_environment(), check=True)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is absent")
def test_the_commands_of_the_documentation_run(server: ServerProcess, heads: list[Path], tmp_path: Path) -> None:
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    (tmp_path / "page.jpg").write_bytes(heads[0].read_bytes())
    (tmp_path / "page2.jpg").write_bytes(heads[1].read_bytes())
    lines = re.findall(r"^ {4}(curl .*)$", text, flags=re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        command = line.replace("127.0.0.1:8000", f"127.0.0.1:{server.http}")
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert done.stdout.startswith(("{", "# HELP"))
        assert '"error"' not in done.stdout
    (client,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    done = subprocess.run(
        [*OCRTUNE[:1], "-c", client.replace("127.0.0.1:50051", f"127.0.0.1:{server.grpc}")],
        cwd=tmp_path,
        env={**quiet_environment(), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3, done.stdout
