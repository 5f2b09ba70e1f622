"""A letter's two cases as one class."""

from __future__ import annotations

import torch

from ocrtune.charset import Charset
from ocrtune.recognition.loss import ctc_loss, merged_cases

CHARSET = Charset(tuple("aBbA1ß "))


def test_pairs_are_letters_whose_both_cases_are_known() -> None:
    pairs = {(CHARSET.characters[a - 1], CHARSET.characters[b - 1]) for a, b in CHARSET.case_pairs()}
    assert pairs == {("A", "a"), ("B", "b")}


def test_merged_loss_is_the_loss_of_summed_probabilities() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 6, CHARSET.classes, dtype=torch.float64)
    labels = [CHARSET.encode("AB1"), CHARSET.encode("b a")]
    probabilities = logits.float().softmax(-1)
    for capital, small in CHARSET.case_pairs():
        probabilities[..., capital] += probabilities[..., small]
        probabilities[..., small] = 0
    expected = ctc_loss(probabilities.log(), [CHARSET.encode("AB1"), CHARSET.encode("B A")])
    torch.testing.assert_close(ctc_loss(*merged_cases(logits, labels, CHARSET.case_pairs())), expected)


def test_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(1)
    logits = torch.randn(1, 5, CHARSET.classes, requires_grad=True)
    pairs, labels = CHARSET.case_pairs(), [CHARSET.encode("AB")]
    ctc_loss(*merged_cases(logits, labels, pairs)).backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
    for place in [(0, 1, CHARSET.index("a")), (0, 2, CHARSET.index("B")), (0, 3, CHARSET.index("1")), (0, 0, 0)]:
        step = torch.zeros_like(logits)
        step[place] = 1e-2
        with torch.no_grad():
            up, down = (ctc_loss(*merged_cases(logits + s, labels, pairs)) for s in (step, -step))
        torch.testing.assert_close(logits.grad[place], (up - down) / 2e-2, atol=1e-3, rtol=1e-2)


def test_training_on_capitals_keeps_the_case_that_was_read() -> None:
    logits = torch.full((1, 3, CHARSET.classes), -4.0)
    logits[0, 0, CHARSET.index("a")] = 1.0
    logits[0, 1, 0] = 1.0
    logits[0, 2, CHARSET.index("1")] = 1.0  # should be a b
    logits.requires_grad_()
    optimizer = torch.optim.SGD([logits], lr=1.0)
    for _ in range(500):
        optimizer.zero_grad()
        ctc_loss(*merged_cases(logits, [CHARSET.encode("AB")], CHARSET.case_pairs())).backward()
        optimizer.step()
    read = [c for c in logits.argmax(-1)[0].tolist() if c]
    assert CHARSET.decode(read)[:1] == "a"
    assert CHARSET.decode(read).upper() == "AB"
