"""A folder of images as PPOCRLabel opens it, with texts that a model has found.

``Label.txt`` holds the pages that a person has confirmed, ``fileState.txt`` names them, ``Cache.cach`` holds what models
have found on the others. PPOCRLabel shows both, prefers ``Label.txt``, and writes a page there when it is confirmed; what
else stands in ``Label.txt`` is gone after its first saving. So what was found goes to ``Cache.cach`` alone.

Source: PPOCRLabel 3.1, its reading and writing of these files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ocrtune.data.formats.paddle import detection_line
from ocrtune.data.preannotate import Annotated
from ocrtune.errors import UsageError
from ocrtune.files import write_whole
from ocrtune.page import Page

LABELS, STATES, CACHE = "Label.txt", "fileState.txt", "Cache.cach"


def check_project(pages: Iterable[Page], folder: Path) -> None:
    """Make sure that PPOCRLabel can open the images together.

    Raises:
        UsageError: an image lies elsewhere.
    """
    for page in pages:
        if page.path.parent.resolve() != folder.resolve():
            raise UsageError(
                "PPOCRLabel opens the images of one folder, and this one lies elsewhere",
                where=page.path,
                expected=f"images in {folder}",
                hint="give that folder alone as IMAGES, or a label file as --out, for example --out labels.txt",
            )


def write_project(entries: Sequence[Annotated], folder: Path) -> None:
    """Write what was found for PPOCRLabel; the labels of the folder, if it has any, are not touched.

    Args:
        entries: pages whose images lie in the folder; kept ones are written as confirmed where the folder has no labels.
        folder: of the images.
    """
    kept = [entry.page for entry in entries if entry.state == "kept"]
    found = {_key(entry.page, folder): entry.page for entry in entries if entry.state != "kept"}
    lines = {key: detection_line(key, page) for key, page in found.items()}
    write_whole(folder / CACHE, "".join([*_others(folder / CACHE, lines), *lines.values()]))
    if kept and not (folder / LABELS).exists():
        write_whole(folder / STATES, "".join(f"{_key(page, folder)}\t1\n" for page in kept))
        write_whole(folder / LABELS, "".join(detection_line(_key(page, folder), page) for page in kept))


def _others(cache: Path, lines: Iterable[str]) -> list[str]:
    """What the folder's cache says about other pages."""
    if not cache.is_file():
        return []
    keys = set(lines)
    text = cache.read_text(encoding="utf-8", errors="replace")
    return [f"{line}\n" for line in text.split("\n") if line.partition("\t")[0] not in keys and "\t" in line]


def _key(page: Page, folder: Path) -> str:
    return f"{folder.resolve().name}/{page.path.name}"
