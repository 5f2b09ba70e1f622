"""What the shrink ratio does to a fine-tune (requirements B): the known faults, their published remedies, and our default.

    python benchmarks/shrink_ratio.py --steps 300 --out shrink

Every run starts from the same base and sees the same views of real receipts; only ``targets`` differs. At each evaluation
the thresholds are fitted on held-out pages, and hmean is measured on others: with the base's thresholds (before calibration)
and with those just fitted (after it). A run that is done is not repeated, one that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from _common import DATA, show
from torch import nn

from ocrtune.config.load import build_config
from ocrtune.config.schema import DetectionConfig
from ocrtune.data.formats import read_dataset
from ocrtune.data.split import split_pages
from ocrtune.detection.metric import match_page, score
from ocrtune.detection.search import Grid, search_thresholds
from ocrtune.detection.task import DetectionTask
from ocrtune.files import write_whole
from ocrtune.nn.engine import TorchEngine
from ocrtune.page import Page, TextRegion
from ocrtune.report.figures import figure_axes, png
from ocrtune.runtime.decode import DetectionThresholds, decode_map
from ocrtune.task import Evaluation, Spread, alone
from ocrtune.training.loop import LAST, Trainer
from ocrtune.training.runlog import METRICS, read_metrics

HELD_OUT = 20
EVALS = 5
BASE = "base.json"
BATCH = 8
WIDE_GRID = Grid((0.2, 0.3, 0.4, 0.5), (0.4, 0.5, 0.6, 0.7), (0.3, 0.45, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.9, 2.3))
"""Down to the small unclip ratios that maps drawn with 0.81 need, so that calibration can do what it can."""
PANELS = ("loss", "hmean before calibration", "hmean after calibration", "fitted unclip ratio")
SMOOTHING = 15  # steps


def variants(epochs: int) -> dict[str, dict[str, float | None]]:
    """``targets`` of each run by its name."""
    return {
        "frozen at 0.81": {"shrink_ratio": 0.4 + 0.2 * 1024 / 500},
        "restarted at 0.4, growing": {"shrink_ratio": 0.4, "total_epoch": epochs},
        "0.4, no total_epoch": {"shrink_ratio": 0.4},
        "0.4, total_epoch 10000": {"shrink_ratio": 0.4, "total_epoch": 10_000},
        "our default": {},
    }


class StudyTask(DetectionTask):
    """Detection that is measured on report pages, before and after calibration on held-out ones."""

    report: Sequence[Page] = ()
    base_thresholds: DetectionThresholds | None = None

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        engine = TorchEngine(network)
        fitted = search_thresholds(engine, self._val, self.preprocess, self.thresholds, WIDE_GRID)[0]
        both = [self.base_thresholds or fitted.thresholds, fitted.thresholds]
        before, after = self._hmeans(engine, both)
        return Evaluation(
            monitor=fitted.hmean,
            figures={"hmean": fitted.hmean, "before": before, "after": after},
            details={"thresholds": fitted.thresholds.model_dump(mode="json")},
            signs={"unclip_ratio": fitted.thresholds.unclip_ratio},
        )

    def _hmeans(self, engine: TorchEngine, settings: Sequence[DetectionThresholds]) -> list[float]:
        matches = []
        for page in self.report:
            image = page.load()
            size = (image.shape[1], image.shape[0])
            prob = engine(self.preprocess(image))[0, 0]
            found = (decode_map(prob, thresholds, size)[0] for thresholds in settings)
            matches.append([match_page(page, page.with_regions(map(TextRegion, polygons))) for polygons in found])
        return [score(column).hmean for column in zip(*matches, strict=True)]


def task_for(targets: dict[str, float | None], steps: int, say: Callable[[str], None]) -> StudyTask:
    pages = read_dataset(f"icdar:{DATA / 'receipts' / 'train'}")
    train, held = split_pages(pages, [len(pages) - HELD_OUT, HELD_OUT])
    config = build_config(
        {
            "task": "detection",
            "data": {"train": "receipts", "batch_size": BATCH},
            "targets": targets,
            "schedule": {"steps": steps},
            "trainer": {"evals": EVALS},
            "early_stopping": {"patience": None},
        }
    )
    assert isinstance(config, DetectionConfig)
    task = StudyTask(config, train, held, say)
    task.report = read_dataset(f"icdar:{DATA / 'receipts' / 'val'}")
    return task


def know_base(task: StudyTask, path: Path) -> None:
    """Give the task the base's thresholds; they and its figures are measured once a study and kept in the file."""
    if not path.is_file():
        found = task.evaluate(task.network())
        shown = {"thresholds": found.details["thresholds"], "figures": {**found.figures, **found.signs}}
        write_whole(path, json.dumps(shown))
    task.base_thresholds = DetectionThresholds.model_validate(
        json.loads(path.read_text(encoding="utf-8"))["thresholds"]
    )


def train(name: str, targets: dict[str, float | None], steps: int, folder: Path) -> None:
    """One run, unless it is done; goes on where it was stopped."""
    done = folder / "done"
    if done.is_file():
        return
    print(f"--- {name}")
    folder.mkdir(exist_ok=True)
    task = task_for(targets, steps, print)
    know_base(task, folder.parent / BASE)
    Trainer(task, task.config, folder, print).run(resume=(folder / LAST).is_file())
    done.touch()


def series(folder: Path, kind: str, name: str) -> tuple[list[int], list[float]]:
    rows = [row for row in read_metrics(folder / METRICS) if (row["kind"], row["name"]) == (kind, name)]
    return [int(row["step"]) for row in rows], [float(row["value"]) for row in rows]


def draw(folders: dict[str, Path], base: dict[str, float], path: Path) -> None:
    figure, axes = figure_axes(2, 2)
    for name, folder in folders.items():
        steps, losses = series(folder, "train", "loss")
        width = min(SMOOTHING, len(losses))
        axes[0].plot(steps[width - 1 :], np.convolve(losses, np.ones(width) / width, "valid"), label=name)
        curves = (("val", "before"), ("val", "after"), ("sign", "unclip_ratio"))
        for axis, (kind, figure_name) in zip(axes[1:], curves, strict=True):
            steps, values = series(folder, kind, figure_name)
            axis.plot([0, *steps], [base[figure_name], *values], marker="o", label=name)
    for axis, title in zip(axes, PANELS, strict=True):
        axis.set_title(title)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    for axis in axes[1:3]:
        axis.axhline(base["after"], color="black", linestyle="--", label="base, calibrated")
    axes[2].legend(fontsize=8)
    write_whole(path, png(figure))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--steps", type=int, default=300, help=f"steps of {BATCH} views in each run")
    arguments.add_argument(
        "--out", type=Path, default=Path("shrink"), help="folder of the runs, the figure and the table"
    )
    given = arguments.parse_args()
    out: Path = given.out / f"{given.steps}_steps"
    out.mkdir(parents=True, exist_ok=True)
    pages = len(read_dataset(f"icdar:{DATA / 'receipts' / 'train'}")) - HELD_OUT
    folders: dict[str, Path] = {}
    rows = []
    for name, targets in variants(max(1, round(given.steps * BATCH / pages))).items():
        folder = out / name.replace(",", "").replace(" ", "_")
        train(name, targets, given.steps, folder)
        folders[name] = folder
        base = json.loads((out / BASE).read_text(encoding="utf-8"))["figures"]
        draw(folders, base, out / "shrink-ratio.png")
        before, after = series(folder, "val", "before")[1], series(folder, "val", "after")[1]
        loss = float(np.mean(series(folder, "train", "loss")[1][-SMOOTHING:]))
        unclip = series(folder, "sign", "unclip_ratio")[1][-1]
        rows.append((name, f"{loss:.3f}", f"{before[-1]:.4f}", f"{after[-1]:.4f}", f"{max(after):.4f}", f"{unclip:g}"))
    columns = ("targets", "loss", "before calibration", "after", "best after", "unclip ratio")
    rows.insert(0, ("base", "", f"{base['after']:.4f}", f"{base['after']:.4f}", "", f"{base['unclip_ratio']:g}"))
    show(f"hmean on the receipts' val part after {given.steps} steps of {BATCH} views", columns, rows)
    lines = ["| " + " | ".join(row) + " |" for row in (columns, ("---",) * len(columns), *rows)]
    write_whole(out / "table.md", "\n".join(lines) + "\n")
    print(f"written: {out / 'table.md'}, {out / 'shrink-ratio.png'}")


if __name__ == "__main__":
    main()
