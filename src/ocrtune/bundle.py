"""`Bundle`, the one artefact: a folder that holds a model and all that is needed to run it correctly."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ocrtune.errors import BundleError
from ocrtune.files import swap_folder

MANIFEST = "bundle.yaml"
ONNX = "model.onnx"
WEIGHTS = "weights.safetensors"
CHARSET = "charset.txt"
TaskName = Literal["detection", "orientation", "recognition", "ocr"]
PARTS: tuple[TaskName, ...] = ("detection", "orientation", "recognition")
"""What a pipeline bundle (task ``ocr``) may hold, in the order in which they run; each is a bundle folder of its own."""
FORMAT_VERSION = 1


class Manifest(BaseModel):
    """The content of ``bundle.yaml``.

    Attributes:
        format_version: of this layout.
        task: what the model does; ``ocr`` is a pipeline of the bundles in its sub-folders.
        arch: name of the network (see the ``model`` module of the task's room); empty for a pipeline.
        form: ``deployed`` (folded) or ``training`` form of the tensors in ``weights.safetensors``.
        preprocess: exact pre-processing, as `ocrtune.runtime` takes it.
        thresholds: exact decoding, as `ocrtune.runtime` takes it.
        metrics: figures with confidence intervals, by name of the data.
        provenance: base weights and their sha256, data fingerprint, configuration, versions.
        files: sha256 of each file beside the manifest, or in a pipeline's sub-folders.
    """

    model_config = ConfigDict(extra="forbid")

    format_version: Literal[1] = 1
    task: TaskName
    arch: str = ""
    form: Literal["deployed", "training"] = "deployed"
    preprocess: dict[str, Any] = Field(default_factory=dict)
    thresholds: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk.

    Attributes:
        path: the folder.
        manifest: its checked ``bundle.yaml``.
    """

    path: Path
    manifest: Manifest = field(repr=False)

    @property
    def onnx(self) -> Path:
        """The ONNX file.

        Raises:
            BundleError: the bundle has none.
        """
        return self._file(ONNX, "ocrtune export BUNDLE --format onnx")

    @property
    def weights(self) -> Path | None:
        """The tensors for further training; None where only an ONNX file was published."""
        path = self.path / WEIGHTS
        return path if path.is_file() else None

    @property
    def charset(self) -> Path:
        """The recogniser's ``charset.txt``.

        Raises:
            BundleError: the bundle has none.
        """
        return self._file(CHARSET, "a recognition bundle always has one: take another copy of the bundle")

    def part(self, task: TaskName) -> Bundle | None:
        """A pipeline's bundle for a task; None where the pipeline has none."""
        folder = self.path / task
        return Bundle.load(folder, verify=False) if (folder / MANIFEST).is_file() else None

    def _file(self, name: str, remedy: str) -> Path:
        path = self.path / name
        if not path.is_file():
            raise BundleError(f"the bundle has no {name}", where=self.path, hint=remedy)
        return path

    def fingerprint(self) -> str:
        """sha256 over the files that make its predictions."""
        parts = [f"{name}:{digest}" for name, digest in sorted(self.manifest.files.items())]
        parts += [yaml.safe_dump(part, sort_keys=True) for part in (self.manifest.preprocess, self.manifest.thresholds)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @classmethod
    def load(cls, path: Path, verify: bool = True) -> Bundle:
        """Read a bundle folder.

        Args:
            path: the folder.
            verify: compare the files with the checksums in the manifest.

        Raises:
            BundleError: the folder or its manifest is missing, damaged, from a newer version, or a file was changed.
        """
        try:
            content = yaml.safe_load((path / MANIFEST).read_text(encoding="utf-8"))
            manifest = Manifest.model_validate(content)
        except FileNotFoundError as error:
            raise BundleError(f"there is no {MANIFEST}", where=path, expected="a bundle folder") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise BundleError("the manifest is no valid YAML", where=path / MANIFEST) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise BundleError(
                f"the manifest does not fit at '{key}': {first['msg']}",
                where=path / MANIFEST,
                hint="the bundle may be from a newer version of ocrtune",
            ) from error
        if verify:
            for name, digest in manifest.files.items():
                if not (path / name).is_file():
                    raise BundleError(f"the bundle's file {name} is missing", where=path)
                if sha256(path / name) != digest:
                    raise BundleError(f"the bundle's file {name} was changed or damaged", where=path)
        return cls(path, manifest)

    def rewritten(self, path: Path, **changes: Any) -> Bundle:
        """The same files with changed entries of the manifest, written to a folder (which may be this one)."""
        manifest = self.manifest.model_copy(update=changes)
        return save_bundle(path, manifest, {name: self.path / name for name in self.manifest.files})


def save_bundle(path: Path, manifest: Manifest, files: Mapping[str, Path | bytes]) -> Bundle:
    """Write a bundle folder at once: it is there completely, or the old one is still there.

    Args:
        path: the folder, replaced if it is a bundle.
        manifest: its ``files`` are filled in here.
        files: content by name.

    Raises:
        BundleError: something else than a bundle is in the way.
    """
    in_the_way = path.exists() and not (path / MANIFEST).is_file()
    if in_the_way and (not path.is_dir() or any(path.iterdir())):
        raise BundleError("something else than a bundle is already there", where=path, hint="choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                (folder / name).write_bytes(content)
            else:
                shutil.copyfile(content, folder / name)
        manifest = manifest.model_copy(update={"files": {name: sha256(folder / name) for name in sorted(files)}})
        text = yaml.safe_dump(manifest.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        folder.chmod(0o755)
        swap_folder(folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Bundle.load(path, verify=False)


def save_pipeline(path: Path, parts: Mapping[TaskName, Bundle], manifest: Manifest) -> Bundle:
    """Write a pipeline bundle that holds copies of other bundles, at once.

    Args:
        path: the folder, replaced if it is a bundle.
        parts: bundles by task.
        manifest: of the pipeline.

    Raises:
        BundleError: something else than a bundle is in the way.
    """
    files = {
        f"{task}/{name}": bundle.path / name
        for task, bundle in parts.items()
        for name in (*bundle.manifest.files, MANIFEST)
    }
    return save_bundle(path, manifest, files)


def sha256(path: Path) -> str:
    """Checksum of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
