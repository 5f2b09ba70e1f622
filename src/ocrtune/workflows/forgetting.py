"""The forgetting guard of a training run: measured before, watched on the way, weights chosen afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from ocrtune.bundle import Bundle
from ocrtune.config.schema import ForgettingConfig, TrainConfig
from ocrtune.errors import ConfigError
from ocrtune.files import write_whole
from ocrtune.report.forgetting import anchor_table, choice_table, trade_off
from ocrtune.report.html import Picture, Table
from ocrtune.task import Evaluation
from ocrtune.training.forgetting import ANCHOR, GuardedTask, Measure, Watch, start_network
from ocrtune.training.interpolation import Choice, Point, choose, interpolated
from ocrtune.training.loop import State
from ocrtune.workflows.anchor import Anchor, prepared_anchor
from ocrtune.workflows.console import Console
from ocrtune.workflows.recipes.base import Recipe

OFFERED = "bundle_keeps_more"
START_FIGURES = "anchor.json"


@dataclass(frozen=True)
class Guarded:
    """A run that is guarded.

    Attributes:
        task: what the loop trains.
        watched: None where only the loss is changed.
    """

    task: GuardedTask
    watched: Watched | None


@dataclass(frozen=True)
class Watched:
    """The anchor of a run.

    Attributes:
        start: the network that training starts from.
        anchor: pages.
        measure: on the part that chooses.
        base: the start network there and on the validation data.
        seconds: that measuring it took: what an evaluation takes.
    """

    start: nn.Module
    anchor: Anchor
    measure: Measure
    base: Point
    seconds: float


@dataclass(frozen=True)
class Retention:
    """What a model still can of what its base could, on pages of the anchor that chose nothing.

    Attributes:
        anchor: name of the data.
        name: of the figure; higher is better.
        unit, count: pages or lines, and how many.
        figures: by the model's name; the last one is the model, the others are its base.
        tolerance: how much may be lost.
        target: of the base and of the model on the data that were learnt.
        target_data: what those were measured on.
        choice: from which points the model was chosen.
        offered: path of a bundle that keeps more; None where there is none, or none is needed.
    """

    anchor: str
    name: str
    unit: str
    count: int
    figures: Mapping[str, float]
    tolerance: float
    target: tuple[float, float]
    target_data: str
    choice: Choice
    offered: Path | None = None

    @property
    def before(self) -> float:
        """Of the base; the better one where there are several."""
        return max(list(self.figures.values())[:-1])

    @property
    def after(self) -> float:
        return list(self.figures.values())[-1]

    @property
    def held(self) -> bool:
        return self.after >= self.before - self.tolerance

    def sentence(self) -> str:
        figures = f"{self.name} {self.before:.4f} → {self.after:.4f} on {self.count} {self.unit} that chose nothing"
        points = 100 * (self.before - self.after)
        if self.held:
            return f"Anchor ({self.anchor}) kept: {figures}, where {100 * self.tolerance:g} points may be lost."
        sentence = f"Anchor ({self.anchor}) NOT kept: {figures}: {points:.1f} points lost."
        if self.offered is None:
            return f"{sentence} A smaller forgetting.tolerance takes more of the base, forgetting.replay=0.25 trains on it."
        return f"{sentence} A mixture of the weights that keeps more is in {self.offered}."

    @property
    def tables(self) -> list[Table]:
        """Before and after, and the points to choose from."""
        title = f"Anchor ({self.anchor}): {self.count} {self.unit} that chose nothing"
        return [anchor_table(title, self.name, self.figures), choice_table(self.choice, self.name)]

    def picture(self, metrics: Sequence[Mapping[str, str]]) -> Picture:
        """The course of the anchor's figure, and the trade-off; ``metrics`` are the rows of the run's ``metrics.csv``."""
        return trade_off(self.choice, metrics, self.name, self.tolerance)

    def as_dict(self) -> dict[str, Any]:
        """For a bundle's manifest and for programs."""
        before, after = self.target
        return {
            "anchor": {
                "data": self.anchor,
                self.unit: self.count,
                "figure": self.name,
                "before": round(self.before, 6),
                "after": round(self.after, 6),
                "held": self.held,
                "tolerance": self.tolerance,
            },
            "target": {"data": self.target_data, "before": round(before, 6), "after": round(after, 6)},
            "fine_tuned_share": self.choice.chosen.alpha,
            "points": [
                {"fine_tuned_share": point.alpha, "target": round(point.target, 6), "anchor": round(point.anchor, 6)}
                for point in self.choice.points
            ],
        }


def guarded(
    recipe: Recipe[Any, Any], task: Any, config: TrainConfig, folder: Path, resume: bool, console: Console
) -> Guarded | None:
    """The guard that a configuration asks for; None for none.

    Args:
        recipe, task: of the run.
        config: of the run, resolved.
        folder: the run folder.
        resume: the run goes on.
        console: where to report to.

    Raises:
        ConfigError: the run starts from fresh weights.
        OcrtuneError: the anchor cannot be used.
    """
    if not config.forgetting.active:
        return None
    if config.model.pretrained is None:
        raise ConfigError(
            "fresh weights have nothing to forget", where="forgetting", hint="name a base as model.pretrained"
        )
    start = start_network(task, folder, resume)
    if config.forgetting.anchor is None:
        return Guarded(GuardedTask(task, config, start, None), None)
    anchor = prepared_anchor(config, recipe, folder, console)
    measure = task.measure_on(anchor.choose)
    known = (folder / START_FIGURES).is_file()
    base, seconds = _measured_base(task, start, measure, folder)
    if not known:
        console.say(
            f"base on {len(anchor.choose)} {recipe.unit} of the anchor: {task.monitor} {base.anchor:.4f}, of which "
            f"{100 * config.forgetting.tolerance:g} points may be lost"
        )
    watch = Watch(measure, base.anchor, config.forgetting.tolerance, config.forgetting.stop)
    return Guarded(
        GuardedTask(task, config, start, watch, anchor.replay), Watched(start, anchor, measure, base, seconds)
    )


def _measured_base(task: Any, start: nn.Module, measure: Measure, folder: Path) -> tuple[Point, float]:
    """The start network on both data sets, measured once a run and kept in its folder; and the seconds that it took."""
    path = folder / START_FIGURES
    if path.is_file():
        known = json.loads(path.read_text(encoding="utf-8"))
        return Point(**known["base"]), known["seconds"]
    started = time.monotonic()
    base = _point(0.0, task, start, measure)
    seconds = time.monotonic() - started
    write_whole(path, json.dumps({"base": asdict(base), "seconds": round(seconds, 3)}))
    return base, seconds


def _point(alpha: float, task: Any, network: nn.Module, measure: Measure) -> Point:
    result: Evaluation = task.evaluate(network)
    merit = result.monitor if result.merit is None else result.merit
    return Point(alpha, result.monitor, merit, measure(network, result.details), dict(result.details))


def export_retained(
    watched: Watched,
    unit: str,
    task: Any,
    tuned: nn.Module,
    state: State,
    config: TrainConfig,
    export: Callable[[nn.Module, Mapping[str, Any], str], Bundle],
    console: Console,
) -> tuple[Bundle, Retention]:
    """Choose among mixtures of the start's and the fine-tuned weights, export the chosen one, and measure what it kept.

    Where it kept too little, one that keeps more is exported beside it.

    Args:
        watched: the run's anchor.
        unit: what its pages are counted in.
        task, config: of the run.
        tuned: the network with its best state.
        state: of the loop, with the figures of that state.
        export: from a network, the details of its evaluation and a folder's name to a bundle.
        console: where to report to.
    """

    def mixture(alpha: float) -> nn.Module:
        network: nn.Module = task.network()
        network.load_state_dict(interpolated(watched.start.state_dict(), tuned.state_dict(), alpha))
        return network

    choice = _choice(watched, task, mixture, state, config.forgetting, console)
    chosen, pages = choice.chosen, watched.anchor.report
    measure: Measure = task.measure_on(pages)
    kept = Retention(
        anchor=watched.anchor.name,
        name=task.monitor,
        unit=unit,
        count=len(pages),
        figures={
            "base": measure(watched.start, watched.base.details),
            "fine-tuned": measure(mixture(chosen.alpha), chosen.details),
        },
        tolerance=config.forgetting.tolerance,
        target=(watched.base.target, chosen.target),
        target_data="the validation data, which chose",
        choice=choice,
    )
    offered = None if kept.held else choice.offered
    if offered is not None:
        bundle = export(mixture(offered.alpha), offered.details, OFFERED)
        bundle.rewritten(bundle.path, metrics={"fine_tuned_share": offered.alpha})
        kept = replace(kept, offered=bundle.path)
    bundle = export(mixture(chosen.alpha), chosen.details, "bundle")
    return bundle.rewritten(bundle.path, metrics={"forgetting": kept.as_dict()}), kept


def _choice(
    watched: Watched,
    task: Any,
    mixture: Callable[[float], nn.Module],
    state: State,
    spec: ForgettingConfig,
    console: Console,
) -> Choice:
    assert state.best is not None
    assert state.best_merit is not None
    each = console.bar("weights between base and fine-tuned", len(spec.alphas))
    points = [watched.base]
    for alpha in sorted(spec.alphas):
        points.append(_point(alpha, task, mixture(alpha), watched.measure))
        each()
    points.append(Point(1.0, state.best, state.best_merit, state.best_details[ANCHOR], state.best_details))
    choice = choose(points, spec.tolerance)
    for point in choice.points:
        chosen = "  chosen" if point is choice.chosen else ""
        console.say(
            f"  {point.alpha:4.0%} fine-tuned: {task.monitor} {point.target:.4f}, on the anchor {point.anchor:.4f}{chosen}"
        )
    return choice
