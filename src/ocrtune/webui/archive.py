"""Zip files of visitors: only their images are taken, and nothing lands outside the folder that they are unpacked in."""

from __future__ import annotations

import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ocrtune.errors import DataError
from ocrtune.page import IMAGE_SUFFIXES

TAKEN = frozenset({*IMAGE_SUFFIXES, ".pdf"})
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Room:
    """What the files of a zip may take.

    Attributes:
        files: how many.
        bytes: of all, unpacked.
        file_bytes: of one, unpacked.
    """

    files: int = 5000
    bytes: int = 4 << 30
    file_bytes: int = 256 << 20


def unpack_images(archive: Path, folder: Path, room: Room) -> list[Path]:
    """Unpack the images and PDFs of a zip file, in its folders; everything else in it stays there.

    Sizes are counted while unpacking: what the zip says about itself is not believed.

    Raises:
        DataError: it is no zip, damaged or locked; a name in it leaves the folder, or is a link; it is too large.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            paths = [_inside(entry, archive.name) for entry in entries]
            chosen = {path: entry for path, entry in zip(paths, entries, strict=True) if _wanted(path)}
            if len(chosen) > room.files:
                raise _too_large(archive, f"it holds {len(chosen)} images", f"at most {room.files}")
            left = room.bytes
            for path, entry in chosen.items():
                left -= _unpack(opened, entry, folder / path, min(left, room.file_bytes), archive)
            return [folder / path for path in chosen]
    except OSError as error:  # a name that is too long, or that is a file and a folder
        raise DataError(f"the zip cannot be unpacked: {error.strerror}", where=archive.name) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise DataError(f"the zip is damaged: {error}", where=archive.name, hint="pack it again") from error
    except RuntimeError as error:  # zipfile's way to ask for a password
        raise DataError("the zip is locked with a password", where=archive.name, hint="pack it without one") from error


def _inside(entry: zipfile.ZipInfo, name: str) -> Path:
    """The entry's path, relative and without a way up."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    drive = len(path.parts) > 0 and path.parts[0].endswith(":")
    if path.is_absolute() or drive or ".." in path.parts:
        raise DataError(
            "a name in the zip leaves its folder", where=f"{name}: {entry.filename}", hint="pack the folder again"
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise DataError("the zip holds a link", where=f"{name}: {entry.filename}", hint="pack the file itself")
    return Path(path)


def _wanted(path: Path) -> bool:
    """Whether it is an image; macOS adds a hidden companion of the same name to each."""
    return path.suffix.lower() in TAKEN and not any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _unpack(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most: int, archive: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with opened.open(entry) as source, target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise _too_large(
                    archive, f"{entry.filename} is larger than its place", f"{most / (1 << 20):.0f} MiB here"
                )
            file.write(chunk)
    return size


def _too_large(archive: Path, what: str, expected: str) -> DataError:
    return DataError(f"the zip is too large: {what}", where=archive.name, expected=expected, hint="send it in parts")
