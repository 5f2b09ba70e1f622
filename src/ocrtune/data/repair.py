"""Mending a damaged LMDB store from the data set that it was built from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ocrtune.data.formats import parse_dataset_path, read_dataset
from ocrtune.data.mdb import MdbFile
from ocrtune.data.records import MALFORMED, absolute
from ocrtune.data.store import FILE, Entry, StoreHeader, digest, noted_dataset
from ocrtune.data.store_writer import fill, writing
from ocrtune.data.verify import Damage, StoreReport, intact_parts, readable_parts, verify_store
from ocrtune.errors import DataError, ImageError
from ocrtune.page import Page


@dataclass
class Repair:
    """What was done.

    Attributes:
        path: the store.
        entries: how many it holds.
        rebuilt: damaged entries that are as they were.
        changed: damaged entries whose source has changed since: they are as the source is now.
        lost: entries that could not be rebuilt; what is left of them is kept.
        whole: the whole store was built anew, since it did not say any more what it held.
    """

    path: Path
    entries: int
    rebuilt: list[Damage] = field(default_factory=list)
    changed: list[Damage] = field(default_factory=list)
    lost: list[Damage] = field(default_factory=list)
    whole: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "entries": self.entries,
            "rebuilt": [damage.number for damage in self.rebuilt],
            "changed": [damage.number for damage in self.changed],
            "lost": [{"entry": damage.number, "name": damage.name, "what": damage.what} for damage in self.lost],
            "whole": self.whole,
        }


def repair_store(
    path: Path, source: str | None = None, bar: Callable[[int], Callable[[], None]] | None = None
) -> Repair:
    """Rebuild damaged entries; the old store stays until the new one is complete, or where nothing can be mended.

    An image comes from the file that it was copied from, if that is unchanged. What else is missing comes from the data
    set: pages are known by their name and label line, by their checksum, or, where all that is lost, as the ones that the
    store does not have.

    Args:
        path: folder of the store.
        source: data set, ``PATH`` or ``FORMAT:PATH``; None for the one that the store names.
        bar: given the number of entries, returns what to call after each that was verified.

    Raises:
        DataError: the store does not say what it was built from, the source cannot be read, or it is another data set.
    """
    if source is not None:
        dataset = parse_dataset_path(source)
        source = str(replace(dataset, path=dataset.path.absolute()))
    report = verify_store(path, bar)
    header = report.header
    if header is not None and report.intact:
        return Repair(path, header.count)
    if header is None or header.foreign:
        return _rebuild_whole(path, report, source or noted_dataset(path))
    file = MdbFile(path / FILE)
    repair = Repair(path, header.count)
    mended: dict[int, Entry] = {}
    open_damage = []
    for damage in report.damaged:
        entry = _from_image_file(intact_parts(file, damage.number, damage), damage)
        if entry is None:
            open_damage.append(damage)
        else:
            mended[damage.number] = entry
            repair.rebuilt.append(damage)
    if open_damage:
        _from_dataset(file, header, report.damaged, open_damage, source, repair, mended)
    if report.damaged and not mended:
        return repair
    with writing(path) as writer:
        for number in range(1, header.count + 1):
            entry = mended.get(number) or readable_parts(file, number)
            writer.add(entry.items(number))
        writer.finish(header if source is None else replace(header, dataset=source))
    return repair


def _rebuild_whole(path: Path, report: StoreReport, source: str | None) -> Repair:
    if source is None:
        raise DataError(
            report.faults[0] if report.faults else str(report.damaged[0]),
            where=path,
            expected="the data set that it was built from, which the store does not name",
            hint=f"ocrtune data repair {path} --source DATA",
        )
    pages = read_dataset(source, lambda fault: None)  # a build may have left faulty labels out
    if report.header is not None and report.header.count != len(pages):
        raise DataError(
            f"the source has {len(pages)} pages, the store {report.header.count} entries",
            where=source,
            expected="the data set that the store was built from",
        )
    with writing(path) as writer:
        fill(writer, pages, source)
    return Repair(path, len(pages), rebuilt=report.damaged, whole=True)


def _from_image_file(entry: Entry, damage: Damage) -> Entry | None:
    """The entry with its image read again, where that is all that is damaged and its file is unchanged."""
    if damage.parts != ("image",):
        return None
    try:
        image = Path(json.loads(entry.origin or b"{}")["image"]).read_bytes()
    except (OSError, *MALFORMED):
        return None
    if digest(image) != _sums(entry).get("image"):
        return None
    return Entry(image, entry.page, entry.origin, entry.label, entry.sha256)


def _from_dataset(
    file: MdbFile,
    header: StoreHeader,
    damaged: Sequence[Damage],
    wanted: Sequence[Damage],
    source: str | None,
    repair: Repair,
    mended: dict[int, Entry],
) -> None:
    """Rebuild entries from their pages in the data set."""
    spec = source or header.dataset
    if spec is None:
        repair.lost += wanted
        return
    number_of_damaged = {damage.number for damage in damaged}
    intact = [
        _origin(file.get(b"origin-%09d" % number))
        for number in range(1, header.count + 1)
        if number not in number_of_damaged
    ]
    intact += [_origin(entry.origin) for entry in mended.values()]
    candidates = _not_stored(read_dataset(spec, lambda fault: None), intact)
    pairs = _paired([(damage, intact_parts(file, damage.number, damage)) for damage in wanted], candidates)
    for damage in wanted:
        page = pairs.get(damage.number)
        try:
            entry = None if page is None else Entry.of(page)
        except ImageError:
            entry = None
        if entry is None:
            repair.lost.append(damage)
            continue
        mended[damage.number] = entry
        (repair.rebuilt if _as_it_was(entry, file, damage) else repair.changed).append(damage)


def _as_it_was(entry: Entry, file: MdbFile, damage: Damage) -> bool:
    """Whether a rebuilt entry has the checksums, or, where it is those that are damaged, the content of the old one.

    Of a part that has neither any more, nothing is known, and nothing said.
    """
    sums, old = _sums(entry), _sums(intact_parts(file, damage.number, damage))
    stored = readable_parts(file, damage.number)
    for part, data in (("image", stored.image), ("page", stored.page)):
        known = [] if data is None else [digest(data)]
        if part in old:
            known.append(old[part])
        if known and sums[part] not in known:
            return False
    return True


def _not_stored(pages: Iterable[Page], stored: Sequence[tuple[str, str | None]]) -> list[Page]:
    """The pages of a data set that the store does not have.

    Where the data set has moved, its pages are known by their names alone.
    """
    pages = list(pages)
    moved = {source for _, source in stored}.isdisjoint(absolute(page.source) for page in pages)
    left = Counter((name, None if moved else source) for name, source in stored)
    found = []
    for page in pages:
        key = (page.name, None if moved else absolute(page.source))
        if left[key]:
            left[key] -= 1
        else:
            found.append(page)
    return found


def _paired(wanted: Sequence[tuple[Damage, Entry]], candidates: list[Page]) -> dict[int, Page]:
    """The page for each damaged entry, by its number, as far as one is found."""
    pairs: dict[int, Page] = {}
    unknown = []
    for damage, entry in wanted:
        name, source = _origin(entry.origin)
        same = [page for page in candidates if page.name == (name or damage.name)]
        same = [page for page in same if absolute(page.source) == source] or same
        if same:
            pairs[damage.number] = same[0]
            candidates = [page for page in candidates if page is not same[0]]
        else:
            unknown.append((damage, entry))
    for damage, entry in unknown:
        image = _sums(entry).get("image")
        twin = next((page for page in candidates if image and _image_digest(page) == image), None)
        if twin is not None:
            pairs[damage.number] = twin
            candidates = [page for page in candidates if page is not twin]
    rest = [damage for damage, _ in unknown if damage.number not in pairs]
    if len(rest) == len(candidates):
        pairs |= {damage.number: page for damage, page in zip(rest, candidates, strict=True)}
    return pairs


def _image_digest(page: Page) -> str | None:
    try:
        return str(_sums(Entry.of(page))["image"])
    except ImageError:
        return None


def _origin(value: bytes | None) -> tuple[str, str | None]:
    """Name and label line of an entry; an empty name where they are lost."""
    content = json.loads(value) if value else {}
    return (content.get("name", ""), content.get("source")) if isinstance(content, dict) else ("", None)


def _sums(entry: Entry) -> dict[str, Any]:
    return dict(json.loads(entry.sha256)) if entry.sha256 else {}
