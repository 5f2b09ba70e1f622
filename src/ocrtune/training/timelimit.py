"""A run that has to be done by some time: where steps take longer than planned, the schedule ends sooner, not abruptly."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ocrtune.training.verdicts import Verdict

TAIL = 0.1
"""Share of a run's steps over which the learning rate falls where the schedule is cut short."""


@dataclass(frozen=True)
class Remaining:
    """What is left of a run.

    Attributes:
        steps, evaluations: to do.
        step_seconds, evaluation_seconds: what one takes; None where no step has been timed yet.
    """

    steps: int
    evaluations: int
    step_seconds: float | None
    evaluation_seconds: float


class TimeLimit:
    """Says when it is time to come to an end.

    Args:
        deadline: on the monotonic clock; None: never.
        total: steps of the whole schedule.
        tell: takes one line, once, when it is seen that the time will not be enough.
    """

    def __init__(self, deadline: float | None, total: int, tell: Callable[[str], None]) -> None:
        self._deadline, self._tell, self._told = deadline, tell, False
        self.tail = max(1, round(TAIL * total))

    def verdict(self, remaining: Remaining) -> Verdict:
        """What the time left allows: going on, the tail alone, or nothing more."""
        if self._deadline is None:
            return Verdict.GO
        left = self._deadline - time.monotonic()
        if left <= remaining.evaluation_seconds:
            return Verdict.TIME_OVER
        if remaining.step_seconds is None:
            return Verdict.GO
        needed = remaining.steps * remaining.step_seconds + remaining.evaluations * remaining.evaluation_seconds
        if needed <= left:
            return Verdict.GO
        if not self._told:
            self._told = True
            self._tell(
                f"slower than planned: a step takes {remaining.step_seconds:.2f} s now, the rest would take "
                f"{needed / 60:.1f} min and has {left / 60:.1f}; the run will end sooner, with a quick decay of the "
                "learning rate"
            )
        tail = self.tail * remaining.step_seconds + remaining.evaluation_seconds
        return Verdict.GO if tail < left - remaining.step_seconds else Verdict.HURRY


def tail_factor(step: int, start: int, total: int, at_start: float, final: float) -> float:
    """Factor on the learning rate in a step (from 0) of a tail: linear from ``at_start`` to ``final`` at its last step."""
    progress = (step - start + 1) / (total - start)
    return at_start + (min(final, at_start) - at_start) * progress
