from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from ocrtune.training.replay import ReplaySamples


@dataclass(frozen=True)
class Named:
    """Samples that say whose they are, in which epoch and at which index."""

    whose: str
    count: int

    def __len__(self) -> int:
        return self.count

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.permutation(self.count)

    def name(self, index: int) -> str:
        return f"{self.whose} {index}"

    def sample(self, epoch: int, index: int) -> tuple[str, int, int]:
        return self.whose, epoch, index


def epoch_of(samples: ReplaySamples, epoch: int) -> list[tuple[str, int, int]]:
    order = samples.order(np.random.default_rng([samples.seed, epoch]))
    return [samples.sample(epoch, int(index)) for index in order]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_every_batch_has_the_share(share: float) -> None:
    samples = ReplaySamples(Named("data", 48), Named("anchor", 10), share, seed=3)
    shown = [name for epoch in range(3) for name, _, _ in epoch_of(samples, epoch)]
    for start in range(0, len(shown), 8):
        assert abs(shown[start : start + 8].count("anchor") - 8 * share) <= 1


def test_an_epoch_shows_all_data_once_and_the_anchor_is_gone_through_evenly() -> None:
    samples = ReplaySamples(Named("data", 9), Named("anchor", 7), 0.25, seed=0)
    epochs = [epoch_of(samples, epoch) for epoch in range(14)]
    for number, shown in enumerate(epochs):
        assert sorted(index for name, _, index in shown if name == "data") == list(range(9))
        assert {epoch for name, epoch, _ in shown if name == "data"} == {number}
    replayed = [(epoch, index) for shown in epochs for name, epoch, index in shown if name == "anchor"]
    assert len(replayed) == 14 * 3
    assert sorted(replayed) == [(turn, index) for turn in range(6) for index in range(7)], "each one once a turn"
    orders = [tuple(index for turn, index in replayed if turn == wanted) for wanted in range(6)]
    assert len(set(orders)) > 1, "every turn has its own order"


def test_samples_do_not_depend_on_what_was_asked_before() -> None:
    samples = ReplaySamples(Named("data", 9), Named("anchor", 4), 0.4, seed=1)
    forwards = [samples.sample(epoch, index) for epoch in range(5) for index in range(len(samples))]
    fresh = ReplaySamples(Named("data", 9), Named("anchor", 4), 0.4, seed=1)
    backwards = [fresh.sample(epoch, index) for epoch in reversed(range(5)) for index in reversed(range(len(fresh)))]
    assert forwards == backwards[::-1]
