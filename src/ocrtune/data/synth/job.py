"""A whole data set: many processes, whole files only, and going on where an earlier run stopped."""

from __future__ import annotations

import collections.abc
import json
import multiprocessing
import shutil
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import cv2

from ocrtune.data import formats
from ocrtune.data.formats import write_dataset, written_suffix
from ocrtune.data.synth.generate import Generator, Recipe
from ocrtune.errors import Interrupted, UsageError
from ocrtune.files import swap_folder, write_whole
from ocrtune.page import Page, TextRegion, as_polygon

Entries: TypeAlias = "collections.abc.Generator[dict[str, Any], None, None]"
JOURNAL = "synth.jsonl"
_IMAGES = "images"
_PLAIN = frozenset({"paddle", "csv", "json"})
"""Formats whose label file is called ``labels``; the others bear the format's name."""
_EACH_WORKER = 8  # pictures that make a process of its own worth while


@dataclass
class Written:
    """What a run leaves behind.

    Attributes:
        labels: label file or folder.
        pages, regions: how many there are now.
        made: pictures that this run added.
        templates, scenarios: how many pictures are of each.
        skipped: texts that no single font could draw.
        missing: the characters that kept them from it, with their number.
        characters: those that were asked for, with the number of texts that contain them.
        dataset: what was written as labels, and what their format could not say.
    """

    labels: Path
    pages: int = 0
    regions: int = 0
    made: int = 0
    templates: Counter[str] = field(default_factory=Counter)
    scenarios: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    dataset: formats.Written = field(default_factory=formats.Written)


def generate(
    generator: Generator,
    count: int,
    out: Path,
    data_format: str,
    workers: int = 1,
    each: Callable[[], None] = lambda: None,
) -> Written:
    """Write ``count`` pictures and their labels.

    Pictures that an earlier run of the same recipe wrote are kept; labels are written anew for all of them.

    Args:
        generator: makes the pictures in this process; others make one of their own from its recipe.
        count: how many pictures there shall be.
        out: folder; gets ``images/``, ``synth.jsonl`` (what was made, by which recipe) and the labels.
        data_format: key of `ocrtune.data.formats.FORMATS`.
        workers: processes; the result does not depend on their number.
        each: called after each new picture.

    Raises:
        UsageError: something else is in the folder, or more pictures than asked for.
        DataError: no text can be drawn, or the format cannot hold the labels.
        Interrupted: the user stopped it; the same command goes on.
    """
    recipe, journal = generator.recipe, out / JOURNAL
    done = _started(journal, recipe)
    if done > count:
        raise UsageError(
            f"there are {done} pictures already, more than the {count} asked for",
            where=out,
            hint="name another folder with --out",
        )
    try:
        with (
            journal.open("a", encoding="utf-8") as file,
            closing(_entries(generator, range(done, count), out / _IMAGES, workers)) as entries,
        ):
            for entry in entries:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
                file.flush()
                each()
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; what was made is kept", where=out, hint="the same command goes on") from error
    written = Written(_label_place(out, data_format), made=count - done)
    fresh = written.labels.with_name(f".{written.labels.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)  # of a run that was killed
    place = (
        fresh if written.labels.is_dir() else written.labels
    )  # the old labels, of a smaller set perhaps, stay until then
    written.dataset = write_dataset(_pages(journal, written, generator.wanted), data_format, place, replace=True)
    if place is fresh:
        swap_folder(fresh, written.labels)
    return written


def _label_place(out: Path, data_format: str) -> Path:
    return out / f"{'labels' if data_format in _PLAIN else data_format}{written_suffix(data_format)}"


def _started(journal: Path, recipe: Recipe) -> int:
    """Begin a journal, or take one up again; returns the number of pictures that it has.

    Raises:
        UsageError: the folder holds something else.
    """
    head = json.dumps({"recipe": asdict(recipe)}, default=_identity, ensure_ascii=False, sort_keys=True) + "\n"
    if not journal.is_file():
        if journal.parent.exists() and any(journal.parent.iterdir()):
            raise UsageError("the folder is not empty", where=journal.parent, hint="name another folder with --out")
        write_whole(journal, head)
        return 0
    with journal.open("r+b") as file:
        if file.readline() != head.encode():
            raise UsageError(
                "the folder holds pictures of other settings, fonts or texts",
                where=journal,
                hint="name another folder with --out, or give the same options again",
            )
        count, whole = 0, file.tell()
        for line in file:
            if not line.endswith(b"\n"):  # a run was killed while it wrote this line
                break
            count, whole = count + 1, whole + len(line)
        file.truncate(whole)
    return count


def _identity(path: Path) -> list[object]:
    """What tells whether a file or folder of the recipe is still the same one."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [path.name, len(files), sum(file.stat().st_size for file in files)]


def _entries(generator: Generator, indices: range, images: Path, workers: int) -> Entries:
    """The journal's entries in order; every picture is on disk before its entry is given out."""
    workers = min(workers, len(indices) // _EACH_WORKER)
    if workers <= 1:
        for index in indices:
            yield _write(generator, index, images)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_prepare, initargs=(generator.recipe, images)) as pool:
        waiting: deque[Future[dict[str, Any]]] = deque()
        try:
            for index in indices:
                waiting.append(pool.submit(_work, index))
                if len(waiting) >= 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # also when the caller stops early
            pool.shutdown(cancel_futures=True)


_worker: tuple[Generator, Path] | None = None


def _prepare(recipe: Recipe, images: Path) -> None:
    """What a new process does first."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    cv2.setNumThreads(1)
    _worker = Generator(recipe), images


def _work(index: int) -> dict[str, Any]:
    assert _worker is not None
    return _write(_worker[0], index, _worker[1])


def _write(generator: Generator, index: int, images: Path) -> dict[str, Any]:
    """Write one picture; returns its entry in the journal."""
    sample = generator.sample(index)
    path = images / f"{index:06d}.jpg"
    write_whole(path, sample.encoded())
    return {
        "image": path.name,
        "template": sample.template,
        "scenario": sample.scenario,
        "skipped": sample.skipped,
        "missing": sample.missing,
        "regions": [[r.text, [[round(float(v), 2) for v in point] for point in r.polygon]] for r in sample.regions],
    }


def _pages(journal: Path, written: Written, wanted: list[str]) -> Iterator[Page]:
    """The journal's pages one after the other; counts what they hold."""
    asked = set(wanted)
    written.characters.update(dict.fromkeys(wanted, 0))
    with journal.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            entry = json.loads(line)
            written.pages += 1
            written.regions += len(entry["regions"])
            written.templates[entry["template"]] += 1
            written.scenarios[entry["scenario"]] += 1
            written.skipped += entry["skipped"]
            written.missing.update(entry["missing"])
            for text, _ in entry["regions"]:
                written.characters.update(asked.intersection(text))
            regions = [TextRegion(as_polygon(points), text) for text, points in entry["regions"]]
            yield Page(journal.parent / _IMAGES / entry["image"], regions)
