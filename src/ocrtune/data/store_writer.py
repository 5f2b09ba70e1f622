"""Writing an LMDB store: at once, with only a few pages in memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ocrtune.data.records import as_json
from ocrtune.data.store import COUNT, FILE, HEADER, NOTE, VERSION, Entry, StoreHeader, digest
from ocrtune.errors import DataError
from ocrtune.page import Page

_BATCH_BYTES = 16 << 20
_FIRST_SIZE = 64 << 20


def build_store(pages: Iterable[Page], path: Path, dataset: str | None = None) -> StoreHeader:
    """Write a store at once: it is there completely, or not at all; only a few pages are in memory at a time.

    Args:
        pages: what to store.
        path: folder of the new store.
        dataset: what the pages were read from, as ``FORMAT:path``, for `ocrtune.data.repair`.

    Raises:
        DataError: something is already there, or it cannot be written.
        ImageError: a page's image file is missing or no image.
    """
    if path.exists():
        raise DataError("something is already there", where=path, hint="choose another name")
    with writing(path) as writer:
        return fill(writer, pages, dataset)


def fill(writer: StoreWriter, pages: Iterable[Page], dataset: str | None) -> StoreHeader:
    """Write all pages into a new store, and finish it.

    Raises:
        ImageError: a page's image file is missing or no image.
    """
    count, lines = 0, True
    for count, page in enumerate(pages, start=1):
        entry = Entry.of(page)
        lines = lines and entry.label is not None
        writer.add(entry.items(count))
    header = StoreHeader("lines" if lines and count else "pages", dataset, count)
    writer.finish(header)
    return header


class StoreWriter:
    """Puts values into an LMDB file, some megabytes at a time; the file grows as it has to."""

    def __init__(self, environment: Any, folder: Path) -> None:
        self._environment = environment
        self._folder = folder
        self._batch: list[tuple[bytes, bytes]] = []
        self._bytes = 0
        self._size = _FIRST_SIZE

    def add(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Write some keys and values, at the latest when the store is finished."""
        for key, value in items:
            self._batch.append((key, value))
            self._bytes += len(value)
        if self._bytes >= _BATCH_BYTES:
            self.flush()

    def finish(self, header: StoreHeader) -> None:
        """Write what the store says about itself, and all that is waiting."""
        text = as_json({"version": VERSION, "kind": header.kind, "dataset": header.dataset, "count": header.count})
        self.add([(HEADER, text + b"\n" + digest(text).encode()), (COUNT, str(header.count).encode())])
        self.flush()
        (self._folder / NOTE).write_bytes(text)

    def flush(self) -> None:
        """Write what is waiting."""
        import lmdb

        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in self._batch:
                        transaction.put(key, value)
                break
            except lmdb.MapFullError:
                self._size *= 2
                self._environment.set_mapsize(self._size)
        self._batch, self._bytes = [], 0


@contextmanager
def writing(path: Path) -> Iterator[StoreWriter]:
    """A new store, which takes its place, or an old store's, at the end and all at once; the body has to finish it.

    Whatever an earlier attempt left that was killed is removed.

    Raises:
        DataError: it cannot be written.
    """
    import lmdb

    path = path.resolve()
    partial = path.with_name(f".{path.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        environment = lmdb.open(str(partial), map_size=_FIRST_SIZE, sync=False, metasync=False)
        try:
            yield StoreWriter(environment, partial)
            environment.sync(True)
        finally:
            environment.close()
        if path.exists():
            os.replace(partial / FILE, path / FILE)
            os.replace(partial / NOTE, path / NOTE)
        else:
            (partial / "lock.mdb").unlink()
            os.replace(partial, path)
    except (lmdb.Error, OSError) as error:
        raise DataError(
            f"the store cannot be written: {error}", where=path, hint="make room, or choose another place"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
