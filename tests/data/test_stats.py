from __future__ import annotations

from pathlib import Path

import pytest

from ocrtune.data.stats import dataset_stats
from ocrtune.page import Page, TextRegion, as_polygon
from ocrtune.report.stats import stats_figure
from support.pages import rectangle, save_image


def test_figures_of_a_small_set(tmp_path: Path) -> None:
    regions = [
        rectangle(0, 0, 100, 20, "aab 中"),
        rectangle(0, 30, 40, 40, None),
        rectangle(0, 50, 40, 60, "x", ignore=True),
        TextRegion(as_polygon([(10, 90), (50, 50), (55, 55), (15, 95)]), "slant"),
    ]
    pages = [Page(save_image(tmp_path / "a.png", 200, 100), regions), Page(save_image(tmp_path / "b.png", 50, 80))]
    stats = dataset_stats(pages, 400)
    shown = stats.as_dict()
    assert (shown["pages"], shown["empty_pages"], shown["texts"], shown["ignored"], shown["unlabelled"]) == (
        2,
        1,
        3,
        1,
        1,
    )
    assert stats.widths == [200, 50]
    assert stats.text_heights[0] == pytest.approx(40)
    assert stats.aspect_ratios[0] == pytest.approx(5)
    assert stats.slants[2] == pytest.approx(45, abs=0.1)
    assert stats.lengths == [5, 5]
    assert shown["scripts"] == {"Latin": 8, "spaces": 1, "Han": 1}
    assert stats.characters["a"] == 3
    assert set(stats.rare) == set("aab 中slnt")
    assert shown["text_height_at_400"][2] == pytest.approx(20, abs=20)


@pytest.mark.parametrize("texts", [[], ["one"], ["many", "中文", "texts"] * 50])
def test_a_figure_is_drawn_of_any_set(tmp_path: Path, texts: list[str]) -> None:
    regions = [rectangle(0, i, 50 + i, 10 + 2 * i, text) for i, text in enumerate(texts)]
    picture = stats_figure(dataset_stats([Page(save_image(tmp_path / "a.png"), regions)], 640))
    assert picture.startswith(b"\x89PNG")
