"""Replay: a share of each batch comes from other data, so that what a network knew about them is seen all along.

Source: Robins, "Catastrophic Forgetting, Rehearsal and Pseudorehearsal" (1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrtune.task import Samples

_ORDER = 1  # keeps the order of the replayed samples apart from that of the epochs


@dataclass(frozen=True)
class ReplaySamples:
    """Samples of two data sets, one of them spread evenly among those of the other.

    An epoch shows every sample of the data once, and as many of the anchor as make up its share: what comes next of an
    endless stream that goes through the anchor in ever new orders. Indices behind the data's are places in that stream.

    Attributes:
        data: what is learnt.
        anchor: what is replayed.
        share: of the anchor in each batch, 0 to 1, both excluded.
        seed: of the anchor's orders.
    """

    data: Samples
    anchor: Samples
    share: float
    seed: int

    @property
    def replayed(self) -> int:
        """Samples of the anchor in an epoch."""
        return max(1, round(len(self.data) * self.share / (1 - self.share)))

    def __len__(self) -> int:
        return len(self.data) + self.replayed

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """The data's own order, with the places of the anchor between, evenly and one after the other."""
        own = self.data.order(rng)
        places = np.arange(len(own), len(self), dtype=np.int64)
        when = np.concatenate([(np.arange(len(part)) + 0.5) / len(part) for part in (own, places)])
        return np.concatenate([own, places])[np.argsort(when, kind="stable")]

    def name(self, index: int) -> str:
        """The data's own names; of the anchor's, which one is meant depends on the epoch."""
        return self.data.name(index) if index < len(self.data) else f"a sample of the anchor ({index - len(self.data)})"

    def sample(self, epoch: int, index: int) -> Any:
        """One sample; the anchor's have their own epochs.

        Raises:
            OcrtuneError: the sample's image or labels cannot be used.
        """
        if index < len(self.data):
            return self.data.sample(epoch, index)
        turn, place = divmod(epoch * self.replayed + index - len(self.data), len(self.anchor))
        return self.anchor.sample(turn, int(self._anchor_order(turn)[place]))

    def _anchor_order(self, turn: int) -> npt.NDArray[np.int64]:
        if turn not in self._orders:
            self._orders.clear()
            self._orders[turn] = self.anchor.order(np.random.default_rng([self.seed, turn, _ORDER]))
        return self._orders[turn]

    @cached_property
    def _orders(self) -> dict[int, npt.NDArray[np.int64]]:
        return {}
