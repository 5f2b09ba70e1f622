"""Writing files and folders so that nobody ever sees half of one."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and put it there at once; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text file to write bit by bit; it takes its name when the block ends without an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def disk_is_full(error: BaseException) -> bool:
    """Whether an error says that there is no space left, on the disk or in one's share of it."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def with_name_of_its_own(path: Path) -> Path:
    """A path beside which something can be named after it: ``.`` and ``..`` become absolute, others stay as they are."""
    return Path(os.path.abspath(path)) if path.name in ("", "..") else path


def swap_folder(new: Path, path: Path) -> None:
    """Put a folder in the place of another one beside it, which is removed only when the new one is there."""
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        os.replace(path, old)
    os.replace(new, path)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; it takes its name when the block ends without an exception.

    Where the folder is there already, what was written goes into it, each entry at once, folders before files.

    Raises:
        FileExistsError: an entry is already there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        partial.chmod(0o755)
        yield partial
        if not path.exists():
            os.replace(partial, path)
            return
        names = [entry.name for entry in sorted(partial.iterdir(), key=Path.is_file)]
        for name in names:
            if (path / name).exists():
                raise FileExistsError(f"{path / name} is already there")
        for name in names:
            os.replace(partial / name, path / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
