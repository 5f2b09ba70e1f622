"""An adapt job: what was asked for, whose folder it is, and which pages are for what."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ocrtune.bundle import PARTS, Bundle, TaskName
from ocrtune.calibration.thresholds import MIN_PAGES, PAGE_SIZES
from ocrtune.config.schema import CONFIGS
from ocrtune.data.check import FATAL, CheckReport, CheckSettings, check_dataset, find_leaks
from ocrtune.data.content import content_hash
from ocrtune.data.formats import DatasetPath, parse_dataset_path, write_dataset
from ocrtune.data.lines import on_disk
from ocrtune.data.split import split_pages
from ocrtune.errors import DataError, GateError, ImageError
from ocrtune.files import write_whole
from ocrtune.page import Page
from ocrtune.recognition.upright import upright_labels
from ocrtune.runtime.recognizer import TextRecognizer
from ocrtune.weights.cache import cache_dir
from ocrtune.workflows.console import Console
from ocrtune.workflows.predict import find_images

HOLDOUT = 0.15
MAX_HOLDOUT = 40
MAX_LINE_HOLDOUT = 400
_ARGUMENTS = "adapt.json"


@dataclass(frozen=True)
class AdaptRequest:
    """What the user asked for.

    Attributes:
        data: labelled pages.
        task: what to adapt; ``ocr`` is detection and recognition together.
        val: pages for the final figures; None takes a ``test_list.txt`` beside the data, or holds out a part.
        base: registered name, bundle or run; None for the task's default.
        budget: seconds for everything.
        out: folder for the result.
        overrides: further settings, as ``section.key=value``, or ``task.section.key=value`` for one stage of ``ocr``.
        sizes: lengths of a page's longer side, in pixels, among which a detector's is chosen.
        anchor: data of another kind on which the base should not get worse; None for no guard.
        unlabelled: images and folders of them to learn from without a person's labels.
        firm: refuse a budget into which too few steps fit; otherwise the fewest are trained, whatever time they take.
    """

    data: str
    val: str | None
    task: TaskName
    base: str | None
    budget: float
    out: Path
    overrides: tuple[str, ...] = ()
    sizes: tuple[int, ...] = PAGE_SIZES
    anchor: str | None = None
    firm: bool = True
    unlabelled: tuple[Path, ...] = ()

    @property
    def guarded(self) -> bool:
        """Whether what the base can do is to be kept in any way."""
        return self.anchor is not None or any("forgetting." in override for override in self.overrides)

    def unguarded(self) -> AdaptRequest:
        """The same job without that."""
        overrides = tuple(override for override in self.overrides if "forgetting." not in override)
        return replace(self, anchor=None, overrides=overrides)

    def overrides_for(self, task: str) -> tuple[str, ...]:
        """Settings of a stage: those with its task's name in front, and those without any that it knows."""
        chosen = []
        for override in self.overrides:
            prefix, _, rest = override.partition(".")
            if prefix not in PARTS:
                elsewhere = self.task == "ocr" and any(prefix in CONFIGS[other].model_fields for other in PARTS)
                if prefix in CONFIGS[task].model_fields or not elsewhere:
                    chosen.append(override)
            elif prefix == task:
                chosen.append(rest)
        return tuple(chosen)

    def fingerprint(self) -> str:
        """Tells whether a started job in the folder is the same job."""
        parts = [self.data, self.val, self.task, self.base, *self.sizes, *self.overrides, *map(str, self.unlabelled)]
        parts += [] if self.anchor is None else [f"anchor {self.anchor}"]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Parts:
    """Pages by what they are for, and their label files in the output folder.

    Attributes:
        train: to learn from.
        holdout: to choose the best state and fit thresholds.
        report: for the before/after table, and nothing else.
        train_file, holdout_file: label files of the first two.
        checks: what the validator found.
        turned: training labels that were turned because they started at the far corner.
        unlabelled: images without labels, none of which is among the pages above.
        finder: detector that was adapted along, which finds the lines on them.
        pseudo_file, pseudo_pages, pseudo_note: label file that a model made for them, for how many, and what is to be said
            about it; see `ocrtune.workflows.adapt.pseudo`.
    """

    train: list[Page]
    holdout: list[Page]
    report: list[Page]
    train_file: Path
    holdout_file: Path
    checks: list[CheckReport]
    turned: int = 0
    unlabelled: list[Page] = field(default_factory=list)
    finder: Bundle | None = None
    pseudo_file: Path | None = None
    pseudo_pages: int = 0
    pseudo_note: str | None = None

    @property
    def sources(self) -> list[str]:
        """What ``data.train`` names: a person's labels as often as it takes to be about half of what is seen."""
        own = f"json:{self.train_file}"
        if self.pseudo_file is None:
            return [own]
        return [own] * max(1, round(self.pseudo_pages / len(self.train))) + [f"json:{self.pseudo_file}"]


def claim(folder: Path, request: AdaptRequest) -> tuple[bool, float]:
    """Take the output folder; whether the same job has begun to train there, and how many seconds it took so far.

    Raises:
        DataError: the folder holds something else.
    """
    marker = folder / _ARGUMENTS
    if marker.is_file():
        known = json.loads(marker.read_text(encoding="utf-8"))
        same = known.get("fingerprint") == request.fingerprint()
        finished = (folder / "report.html").is_file()
        begun = any((folder / name).is_dir() for name in ("run", "scout", "teacher", *PARTS))
        if finished or (begun and not same):
            raise DataError(
                "the output folder holds " + ("a finished job" if same else "another job"),
                where=folder,
                hint="choose another folder with --out, or delete this one",
            )
        earlier = float(known.get("seconds", 0.0)) if begun else 0.0
        write_marker(folder, request, earlier)
        return begun, earlier
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("the output folder is not empty", where=folder, hint="choose another folder with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"the output folder cannot be made: {error.strerror}", where=folder) from error
    write_marker(folder, request, 0.0)
    return False, 0.0


def write_marker(folder: Path, request: AdaptRequest, seconds: float) -> None:
    content = {"fingerprint": request.fingerprint(), "seconds": round(seconds, 1)}
    write_whole(folder / _ARGUMENTS, json.dumps(content))


def prepare(request: AdaptRequest, console: Console) -> Parts:
    """Check the data and cut it into training, holdout and report pages, written as label files."""
    dataset = parse_dataset_path(request.data)
    console.say(f"data: {dataset}" + (" (format detected)" if dataset.detected else ""))
    check = _checked(dataset, console)
    checks = [check]
    pages, hashes = check.pages, check.hashes
    val = _val_dataset(request, dataset)
    if val is not None:
        val_check = _checked(val, console)
        val_check.add(find_leaks(check, val_check))
        checks.append(val_check)
        same = val_check.counts().get("leak", 0)
        if same:
            console.say(f"  {same} pages of the validation data are also in the training data: left out there")
        known = set(hashes)
        report = [p for p, digest in zip(val_check.pages, val_check.hashes, strict=True) if digest not in known]
        if not report:
            raise DataError("no validation page is left", where=val, hint="name other pages with --val")
        enough = math.ceil(MAX_LINE_HOLDOUT * len(pages) / max(check.regions, 1))  # pages of few lines: more of them
        largest = max(MAX_HOLDOUT, min(enough, MAX_LINE_HOLDOUT))
        share = min(HOLDOUT, largest / len(pages))
        train, holdout = split_pages(pages, [1 - share, share], hashes, minimum=MIN_PAGES)
    else:
        train, holdout, report = split_pages(pages, [70, 20, 10], hashes, minimum=MIN_PAGES)
    if len(holdout) < MIN_PAGES or not train:
        raise GateError(
            f"{len(pages)} usable pages are too few: {MIN_PAGES} have to be held out of training for the thresholds",
            where=dataset,
            expected=f"at least {MIN_PAGES * (2 if val is not None else 3)} pages",
            hint="label more pages",
        )
    data = request.out / "data"
    train, holdout, report = (
        on_disk(part, data / "images" / name)
        for name, part in (("train", train), ("holdout", holdout), ("report", report))
    )
    files = {"train": train, "holdout": holdout, "report": report}
    for name, part in files.items():
        write_dataset(part, "json", data / f"{name}.json", replace=True)
    console.say(
        f"{len(train)} pages to train on, {len(holdout)} held out for choosing and calibrating, "
        f"{len(report)} for the before/after table"
    )
    labelled = {*hashes, *checks[-1].hashes}
    unlabelled = _without_labels(request.unlabelled, labelled, console) if request.unlabelled else []
    return Parts(train, holdout, report, data / "train.json", data / "holdout.json", checks, unlabelled=unlabelled)


def _without_labels(sources: Sequence[Path], labelled: set[str], console: Console) -> list[Page]:
    """Images to learn from without labels; copies of labelled ones are left out, above all of those to be measured on.

    Raises:
        DataError: a source does not exist, or no image is left.
    """
    found = [page for page in find_images(sources)[0] if isinstance(page.image, Path)]
    each, kept, damaged = console.bar("looking at images without labels", len(found)), [], 0
    for page in found:
        try:
            digest = content_hash(page.load())
        except ImageError:
            damaged += 1
        else:
            if digest not in labelled:
                labelled = {*labelled, digest}
                kept.append(page)
        each()
    if not kept:
        raise DataError("no image is left that is not labelled already", where=", ".join(map(str, sources)))
    console.say(
        f"{len(kept)} images without labels; {len(found) - damaged - len(kept)} left out that are labelled or twice there, "
        f"{damaged} that are damaged"
    )
    return kept


def _val_dataset(request: AdaptRequest, dataset: DatasetPath) -> DatasetPath | None:
    if request.val is not None:
        return parse_dataset_path(request.val)
    beside = dataset.path / "test_list.txt"
    return DatasetPath(beside, dataset.format, detected=True) if beside.is_file() else None


def _checked(dataset: DatasetPath, console: Console) -> CheckReport:
    """Check a data set; faulty lines and pages are left out, and said.

    Raises:
        DataError: nothing is left, or nothing in it counts.
    """
    settings = CheckSettings(few_pages=0)  # how many pages it takes is the job's own rule
    bar = partial(console.bar, f"checking {dataset.path.name}")
    check = check_dataset(dataset, settings, bar, cache=cache_dir() / "check")
    counts = check.counts()
    for code, findings in check.by_code().items():
        if findings[0].severity != "info":
            first = findings[0]
            console.say(f"  {first.severity}: {code} ({counts[code]}), first: {first.where}: {first.message}")
    fatal = [finding for finding in check.findings if finding.code in FATAL]
    if fatal or not check.pages:
        what = fatal[0].message if fatal else "no page is usable"
        raise DataError(what, where=dataset, hint=f"ocrtune data check {dataset}")
    return check


def upright(parts: Parts, recognizer: TextRecognizer, whole: bool, console: Console) -> Parts:
    """The parts with labels of the training pages turned where they start at the wrong corner.

    Args:
        parts: the job's pages.
        recognizer: reads lines both ways.
        whole: turn the labels of the held-out and report pages as well, for a task that is about directions; otherwise
            those stay as they are labelled, so that figures are about the data as they are.
        console: where to report to.
    """
    found = upright_labels(recognizer, parts.train, each=console.bar("reading lines both ways", len(parts.train)))
    if not found.turned:
        return parts
    console.say(
        f"{len(found.turned)} labels start at the far corner of a text that is upside down: turned for training, "
        f"first: {found.turned[0]}"
    )
    write_dataset(found.pages, "json", parts.train_file, replace=True)
    parts = replace(parts, train=found.pages, turned=parts.turned + len(found.turned))
    if whole:
        holdout = upright_labels(recognizer, parts.holdout).pages
        write_dataset(holdout, "json", parts.holdout_file, replace=True)
        parts = replace(parts, holdout=holdout, report=upright_labels(recognizer, parts.report).pages)
    return parts
