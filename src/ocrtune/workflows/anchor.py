"""Anchor pages: what the base could do before it was fine-tuned, and should be able to do afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ocrtune.config.schema import DetectionConfig, RecognitionConfig, TrainConfig
from ocrtune.data.formats import read_dataset, write_dataset
from ocrtune.data.lines import has_counted, on_disk, spread_sample
from ocrtune.data.split import split_pages
from ocrtune.data.synth.generate import Generator
from ocrtune.data.synth.generate import Recipe as Documents
from ocrtune.data.synth.job import generate
from ocrtune.data.synth.templates import LINE, TEMPLATES
from ocrtune.errors import ConfigError, DataError, GateError, ImageError
from ocrtune.page import Image, Page, TextRegion
from ocrtune.runtime.load import load_detector, load_recognizer
from ocrtune.runtime.pipeline import OcrPipeline
from ocrtune.weights.registry import resolve_part
from ocrtune.workflows.console import Console
from ocrtune.workflows.predict import find_images
from ocrtune.workflows.recipes.base import Recipe

SYNTH = "synth"
BASE = "base:"
MIN_PAGES = 8
"""Of each part; a figure of fewer would say nothing."""
_SYNTH_PAGES = 96
_MAX_PAGES = 2000  # of an anchor, evenly spread over the data
_MOST = {"pages": (40, 80), "lines": (500, 1000)}
"""How many pages or lines share and state are chosen by and reported on; each evaluation looks at the first."""
_SURE_BOX, _SURE_TEXT = 0.7, 0.9
_PARTS = ("replay", "choose", "report")


@dataclass(frozen=True)
class Anchor:
    """An anchor's pages by what they are for; no page is in two parts.

    Attributes:
        name: what the user called it.
        replay: to be trained on; empty without replay.
        choose: looked at in every evaluation, and where the share of the fine-tuned weights is chosen.
        report: for the figures that are told, and nothing else.
    """

    name: str
    replay: list[Page]
    choose: list[Page]
    report: list[Page]


def prepared_anchor(config: TrainConfig, recipe: Recipe[Any, Any], folder: Path, console: Console) -> Anchor:
    """The anchor of a run, found or made once and kept in its folder.

    Args:
        config: of the run; it names an anchor.
        recipe: of its task.
        folder: the run folder; label files of the parts go to ``anchor/``.
        console: where to report to.

    Raises:
        DataError: the data set is missing or faulty, or nothing in it counts for the task.
        GateError: there are too few pages.
        BundleError: ``base:`` is asked for and the base is no bundle.
    """
    source = config.forgetting.anchor
    assert source is not None
    name = source if isinstance(source, str) else ", ".join(source)
    labels = {part: folder / "anchor" / f"{part}.json" for part in _PARTS}
    if not labels["report"].is_file():  # the last one that is written
        sources = [source] if isinstance(source, str) else source
        pages = [page for one in sources for page in _pages(one, config, folder, console)]
        _write_parts(spread_sample(pages, _MAX_PAGES), name, config, folder, labels)
    parts = {part: read_dataset(f"json:{path}") for part, path in labels.items() if path.is_file()}
    cut = {part: recipe.pages(pages, f"anchor_{part}", folder, console.bar) for part, pages in parts.items()}
    choose, report = (spread_sample(cut[part], most) for part, most in zip(_PARTS[1:], _MOST[recipe.unit], strict=True))
    return Anchor(name, cut.get("replay", []), choose, report)


def _write_parts(pages: list[Page], name: str, config: TrainConfig, folder: Path, labels: dict[str, Path]) -> None:
    replays = config.forgetting.replay > 0
    needed = MIN_PAGES * (3 if replays else 2)
    if len(pages) < needed:
        raise GateError(
            f"an anchor of {len(pages)} pages is too small to say what was forgotten",
            where=name,
            expected=f"at least {needed}, of which a part chooses and another reports",
            hint="name more pages, or forgetting.anchor=synth for generated ones",
        )
    parts = dict(zip(_PARTS, split_pages(pages, [2 if replays else 0, 1, 1], minimum=MIN_PAGES), strict=True))
    for part, chosen in parts.items():
        if chosen and not has_counted(chosen, config.task):
            raise DataError(
                f"no text of the anchor's {part} part counts for {config.task}", where=name, expected="labelled texts"
            )
    for part in (part for part in _PARTS if parts[part]):
        write_dataset(on_disk(parts[part], folder / "anchor" / "images" / part), "json", labels[part], replace=True)


def _pages(source: str, config: TrainConfig, folder: Path, console: Console) -> list[Page]:
    if source == SYNTH:
        return _generated(folder / "anchor" / SYNTH, console)
    if source.startswith(BASE):
        return _labelled_by_base(Path(source.removeprefix(BASE)), config, console)
    return read_dataset(source)


def _generated(folder: Path, console: Console) -> list[Page]:
    """Documents of every kind that can be generated."""
    documents = Documents(templates=tuple(name for name in TEMPLATES if name != LINE))
    written = generate(
        Generator(documents), _SYNTH_PAGES, folder, "json", each=console.bar("drawing anchor pages", _SYNTH_PAGES)
    )
    return read_dataset(f"json:{written.labels}")


def _labelled_by_base(folder: Path, config: TrainConfig, console: Console) -> list[Page]:
    """Images with what the base finds on them; what it is not sure of is ignored."""
    images, errors = find_images([folder])
    for error in errors:
        console.say(f"  left out: {error}")
    find = _base_model(config)
    each = console.bar("the base labels the anchor", len(images))
    pages = []
    for page in images:
        if isinstance(page.image, Path):
            try:
                pages.append(page.with_regions(_sure(region) for region in find(page.load())))
            except ImageError as error:
                console.say(f"  left out: {error}")
        each()
    return pages


def _base_model(config: TrainConfig) -> Callable[[Image], list[TextRegion]]:
    """What labels images for a task: the base; with a detector or a reader beside it where it is not both."""
    base = config.model.pretrained
    if base is None:
        raise ConfigError("fresh weights can label nothing", where="forgetting.anchor", expected="a data set, or synth")
    if config.task == "detection":
        return load_detector(resolve_part(base, "detection")).detect
    reader = base if config.task == "recognition" else RecognitionConfig.PRETRAINED
    detector = load_detector(resolve_part(DetectionConfig.PRETRAINED, "detection"))
    return OcrPipeline(detector, load_recognizer(resolve_part(reader, "recognition"))).read


def _sure(region: TextRegion) -> TextRegion:
    """A prediction as a label."""
    unsure = (region.score or 0.0) < _SURE_BOX or (region.text_score is not None and region.text_score < _SURE_TEXT)
    return replace(region, ignore=unsure, score=None, text_score=None)
