from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

from ocrtune.detection.evaluate import evaluate_detector
from ocrtune.detection.model import DETECTORS, build_detector
from ocrtune.detection.network import FAMILY
from ocrtune.errors import BundleError, ConfigError
from ocrtune.nn.engine import TorchEngine
from ocrtune.nn.fuse import deployed
from ocrtune.page import Page
from ocrtune.runtime.detector import TextDetector
from ocrtune.runtime.load import load_detector
from ocrtune.weights.network import load_network
from ocrtune.weights.paddle import torch_name
from ocrtune.weights.registry import published_bundle
from support.golden import generated_state, load_json


@pytest.mark.parametrize("name", ["ppocrv4-mobile-det", "ppocrv6-small-det"])
def test_torch_network_equals_onnx_runtime_on_real_pages(name: str, receipt_pages: list[Page]) -> None:
    """Both are compared with float64, too: on a few large white pages ONNX Runtime's own rounding exceeds 1e-4."""
    onnx = load_detector(published_bundle(name))
    network = load_network(FAMILY, name)
    assert network.form == "deployed"
    ours, exact = TorchEngine(network.model), copy.deepcopy(network.model).double().eval()
    close = 0
    for page in receipt_pages[:6]:
        batch = onnx.preprocess(page.load())
        mine, theirs = ours(batch), onnx.engine(batch)
        with torch.no_grad():
            reference = exact(torch.from_numpy(batch).double()).numpy()
        assert np.abs(mine - reference).max() < 1e-4
        difference = np.abs(mine - theirs).max()
        assert difference < 1e-4 + np.abs(theirs - reference).max()
        close += bool(difference < 1e-4)
    assert close >= 4
    a = evaluate_detector(TextDetector(ours, onnx.preprocess, onnx.thresholds), receipt_pages[:6])
    b = evaluate_detector(onnx, receipt_pages[:6])
    assert a.score == b.score


def test_published_weights_come_without_denormal_numbers() -> None:
    bundle = published_bundle("ppocrv6-small-det")
    stored = [numpy_helper.to_array(tensor) for tensor in onnx.load(bundle.onnx).graph.initializer]
    tiny = np.finfo(np.float32).tiny
    assert sum(((w != 0) & (np.abs(w) < tiny)).sum() for w in stored if w.dtype == np.float32) > 100_000
    weights = load_network(FAMILY, "ppocrv6-small-det").model.state_dict().values()
    assert not any(((w != 0) & (w.abs() < tiny)).any() for w in weights if w.is_floating_point())


@pytest.mark.parametrize("arch", sorted(DETECTORS))
def test_folding_changes_nothing_but_the_form(arch: str) -> None:
    torch.manual_seed(0)
    model = build_detector(arch).double().train()
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(2, 3, 64, 96).double())  # gives the normalisation layers statistics of their own
    model.eval()
    x = torch.randn(1, 3, 64, 96).double()
    folded = deployed(model)
    with torch.no_grad():
        assert (model(x) - folded(x)).abs().max() < 1e-9
    assert sum(p.numel() for p in folded.parameters()) < sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("form", ["training", "deployed"])
def test_weight_files_of_both_forms_are_recognised(tmp_path: Path, suffix: str, form: str) -> None:
    torch.manual_seed(1)
    model = build_detector("db_pplcnetv3_mobile")
    if form == "deployed":
        model = deployed(model)
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    loaded = load_network(FAMILY, str(path))
    assert (loaded.arch, loaded.form) == ("db_pplcnetv3_mobile", form)
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_pdparams_of_the_official_code(tmp_path: Path) -> None:
    state = generated_state(load_json("models/v4_mobile_det.json"))
    path = tmp_path / "student.pdparams"
    with path.open("wb") as file:
        pickle.dump({**state, "StructuredToParameterName@@": {"a": "b"}}, file, protocol=4)
    loaded = load_network(FAMILY, str(path))
    assert (loaded.arch, loaded.form) == ("db_pplcnetv3_mobile", "training")
    tensors = loaded.model.state_dict()
    for name, value in state.items():
        assert torch.equal(tensors[torch_name(name)], torch.from_numpy(value)), name


class _Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("attacked"),))  # type: ignore[return-value]


@pytest.mark.parametrize("suffix", [".pdparams", ".pth"])
def test_no_weight_file_runs_code(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"evil{suffix}"
    path.write_bytes(pickle.dumps({"weight": _Attack()}, protocol=2))
    with pytest.raises(BundleError):
        load_network(FAMILY, str(path))
    assert not (tmp_path / "attacked").exists()


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    save_file({"other": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(BundleError, match="none of the known networks"):
        load_network(FAMILY, str(tmp_path / "other.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0")
    with pytest.raises(BundleError, match="no valid safetensors"):
        load_network(FAMILY, str(tmp_path / "cut.safetensors"))
    with pytest.raises(BundleError, match="does not exist"):
        load_network(FAMILY, str(tmp_path / "gone.pth"))
    with pytest.raises(ConfigError, match="cannot be unfolded"):
        load_network(FAMILY, "ppocrv4-mobile-det", form="training")
    with pytest.raises(ConfigError, match="belong to"):
        load_network(FAMILY, "ppocrv4-mobile-det", arch="db_resnet18_vd")
    with pytest.raises(ConfigError, match="fresh weights need a network"):
        load_network(FAMILY, None)
