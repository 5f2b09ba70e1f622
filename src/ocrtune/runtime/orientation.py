"""A direction classifier ready to run: tells which text lines are turned by 180 degrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ocrtune.page import Image
from ocrtune.runtime.engines import Engine
from ocrtune.runtime.parallel import each
from ocrtune.runtime.preprocess import LinePreprocess

LABELS = (0, 180)
"""Degrees that the classes of a direction classifier stand for."""
_BATCH = 8  # what fits into a core's cache


class OrientationThresholds(BaseModel):
    """When a line counts as turned; stored in the bundle and fitted by calibration.

    Attributes:
        turn_thresh: a line is turned when its probability of being so is higher; the price of turning an upright line
            is higher than that of leaving a turned one, so this lies above 0.5.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn_thresh: float = Field(0.9, ge=0, le=1)


@dataclass
class LineOrientation:
    """Finds lines that are upside down.

    Attributes:
        engine: the network, giving float32 [N, 2].
        preprocess: how a crop becomes its input.
        thresholds: when a line counts as turned.
        threads: that work at the same time, each on a batch of its own.
    """

    engine: Engine
    preprocess: LinePreprocess
    thresholds: OrientationThresholds
    threads: int = 1

    def probabilities(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Probability, float32 [N], that a crop, uint8 [h, w, 3] BGR, is turned by 180 degrees."""
        width = self.preprocess.max_width

        def work(start: int) -> npt.NDArray[np.float32]:
            return self.engine(self.preprocess(crops[start : start + _BATCH], width))[:, 1]

        parts = each(work, range(0, len(crops), _BATCH), self.threads)
        return np.concatenate([np.empty(0, np.float32), *parts])

    def turned(self, crops: Sequence[Image]) -> npt.NDArray[np.bool_]:
        """Which crops are turned by 180 degrees, bool [N]."""
        return self.probabilities(crops) > self.thresholds.turn_thresh
