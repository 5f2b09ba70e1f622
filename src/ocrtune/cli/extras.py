"""Says which extra is missing, in one line, before a verb starts."""

from __future__ import annotations

from ocrtune.errors import raise_missing_extra


def need_training() -> None:
    """Make sure that what `[train]` installs is there.

    Raises:
        MissingExtraError: it is not.
    """
    for module in ("torch", "lightning_fabric", "tensorboard"):
        try:
            __import__(module)
        except ImportError as error:
            raise_missing_extra(module, "train", error)
