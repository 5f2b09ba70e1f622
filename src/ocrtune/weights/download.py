"""Weight files from a web address, into the cache: complete and with the right checksum, or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from ocrtune.errors import BundleError
from ocrtune.weights.registry import cache_dir

_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 20


def is_url(text: str) -> bool:
    """Whether a text is a web address."""
    return text.startswith(("http://", "https://"))


def download(url: str) -> Path:
    """The file behind an address, from the cache where it is there already.

    Args:
        url: the address; ``#sha256=...`` behind it is compared with what was fetched.

    Raises:
        BundleError: the server cannot be reached or has no such file, the transfer broke off, or the checksum is wrong;
            nothing is kept then.
    """
    address, _, fragment = url.partition("#")
    expected = urllib.parse.parse_qs(fragment).get("sha256", [None])[0]
    name = Path(urllib.parse.urlparse(address).path).name or "weights"
    folder = cache_dir() / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:16]
    path = folder / name
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{name}.{os.getpid()}.partial"
    try:
        digest = _fetch(address, partial)
        if expected is not None and digest != expected:
            raise BundleError(
                "the checksum of the downloaded file is wrong",
                where=address,
                expected=f"sha256 {expected}, found {digest}",
                hint="the file was changed or damaged; ask whoever gave you the address",
            )
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _fetch(url: str, target: Path) -> str:
    """Write what the server sends; returns its sha256."""
    digest = hashlib.sha256()
    received = 0
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response, target.open("wb") as file:
            announced = response.headers.get("Content-Length")
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                received += len(chunk)
    except urllib.error.HTTPError as error:
        raise BundleError(
            f"the server answered {error.code} {error.reason}", where=url, hint="check the address"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise BundleError(f"the file cannot be downloaded: {error}", where=url, hint="check the network") from error
    if announced is not None and received != int(announced):
        raise BundleError(f"the transfer broke off after {received} of {announced} bytes", where=url, hint="try again")
    return digest.hexdigest()
