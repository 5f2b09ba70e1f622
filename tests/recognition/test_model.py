from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import torch

from ocrtune.nn.fuse import deployed
from ocrtune.recognition.loss import columns_needed, ctc_loss, ctc_losses
from support.golden import CLASSIFIERS, RECOGNIZERS, golden_line_model, load_arrays, load_json, tensor


@pytest.mark.parametrize("name", RECOGNIZERS)
def test_recogniser_does_what_the_official_one_does(name: str) -> None:
    model, arrays, inputs = (
        load_json(f"models/{name}.json"),
        load_arrays(f"models/{name}.npz"),
        load_arrays("models/inputs.npz"),
    )
    network = golden_line_model(name, model).eval()
    with torch.no_grad():
        for prefix, key in (("eval_", model["eval_inputs"][0]), ("eval_w2_", model["eval_inputs"][1])):
            probabilities = network(tensor(inputs[key])).numpy()
            sampled = probabilities.reshape(-1)[:: model[f"{prefix}stride"]]
            np.testing.assert_allclose(sampled, arrays[f"{prefix}probs_sub"], atol=1e-4)
            np.testing.assert_array_equal(probabilities.argmax(-1), arrays[f"{prefix}top1_idx"])
        folded = deployed(network)(tensor(inputs[model["eval_inputs"][0]])).numpy()
        np.testing.assert_allclose(folded.reshape(-1)[:: model["eval_stride"]], arrays["rep_probs_sub"], atol=1e-4)


@pytest.mark.parametrize("name", RECOGNIZERS)
def test_training_forward_is_the_official_one(name: str) -> None:
    model, arrays, inputs = (
        load_json(f"models/{name}.json"),
        load_arrays(f"models/{name}.npz"),
        load_arrays("models/inputs.npz"),
    )
    network = golden_line_model(name, model).train()
    with torch.no_grad(), patch("ocrtune.nn.necks.svtr._DROPOUT", 0.0):
        logits = network(tensor(inputs[model["train_input"]]))
    assert list(logits.shape) == model["train_shapes"]["ctc"]
    noise = model["train_change_for_1e-6_input_noise"]["ctc"]
    sampled = logits.numpy().reshape(-1)[:: model["train_stride"]["ctc"]]
    np.testing.assert_allclose(sampled, arrays["train_ctc_sub"], atol=max(5 * noise, 1e-3))
    labels = [row[:n].tolist() for row, n in zip(arrays["label_ctc"], arrays["label_length"].reshape(-1), strict=True)]
    assert float(ctc_loss(logits, labels)) == pytest.approx(model["train_loss"]["CTCLoss"], rel=1e-3)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_does_what_the_official_one_does(name: str) -> None:
    model, arrays, inputs = (
        load_json(f"models/{name}.json"),
        load_arrays(f"models/{name}.npz"),
        load_arrays("models/inputs.npz"),
    )
    network = golden_line_model(name, model).eval()
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
