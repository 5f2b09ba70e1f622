"""The CTC loss without dense copies, and with a letter's two cases as one class."""

from __future__ import annotations

import pytest
import torch

from ocrtune.charset import CasePairs, Charset
from ocrtune.recognition.loss import ctc_divergence, ctc_loss, ctc_losses

CHARSET = Charset(tuple("aBbA1ß "))


def test_pairs_are_letters_whose_both_cases_are_known() -> None:
    pairs = {(CHARSET.characters[a - 1], CHARSET.characters[b - 1]) for a, b in CHARSET.case_pairs()}
    assert pairs == {("A", "a"), ("B", "b")}


def test_merged_loss_is_the_loss_of_summed_probabilities() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 6, CHARSET.classes)
    labels = [CHARSET.encode("AB1"), CHARSET.encode("b a")]
    probabilities = logits.softmax(-1)
    for capital, small in CHARSET.case_pairs():
        probabilities[..., capital] += probabilities[..., small]
        probabilities[..., small] = 0
    expected = ctc_loss(probabilities.log(), [CHARSET.encode("AB1"), CHARSET.encode("B A")])
    torch.testing.assert_close(ctc_loss(logits, labels, cases=CHARSET.case_pairs()), expected)


@pytest.mark.parametrize("cases", [(), CHARSET.case_pairs()])
def test_gradient_is_that_of_finite_differences(cases: CasePairs) -> None:
    torch.manual_seed(1)
    logits = torch.randn(2, 5, CHARSET.classes, dtype=torch.float64, requires_grad=True)
    labels = [CHARSET.encode("AB"), []]
    assert torch.autograd.gradcheck(lambda x: ctc_losses(x, labels, cases), logits)


def test_gradient_in_bf16_is_that_of_float32() -> None:
    torch.manual_seed(2)
    logits = torch.randn(3, 70, 40).bfloat16()
    labels = [[1, 2, 2, 3], [4], [5, 6]]
    gradients = []
    for values in (logits, logits.float()):
        x = values.clone().requires_grad_()
        ctc_loss(x, labels).backward()
        assert x.grad is not None
        gradients.append(x.grad.float())
    torch.testing.assert_close(*gradients, atol=2e-3, rtol=1e-2)


def test_training_on_capitals_keeps_the_case_that_was_read() -> None:
    logits = torch.full((1, 3, CHARSET.classes), -4.0)
    logits[0, 0, CHARSET.index("a")] = 1.0
    logits[0, 1, 0] = 1.0
    logits[0, 2, CHARSET.index("1")] = 1.0  # should be a b
    logits.requires_grad_()
    optimizer = torch.optim.SGD([logits], lr=1.0)
    for _ in range(500):
        optimizer.zero_grad()
        ctc_loss(logits, [CHARSET.encode("AB")], cases=CHARSET.case_pairs()).backward()
        optimizer.step()
    read = [c for c in logits.argmax(-1)[0].tolist() if c]
    assert CHARSET.decode(read)[:1] == "a"
    assert CHARSET.decode(read).upper() == "AB"


def test_distance_from_another_network_is_that_of_its_classes_inside_the_lines() -> None:
    torch.manual_seed(3)
    logits = torch.randn(2, 4, CHARSET.classes)
    base = torch.randn(2, 4, CHARSET.classes).softmax(-1)
    labels = [CHARSET.encode("AbBa"), CHARSET.encode("1ß ")]  # every class: nothing is summed up
    full = (base * (base.log() - logits.log_softmax(-1))).sum(-1)
    expected = (full[0].sum() + full[1, :2].sum()) / 2
    torch.testing.assert_close(ctc_divergence(logits, base, labels, [4, 2]), expected, atol=1e-4, rtol=1e-3)
    assert abs(ctc_divergence(base.log(), base, [[1], [2]], [4, 4]).item()) < 1e-4, "no distance from itself"
