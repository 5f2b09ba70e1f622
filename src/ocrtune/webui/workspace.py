"""What the page may see: the folders named at its start, and the bundles, runs and label files in them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ocrtune.bundle import MANIFEST, Bundle
from ocrtune.errors import OcrtuneError, UsageError
from ocrtune.webui.labels.desk import Desks
from ocrtune.webui.models import Models
from ocrtune.weights.registry import NAMES, resolve_bundle

CONFIG = "config.yaml"
_DEPTH = 5
"""Folders below a root that are searched."""
_MANY, _FILES = 200, 20
"""Data sets that are listed, and files of a folder that are looked at for them."""
_LOOKED_AT = 5  # pages that have to show that labels are there
_LABELS = frozenset({".txt", ".json", ".csv", ".xml"})
_SKIPPED = {"node_modules", "__pycache__", "site-packages"}


@dataclass(frozen=True)
class Workspace:
    """Folders that the page reads and writes; everything else on the machine stays out of reach.

    Attributes:
        folders: absolute and without links; the first takes what the page makes.
        models: loaded bundles, shared by every visitor.
        desks: data sets that visitors have opened.
    """

    folders: tuple[Path, ...]
    models: Models = field(default_factory=Models)
    desks: Desks = field(default_factory=Desks)

    @classmethod
    def of(cls, folders: list[Path]) -> Workspace:
        """A workspace of existing folders.

        Raises:
            UsageError: one does not exist.
        """
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(
                    "the folder does not exist", where=folder, hint="make it, or name another with --folder"
                )
        return cls(tuple(folder.resolve() for folder in folders))

    @property
    def outputs(self) -> Path:
        """Where trainings, exports and label files that the page makes go."""
        return self.folders[0] / "workdirs"

    def path(self, text: str) -> Path:
        """A path that a visitor typed: absolute, or relative to one of the folders.

        Raises:
            UsageError: it is empty, or lies outside every folder, also by a link.
        """
        text = text.strip()
        if not text:
            raise UsageError("no path was given", expected="a path in one of the page's folders")
        typed = Path(text).expanduser()
        choices = [typed] if typed.is_absolute() else [folder / typed for folder in self.folders]
        inside = [found for choice in choices if self.holds(found := choice.resolve())]
        if not inside:
            raise UsageError(
                "the path lies outside the folders of this page",
                where=text,
                expected=f"a path in {', '.join(map(str, self.folders))}",
                hint="start the page with --folder FOLDER to add one",
            )
        return next((found for found in inside if found.exists()), inside[0])

    def holds(self, path: Path) -> bool:
        """Whether an absolute path without links lies in one of the folders."""
        return any(path.is_relative_to(folder) for folder in self.folders)

    def dataset(self, spec: str | None) -> str:
        """A dataset that a visitor typed, ``PATH`` or ``FORMAT:PATH``, with its path made absolute; None for nothing.

        Raises:
            UsageError: see `path`.
        """
        from ocrtune.data.formats import FORMATS

        spec = spec or ""
        head, colon, rest = spec.strip().partition(":")
        if colon and head in FORMATS:
            return f"{head}:{self.path(rest)}"
        return str(self.path(spec))

    def optional_dataset(self, spec: str | None) -> str | None:
        """The same for a field that may stay empty: None then.

        Raises:
            UsageError: see `path`.
        """
        return self.dataset(spec) if spec and spec.strip() else None

    def bundle(self, spec: str) -> Bundle:
        """A bundle by its folder, its run's folder or its published name.

        Raises:
            UsageError: the path lies outside the folders.
            BundleError: nothing fits.
        """
        return resolve_bundle(spec if spec in NAMES else self.path(spec))

    def bundles(self) -> list[str]:
        """Bundles in the folders, newest first, then the published names; what `bundle` takes."""
        found = [folder for folder in self._walk() if (folder / MANIFEST).is_file()]
        parts = {folder for folder in found if folder.parent in found}
        newest = sorted((f for f in found if f not in parts), key=lambda f: -(f / MANIFEST).stat().st_mtime)
        return [*map(self.shown, newest), *NAMES]

    def runs(self) -> list[Path]:
        """Run folders of trainings, newest first."""
        found = [folder for folder in self._walk() if (folder / CONFIG).is_file()]
        return sorted(found, key=lambda folder: -folder.stat().st_mtime)

    def datasets(self) -> list[str]:
        """Labelled data in the folders; what `dataset` takes."""
        found: list[Path] = []
        for folder in self._walk():
            passed = any(folder.is_relative_to(other) for other in found) or (folder / MANIFEST).is_file()
            if passed or len(found) >= _MANY:
                continue
            if _is_dataset(folder):
                found.append(folder)
                continue
            files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _LABELS and path.is_file())
            found += [path for path in files[:_FILES] if _is_dataset(path)]
        return [self.shown(path) for path in found]

    def shown(self, path: Path) -> str:
        """A path as visitors read and type it: relative to its folder where that is clear."""
        for folder in self.folders:
            if path.is_relative_to(folder) and path != folder:
                relative = str(path.relative_to(folder))
                return relative if self.path(relative) == path else str(path)
        return str(path)

    def _walk(self) -> Iterator[Path]:
        for root in self.folders:
            for current, below, _ in os.walk(root):
                here = Path(current)
                if len(here.relative_to(root).parts) >= _DEPTH:
                    below.clear()
                below[:] = sorted(name for name in below if not name.startswith(".") and name not in _SKIPPED)
                yield here


def _is_dataset(path: Path) -> bool:
    """Whether a path holds at least one page with labels, in a format that is known."""
    from ocrtune.data.formats import stream_dataset

    try:
        pages = stream_dataset(str(path), lambda fault: None)
        return any(page.regions for page in itertools.islice(pages, _LOOKED_AT))
    except (OcrtuneError, OSError):
        return False
