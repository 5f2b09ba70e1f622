"""Do pseudo-labels help? Some labelled receipts and the rest without labels, against the labelled ones alone.

Every side starts from the same base, makes the same number of steps, is calibrated on the same held-out pages (which count
among the labelled ones) and measured on the same others. The sides: the labels alone in one run; the labels alone in two
runs, as pseudo-labels need them (a teacher, then a student that goes on from it); both runs, the second with pseudo-labels.
Stopped? The same command goes on. Full scale (hours on 2 cores): benchmarks/pseudo_labels.py --steps 600 --size 1440
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _common import pages, show

from ocrtune.bundle import Bundle
from ocrtune.calibration.confidence import calibrate_reading
from ocrtune.calibration.thresholds import MIN_PAGES, calibrate
from ocrtune.config.load import load_config
from ocrtune.data.formats import read_dataset, write_dataset
from ocrtune.data.lines import on_disk
from ocrtune.data.split import split_pages
from ocrtune.detection.evaluate import evaluate_detector
from ocrtune.detection.metric import match_page, precision_recall_hmean
from ocrtune.files import write_whole
from ocrtune.page import Page
from ocrtune.recognition.evaluate import evaluate_recognizer
from ocrtune.recognition.metric import RecognitionResult, TextPolicy
from ocrtune.runtime.load import detection_settings, load_detector, load_recognizer
from ocrtune.training.loop import LAST
from ocrtune.weights.registry import resolve_bundle
from ocrtune.workflows.adapt.job import Parts
from ocrtune.workflows.adapt.lines import FINDER
from ocrtune.workflows.adapt.pseudo import TEACHER_SHARE, with_box_labels, with_text_labels
from ocrtune.workflows.console import Console
from ocrtune.workflows.train import train

BASES = {"detection": "ppocrv4-mobile-det", "recognition": "ppocrv6-small-rec"}
POLICY: TextPolicy = "ignore-case"  # all labels of the receipts are in capitals, the images are not


class Sides:
    """Trains and measures the sides of the comparison.

    Args:
        task: ``detection`` or ``recognition``.
        parts: labelled pages, held-out pages, pages to report on, and images without labels.
        settings: of every run, as ``section.key=value``.
        out: folder for the runs.
    """

    def __init__(self, task: str, parts: Parts, settings: Sequence[str], out: Path) -> None:
        self.task, self.parts, self.settings, self.out = task, parts, settings, out
        self.console = Console(say=lambda line: print(line, flush=True))

    def train(self, name: str, start: str, sources: Sequence[str], steps: int) -> Bundle:
        """A run, or what it came to before."""
        folder = self.out / name
        if (folder / "report.html").is_file():
            return Bundle.load(folder / "bundle")
        print(f"--- {name}: {steps} steps", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        config = load_config(
            None,
            [
                f"task={self.task}",
                f"model.pretrained={start}",
                f"data.train={json.dumps(list(sources))}",
                f"data.val=json:{self.parts.holdout_file}",
                f"schedule.steps={steps}",
                *self.settings,
            ],
        ).config
        return train(config, folder, resume=(folder / LAST).is_file(), console=self.console).bundle

    def figure(self, bundle: Bundle) -> dict[str, float]:
        """A model on the report pages, with everything but its weights fitted to the held-out pages."""
        if self.task == "recognition":
            reader = calibrate_reading(load_recognizer(bundle), self.parts.holdout, POLICY)
            score = RecognitionResult.of(evaluate_recognizer(reader, self.parts.report), POLICY).score
            return {"accuracy": score.accuracy, "cer": score.cer}
        detector = load_detector(bundle)
        preprocess, thresholds = detection_settings(bundle)
        size = next((s.partition("=")[2] for s in self.settings if s.startswith("input.page_size")), preprocess.size)
        preprocess = preprocess.model_copy(update={"resize": "long_side", "size": int(size)})
        best = calibrate(detector.engine, self.parts.holdout, preprocess, thresholds, [preprocess]).best
        detector.preprocess, detector.thresholds = best.preprocess, best.thresholds
        found = evaluate_detector(detector, self.parts.report).score
        return {"hmean": found.hmean, "precision": found.precision, "recall": found.recall}

    def taught(self, teacher: Bundle) -> Parts:
        """The parts with pseudo-labels."""
        if self.task == "detection":
            return with_box_labels(self.parts, teacher, self.out, self.console)
        return with_text_labels(self.parts, teacher, resolve_bundle(FINDER), self.out, self.console)


def parts_of(labelled: int, unlabelled: int | None, seed: int, out: Path) -> tuple[str, Parts, list[Page]]:
    """What the pages are, the pages by what they are for, and the hidden labels of those that have none."""
    what, every = pages("receipts/train")
    every = on_disk(every, out / "images" / "train")
    order = np.random.default_rng(seed).permutation(len(every))
    own = [every[i] for i in order[:labelled]]
    hidden = [every[i] for i in order[labelled:]][:unlabelled]
    report = on_disk(pages("receipts/val", 50)[1], out / "images" / "val")
    learnt, held = split_pages(own, [1 - MIN_PAGES / labelled, MIN_PAGES / labelled], minimum=MIN_PAGES)
    files = {"train": learnt, "holdout": held}
    for name, part in files.items():
        write_dataset(part, "json", out / f"{name}.json", replace=True)
    blank = [page.with_regions([]) for page in hidden]
    parts = Parts(learnt, held, report, out / "train.json", out / "holdout.json", [], unlabelled=blank)
    return f"{what}: {len(learnt)} + {len(held)} labelled, {len(hidden)} not, {len(report)} to report on", parts, hidden


def boxes_right(pseudo: Path, hidden: Sequence[Page]) -> tuple[float, float]:
    """Precision and recall of pseudo-boxes against the labels that were hidden."""
    labels = {page.path.resolve(): page for page in hidden}
    made = read_dataset(f"json:{pseudo}")
    kept = [page.with_regions([r for r in page.regions if not r.ignore]) for page in made]
    matches = [match_page(labels[page.path.resolve()], page) for page in kept]
    counts = np.sum([(m.matched, m.predictions, m.labels) for m in matches], axis=0)
    precision, recall, _ = precision_recall_hmean(*counts)
    return precision, recall


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--task", choices=list(BASES), default="detection")
    arguments.add_argument("--labelled", type=int, default=20, help="labelled pages, held-out ones among them")
    arguments.add_argument("--unlabelled", type=int, help="images without labels; default: all others")
    arguments.add_argument("--steps", type=int, default=300, help="of each side, all its runs together")
    arguments.add_argument("--size", type=int, default=1280, help="detection: longer side of a page")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", type=Path, default=Path("bench_out"))
    arguments.add_argument("settings", nargs="*", help="further settings of every run, section.key=value")
    given = arguments.parse_args()
    name = f"pseudo_{given.task}_{given.labelled}_{given.steps}_{given.size}_{given.seed}"
    out = given.out / name
    what, parts, hidden = parts_of(given.labelled, given.unlabelled, given.seed, out)
    print(what, flush=True)
    page_size = [f"input.page_size={given.size}"] if given.task == "detection" else [f"text.policy={POLICY}"]
    settings = [*page_size, f"trainer.seed={given.seed}", "trainer.evals=4", *given.settings]
    sides = Sides(given.task, parts, settings, out)
    base, own = BASES[given.task], [f"json:{parts.train_file}"]
    first = round(TEACHER_SHARE * given.steps)
    teacher = sides.train("teacher", base, own, first)
    taught = sides.taught(teacher)
    start, rest = str(teacher.path), given.steps - first
    bundles = {
        "base, calibrated": resolve_bundle(base),
        f"teacher ({first} steps)": teacher,
        "labels alone, one run": sides.train("alone", base, own, given.steps),
        "labels alone, two runs": sides.train("alone_twice", start, own, rest),
        "labels and pseudo-labels": sides.train("pseudo", start, taught.sources, rest),
    }
    figures = {side: sides.figure(bundle) for side, bundle in bundles.items()}
    notes = [
        f"{what}; {given.steps} steps, seed {given.seed}.",
        taught.pseudo_note or "No pseudo-label was sure enough.",
    ]
    if given.task == "detection" and taught.pseudo_file is not None:
        precision, recall = boxes_right(taught.pseudo_file, hidden)
        notes.append(f"Pseudo-boxes against the hidden labels: precision {precision:.4f}, recall {recall:.4f}.")
    write_whole(out / "result.json", json.dumps({"figures": figures, "notes": notes}, indent=1))
    columns = list(figures["base, calibrated"])
    rows = [(side, *(f"{row[column]:.4f}" for column in columns)) for side, row in figures.items()]
    show(f"pseudo-labels, {given.task}", ("side", *columns), rows, notes)


if __name__ == "__main__":
    main()
