"""Many images, one after the other: found, read, drawn, and packed for the visitor to take along."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from ocrtune.bundle import Bundle
from ocrtune.data.draw import draw_regions, draw_texts
from ocrtune.data.formats import FORMATS, write_dataset, written_suffix
from ocrtune.errors import DataError, ImageError, OcrtuneError
from ocrtune.files import write_whole
from ocrtune.page import Image, Page, TextRegion
from ocrtune.report.figures import jpeg
from ocrtune.runtime.pages import page_json
from ocrtune.runtime.pdf import render_pdf_page
from ocrtune.serving.images import decoded
from ocrtune.webui.archive import TAKEN, Room, unpack_images
from ocrtune.webui.models import Models
from ocrtune.webui.reading import LIMITS, looking, pdf_page_count

LABELS = tuple(sorted(set(FORMATS) - {"lmdb"}))
"""Label formats that a result can hold; a store would hold the images once more."""
_ROOM = Room()


@dataclass(frozen=True)
class Source:
    """One image of a batch.

    Attributes:
        path: of its file, in the batch's folder.
        page: of a PDF, from 1; None where the file is an image.
    """

    path: Path
    page: int | None = None


@dataclass
class Batch:
    """Some images and what was found on them.

    Attributes:
        folder: holds the images under the names that they came with, and takes the results.
        sources: the images.
        faults: name and error of each that was skipped.
        pages: of the others, with what was found.
        sizes: width and height of each.
        drawn: pictures of them.
    """

    folder: Path
    sources: list[Source] = field(default_factory=list)
    faults: list[tuple[str, OcrtuneError]] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    drawn: list[Path] = field(default_factory=list)
    _images: Path = field(init=False)
    _rendered: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._images = self.folder / "images"
        self._images.mkdir()

    @property
    def done(self) -> int:
        """How many images were looked at."""
        return len(self.pages) + len(self.faults)

    @property
    def count(self) -> int:
        """How many there are, with those that could not even be opened."""
        return self.done + len(self.sources)

    def take_uploads(self, files: Sequence[Path]) -> None:
        """Images, PDFs and zips of them that a visitor sent.

        Raises:
            DataError: a zip cannot be taken (see `unpack_images`), or there is no image at all.
        """
        for file in files:
            if file.suffix.lower() == ".zip":
                folder = self._images if len(files) == 1 else self._free(file.stem)
                self._add(unpack_images(file, folder, _ROOM))
            elif file.suffix.lower() in TAKEN:
                target = self._free(file.name)
                shutil.copyfile(file, target)
                self._add([target])
        self._not_empty("the files")

    def take_folder(self, folder: Path) -> None:
        """The images and PDFs of a folder and the folders in it; the files stay where they are.

        Raises:
            DataError: there are none, or too many.
        """
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in TAKEN and _is_here(path, folder))
        if len(found) > _ROOM.files:
            raise DataError(
                f"the folder holds {len(found)} images",
                where=folder,
                expected=f"at most {_ROOM.files}",
                hint="ocrtune predict takes any number",
            )
        for path in found:
            target = self._images / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(path, target)
            self._add([target])
        self._not_empty(folder)

    def run(
        self, bundle: Bundle, preset: str, models: Models, labels: str | None, stop: threading.Event
    ) -> Iterator[float]:
        """Look at each image; yields the seconds that are left after each, and ends with the zip in place.

        Args:
            bundle, preset: see `Looks.get`.
            models: whose turn is taken for each image anew, so that others come in between.
            labels: format of label files to add, from `LABELS`.
            stop: ends it before the next image; what was found until then is kept.

        Raises:
            BundleError: the bundle cannot be run.
        """
        model = looking(models, bundle, preset)
        started, total = time.monotonic(), len(self.sources)
        try:
            while self.sources and not stop.is_set():
                source = self.sources[0]
                try:
                    image = self._load(source)
                    with models.busy:
                        regions = model(image)
                    self._keep(source, image, regions, labels)
                except ImageError as error:
                    self.faults.append((self._name(source), error))
                del self.sources[0]
                left = len(self.sources)
                yield (time.monotonic() - started) / (total - left) * left
            self._write(labels)
        finally:
            shutil.rmtree(self._images, ignore_errors=True)

    def _add(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if path.suffix.lower() != ".pdf":
                self.sources.append(Source(path))
                continue
            try:
                self.sources += [Source(path, number + 1) for number in range(pdf_page_count(path))]
            except OcrtuneError as error:
                self.faults.append((self._name(Source(path)), error))

    def _free(self, name: str) -> Path:
        target, number = self._images / name, 2
        while target.exists():
            target, number = self._images / f"{Path(name).stem}_{number}{Path(name).suffix}", number + 1
        return target

    def _not_empty(self, where: object) -> None:
        if not self.count:
            raise DataError("there is no image", where=where, expected=", ".join(sorted(TAKEN)))

    def _name(self, source: Source) -> str:
        name = source.path.relative_to(self._images).as_posix()
        return name if source.page is None else f"{name}#{source.page}"

    def _load(self, source: Source) -> Image:
        name = self._name(source)
        if source.page is not None:
            return render_pdf_page(source.path, source.page - 1, name)
        try:
            return decoded(source.path.read_bytes(), name, LIMITS)
        except OSError as error:
            raise ImageError(f"the image file cannot be read: {error.strerror}", where=name) from error

    def _keep(self, source: Source, image: Image, regions: list[TextRegion], labels: str | None) -> None:
        name, path = self._name(source), source.path
        if source.page is not None and labels:  # label files name image files
            path = self._images / f"{_as_file(name)}.png"
            path.write_bytes(bytes(cv2.imencode(".png", image)[1]))
            self._rendered.append(path)
        self.pages.append(Page(path, regions, name))
        self.sizes.append((image.shape[1], image.shape[0]))
        read = any(region.text is not None for region in regions)
        target = self.folder / "drawn" / f"{_as_file(name)}.jpg"
        write_whole(target, jpeg((draw_texts if read else draw_regions)(image, regions)))
        self.drawn.append(target)

    def _write(self, labels: str | None) -> None:
        """All results, and the zip of them beside their folder."""
        labelled = self._labels(labels) if labels and self.pages else []
        entries = [page_json(page, size) for page, size in zip(self.pages, self.sizes, strict=True)]
        files = {"predictions.jsonl": "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)}
        for page in self.pages:
            texts = "".join(f"{region.text}\n" for region in page.regions if region.text)
            files[f"texts/{_as_file(page.name)}.txt"] = texts
        if self.faults:
            files["skipped.txt"] = "".join(f"{name}: {error.what}\n" for name, error in self.faults)
        with zipfile.ZipFile(self.zip, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
            for path in self.drawn:
                packed.write(path, path.relative_to(self.folder), zipfile.ZIP_STORED)
            for path in labelled:
                packed.write(path, path.relative_to(self._images))

    def _labels(self, labels: str) -> list[Path]:
        """Label files beside the images, whose names they hold, and the images that were made of PDFs."""
        target = self._free(f"labels{written_suffix(labels)}")
        try:
            write_dataset(self.pages, labels, target)
        except DataError as error:  # the rest of the results is worth having
            self.faults.append((target.name, error))
            return []
        files = [target] if target.is_file() else [path for path in sorted(target.rglob("*")) if path.is_file()]
        return files + self._rendered

    @property
    def zip(self) -> Path:
        """The result to take along."""
        return self.folder / "ocrtune-results.zip"


def _as_file(name: str) -> str:
    """A page's name as that of a file: ``contract.pdf#2`` as ``contract.pdf_2``."""
    return name.replace("#", "_")


def _is_here(path: Path, folder: Path) -> bool:
    """Whether a file, also behind a link, lies in the folder."""
    return path.is_file() and path.resolve().is_relative_to(folder)
