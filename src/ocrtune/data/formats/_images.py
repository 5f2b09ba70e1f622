"""Finding the images that label files name, and giving images to formats that cannot name one."""

from __future__ import annotations

import os
import re
import shutil
from functools import cached_property
from pathlib import Path, PureWindowsPath

from ocrtune.page import IMAGE_SUFFIXES

FOLDERS_ABOVE = 3
"""How many folders above a label file its image paths may start."""
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def is_absolute(name: str) -> bool:
    """Whether an image path starts at the root of a Linux or Windows file system."""
    return name.startswith("/") or _WINDOWS.match(name) is not None


def find_image(name: str, base: Path) -> Path | None:
    """The image that a label file in ``base`` names; None where it is not there.

    A path that starts at the root of another machine's file system is looked for below ``base``, the longest part that
    is there first; so is one with backslashes.
    """
    parts = [part for part in re.split(r"[\\/]", name) if part not in ("", ".")] or [name]
    if is_absolute(name):
        tails = [base.joinpath(*parts[i:]) for i in range(len(parts))]
        return _first([Path(name), *tails])
    local = os.path.join(*parts) if "\\" in name else name
    # PPOCRLabel writes the image folder's own name in front, and PaddleOCR's data_dir is often some levels higher
    above = [folder / local for folder in [*base.parents][:FOLDERS_ABOVE]]
    return _first([base / local, *above, base / parts[-1], base / name])


class Images:
    """The images around a folder of label files: in it, below it and beside it.

    Args:
        base: folder of the label files.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self._suffixes = sorted(IMAGE_SUFFIXES)

    @cached_property
    def _folders(self) -> list[Path]:
        parent = self.base.absolute().parent
        folders = [self.base, *_subfolders(self.base), *_subfolders(parent), parent]
        return [folder for folder in dict.fromkeys(folders) if _has_images(folder)]

    def named(self, name: str) -> Path | None:
        """The image of this name, as `find_image` finds it or in a folder near by."""
        found = find_image(name, self.base)
        if found is not None or not name:
            return found
        return _first([folder / PureWindowsPath(name).name for folder in self._folders])

    def with_stem(self, stem: str) -> Path | None:
        """The image whose file name is this, whatever its suffix."""
        for folder in self._folders:
            for suffix in self._suffixes:
                for spelled in (suffix, suffix.upper()):
                    path = folder / f"{stem}{spelled}"
                    if os.path.isfile(path):
                        self._suffixes.remove(suffix)
                        self._suffixes.insert(0, suffix)  # the next one most likely has the same
                        return path
        return None


def place_image(image: Path, folder: Path, stem: str) -> None:
    """Put an image into a folder: as a second name of the same file where that is possible, else as a copy."""
    target = folder / f"{stem}{image.suffix}"
    try:
        os.link(image.resolve(), target)
    except OSError:
        shutil.copyfile(image, target)


def free_stem(stem: str, folder: Path, suffix: str) -> str:
    """A file name that is not taken in the folder: the stem itself, or with a number behind it."""
    name, count = stem, 1
    while (folder / f"{name}{suffix}").exists():
        count += 1
        name = f"{stem}_{count}"
    return name


def _first(candidates: list[Path]) -> Path | None:
    return next((candidate for candidate in candidates if os.path.isfile(candidate)), None)


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return []


def _has_images(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES for entry in entries)
    except OSError:
        return False
