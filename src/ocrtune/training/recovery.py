"""What follows a step that was not finite: the run ends, the step is left out, or the weights go back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from ocrtune.errors import GateError
from ocrtune.training.finite import Blame, finite_loss

MOST_SKIPPED = 5
"""Steps that may be left out one after the other."""
MOST_ROLLBACKS = 3
SLOWER = 0.5
"""Factor on the learning rate after each time that the weights went back."""

Policy = Literal["raise", "skip", "rollback"]


class Counters(Protocol):
    """What is counted of faults; part of the checkpoint.

    Attributes:
        step: steps done.
        skipped: steps left out.
        bad_in_a_row: steps since the last finite one.
        rollbacks: times that the weights went back.
    """

    step: int
    skipped: int
    bad_in_a_row: int
    rollbacks: int


def recover(
    policy: Policy, counters: Counters, parts: Mapping[str, float], blame: Blame, lr: float, folder: Path
) -> tuple[bool, str]:
    """Decide what follows, and count it.

    Args:
        policy: of the configuration.
        counters: of the run.
        parts: the step's losses.
        blame: where it began.
        lr: the run's peak learning rate.
        folder: of the run.

    Returns:
        whether the weights have to go back, and what to tell.

    Raises:
        GateError: the policy is ``raise``, or its means are used up.
    """
    what = "gradient" if finite_loss(parts) else "loss"
    shown = ", ".join(f"{name} {value:g}" for name, value in parts.items())
    found = f"the {what} is not finite in step {counters.step + 1}: {shown}; {blame.sentence()}"
    counters.skipped += 1
    counters.bad_in_a_row += 1
    if policy == "rollback" and counters.rollbacks < MOST_ROLLBACKS:
        counters.rollbacks += 1
        return True, f"{found}; the weights go back to the last evaluation, the learning rate is halved"
    if policy == "skip" and counters.bad_in_a_row <= MOST_SKIPPED and not blame.weights:
        return False, f"{found}; the step is left out"
    tried = {
        "raise": "",
        "skip": f" ({counters.bad_in_a_row - 1} steps in a row left out before)" if not blame.weights else "",
        "rollback": f" (the weights went back {counters.rollbacks} times before)",
    }
    by_itself = "" if policy == "rollback" else ", or trainer.nonfinite=rollback, which lowers the rate by itself"
    raise GateError(
        found + tried[policy],
        where=folder,
        hint=f"look at the samples named here; lower the learning rate (optimizer.lr={lr / 3:.2g}), limit the gradient "
        f"(optimizer.clip_norm=1), or set trainer.precision=fp32{by_itself}",
        code="not-finite",
        evidence={"step": counters.step + 1, "skipped": counters.skipped, "rollbacks": counters.rollbacks, "lr": lr},
    )
