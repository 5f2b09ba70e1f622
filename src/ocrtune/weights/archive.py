"""PaddleOCR's published archives: one weight file is taken out of them, nothing else is unpacked."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from ocrtune.bundle import sha256
from ocrtune.errors import BundleError
from ocrtune.files import write_whole
from ocrtune.weights.cache import cache_dir

MEMBER = "best_accuracy.pdparams"
_LARGEST = 2 << 30  # bytes; the largest published detector has 130 MB


def weights_in_archive(path: Path) -> Path:
    """The ``best_accuracy.pdparams`` of a ``.tar`` file, copied into the cache under a name of our own.

    Raises:
        BundleError: the file is no archive, or does not hold exactly one such file of a sensible size.
    """
    target = cache_dir() / "extracted" / sha256(path)[:16] / MEMBER
    if target.is_file():
        return target
    try:
        with tarfile.open(path) as archive:
            members = [member for member in archive.getmembers() if PurePosixPath(member.name).name == MEMBER]
            names = [PurePosixPath(member.name).name for member in archive.getmembers() if member.isfile()]
            if any(name.endswith(".pdiparams") for name in names) and not members:
                raise BundleError(
                    "the archive holds an inference model of Paddle, whose tensors have lost their names",
                    where=path,
                    hint="take the training archive (..._train.tar, ..._pretrained.pdparams), or an ONNX file",
                )
            if len(members) != 1 or not members[0].isfile() or members[0].size > _LARGEST:
                raise BundleError(
                    f"the archive holds {len(members)} files {MEMBER}"
                    if len(members) != 1
                    else f"{MEMBER} in the archive is no file of a sensible size",
                    where=path,
                    expected=f"one; found {', '.join(names[:5]) or 'nothing'}",
                )
            content = archive.extractfile(members[0])
            assert content is not None, "it is a regular file"
            write_whole(target, content.read())
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BundleError(f"the archive cannot be read: {error}", where=path) from error
    return target
