from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ocrtune.cli.main import app
from ocrtune.data.formats import write_dataset
from ocrtune.errors import MissingExtraError, UsageError
from support.pages import printed_page, save_image

BUNDLE = "ppocrv4-mobile"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints on stdout, in this process."""
    app([str(each) for each in arguments], standalone_mode=False)
    return capsys.readouterr().out


def test_predict_and_eval_take_an_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = printed_page(tmp_path / "page.png", seed=0, texts=3)
    write_dataset([page], "json", tmp_path / "labels.json")
    read, measured = [], []
    for engine in ("onnxruntime", "openvino"):
        read.append(run(capsys, "predict", BUNDLE, tmp_path / "page.png", "--format", "text", "--engine", engine))
        labels = f"json:{tmp_path / 'labels.json'}"
        measured.append(json.loads(run(capsys, "eval", BUNDLE, labels, "--engine", engine, "--json")))
    assert len(read[0].splitlines()) == 3
    assert read[0] == read[1]
    assert measured[0] == measured[1]


def test_a_wrong_or_missing_engine_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "a.png"
    save_image(image)
    for verb, what in (("predict", image), ("eval", image)):
        with pytest.raises(UsageError, match="'tensorrt' is no engine") as usage:
            run(capsys, verb, BUNDLE, what, "--engine", "tensorrt")
        assert usage.value.expected == "onnxruntime, openvino, openvino-bf16"
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match="needs the Python package 'openvino'"):
        run(capsys, "predict", BUNDLE, image, "--engine", "openvino")
