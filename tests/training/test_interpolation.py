from __future__ import annotations

import pytest
import torch
from torch import nn

from ocrtune.training.interpolation import Point, choose, interpolated


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    for _ in range(seed + 1):
        model(torch.randn(2, 3, 8, 8) * (seed + 1))
    return model.eval()


def test_the_ends_are_exact_and_statistics_lie_between() -> None:
    base, tuned = network(0).state_dict(), network(1).state_dict()
    for alpha, end in ((0.0, base), (1.0, tuned)):
        mixed = interpolated(base, tuned, alpha)
        assert all(torch.equal(mixed[name], end[name]) for name in end if end[name].is_floating_point())
    middle = interpolated(base, tuned, 0.25)
    for name in ("0.weight", "1.running_mean", "1.running_var"):
        torch.testing.assert_close(middle[name], 0.75 * base[name] + 0.25 * tuned[name])
    assert middle["1.num_batches_tracked"] == tuned["1.num_batches_tracked"] == 2


def test_other_networks_are_refused() -> None:
    other = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))
    with pytest.raises(ValueError, match="not of one kind"):
        interpolated(network(0).state_dict(), other.state_dict(), 0.5)


def points(*figures: tuple[float, float]) -> list[Point]:
    """Points at even shares from (figure on the target, on the anchor)."""
    last = len(figures) - 1
    return [Point(i / last, target, target, anchor, {}) for i, (target, anchor) in enumerate(figures)]


def test_the_best_that_keeps_the_anchor_is_chosen() -> None:
    choice = choose(points((0.90, 0.60), (0.94, 0.60), (0.95, 0.596), (0.96, 0.58)), 0.01)
    assert choice.kept
    assert choice.chosen.target == 0.95
    assert choice.offered is choice.points[1], "the next smaller share, should other pages say otherwise"


def test_half_of_the_tolerance_is_left_for_other_pages() -> None:
    assert choose(points((0.90, 0.60), (0.94, 0.597), (0.96, 0.592)), 0.01).chosen.target == 0.94


def test_nothing_between_is_needed_where_nothing_is_forgotten() -> None:
    choice = choose(points((0.90, 0.60), (0.93, 0.61), (0.96, 0.62)), 0.01)
    assert (choice.chosen.alpha, choice.kept) == (1.0, True)


def test_a_hair_on_the_target_is_not_worth_points_of_the_anchor() -> None:
    assert choose(points((0.912, 0.455), (0.9363, 0.474), (0.9367, 0.457), (0.93, 0.398)), 0.01).chosen.anchor == 0.474


def test_a_mixture_may_be_better_than_both_ends() -> None:
    assert choose(points((0.90, 0.60), (0.95, 0.63), (0.92, 0.61)), 0.01).chosen.alpha == 0.5


def test_without_any_that_keeps_the_anchor_the_fine_tuned_stays_and_another_is_offered() -> None:
    choice = choose(points((0.90, 0.60), (0.92, 0.58), (0.95, 0.57), (0.96, 0.40)), 0.01)
    assert (choice.chosen.alpha, choice.kept) == (1.0, False)
    assert choice.offered is choice.points[2], "gains 5, loses 3"


def test_keeping_the_anchor_is_no_use_where_nothing_is_gained() -> None:
    choice = choose(points((0.90, 0.60), (0.89, 0.60), (0.95, 0.50)), 0.01)
    assert (choice.chosen.alpha, choice.kept) == (1.0, False)


def test_nothing_is_offered_where_nothing_lies_between() -> None:
    assert choose(points((0.90, 0.60), (0.95, 0.50)), 0.01).offered is None
