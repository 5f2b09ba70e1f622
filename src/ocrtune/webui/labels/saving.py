"""Corrected labels written: as a data set of their own, or back to where they came from, with a copy kept of that."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ocrtune.data.formats import (
    FOLDER_FORMATS,
    DatasetPath,
    Written,
    icdar,
    read_dataset,
    write_dataset,
    written_suffix,
)
from ocrtune.errors import DataError, UsageError
from ocrtune.files import swap_folder, write_whole
from ocrtune.page import IMAGE_SUFFIXES, Page
from ocrtune.webui.labels.editing import Labels, digest
from ocrtune.webui.language import Language

_ONE_AT_A_TIME = threading.Lock()


def new_place(outputs: Path, dataset: DatasetPath, word: str, label_format: str) -> Path:
    """A free place for a data set that is made from another: ``workdirs/data/NAME_word``, with a number where needed."""
    path = dataset.path.absolute()
    name = path.name if path.is_dir() else path.stem
    if name.lower() in ("label", "labels", "train", "val", "test") and path.parent.name:
        name = f"{path.parent.name}_{name}"
    suffix = written_suffix(label_format)
    place, number = outputs / "data" / f"{name}_{word}{suffix}", 2
    while place.exists():
        place, number = outputs / "data" / f"{name}_{word}_{number}{suffix}", number + 1
    return place


def write_back(labels: Labels, backups: Path, say: Language) -> tuple[Path, Written]:
    """Write the changed pages into the data set that they were read from.

    Where others have saved meanwhile, their pages stay: only the own changed pages are written.

    Args:
        labels: corrected pages; after it they are as they were saved.
        backups: folder for a copy of the label files that are replaced.
        say: language of messages.

    Returns:
        the copy's place, and what was written.

    Raises:
        DataError: another person has changed one of the same pages, or the pages are others now; nothing is written.
        UsageError: nothing was changed.
    """
    changed = labels.changed
    if not changed:
        raise UsageError(say("nothing was changed", "没有任何修改"), where=labels.dataset)
    with _ONE_AT_A_TIME:
        current = read_dataset(labels.dataset, lambda fault: None)
        _raise_conflicts(labels, current, changed, say)
        merged = [labels.pages[i] if i in set(changed) else page for i, page in enumerate(current)]
        kept = _stamped(backups, labels.dataset.path)
        if labels.dataset.format == "lmdb":
            written = _replace_store(merged, labels.dataset.path, kept)
        elif labels.dataset.format in FOLDER_FORMATS:
            written = _replace_files([labels.pages[i] for i in changed], labels.dataset, kept, say)
        else:
            written = _replace_file(merged, labels.dataset, kept)
        labels.read_again()
    return kept, written


def _raise_conflicts(labels: Labels, current: Sequence[Page], changed: Sequence[int], say: Language) -> None:
    hint = say(
        "save as a new data set, so that neither work is lost; or open the data set again",
        "请另存为新数据集，双方的修改都不会丢失；或重新打开数据集",
    )
    if [page.name for page in current] != [page.name for page in labels.pages]:
        what = say("the data set has other pages than when it was opened", "数据集的页面与打开时不同")
        raise DataError(what, where=labels.dataset, hint=hint)
    both = [labels.pages[i].name for i in changed if digest(current[i].regions) != digest(labels.before[i])]
    if both:
        named = ", ".join(both[:3])
        what = say(
            f"somebody else has changed the same pages since they were opened: {named}",
            f"打开之后，其他人已修改了相同的页面：{named}",
        )
        raise DataError(what, where=labels.dataset, hint=hint)


def _stamped(backups: Path, path: Path) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    place, number = backups / f"{stamp}_{path.name}", 2
    while place.exists():
        place, number = backups / f"{stamp}_{number}_{path.name}", number + 1
    return place


def _replace_file(pages: Sequence[Page], dataset: DatasetPath, kept: Path) -> Written:
    """Replace a label file, which some formats let a folder stand for."""
    path = dataset.path / "Label.txt" if dataset.path.is_dir() else dataset.path
    _copy(path, kept)
    return write_dataset(pages, dataset.format, path, replace=True)


def _replace_store(pages: Sequence[Page], path: Path, kept: Path) -> Written:
    """Replace a store by a new one, once that is complete."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as made:
        new = Path(made) / path.name
        written = write_dataset(pages, "lmdb", new)
        shutil.copytree(path, kept)
        beside = path.with_name(f".{path.name}.new")
        new.rename(beside)
        swap_folder(beside, path)
    return written


def _replace_files(pages: Sequence[Page], dataset: DatasetPath, kept: Path, say: Language) -> Written:
    """Replace the label files of some pages, for formats with one a page."""
    total = Written()
    made = []
    for page in pages:
        target = Path(str(page.source))
        # beside the folder of the label file, so that relative paths of images are right there as well
        with tempfile.TemporaryDirectory(prefix=".ocrtune-", dir=target.absolute().parent.parent) as folder:
            written = write_dataset([page], dataset.format, Path(folder))
            label = next(path for path in sorted(Path(folder).rglob("*")) if _is_label(path))
            if dataset.format != "icdar" and label.suffix != target.suffix:
                what = say(
                    f"labels of the format {dataset.format} are not written as {target.suffix} files",
                    f"{dataset.format} 格式的标注不能写成 {target.suffix} 文件",
                )
                raise UsageError(what, where=target, hint=say("save as a new data set", "请另存为新数据集"))
            made.append((target, label.read_bytes()))
        total.pages += written.pages
        total.regions += written.regions
        total.lost.update(written.lost)
    for target, _ in made:
        _copy(target, kept / target.name)
    for target, content in made:
        write_whole(target, content)
    return total


def _is_label(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() not in IMAGE_SUFFIXES and path.name != icdar.LIST


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
