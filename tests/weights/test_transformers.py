"""Folders of the package ``transformers``: see support/transformers_reference.py for what made the reference."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ocrtune.detection.network import FAMILY as DETECTORS
from ocrtune.recognition.network import FAMILY as RECOGNIZERS
from ocrtune.weights.network import Family, load_network
from support.transformers_reference import REFERENCE, SAMPLES, drawn

CASES: dict[str, dict[str, Any]] = json.loads(lzma.decompress(REFERENCE.read_bytes()))


@pytest.mark.parametrize("name", sorted(CASES))
def test_hugging_face_folder_computes_the_same_here(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    tensors = {key: torch.from_numpy(drawn(key, tuple(shape), case["gain"])) for key, shape in case["shapes"].items()}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": name}), encoding="utf-8")
    family: Family[Any] = DETECTORS if name.endswith("_det") else RECOGNIZERS
    network = load_network(family, str(tmp_path))  # whose network is found out from the tensors
    assert network.arch == case["arch"]
    assert network.form == ("training" if "v5" in name else "deployed"), "v6 comes with merged depthwise convolutions"
    assert network.report is not None
    assert network.report.complete
    with torch.no_grad():
        output = network.model.eval()(torch.from_numpy(drawn("input", tuple(case["input"])))).numpy().reshape(-1)
    ours = output[:: max(1, output.size // SAMPLES)]
    assert ours.std() > 1e-4
    np.testing.assert_allclose(ours, case["output"], atol=0.01 * ours.std())
