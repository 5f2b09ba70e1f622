"""Rows that would fill the memory, in a temporary file that nobody sees."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from ocrtune.errors import DataError

Row: TypeAlias = tuple[Any, ...]


class Scratch:
    """An SQLite database that lies in a temporary file as soon as it is more than some megabytes.

    The file has no name and goes with the object, also when the program is killed. ``SQLITE_TMPDIR`` or ``TMPDIR`` say where
    it is (SQLite, "Temporary Files Used By SQLite").

    Args:
        tables: statements that make them.

    Raises:
        DataError: by every method, when the disk is full or no temporary file can be written; the rows are lost then.
    """

    def __init__(self, *tables: str) -> None:
        # threads hand it on, and only one at a time has it
        self._connection = sqlite3.connect("", check_same_thread=False)
        weakref.finalize(self, self._connection.close)
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", *tables):
            self._run(statement)

    def add(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows; each has a value for each column."""
        for values in rows:
            self._run(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)

    def change(self, statement: str, *values: Any) -> None:
        """Run a statement that returns nothing."""
        self._run(statement, values)

    def rows(self, query: str, *values: Any) -> Iterator[Row]:
        """What a query finds; rows are fetched as they are asked for."""
        found = self._run(query, values)
        while True:
            try:
                row = found.fetchone()
            except sqlite3.Error as error:
                raise _fault(error) from error
            if row is None:
                return
            yield row

    def row(self, query: str, *values: Any) -> Row | None:
        """The first row that a query finds; None without one."""
        return next(self.rows(query, *values), None)

    def _run(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise _fault(error) from error


def _fault(error: sqlite3.Error) -> DataError:
    return DataError(
        f"the temporary file cannot be written or read: {error}",
        hint="make space on the disk of temporary files, or name a folder on another one in the environment variable "
        "SQLITE_TMPDIR",
    )
