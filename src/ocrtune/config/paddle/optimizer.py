"""Optimiser, learning rate and its schedule."""

from __future__ import annotations

import itertools
import math

from ocrtune.config.paddle.known import Known
from ocrtune.config.paddle.ledger import Ledger
from ocrtune.config.paddle.weights import is_folded

# the smallest learning rate of the official recipes, all of which are meant for eight cards
_RECIPE_LR = {"detection": 1e-3, "recognition": 2.5e-4}
_RECIPE_BATCH = {"detection": 64, "recognition": 1024}


def import_optimizer(ledger: Ledger, task: str, known: Known, num_gpus: int) -> None:
    """Set ``optimizer`` and ``schedule``; the data's batch size is known already."""
    name = ledger.text("Optimizer.name", "Adam")
    ours = {"Adam": "Adam", "AdamW": "AdamW", "Momentum": "SGD"}.get(name)
    if ours is None:
        ledger.refuse("Optimizer.name", "there are AdamW, Adam and SGD with momentum; Adam is taken")
    ledger.map("Optimizer.name", "optimizer.type", ours or "Adam")
    for key, usual, why in (
        ("beta1", 0.9, "Adam's first memory is 0.9 here"),
        (
            "beta2",
            0.99,
            "Adam's second memory is 0.99 here: runs are short, 0.999 would remember their start to the end",
        ),
        ("epsilon", 1e-8, "1e-8 here"),
    ):
        if ledger.number(f"Optimizer.{key}", usual) == usual:
            ledger.skip(f"Optimizer.{key}", "the same here")
        else:
            ledger.refuse(f"Optimizer.{key}", why)
    if ledger.number("Optimizer.momentum", 0.9) == 0.9:
        ledger.note("Optimizer.momentum", "optimizer.type", ours or "Adam", "momentum 0.9, Nesterov's")
    else:
        ledger.refuse("Optimizer.momentum", "momentum is 0.9 here")
    _weight_decay(ledger, ours or "Adam")
    for key in ("clip_norm_global", "clip_norm"):
        for prefix in ("Optimizer.", "Optimizer.grad_clip."):
            if ledger.get(prefix + key) is not None:
                value = ledger.number(prefix + key, 0.0)
                ledger.map(prefix + key, "optimizer.clip_norm", value, "norm of the whole gradient")
    _learning_rate(ledger, task, known, num_gpus)
    _schedule(ledger)


def _weight_decay(ledger: Ledger, ours: str) -> None:
    key = "Optimizer.weight_decay"
    if "Optimizer.regularizer" in ledger:
        key = "Optimizer.regularizer.factor"
        name = ledger.text("Optimizer.regularizer.name", "L2")
        if name.startswith("L2"):
            ledger.note("Optimizer.regularizer.name", "optimizer.weight_decay", "L2")
        else:
            ledger.refuse("Optimizer.regularizer", f"there is no {name} regularisation")
            ledger.put("optimizer.weight_decay", 0.0)
            return
    kind = "decoupled" if ours == "AdamW" else "coupled with the gradient"
    ledger.map(
        key,
        "optimizer.weight_decay",
        ledger.number(key, 0.0),
        f"{kind}, as in PaddleOCR; not on biases, scales and normalisation",
    )
    for silent in ("no_weight_decay_name", "one_dim_param_no_weight_decay"):
        ledger.skip(f"Optimizer.{silent}", "biases, scales, positions and normalisation never decay here")


def _learning_rate(ledger: Ledger, task: str, known: Known, num_gpus: int) -> None:
    key = "Optimizer.lr.learning_rate"
    theirs = next(iter(ledger.numbers("Optimizer.lr.values")), ledger.number(key, 0.001))
    if theirs <= 0:
        raise ledger.error(key, f"{theirs:g} is no learning rate", "a number above 0")
    if is_folded(ledger.config["model"]["pretrained"]):
        ledger.map(key, "optimizer.lr", "auto")
        ledger.propose(
            "optimizer.lr",
            theirs,
            "auto",
            "ours",
            "published ONNX weights are folded: they move relative to their size, and PaddleOCR's rate means another thing",
        )
        return
    batch = int(ledger.config["data"]["batch_size"]) * max(1, num_gpus)
    whole = known.batch or _RECIPE_BATCH.get(task)
    if whole is None or theirs < _RECIPE_LR[task] or batch >= whole:
        ledger.map(key, "optimizer.lr", theirs)
        return
    scaled = round_to(theirs * batch / whole)
    ledger.map(key, "optimizer.lr", scaled, f"{theirs:g} is for {whole} samples in a step, this run has {batch}")
    ledger.propose(
        "optimizer.lr",
        theirs,
        scaled,
        "ours",
        f"the official rate is for eight cards, {whole} samples in a step; scaled linearly to {batch}",
    )


def _schedule(ledger: Ledger) -> None:
    epochs = ledger.whole("Global.epoch_num", 20)
    ledger.map("Global.epoch_num", "schedule.epochs", epochs)
    lr = "Optimizer.lr"
    name = ledger.text(f"{lr}.name", "Const")
    warmup = ledger.number(f"{lr}.warmup_epoch", 0.0)
    ledger.map(f"{lr}.warmup_epoch", "schedule.warmup_epochs", warmup, "from 0, linear")
    ledger.put("schedule.warmup_factor", 0.0)
    if name == "Cosine":
        # PaddleOCR's cosine is as long as the whole run but starts after the warm-up: its end is never reached
        final = 0.5 * (1 + math.cos(math.pi * (1 - min(warmup / epochs, 1.0)))) if epochs > 0 else 0.0
        ledger.map(f"{lr}.name", "schedule.name", "cosine")
        ledger.put("schedule.final_factor", round_to(final))
    elif name == "Piecewise":
        _piecewise(ledger, warmup)
    elif name in ("Step", "MultiStepDecay"):
        gamma = ledger.number(f"{lr}.gamma", 0.1)
        every = "step_size" if name == "Step" else "milestones"
        if name == "Step":
            width = max(1, ledger.whole(f"{lr}.step_size", epochs))
            at = [float(epoch) for epoch in range(width, epochs, width)]
        else:
            at = ledger.numbers(f"{lr}.{every}")
        _step(ledger, name, at, gamma, warmup)
        ledger.note(f"{lr}.{every}", "schedule.lr_decay_epochs", [epoch + warmup for epoch in at])
        ledger.note(f"{lr}.gamma", "schedule.lr_decay_rate", gamma)
    elif name == "Const":
        ledger.map(f"{lr}.name", "schedule.name", "constant")
    else:
        ledger.refuse(f"{lr}.name", "there are cosine, step and constant; cosine is taken")
        ledger.put("schedule.name", "cosine")
    ledger.put("early_stopping.patience", None)
    ledger.propose(
        "early_stopping.patience",
        None,
        10,
        "theirs",
        "PaddleOCR always trains all epochs; ten evaluations without a better figure are usually enough",
    )


def _piecewise(ledger: Ledger, warmup: float) -> None:
    lr = "Optimizer.lr"
    values = ledger.numbers(f"{lr}.values")
    if not values or min(values) <= 0:
        raise ledger.error(f"{lr}.values", f"{values} are no learning rates", "values: [0.001, 0.0001]")
    at = ledger.numbers(f"{lr}.decay_epochs")[: len(values) - 1]
    rates = [later / earlier for earlier, later in itertools.pairwise(values)]
    gamma = rates[0] if rates else 1.0
    _step(ledger, "Piecewise", at, min(gamma, 1.0), warmup)
    ledger.note(f"{lr}.decay_epochs", "schedule.lr_decay_epochs", [epoch + warmup for epoch in at])
    if all(math.isclose(rate, gamma, rel_tol=1e-6) for rate in rates) and gamma <= 1:
        ledger.note(
            f"{lr}.values", "optimizer.lr, schedule.lr_decay_rate", [ledger.config["optimizer"]["lr"], round_to(gamma)]
        )
    else:
        ledger.refuse(f"{lr}.values", f"one factor for every fall: {gamma:.3g} is taken, from {values[0]:g}")


def _step(ledger: Ledger, name: str, at: list[float], gamma: float, warmup: float) -> None:
    ledger.map("Optimizer.lr.name", "schedule.name", "step", f"{name}; epochs count from the end of the warm-up")
    ledger.put("schedule.lr_decay_epochs", [epoch + warmup for epoch in at])
    ledger.put("schedule.lr_decay_rate", round_to(gamma))


def round_to(value: float) -> float:
    """A figure as people write it, with four digits that count."""
    return float(f"{value:.4g}")
