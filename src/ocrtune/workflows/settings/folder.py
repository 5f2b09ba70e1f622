"""Whose folder a search is: the same command goes on in it, another one is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from ocrtune.errors import DataError
from ocrtune.files import write_whole

_JOB = "job.json"


def claim(folder: Path, job: Sequence[str]) -> None:
    """Take a folder for a job, or go on with the same job in it.

    Args:
        folder: made where it is missing.
        job: everything that makes it this job and no other.

    Raises:
        DataError: the folder holds something else, or cannot be made.
    """
    fingerprint = hashlib.sha256(json.dumps(list(job)).encode()).hexdigest()
    marker = folder / _JOB
    if marker.is_file():
        if json.loads(marker.read_text(encoding="utf-8")).get("fingerprint") != fingerprint:
            raise DataError(
                "the folder holds another search",
                where=folder,
                hint="choose another one with --out, or delete this one",
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("the folder is not empty", where=folder, hint="choose another one with --out")
    try:
        write_whole(marker, json.dumps({"fingerprint": fingerprint}))
    except OSError as error:
        raise DataError(f"the folder cannot be made: {error.strerror}", where=folder) from error
