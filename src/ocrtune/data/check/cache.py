"""What was found out about images, kept between runs: a file that did not change is not decoded again."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from ocrtune.data.check.image import ImageFacts
from ocrtune.data.formats import DatasetPath
from ocrtune.data.records import MALFORMED
from ocrtune.page import Page

FACTS_VERSION = 2
"""Raise it when `ocrtune.data.check.image` finds out something else: what is kept is then forgotten."""
_COLUMNS = ("width", "height", "digest", "print", "orientation", "frames", "blank", "fault")
_TABLES = (
    f"CREATE TABLE images (path BLOB PRIMARY KEY, state TEXT, {', '.join(_COLUMNS)}) WITHOUT ROWID",
    "CREATE TABLE predictions (path BLOB, state TEXT, model TEXT, regions TEXT, PRIMARY KEY (path, model)) WITHOUT ROWID",
)
_KEPT_SECONDS = 90 * 24 * 3600.0
_TOGETHER = 500  # rows of one transaction
ImageKey: TypeAlias = tuple[bytes, str]
"""Path of an image file, and its time and size."""


class FactsCache:
    """An SQLite file for each data set; transactions keep it whole whenever the program is stopped.

    A cache that is damaged, locked or cannot be written is as good as none: nothing is raised.

    Args:
        folder: for cache files; None remembers nothing.
        dataset: whose images these are.
    """

    def __init__(self, folder: Path | None, dataset: DatasetPath) -> None:
        self._connection: sqlite3.Connection | None = None
        self._waiting = 0
        if folder is None:
            return
        name = hashlib.blake2b(os.fsencode(dataset.path.resolve()), digest_size=12)
        path = folder / f"{name.hexdigest()}.sqlite"
        with suppress(sqlite3.Error, OSError):
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = _opened(path)
            os.utime(path)
            _forget_old(folder)

    def __enter__(self) -> FactsCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.commit()
            self._connection.close()

    def facts(self, key: ImageKey | None) -> ImageFacts | None:
        """What is known of an image; None where its file is new or was changed."""
        row = self._row(f"SELECT {', '.join(_COLUMNS)} FROM images WHERE path = ? AND state = ?", key)
        if row is None:
            return None
        width, height, digest, fingerprint, orientation, frames, blank, fault = row
        return ImageFacts(width, height, digest, fingerprint, orientation, frames, bool(blank), fault)

    def keep(self, key: ImageKey | None, facts: ImageFacts) -> None:
        """Remember what was found out about the image that had this key before it was read."""
        values = [getattr(facts, column) for column in _COLUMNS]
        self._write("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", key, *values)

    def predictions(self, key: ImageKey | None, model: str) -> dict[str, Any] | None:
        """What a model, given by its fingerprint, said about an image (see `keep_predictions`)."""
        row = self._row("SELECT regions FROM predictions WHERE path = ? AND state = ? AND model = ?", key, model)
        try:
            return None if row is None else dict(json.loads(row[0]))
        except MALFORMED:
            return None

    def keep_predictions(self, key: ImageKey | None, model: str, said: dict[str, Any]) -> None:
        """Remember what a model said."""
        text = json.dumps(said)
        self._write("INSERT OR REPLACE INTO predictions VALUES (?, ?, ?, ?)", key, model, text)

    def _row(self, query: str, key: ImageKey | None, *more: str) -> tuple[Any, ...] | None:
        if self._connection is None or key is None:
            return None
        try:
            return self._connection.execute(query, (*key, *more)).fetchone()
        except sqlite3.Error:
            return None

    def _write(self, query: str, key: ImageKey | None, *values: object) -> None:
        if self._connection is None or key is None:
            return
        try:
            self._connection.execute(query, (*key, *values))
            self._waiting += 1
            if self._waiting % _TOGETHER == 0:
                self._connection.commit()
        except sqlite3.Error:
            self._connection.close()
            self._connection = None  # another run holds it, or the disk is full


def image_key(page: Page) -> ImageKey | None:
    """An image file's path and what changes when it does; None for images that are no files of their own."""
    if not isinstance(page.image, Path):
        return None
    try:
        status = os.stat(page.image)
    except OSError:
        return None
    return os.fsencode(page.image.absolute()), f"{status.st_mtime_ns} {status.st_size}"


def _forget_old(folder: Path) -> None:
    """Delete the files of data sets that nobody has checked for long."""
    for file in folder.glob("*.sqlite"):
        if file.stat().st_mtime < time.time() - _KEPT_SECONDS:
            file.unlink(missing_ok=True)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return _prepared(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)  # no database any more
        return _prepared(path)


def _prepared(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5)
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] != FACTS_VERSION:
            for table in ("images", "predictions"):
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA user_version = {FACTS_VERSION}")
            connection.commit()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
