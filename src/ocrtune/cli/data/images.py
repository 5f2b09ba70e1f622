"""The images of a store, where a verb writes them out: they never take the place of others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ocrtune.data.formats import DatasetPath


def writes_images(source: DatasetPath, written_format: str) -> bool:
    """Whether the images of a data set are no files yet, and become some in this format."""
    return source.format == "lmdb" and written_format != "lmdb"


def check_new(folder: Path) -> None:
    """Make sure that a folder for images is not there: its files may belong to other labels.

    Raises:
        UsageError: it is there.
    """
    from ocrtune.errors import UsageError

    if folder.exists():
        raise UsageError(
            "the images of the store would overwrite something", where=folder, hint="name another place with --out"
        )


@contextmanager
def removed_on_failure(folder: Path) -> Iterator[None]:
    """Images are removed again where their labels cannot be written; the folder was not there before."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
