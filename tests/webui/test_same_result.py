"""One image and one bundle give one result: command line, HTTP, gRPC, web page, and ``onnx-boxes`` within its tolerance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict

from ocrtune.bundle import Bundle
from ocrtune.cli.main import app
from ocrtune.export.boxes.gate import gated_boxes_onnx
from ocrtune.page import Page
from ocrtune.runtime.boxes import BoxDetector
from ocrtune.runtime.engines import OnnxBoxEngine
from ocrtune.runtime.pages import pages_model
from ocrtune.webui.models import Models
from ocrtune.webui.reading import Looks
from ocrtune.weights.registry import published_bundle
from support.pages import printed_page
from support.serving import Running, running

BUNDLES = ("ppocrv4-mobile", "ppocrv4-mobile-det")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return printed_page(tmp_path_factory.mktemp("same") / "page.png", 7)


@pytest.fixture(scope="module", params=BUNDLES)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return published_bundle(request.param)


@pytest.fixture(scope="module")
def server(bundle: Bundle) -> Iterator[Running]:
    with running(pages_model(bundle)) as started:
        yield started


@pytest.fixture(scope="module")
def expected(bundle: Bundle, page: Page) -> list[dict[str, Any]]:
    """What the page shows."""
    look = Looks(Models()).get(bundle, "document", page.path.read_bytes(), page.path.name)
    shown = look.json(look.regions(look.own))
    assert (shown["width"], shown["height"]) == (320, 320)
    regions: list[dict[str, Any]] = shown["regions"]
    assert len(regions) == len(page.regions)
    return regions


def test_command_line(bundle: Bundle, page: Page, expected: object, capsys: pytest.CaptureFixture[str]) -> None:
    app(["predict", str(bundle.path), str(page.path), "--format", "json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["regions"] == expected


def test_http(server: Running, page: Page, expected: object) -> None:
    assert server.predict(page.path.read_bytes()).json["regions"] == expected


def test_grpc(server: Running, page: Page, expected: list[dict[str, Any]]) -> None:
    answer = MessageToDict(server.grpc_predict(page.path.read_bytes()), preserving_proto_field_name=True)
    for region, other in zip(answer["pages"][0]["regions"], expected, strict=True):
        assert [[point.get("x", 0.0), point.get("y", 0.0)] for point in region["polygon"]] == other["polygon"]
        assert {key: value for key, value in region.items() if key != "polygon"} == {
            key: value for key, value in other.items() if key != "polygon"
        }


def test_onnx_boxes(bundle: Bundle, page: Page, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    content, _ = gated_boxes_onnx(bundle, 320, 320, [page])
    (tmp_path / "boxes.onnx").write_bytes(content)
    found = BoxDetector(OnnxBoxEngine(tmp_path / "boxes.onnx")).detect(page.load())
    assert len(found) == len(expected)
    for region, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            region.polygon, other["polygon"], atol=1.5
        )  # whole pixels on one side, one of offset
        assert region.score == pytest.approx(other["score"], abs=0.02)
