"""Damaged images met in training: named, counted, and too many of them an error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from ocrtune.errors import DataError, ImageError


class DamagedImages:
    """Keeps account of images that could not be used.

    Args:
        known: names of those met so far; new ones are added to it.
        samples: training samples.
        share: of the samples whose images may be damaged; one image at least, unless it is 0.
        tell: takes one line for each new one.
    """

    def __init__(self, known: list[str], samples: int, share: float, tell: Callable[[str], None]) -> None:
        self._known, self._most, self._tell = known, math.ceil(share * samples), tell

    def count(self, damaged: Iterable[ImageError]) -> None:
        """Take note of what was damaged in a batch.

        Raises:
            ImageError: none may be.
            DataError: they are more than may be.
        """
        for error in damaged:
            name = error.where or error.what
            if name in self._known:
                continue
            if self._most == 0:
                raise error
            self._known.append(name)
            if len(self._known) > self._most:
                raise DataError(
                    f"{len(self._known)} training images are damaged or missing, the last: {error.what}",
                    where=name,
                    expected=f"{self._most} at most (data.max_damaged)",
                    hint="ocrtune data check DATA finds them all; mend or remove them, then resume the run",
                )
            self._tell(
                f"damaged image, replaced by the next sample wherever it is due ({len(self._known)} of at most "
                f"{self._most}): {name}: {error.what}"
            )
