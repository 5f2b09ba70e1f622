"""`Diagnosis`: one thing that is wrong with a training, or that limits it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from ocrtune.data.check.findings import RANK, Severity
from ocrtune.errors import OcrtuneError

When = Literal["before", "during", "after"]
_TIMES: tuple[When, ...] = ("before", "during", "after")


@dataclass(frozen=True)
class Remedy:
    """What to do.

    Attributes:
        do: a command, or settings as they are typed behind one.
        why: what it does here.
    """

    do: str
    why: str


@dataclass(frozen=True)
class Diagnosis:
    """One finding about a training.

    Attributes:
        code: what kind, for programs (docs/diagnosis.md lists them).
        when: in which phase of the training it was found.
        severity: ``error``: the training is refused, stopped or spoilt; ``warning``: it probably suffers; ``info``: good to
            know.
        message: what was found and what it means.
        evidence: the numbers behind it, by name.
        remedies: what to do, best first.
        suspects: labels or images that it is about, the most suspicious first.
    """

    code: str
    when: When
    severity: Severity
    message: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
    suspects: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: OcrtuneError, when: When) -> Diagnosis:
        """An error that ended a training."""
        remedies = (Remedy(error.hint, ""),) if error.hint else ()
        return cls(error.code or "stopped", when, "error", error.what, error.evidence, remedies)

    @property
    def numbers(self) -> dict[str, str]:
        """The evidence as people read it."""
        return {
            name.replace("_", " "): f"{value:,}" if isinstance(value, int) else f"{rounded(value):g}"
            for name, value in self.evidence.items()
        }

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "when": self.when,
            "severity": self.severity,
            "message": self.message,
            "evidence": {name: rounded(value) if isfinite(value) else None for name, value in self.evidence.items()},
            "remedies": [{"do": remedy.do, "why": remedy.why} for remedy in self.remedies],
            "suspects": list(self.suspects),
        }

    def lines(self) -> list[str]:
        """The same for people: the message, the numbers, and what to do."""
        numbers = ", ".join(f"{name} {value}" for name, value in self.numbers.items())
        shown = [f"{self.severity}: {self.code}: {self.message}"]
        shown += [f"  evidence: {numbers}"] if numbers else []
        shown += [f"  look at: {suspect}" for suspect in self.suspects]
        shown += [f"  to do: {remedy.do}" + (f" ({remedy.why})" if remedy.why else "") for remedy in self.remedies]
        return shown


def ordered(found: Iterable[Diagnosis]) -> list[Diagnosis]:
    """The gravest first, and of equally grave ones in the order of the training."""
    return sorted(found, key=lambda diagnosis: (RANK[diagnosis.severity], _TIMES.index(diagnosis.when)))


def rounded(value: float) -> float:
    """Four significant digits; whole numbers as they are."""
    return value if isinstance(value, int) else float(f"{value:.4g}")
