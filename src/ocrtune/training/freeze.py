"""Stages: which parameters stay as they are for how long, and how fast the others move."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ocrtune.config.schema import FreezeConfig
from ocrtune.errors import ConfigError, nearest

NEVER = math.inf
"""In the place of a step: the parameter stays as it is for the whole run."""


@dataclass(frozen=True)
class Part:
    """Parameters of one part of a network that are treated alike.

    Attributes:
        name: of the part, such as ``backbone``.
        tensors, parameters: how many; ``parameters`` are single numbers.
        start: the step from which they move; `NEVER` where they do not.
        lr_factor: on the learning rate.
    """

    name: str
    tensors: int
    parameters: int
    start: float
    lr_factor: float


class Freeze:
    """Holds parameters still, and the statistics of their normalisation layers with them.

    Args:
        network: parameters that are held for the whole run take no gradients from here on.
        config: what is held for how many epochs.
        backbone: parameters that ``backbone_epochs`` is about.
        steps_per_epoch: steps of an epoch.

    Attributes:
        start: the step from which each parameter moves, by name; `NEVER` also where it took no gradients before.

    Raises:
        ConfigError: a pattern fits no parameter, or no parameter is left to move in the first step.
    """

    def __init__(
        self, network: nn.Module, config: FreezeConfig, backbone: Sequence[str], steps_per_epoch: float
    ) -> None:
        parameters = dict(network.named_parameters())
        epochs = dict.fromkeys(parameters, 0.0) | dict.fromkeys(backbone, config.backbone_epochs)
        for pattern, held in config.layers.items():
            epochs |= dict.fromkeys(fitting(parameters, pattern, "freeze.layers"), NEVER if held is None else held)
        self.start = {
            name: float(round(epochs[name] * steps_per_epoch))
            if parameter.requires_grad and epochs[name] < NEVER
            else NEVER
            for name, parameter in parameters.items()
        }
        _check_something_moves(parameters, self.start, steps_per_epoch)
        for name, start in self.start.items():
            if start == NEVER:
                parameters[name].requires_grad_(False)
        self._staged = [(parameters[name], start) for name, start in self.start.items() if 0 < start < NEVER]
        self._norms = [
            (module, self.start[f"{name}.weight"])
            for name, module in network.named_modules()
            if isinstance(module, _BatchNorm) and self.start.get(f"{name}.weight", 0.0) > 0
        ]

    def apply(self, step: int) -> None:
        """Set what takes gradients in a step (from 0); to be called after ``network.train()``."""
        for parameter, start in self._staged:
            parameter.requires_grad_(step >= start)
        for module, start in self._norms:
            if step < start:
                module.eval()


def fitting(names: Iterable[str], pattern: str, where: str) -> list[str]:
    """The parameters that a pattern names: ``*`` stands for anything, and a module's name for all that is in it.

    Raises:
        ConfigError: there is none; the nearest module is told.
    """
    known = list(names)
    found = [name for name in known if fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")]
    if not found:
        modules = sorted({name[:end] for name in known for end, c in enumerate(name) if c == "."})
        close = nearest(pattern, modules)
        raise ConfigError(
            f"'{pattern}' fits no parameter of the network",
            where=where,
            expected=f"a name such as {', '.join(sorted({name.partition('.')[0] for name in known}))}, or one with *",
            hint=f"did you mean '{close}'?" if close else None,
        )
    return found


def lr_factors(network: nn.Module, patterns: Mapping[str, float]) -> dict[str, float]:
    """Factors on the learning rate by parameter name; of several patterns that fit, the last counts.

    Raises:
        ConfigError: a pattern fits no parameter.
    """
    names = [name for name, _ in network.named_parameters()]
    factors = dict.fromkeys(names, 1.0)
    for pattern, factor in patterns.items():
        factors |= dict.fromkeys(fitting(names, pattern, "optimizer.lr_factors"), factor)
    return factors


def parts(network: nn.Module, start: Mapping[str, float], factors: Mapping[str, float]) -> list[Part]:
    """A network's parameters by module, by when they begin to move, and by how fast.

    Args:
        network: the network.
        start: the step from which each parameter moves (`Freeze.start`).
        factors: on the learning rate, by parameter name.
    """
    groups: dict[tuple[str, float, float], list[int]] = {}
    for name, parameter in network.named_parameters():
        factor = 0.0 if start[name] == NEVER else factors[name]
        groups.setdefault((name.partition(".")[0], start[name], factor), []).append(parameter.numel())
    return [Part(name, len(sizes), sum(sizes), at, factor) for (name, at, factor), sizes in groups.items()]


COLUMNS = ("part", "tensors", "parameters", "trains", "learning rate")


def table_rows(found: Sequence[Part], lr: float, relative: bool) -> list[tuple[str, ...]]:
    """The table of what trains, without its heads (`COLUMNS`).

    Args:
        found: the network's parts.
        lr: peak learning rate.
        relative: whether a tensor's rate is that times the size of its weights.
    """
    times = " x size of weights" if relative else ""
    rows: list[tuple[str, ...]] = []
    for part in found:
        when = "never" if part.start == NEVER else "always" if part.start == 0 else f"from step {part.start + 1:.0f}"
        rate = "-" if part.start == NEVER else f"{lr * part.lr_factor:.3g}{times}"
        rows.append((part.name, str(part.tensors), f"{part.parameters:,}", when, rate))
    return rows


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """The same with its heads, as lines of text with aligned columns."""
    cells = [COLUMNS, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _check_something_moves(
    parameters: Mapping[str, nn.Parameter], start: Mapping[str, float], steps_per_epoch: float
) -> None:
    first = min(start.values())
    if first == 0:
        return
    count = sum(parameter.numel() for parameter in parameters.values())
    when = "at all" if first == NEVER else f"before step {first + 1:.0f} (epoch {first / steps_per_epoch:.1f})"
    raise ConfigError(
        f"everything is frozen: none of the {count:,} parameters in {len(parameters)} tensors trains {when}",
        where="freeze",
        expected="at least one part that trains from the first step",
        hint="leave the section freeze out, or let the head train: freeze.layers={'*': null, head: 0}",
        code="nothing-trains",
        evidence={"parameters": count, "trained": 0},
    )
