"""What a weight file gave to a network: which tensors were loaded, and which were not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ocrtune.errors import BundleError

_SHOWN = 3
_KEPT = 50
_UNUSED = (
    (re.compile(r"^backbone\.(?:last_conv|fc|out|classifier)\."), "classifier of the backbone's own pretraining"),
    (re.compile(r"\.\d+\.cell(?:_fw|_bw)?\."), "second name of an LSTM's tensor"),
    (re.compile(r"\bpositional_encoding\.pe$"), "constant table of positions"),
    (re.compile(r"\bnum_batches_tracked$"), "counter of training steps"),
)
"""Tensors of official files that their own networks do not need to run, and why. Source: Paddle's state dicts."""


@dataclass(frozen=True)
class LoadReport:
    """How the tensors of a file and of a network fit together; all names are the network's.

    Attributes:
        loaded: tensors that both have, in the same shape.
        missing: tensors of the network that the file does not have.
        unexpected: tensors of the file that the network does not have.
        mismatched: tensors of both that differ in shape: the file's and the network's.
        ignored: tensors of the file that nobody misses, with the reason.
    """

    loaded: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everything that the network uses was loaded and nothing was left over."""
        return not (self.missing or self.unexpected or self.mismatched)

    @property
    def whole_backbone(self) -> bool:
        """Whether the backbone, at least, was loaded completely."""
        lacking = [*self.missing, *self.mismatched]
        return any(map(_in_backbone, self.loaded)) and not any(map(_in_backbone, lacking))

    def summary(self) -> str:
        """One line for people."""
        parts = [
            f"{len(self.loaded)} tensors fit",
            f"{len(self.missing)} missing ({_some(self.missing)})",
            f"{len(self.unexpected)} unexpected ({_some(self.unexpected)})",
            f"{len(self.mismatched)} of another shape ({_some(self._shapes())})",
        ]
        if self.ignored:
            parts.append(f"{len(self.ignored)} ignored ({', '.join(sorted(set(self.ignored.values())))})")
        return ", ".join(parts)

    def rows(self) -> list[tuple[str, int, str]]:
        """The table: kind, number, which (the first few)."""
        return [
            ("loaded", len(self.loaded), ""),
            ("missing", len(self.missing), _some(self.missing)),
            ("unexpected", len(self.unexpected), _some(self.unexpected)),
            ("other shape", len(self.mismatched), _some(self._shapes())),
            ("ignored", len(self.ignored), "; ".join(sorted(set(self.ignored.values()))) or "none"),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The same for ``--json`` and for a bundle's provenance; long lists are cut after the first 50."""
        return {
            "loaded": len(self.loaded),
            "missing": _cut(self.missing),
            "unexpected": _cut(self.unexpected),
            "mismatched": _cut(self._shapes()),
            "ignored": {why: list(self.ignored.values()).count(why) for why in sorted(set(self.ignored.values()))},
        }

    def _shapes(self) -> tuple[str, ...]:
        return tuple(f"{name} {list(has)} instead of {list(wants)}" for name, (has, wants) in self.mismatched.items())


class MisfitError(BundleError):
    """The weights do not fit; the table says where.

    Args:
        report: what fits and what does not.
        where: the file.
        opening: what stands before the report's summary.
    """

    def __init__(self, report: LoadReport, where: object, opening: str = "the weights do not fit: ") -> None:
        hint = (
            "only the backbone is in the file: load it with --partial, or model.partial: true"
            if report.whole_backbone and not report.mismatched
            else "the file belongs to another architecture; --partial (model.partial: true) loads what fits"
        )
        super().__init__(opening + report.summary(), where=where, hint=hint)
        self.report = report


def compare(
    own: Mapping[str, Tensor], tensors: Mapping[str, Tensor], for_training: Callable[[str], bool]
) -> LoadReport:
    """Hold a file's tensors against a network's.

    Args:
        own: the network's state dict.
        tensors: the file's, under the network's names and in its layouts.
        for_training: whether a tensor of this name is used in training alone, and may be left out.
    """
    shapes = {name: (tuple(tensors[name].shape), tuple(own[name].shape)) for name in own if name in tensors}
    ignored, unexpected = {}, []
    for name in tensors:
        if name in own:
            continue
        why = "used in training alone" if for_training(name) else why_unused(name)
        if why is None:
            unexpected.append(name)
        else:
            ignored[name] = why
    return LoadReport(
        loaded=tuple(name for name, (has, wants) in shapes.items() if has == wants),
        missing=tuple(name for name in own if name not in tensors and not name.endswith("num_batches_tracked")),
        unexpected=tuple(unexpected),
        mismatched={name: (has, wants) for name, (has, wants) in shapes.items() if has != wants},
        ignored=ignored,
    )


def why_unused(name: str) -> str | None:
    """Why nobody misses a tensor of an official file in a network that has none of this name; None where it matters."""
    return next((why for pattern, why in _UNUSED if pattern.search(name)), None)


def _in_backbone(name: str) -> bool:
    return name.startswith("backbone.")


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "") if names else "none"


def _cut(names: tuple[str, ...]) -> list[str]:
    return [*names[:_KEPT], *([f"and {len(names) - _KEPT} more"] if len(names) > _KEPT else [])]
