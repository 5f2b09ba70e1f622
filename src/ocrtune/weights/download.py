"""Files from web addresses, into the cache: complete and with the right checksum, or not at all.

A transfer that broke off goes on where it stopped (HTTP range requests, RFC 9110 section 14), also in a later call.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from ocrtune.bundle import sha256
from ocrtune.errors import BundleError
from ocrtune.weights.cache import cache_dir

Progress = Callable[[int, int | None], None]
"""Takes the bytes that are there and, where the server says so, how many there will be."""
Tell = Callable[[str], None]
"""Takes one line for the user."""
_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 20
_PAUSES = (1.0, 3.0)  # seconds before the second and third try
_GIVEN_UP = (400, 401, 403, 404, 405, 410, 451)  # answers that another try does not change


def is_url(text: str) -> bool:
    """Whether a text is a web address."""
    return text.startswith(("http://", "https://"))


def cached_path(url: str) -> Path:
    """Where the file behind an address is, or would be, in the cache.

    Args:
        url: the address; of what is behind ``#`` only ``sha256=...`` counts.
    """
    address, expected = _parsed(url)
    key = address if expected is None else f"{address}#sha256={expected}"
    name = Path(urllib.parse.urlparse(address).path).name or "weights"
    return cache_dir() / "downloads" / hashlib.sha256(key.encode()).hexdigest()[:16] / name


def quiet(message: str) -> None:
    """Tells nobody."""


def no_progress(done: int, total: int | None) -> None:
    """Shows nothing."""


def download(url: str, tell: Tell = quiet, progress: Progress = no_progress) -> Path:
    """The file behind an address, from the cache where it is there already.

    Args:
        url: the address; ``#sha256=...`` behind it is compared with what was fetched. Without it the checksum of what
            came is written beside the file.
        tell: takes one line before a download, and what its checksum is where none was given.
        progress: see `Progress`.

    Raises:
        BundleError: the server cannot be reached or has no such file, the transfer broke off several times, or the
            checksum is wrong. What came so far is kept for the next call, unless it is wrong.
    """
    address, expected = _parsed(url)
    path = cached_path(url)
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        if path.is_file():  # another process has just fetched it
            return path
        tell(f"downloading {address}")
        partial = path.with_name(f".{path.name}.partial")
        _fetch(address, partial, path, progress)
        digest = sha256(partial)
        if expected is not None and digest != expected:
            partial.unlink()
            raise BundleError(
                "the checksum of the downloaded file is wrong",
                where=address,
                expected=f"sha256 {expected}, found {digest}",
                hint="the file was changed or damaged; ask whoever gave you the address",
            )
        if expected is None:
            path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n", encoding="utf-8")
            tell(f"no checksum is known for {path.name}; what came has sha256 {digest}")
        os.replace(partial, path)
        _mark(partial).unlink(missing_ok=True)
    return path


def _parsed(url: str) -> tuple[str, str | None]:
    address, _, fragment = url.partition("#")
    return address, urllib.parse.parse_qs(fragment).get("sha256", [None])[0]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time in a folder; the system lets go of the lock when a process dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _fetch(address: str, partial: Path, path: Path, progress: Progress) -> None:
    """Bring a file to ``partial``, in several tries."""
    by_hand = f"fetch it elsewhere and put it at {path}"
    for pause in (*_PAUSES, None):
        try:
            _transfer(address, partial, progress)
            return
        except urllib.error.HTTPError as error:
            error.close()
            if pause is None or error.code in _GIVEN_UP:
                raise BundleError(
                    f"the server answered {error.code} {error.reason}",
                    where=address,
                    hint=f"check the address, or {by_hand}",
                ) from error
        except (OSError, http.client.HTTPException) as error:
            if pause is None:
                raise BundleError(
                    f"the file cannot be downloaded: {error}",
                    where=address,
                    hint=f"check the network and try again; without one, {by_hand}",
                ) from error
        time.sleep(pause)


def _transfer(address: str, partial: Path, progress: Progress) -> None:
    """One try, which goes on where the last one stopped if the server still has the same file.

    Raises:
        OSError: the connection failed, or ended early.
    """
    there = partial.stat().st_size if partial.is_file() and _mark(partial).is_file() else 0
    request = urllib.request.Request(address)
    if there:
        request.add_header("Range", f"bytes={there}-")
        request.add_header("If-Range", _mark(partial).read_text(encoding="utf-8"))
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if there and error.code == 416:  # what is there does not belong to what the server has
            error.close()
            partial.unlink()
            raise ConnectionError("the file on the server has changed") from error
        raise
    with response:
        if address.startswith("https:") and not response.geturl().startswith("https:"):
            raise BundleError("the server leads to an address without encryption", where=address)
        goes_on = response.status == 206 and _starts_at(response.headers.get("Content-Range", ""), there)
        if not goes_on:
            there = 0
            _remember(partial, response.headers.get("ETag") or response.headers.get("Last-Modified"))
        announced = response.headers.get("Content-Length")
        total = None if announced is None else there + int(announced)
        with partial.open("ab" if goes_on else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                there += len(chunk)
                progress(there, total)
    if total is not None and there != total:
        raise ConnectionError(f"the transfer broke off after {there} of {total} bytes")


def _starts_at(content_range: str, offset: int) -> bool:
    return content_range.startswith(f"bytes {offset}-")


def _mark(partial: Path) -> Path:
    """What tells versions of the file apart: the server's ETag or date; without one nothing is continued."""
    return partial.with_name(f"{partial.name}.version")


def _remember(partial: Path, version: str | None) -> None:
    if version is None or version.startswith("W/"):
        _mark(partial).unlink(missing_ok=True)
    else:
        _mark(partial).write_text(version, encoding="utf-8")
