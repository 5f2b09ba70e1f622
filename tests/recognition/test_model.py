from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from ocrtune.charset import columns_needed
from ocrtune.export.onnx import line_model_onnx
from ocrtune.nn.backbones.svtrnet import MLP, Attention, Block
from ocrtune.nn.fuse import deployed
from ocrtune.recognition.guide import guide_loss, guide_tokens
from ocrtune.recognition.loss import ctc_loss, ctc_losses
from ocrtune.recognition.model import (
    GUIDES,
    CTCRecognizer,
    Guided,
    Told,
    build_guide,
    build_recognizer,
)
from ocrtune.recognition.model import RECOGNIZERS as ARCHITECTURES
from ocrtune.recognition.network import FAMILY
from ocrtune.weights.network import inference_form, load_network
from ocrtune.weights.paddle import to_torch, torch_name
from support.golden import (
    CLASSIFIERS,
    RECOGNIZERS,
    golden_classifier,
    golden_model,
    golden_recognizer,
    load_arrays,
    load_json,
    stream,
    tensor,
)
from support.paths import SHARED, need
from support.svtr import LARGE, small_svtrnet

# state dicts of the official networks: names and shapes alone
KEY_LISTS = {
    **RECOGNIZERS,
    "v20_server_rec": "ctc_resnet34_crnn",
    "en_v4_mobile_rec": "ctc_pplcnetv3_mobile",
    "en_v5_mobile_rec": "ctc_pplcnetv3_mobile",
    "v6_tiny_rec": "ctc_pplcnetv4_tiny",
    "v6_medium_rec": "ctc_pplcnetv4_medium",
}
CLASSES = 12
ROUNDING = 3e-4  # of probabilities; processors add up in different orders: 1.4e-4 was seen with random weights


@pytest.mark.parametrize("name", RECOGNIZERS)
def test_recogniser_does_what_the_official_one_does(name: str) -> None:
    model, arrays, inputs = golden_model(name)
    network = golden_recognizer(name, model).eval()
    with torch.no_grad():
        for prefix, key in (("eval_", model["eval_inputs"][0]), ("eval_w2_", model["eval_inputs"][1])):
            probabilities = network(tensor(inputs[key])).numpy()
            assert list(probabilities.shape) == model[f"{prefix}shape"]
            sampled = probabilities.reshape(-1)[:: model[f"{prefix}stride"]]
            np.testing.assert_allclose(sampled, arrays[f"{prefix}probs_sub"], atol=ROUNDING)
            np.testing.assert_array_equal(probabilities.argmax(-1), arrays[f"{prefix}top1_idx"])
        folded = deployed(network)(tensor(inputs[model["eval_inputs"][0]])).numpy()
    # PaddleOCR folds only what is re-parameterised: the others' own output is the reference
    reference = arrays.get("rep_probs_sub", arrays["eval_probs_sub"])
    np.testing.assert_allclose(folded.reshape(-1)[:: model["eval_stride"]], reference, atol=ROUNDING)


@pytest.mark.parametrize("name", RECOGNIZERS)
def test_training_does_what_the_official_one_does(name: str) -> None:
    model, arrays, inputs = golden_model(name)
    network = golden_recognizer(name, model).train()
    x = tensor(inputs[model["train_input"]])
    losses = model["train_loss"]
    with no_dropout(network):
        if network.guide is None:
            logits = network(x)
            loss = ctc_loss(logits, ctc_labels(arrays))
        else:
            kind = "sar" if model["gtc"] == "sar" else "gtc"
            told, answers = golden_texts(arrays, model["train_shapes"][kind][1])
            guided: Guided = network(x, told)
            assert_sampled(guided.guide, model, arrays, kind)
            tokens = network.guide.tokens(model["num_classes"])
            guide = guide_loss(guided.guide[:, : answers.shape[1]], answers, tokens.pad, network.guide.SMOOTHING)
            assert guide.item() == pytest.approx(losses["SARLoss" if kind == "sar" else "NRTRLoss"], rel=1e-4)
            logits = guided.ctc
            ctc = ctc_loss(logits, ctc_labels(arrays))
            assert ctc.item() == pytest.approx(losses["CTCLoss"], rel=1e-3)
            loss = ctc + guide
    assert_sampled(logits, model, arrays, "logits" if network.guide is None else "ctc")
    assert loss.item() == pytest.approx(losses["loss"], rel=1e-3)
    for key in (key for key in arrays if key.startswith("bn_after/")):
        ours = network.get_buffer(torch_name(key.removeprefix("bn_after/"))).numpy()
        # torch divides the variance by n - 1 where Paddle divides by n, which is 2 lines of 40 columns or more
        np.testing.assert_allclose(ours, arrays[key], rtol=1 / 79 if key.endswith("_variance") else 1e-3, atol=1e-5)
    loss.backward()
    assert_gradients(network, model)


@pytest.mark.parametrize("name", KEY_LISTS)
def test_every_tensor_of_the_official_network_has_its_place(name: str) -> None:
    lines = need(SHARED / "facts" / "paddle_keys" / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    official = {key: tuple(json.loads(shape)) for key, shape, _ in (line.split("\t") for line in lines)}
    (head,) = (key for key in official if torch_name(key) == "head.bias")
    network = build_recognizer(KEY_LISTS[name], official[head][0])
    network.guide = build_guide(KEY_LISTS[name], network)
    tensors = to_torch({key: np.zeros(shape, np.float32) for key, shape in official.items()}, network)
    assert {key: tuple(value.shape) for key, value in tensors.items()} == {
        key: tuple(value.shape)
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_recogniser_trains_folds_and_exports(arch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LARGE, small_svtrnet)
    torch.manual_seed(0)
    network = build_recognizer(arch, CLASSES)
    network.guide = build_guide(arch, network)
    assert (network.guide is None) == (arch not in GUIDES)
    height, width = network.seen.height, network.seen.width or 64
    x = torch.randn(2, 3, height, width)
    labels = [[1, 2, 2], [3]]
    if network.guide is None:
        loss = ctc_loss(network(x), labels)
    else:
        tokens = network.guide.tokens(CLASSES)
        texts = guide_tokens(labels, tokens)
        guided: Guided = network(x, Told(texts[:, :-1], torch.tensor([1.0, 0.5])))
        assert guided.ctc.shape == (2, width // network.seen.column, CLASSES)
        loss = ctc_loss(guided.ctc, labels) + guide_loss(guided.guide, texts[:, 1:], tokens.pad, 0.0)
    loss.backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert all(".act.lab." in name for name in idle), "only the affines that stride 2 skips get no gradient"
    network.eval()
    folded = inference_form(FAMILY, network)
    assert folded.guide is None
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules() if module is not folded)
    path = tmp_path / "model.onnx"
    example = torch.zeros(1, 3, height, network.seen.width or 32)
    path.write_bytes(line_model_onnx(folded, example, columns=network.seen.width is None))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        before = network(x).numpy()
        np.testing.assert_allclose(folded(x).numpy(), before, atol=1e-5)
    (exported,) = session.run(None, {"input": x.numpy()})
    np.testing.assert_allclose(exported, before, atol=1e-5)
    with torch.no_grad():
        np.testing.assert_allclose(load_network(FAMILY, str(path)).model.eval()(x).numpy(), before, atol=1e-5)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_does_what_the_official_one_does(name: str) -> None:
    model, arrays, inputs = golden_model(name)
    network = golden_classifier(name, model).eval()
    x = tensor(inputs[model["eval_inputs"][0]])
    with torch.no_grad():
        np.testing.assert_allclose(network(x).numpy(), arrays["eval_probs"], atol=1e-5)
        np.testing.assert_allclose(deployed(network)(x).numpy(), arrays["eval_probs"], atol=1e-5)
        np.testing.assert_allclose(network.train()(x).numpy(), arrays["train_logits"], atol=1e-4)


def test_ctc_loss_and_its_gradient_are_the_official_ones() -> None:
    reference, arrays = load_json("losses.json")["ctc"], load_arrays("losses.npz")
    labels = [
        row[:n].tolist() for row, n in zip(arrays["ctc/labels"], arrays["ctc/label_lengths"].reshape(-1), strict=True)
    ]
    logits = tensor(arrays["ctc/logits"]).requires_grad_(True)
    np.testing.assert_allclose(
        ctc_losses(logits, labels).detach().numpy(), reference["per_sample"], rtol=1e-4, atol=1e-4
    )
    assert [columns_needed(label) for label in labels] == reference["required_steps"]
    loss = ctc_loss(logits, labels)
    assert loss.item() == pytest.approx(reference["mean"], rel=1e-4)
    (gradient,) = torch.autograd.grad(loss, logits)
    np.testing.assert_allclose(gradient.numpy(), arrays["ctc/grad_all"], atol=1e-4)
    assert ctc_loss(logits, labels, focal=True).item() == pytest.approx(reference["mean_focal"], rel=1e-4)


@contextmanager
def no_dropout(network: CTCRecognizer) -> Iterator[None]:
    """Every dropout probability is 0, as in the golden set's training."""
    for module in network.modules():
        if isinstance(module, (nn.LSTM, Attention, MLP)):
            module.dropout = 0.0
        if isinstance(module, Block):
            module.drop_path = 0.0
    with ExitStack() as stack:
        for room in ("necks.svtr", "heads.nrtr", "heads.sar"):
            stack.enter_context(patch(f"ocrtune.nn.{room}._DROPOUT", 0.0))
        yield


def ctc_labels(arrays: dict[str, npt.NDArray[Any]]) -> list[list[int]]:
    lengths = arrays["label_length"].reshape(-1)
    return [row[:n].tolist() for row, n in zip(arrays["label_ctc"], lengths, strict=True)]


def golden_texts(arrays: dict[str, npt.NDArray[Any]], steps: int) -> tuple[Told, Tensor]:
    """What the guide was told at so many steps, and what it should have answered."""
    texts = torch.from_numpy(arrays["label_gtc"])
    return Told(texts[:, :steps], torch.from_numpy(arrays["valid_ratio"])), texts[:, 1 : steps + 1]


def assert_sampled(output: Tensor, model: dict[str, Any], arrays: dict[str, npt.NDArray[Any]], key: str) -> None:
    """An output of training is the official one, as far as that is stable itself."""
    assert list(output.shape) == model["train_shapes"][key]
    noise = model["train_change_for_1e-6_input_noise"][key]
    sampled = output.detach().numpy().reshape(-1)[:: model["train_stride"][key]]
    np.testing.assert_allclose(sampled, arrays[f"train_{key}_sub"], atol=max(5 * noise, 1e-3))


def assert_gradients(network: CTCRecognizer, model: dict[str, Any]) -> None:
    """Each tensor's gradient has the official length; together they have the official direction."""
    linear = {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, nn.Linear)}
    parameters = dict(network.named_parameters())
    noise = model["grad_rel_change_for_1e-6_input_noise"]
    error = 0.0
    for key, (norm, dot) in model["grads"].items():
        name = torch_name(key)
        gradient = parameters[name].grad
        assert gradient is not None, f"{name} gets no gradient"
        ours = gradient.T if name in linear else gradient
        probe = stream(model["seed"], f"gradprobe/{key}").standard_normal(tuple(ours.shape), np.float32)
        assert float(ours.norm()) == pytest.approx(norm, rel=2e-2, abs=1e-5 * model["grad_total_norm"]), name
        error += (float((ours.reshape(-1) * torch.from_numpy(probe).reshape(-1)).sum()) - dot) ** 2
    assert error**0.5 < 5 * noise * model["grad_total_norm"]
