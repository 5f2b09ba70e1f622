"""What a run has recorded so far, and what it was set to: all that a diagnosis during the training looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_PENALTIES = ("distill", "l2_sp")
"""Parts of the loss that grow as something is learnt: what keeps the network near its start."""


@dataclass(frozen=True)
class Setting:
    """What a run was set to.

    Attributes:
        task: what is trained.
        monitor: the figure that the run is about.
        total_steps: steps in all.
        lr, automatic_lr: peak learning rate, and what suits the effective batch.
        trained_share: share of the parameters that train at some time.
        base: the start network's figure on the validation data; None for fresh weights.
        base_signs: its signs there; empty for fresh weights.
        data: the training data, as the user named them.
    """

    task: str
    monitor: str
    total_steps: int
    lr: float
    automatic_lr: float
    trained_share: float = 1.0
    base: float | None = None
    base_signs: Mapping[str, float] = field(default_factory=dict)
    data: str = "DATA"

    @property
    def lr_times(self) -> float:
        """The learning rate as a multiple of the automatic one."""
        return self.lr / self.automatic_lr


@dataclass(frozen=True)
class Course:
    """The figures of a run, as in its ``metrics.csv``.

    Attributes:
        losses: of each step.
        text: share of text pixels in each step's batch; empty for other tasks than detection.
        evaluations: (step, monitored figure).
        signs: the last value of each sign.
    """

    losses: list[float] = field(default_factory=list)
    text: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    signs: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, rows: Sequence[Mapping[str, str]], monitor: str) -> Course:
        """From the rows of a ``metrics.csv``."""
        course = cls()
        losses: dict[str, float] = {}
        for row in rows:
            kind, name, value = row["kind"], row["name"], float(row["value"])
            if kind == "train" and name == "loss":
                losses[row["step"]] = losses.get(row["step"], 0.0) + value
            elif kind == "train" and name in _PENALTIES:
                losses[row["step"]] = losses.get(row["step"], 0.0) - value
            elif kind == "train" and name == "text":
                course.text.append(value)
            elif kind == "val" and name == monitor:
                course.evaluations.append((int(row["step"]), value))
            elif kind == "sign":
                course.signs[name] = value
        course.losses.extend(losses.values())
        return course

    @property
    def steps(self) -> int:
        return len(self.losses)

    @property
    def figures(self) -> list[float]:
        """The monitored figure of each evaluation."""
        return [figure for _, figure in self.evaluations]
