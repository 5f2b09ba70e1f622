"""Many pages through a model: shards of pages, read by every machine of a Ray cluster, each written once and whole."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrtune.errors import DataError, OcrtuneError, UsageError
from ocrtune.files import write_whole
from ocrtune.page import Page
from ocrtune.runtime.engines import available_cores
from ocrtune.runtime.pages import page_json, page_model
from ocrtune.scale.cluster import cluster
from ocrtune.weights.registry import resolve_bundle
from ocrtune.workflows.predict import predict_images

PLAN = "batch.json"


@dataclass(frozen=True)
class Batch:
    """Pages that are to be read, and where to.

    Attributes:
        bundle: name, or a folder that every machine sees.
        pages: without regions; every machine sees their files.
        folder: gets ``pages_00000.jsonl``, ...: a predict JSON object a line, or ``image`` and ``error``.
        size: pages in a file; what is read again at most where a machine dies.
    """

    bundle: str
    pages: Sequence[Page]
    folder: Path
    size: int = 64

    def shard(self, index: int) -> Sequence[Page]:
        return self.pages[index * self.size : (index + 1) * self.size]

    def file(self, index: int) -> Path:
        return self.folder / f"pages_{index:05d}.jsonl"

    @property
    def shards(self) -> int:
        return -(-len(self.pages) // self.size)

    def left(self) -> list[int]:
        """Shards that are not written yet.

        Raises:
            UsageError: the folder belongs to other pages or another model.
            DataError: it cannot be written.
        """
        names = "\n".join(page.name for page in self.pages)
        plan = {
            "bundle": self.bundle,
            "fingerprint": resolve_bundle(self.bundle).fingerprint(),
            "pages": len(self.pages),
            "pages_in_a_file": self.size,
            "names": hashlib.sha256(names.encode()).hexdigest(),
        }
        path = self.folder / PLAN
        try:
            if path.is_file():
                if json.loads(path.read_text(encoding="utf-8")) != plan:
                    raise UsageError(
                        "a batch of other pages or of another model was begun here",
                        where=self.folder,
                        hint="name another folder with --out",
                    )
            else:
                self.folder.mkdir(parents=True, exist_ok=True)
                write_whole(path, json.dumps(plan))
        except OSError as error:
            raise DataError(f"the folder cannot be used: {error.strerror}", where=self.folder) from error
        return [index for index in range(self.shards) if not self.file(index).is_file()]


@dataclass(frozen=True)
class BatchCount:
    """What the files of a finished batch hold."""

    pages: int
    texts: int
    errors: list[str]


def read_batch(batch: Batch, address: str, each: Callable[[], None] = lambda: None) -> BatchCount:
    """Read every page that has not been read yet.

    Args:
        batch: pages, model and folder.
        address: see `ocrtune.scale.cluster.cluster`.
        each: called after each page, those of earlier calls included.

    Raises:
        OcrtuneError: the model cannot be used, or no cluster answers. A damaged page is no error: its line says so.
    """
    left = batch.left()
    for _ in range(len(batch.pages) - sum(len(batch.shard(index)) for index in left)):
        each()
    if left:
        with cluster(address, cores=available_cores()):
            _read_shards(batch, left, each)
    return _count(batch)


class _Reader:
    """One of Ray Data's actors: holds the model, reads the pages of shard after shard, and writes their files."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._model = page_model(resolve_bundle(batch.bundle))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        found = predict_images(self._model, self._batch.shard(row["id"]))
        lines = [page_json(page, size) for page, size in zip(found.pages, found.sizes, strict=True)]
        lines += [{"image": error.where, "error": error.what} for error in found.errors]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_whole(self._batch.file(row["id"]), text)
        return row


def _read_shards(batch: Batch, left: Sequence[int], each: Callable[[], None]) -> None:
    """One reader a machine, which takes all its cores."""
    import ray

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    cores = [int(node["Resources"]["CPU"]) for node in ray.nodes() if node["Alive"] and "CPU" in node["Resources"]]
    shards = ray.data.from_items([{"id": index} for index in left], override_num_blocks=len(left))
    readers = ray.data.ActorPoolStrategy(size=len(cores))
    done = shards.map(_Reader, fn_constructor_args=(batch,), compute=readers, num_cpus=min(cores))
    try:
        for row in done.iter_rows():
            for _ in batch.shard(row["id"]):
                each()
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OcrtuneError):
            raise error.cause from error
        raise


def _count(batch: Batch) -> BatchCount:
    pages, texts, errors = 0, 0, []
    for index in range(batch.shards):
        with batch.file(index).open(encoding="utf-8") as file:
            for line in map(json.loads, file):
                if "error" in line:
                    errors.append(f"{line['image']}: {line['error']}")
                else:
                    pages += 1
                    texts += len(line["regions"])
    return BatchCount(pages, texts, errors)
