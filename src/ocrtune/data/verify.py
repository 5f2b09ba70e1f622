"""Finding what is damaged in an LMDB store."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocrtune.data.content import ensure_complete
from ocrtune.data.mdb import MdbFile
from ocrtune.data.records import MALFORMED
from ocrtune.data.store import CHECKED, FILE, Entry, StoreHeader, digest, read_header
from ocrtune.errors import DataError
from ocrtune.page import decode_image


@dataclass(frozen=True)
class Damage:
    """One damaged entry.

    Attributes:
        number: of the entry, from 1.
        name: of its page; None where that is lost as well.
        parts: what of it is damaged or missing: image, page, origin, label, sha256.
        what: what was found.
    """

    number: int
    name: str | None
    parts: tuple[str, ...]
    what: str

    def __str__(self) -> str:
        return f"entry {self.number}" + (f" ({self.name})" if self.name else "") + f": {self.what}"


@dataclass(frozen=True)
class StoreReport:
    """What was found.

    Attributes:
        path: the store.
        header: what it says about itself; None where that is damaged too.
        faults: of the store as a whole.
        damaged: entries, by number.
    """

    path: Path
    header: StoreHeader | None
    faults: list[str]
    damaged: list[Damage]

    @property
    def intact(self) -> bool:
        return not self.faults and not self.damaged

    def as_dict(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "kind": self.header.kind if self.header else None,
            "entries": self.header.count if self.header else None,
            "checksums": self.header is not None and not self.header.foreign,
            "intact": self.intact,
            "faults": self.faults,
            "damaged": [
                {"entry": damage.number, "name": damage.name, "parts": list(damage.parts), "what": damage.what}
                for damage in self.damaged
            ],
        }


def verify_store(path: Path, bar: Callable[[int], Callable[[], None]] | None = None) -> StoreReport:
    """Read every entry and compare it with its checksums; images of other tools' stores are decoded instead.

    Args:
        path: folder of the store.
        bar: given the number of entries, returns what to call after each.

    Raises:
        DataError: there is no LMDB file.
    """
    if not (path / FILE).is_file():
        raise DataError("there is no LMDB store", where=path, expected=f"a folder with {FILE}", hint="check the path")
    try:
        file = MdbFile(path / FILE)
    except DataError as error:
        return StoreReport(path, None, [error.what], [])
    faults = []
    if file.missing_bytes:
        faults.append(f"the store is cut off: {file.missing_bytes} bytes are missing at its end")
    try:
        header = read_header(file)
    except DataError as error:
        return StoreReport(path, None, [*faults, error.what], [])
    each = bar(header.count) if bar else lambda: None
    damaged = []
    for number in range(1, header.count + 1):
        found = check_entry(file, number, header.foreign)
        if found is not None:
            damaged.append(found)
        each()
    return StoreReport(path, header, faults, damaged)


def check_entry(file: MdbFile, number: int, foreign: bool) -> Damage | None:
    """What is wrong with an entry; None where nothing is."""
    values: dict[str, bytes | None] = {}
    faults: dict[str, str] = {}
    for part in ("image", "label") if foreign else (*CHECKED, "sha256"):
        try:
            values[part] = file.get(f"{part}-{number:09d}".encode())
        except DataError as error:
            faults[part] = error.what
    if foreign:
        faults |= _foreign_faults(values, file.path.parent, number)
    else:
        faults = {**_checksum_faults(values, faults), **faults}
    if not faults:
        return None
    what = "; ".join(f"{part}: {fault}" for part, fault in faults.items())
    return Damage(number, _name(values), tuple(faults), what)


def intact_parts(file: MdbFile, number: int, damage: Damage | None) -> Entry:
    """The values of an entry that are not damaged, and None for the others."""
    bad = damage.parts if damage else ()
    return Entry(
        **{part: None if part in bad else file.get(f"{part}-{number:09d}".encode()) for part in (*CHECKED, "sha256")}
    )


def readable_parts(file: MdbFile, number: int) -> Entry:
    """The values of an entry as they stand in the file, damaged or not, and None for those that cannot be read."""
    parts: dict[str, bytes | None] = {}
    for part in (*CHECKED, "sha256"):
        try:
            parts[part] = file.get(f"{part}-{number:09d}".encode())
        except DataError:
            parts[part] = None
    return Entry(**parts)


def _checksum_faults(values: dict[str, bytes | None], unread: dict[str, str]) -> dict[str, str]:
    sums = _object(values.get("sha256"))
    if sums is None:
        return {"sha256": "missing or damaged", **dict.fromkeys(CHECKED, "cannot be checked"), **unread}
    faults = {}
    for part in CHECKED:
        data, wanted = values.get(part), sums.get(part)
        if part in unread or (data is None and wanted is None):
            continue
        if data is None:
            faults[part] = "missing"
        elif wanted != digest(data):
            faults[part] = "differs from its checksum"
    return faults


def _foreign_faults(values: dict[str, bytes | None], store: Path, number: int) -> dict[str, str]:
    faults = {part: "missing" for part, data in values.items() if data is None}
    image, label = values.get("image"), values.get("label")
    if image is not None:
        where = f"{store}:{number}"
        try:
            decode_image(np.frombuffer(image, np.uint8), where)
            ensure_complete(io.BytesIO(image), where)
        except DataError as error:
            faults["image"] = error.what
    if label is not None:
        try:
            label.decode()
        except UnicodeDecodeError:
            faults["label"] = "is not UTF-8"
    return faults


def _name(values: dict[str, bytes | None]) -> str | None:
    """The page's name, from whatever part still tells it."""
    for part in ("page", "origin"):
        content = _object(values.get(part))
        if content is not None and isinstance(content.get("name"), str):
            return str(content["name"])
    return None


def _object(data: bytes | None) -> dict[str, Any] | None:
    try:
        content = json.loads(data or b"")
    except MALFORMED:
        return None
    return content if isinstance(content, dict) else None
