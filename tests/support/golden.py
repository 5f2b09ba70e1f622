"""Reads the reference outputs of the official code; everything (seeds, inputs, sizes, cases) comes from that folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ocrtune.detection.model import DBDetector, build_detector
from ocrtune.orientation.model import build_classifier
from ocrtune.recognition.model import CTCRecognizer, build_guide, build_recognizer
from ocrtune.weights.paddle import to_torch
from support.paths import GOLDEN, need

DETECTORS = {
    "v20_mobile_det": "db_mobilenetv3_dbfpn",
    "v20_server_det": "db_resnet18_vd",
    "v3_mobile_det": "db_mobilenetv3_rsefpn",
    "v3_server_det": "db_resnet50_vd_lkpan",
    "v4_mobile_det": "db_pplcnetv3_mobile",
    "v4_server_det": "db_pphgnet_server",
    "v5_server_det": "db_pphgnetv2_server",
    "v6_tiny_det": "db_pplcnetv4_tiny",
    "v6_small_det": "db_pplcnetv4_small",
}

RECOGNIZERS = {
    "v20_mobile_rec": "ctc_mobilenetv3_crnn",
    "v2_rec": "ctc_mobilenetv1_crnn",
    "v3_mobile_rec": "ctc_mobilenetv1_svtr",
    "v4_mobile_rec": "ctc_pplcnetv3_mobile",
    "v4_server_rec": "ctc_pphgnet_server",
    "v5_mobile_rec": "ctc_pplcnetv3_mobile",
    "v5_server_rec": "ctc_pphgnetv2_server",
    "v6_small_rec": "ctc_pplcnetv4_small",
    "v4_rec_svtr_large": "ctc_svtrnet_large",
}
STORED = Path(__file__).parents[1] / "recognition" / "data"
"""References in the golden set's form for networks that it lacks."""
CLASSIFIERS = {"cls_mv3": "cls_mobilenetv3_x0_35"}


def load_json(name: str) -> Any:
    return json.loads(need(GOLDEN / name).read_text(encoding="utf-8"))


def load_arrays(name: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(need(GOLDEN / name)) as archive:
        return {key: archive[key] for key in archive.files}


def stream(seed: str, key: str) -> np.random.Generator:
    """The generator rule of the golden set's README, section 1."""
    digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def generated_state(model: dict[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
    """The state dict of a golden model in Paddle's names and layouts; its checksum is verified."""
    digest = hashlib.sha256()
    state = {}
    for key, (shape, _kind, draw, add, mul) in model["weights"].items():
        rng = stream(model["seed"], key)
        values = rng.random(shape, np.float32) if draw == "uniform" else rng.standard_normal(shape, np.float32)
        state[key] = np.asarray(np.float32(add) + np.float32(mul) * values, np.float32)
        digest.update(np.ascontiguousarray(state[key]).tobytes())
    assert digest.hexdigest() == model["sha256_of_all_generated_tensors"], "the generator rule was not followed"
    return state


def golden_detector(name: str, model: dict[str, Any]) -> DBDetector:
    """One of the networks with its generated weights; every tensor has to find its place."""
    network = build_detector(DETECTORS[name])
    _load_all(network, model)
    return network


def golden_recognizer(name: str, model: dict[str, Any]) -> CTCRecognizer:
    """One of the recognisers, with the guide of its training, and its generated weights."""
    network = build_recognizer(RECOGNIZERS[name], model["num_classes"])
    network.guide = build_guide(RECOGNIZERS[name], network)
    _load_all(network, model)
    for module in network.modules():
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx] = 0  # what Paddle gives for padding, whatever the row holds
    return network


def golden_classifier(name: str, model: dict[str, Any]) -> nn.Module:
    """One of the direction classifiers with its generated weights."""
    network = build_classifier(CLASSIFIERS[name])
    _load_all(network, model)
    return network


def _load_all(network: nn.Module, model: dict[str, Any]) -> None:
    result = network.load_state_dict(to_torch(generated_state(model), network), strict=False)
    assert not result.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in result.missing_keys)


def golden_model(name: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]:
    """Description, outputs and inputs of a golden network."""
    stored = STORED / f"{name}.json"
    if stored.is_file():
        model = json.loads(stored.read_text(encoding="utf-8"))
        with np.load(stored.with_suffix(".npz")) as archive:
            arrays = {key: archive[key] for key in archive.files}
        inputs = {key: _drawn(model["seed"], key) for key in model["eval_inputs"]}
        return model, arrays, inputs
    return load_json(f"models/{name}.json"), load_arrays(f"models/{name}.npz"), load_arrays("models/inputs.npz")


def _drawn(seed: str, key: str) -> npt.NDArray[np.float32]:
    """The input of a name such as ``input/2x3x48x320``."""
    shape = [int(side) for side in key.split("/")[1].split("x")]
    return np.asarray(stream(seed, key).standard_normal(shape, np.float32))


def tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, np.float32))
