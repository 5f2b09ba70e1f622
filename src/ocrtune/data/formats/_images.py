"""Finding the images that label files name, and giving images to formats that cannot name one."""

from __future__ import annotations

import os
import re
import shutil
from functools import cached_property
from pathlib import Path, PureWindowsPath

from ocrtune.errors import DataError
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
    """The images around a folder of label files: in it, below it, beside it and above it, looked for in this order.

    Of the folders beside it, those count whose names start most like its own: ``train_images`` for ``train_gts``.

    Args:
        base: folder of the label files.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self._suffixes = sorted(IMAGE_SUFFIXES)

    @cached_property
    def _folders(self) -> list[list[Path]]:
        here = self.base.absolute()
        beside = [folder for folder in _subfolders(here.parent) if folder != here and _has_images(folder)]
        alike = [_common_start(folder.name.lower(), here.name.lower()) for folder in beside]
        nearest = [folder for folder, common in zip(beside, alike, strict=True) if common == max(alike)]
        return [[self.base], _subfolders(self.base), nearest, [here.parent]]

    def named(self, name: str) -> Path | None:
        """The image of this name, as `find_image` finds it or in a folder near by.

        Raises:
            DataError: several folders hold one.
        """
        found = find_image(name, self.base)
        return found or self._only(name, [PureWindowsPath(name).name])

    def with_stem(self, stem: str) -> Path | None:
        """The image whose file name is this, whatever its suffix.

        Raises:
            DataError: several folders hold one.
        """
        image = self._only(stem, [stem + end for suffix in self._suffixes for end in (suffix, suffix.upper())])
        if image is not None:
            self._suffixes.sort(
                key=lambda suffix: suffix != image.suffix.lower()
            )  # the next one most likely has it too
        return image

    def _only(self, wanted: str, names: list[str]) -> Path | None:
        for folders in self._folders:
            found = [path for folder in folders if (path := _first([folder / name for name in names if name]))]
            if len(found) > 1:
                raise DataError(
                    f"several images are called {wanted[:100]}: {', '.join(map(str, found))}",
                    where=self.base,
                    hint="keep the labels of each folder of images beside it, or name the format's own layout",
                )
            if found:
                return found[0]
        return None


def place_image(image: Path, folder: Path, stem: str) -> None:
    """Put an image into a folder: as a second name of the same file where that is possible, else as a copy."""
    target = folder / f"{stem}{image.suffix}"
    try:
        os.link(image.resolve(), target)
    except OSError:
        shutil.copyfile(image, target)


class FreeStems:
    """File names that are not taken in a folder: a stem itself, or with a number behind it.

    Args:
        folder: gets the files.
        suffix: of the files.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        self._folder, self._suffix = folder, suffix
        self._counts: dict[str, int] = {}  # of stems that came more than once

    def take(self, stem: str) -> str:
        """The stem to use; the file has to be written before the next one is taken."""
        name = stem
        while (self._folder / f"{name}{self._suffix}").exists():
            self._counts[stem] = self._counts.get(stem, 1) + 1
            name = f"{stem}_{self._counts[stem]}"
        return name


def _common_start(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


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
