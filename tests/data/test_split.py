from __future__ import annotations

from pathlib import Path

import pytest

from ocrtune.data.groups import page_groups
from ocrtune.data.split import split_pages
from ocrtune.errors import DataError, UsageError
from ocrtune.page import Page
from support.pages import save_image


def pages(folder: Path, count: int) -> list[Page]:
    return [Page(save_image(folder / f"{i}.png", 8, 8, seed=i)) for i in range(count)]


def names(parts: list[list[Page]]) -> list[set[str]]:
    return [{page.name for page in part} for part in parts]


def test_70_20_10_is_complete_disjoint_and_independent_of_order(tmp_path: Path) -> None:
    all_pages = pages(tmp_path, 50)
    parts = split_pages(all_pages, [70, 20, 10])
    assert [len(part) for part in parts] == [35, 10, 5]
    assert set.union(*names(parts)) == {page.name for page in all_pages}
    assert names(split_pages(all_pages[::-1], [70, 20, 10])) == names(parts)


def test_renamed_files_go_where_their_pixels_went(tmp_path: Path) -> None:
    original = pages(tmp_path, 20)
    renamed = []
    for page in original:
        path = tmp_path / f"other_{page.name}"
        path.write_bytes(page.path.read_bytes())
        renamed.append(Page(path))
    first, second = names(split_pages(original, [70, 30])), names(split_pages(renamed, [70, 30]))
    assert [{f"other_{name}" for name in part} for part in first] == second


def test_twins_stay_together(tmp_path: Path) -> None:
    some = pages(tmp_path, 10)
    twin = tmp_path / "twin.png"
    twin.write_bytes(some[3].path.read_bytes())
    parts = names(split_pages([*some, Page(twin)], [50, 50]))
    assert any({"twin.png", "3.png"} <= part for part in parts)


def test_too_few_pages_and_bad_shares(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        split_pages(pages(tmp_path, 2), [70, 20, 10])
    with pytest.raises(UsageError):
        split_pages(pages(tmp_path, 2), [-1, 2])
    assert [len(part) for part in split_pages(pages(tmp_path, 30), [70, 20, 10], minimum=8)] == [14, 8, 8]


def test_groups_and_twins_stay_together_and_shares_count_pages(tmp_path: Path) -> None:
    some = pages(tmp_path, 40)
    twin = tmp_path / "twin.png"
    twin.write_bytes(some[0].path.read_bytes())
    everything = [*some, Page(twin)]
    groups = [f"document {index // 4}" for index in range(40)] + ["document 9"]  # the twin of a page of document 0
    parts = split_pages(everything, [70, 20, 10], groups=groups)
    assert [len(part) for part in parts] == [29, 8, 4]
    group_of = dict(zip((page.name for page in everything), groups, strict=True))
    where = {index: {group_of[page.name] for page in part} for index, part in enumerate(parts)}
    assert where[0].isdisjoint(where[1] | where[2])
    assert where[1].isdisjoint(where[2])
    assert any({"document 0", "document 9"} <= part for part in where.values()), "they share an image"
    again = split_pages(everything[::-1], [70, 20, 10], groups=groups[::-1])
    assert names(again) == names(parts)


def test_unequal_groups_come_near_to_the_shares_and_no_part_stays_empty(tmp_path: Path) -> None:
    some = pages(tmp_path, 30)
    unequal = ["a"] * 12 + ["b"] * 9 + ["c"] * 4 + ["d"] * 3 + ["e"] * 2
    assert [len(part) for part in split_pages(some, [70, 20, 10], groups=unequal)] == [21, 6, 3]
    assert all(split_pages(some, [70, 20, 10], groups=["a"] * 10 + ["b"] * 10 + ["c"] * 10))
    with pytest.raises(DataError, match="2 groups"):
        split_pages(some, [70, 20, 10], groups=["a"] * 10 + ["b"] * 20)
    assert split_pages(some, [1, 0, 1], groups=unequal)[1] == []


def test_groups_by_expression_and_by_file(tmp_path: Path) -> None:
    some = [Page(tmp_path / f"{name}.png", name=f"scans/{name}.png") for name in ("a_1", "a_2", "b_1", "other")]
    (tmp_path / "g.csv").write_text("file,group\r\nscans/a_1.png,A\r\na_2.png,A\r\nb_1,B\r\n", encoding="utf-8-sig")
    (tmp_path / "g.json").write_text('{"A": ["a_1.png", "a_2.png"], "b_1": "B"}', encoding="utf-8")
    for rule in (r"/([a-z])_\d", str(tmp_path / "g.csv"), str(tmp_path / "g.json")):
        groups = page_groups(some, rule)
        assert groups.of[0] == groups.of[1]
        assert len(set(groups.of)) == 3
        assert (groups.count, groups.alone) == (2, 1)
    assert page_groups(some, r"[a-z]_").of[0] == "group a_"


@pytest.mark.parametrize(
    ("rule", "says"),
    [("(", "no regular expression"), ("missing.csv", "not a single page"), (r"\d{9}", "not a single page")],
)
def test_group_rules_that_do_not_fit(tmp_path: Path, rule: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        page_groups(pages(tmp_path, 2), rule)
    (tmp_path / "g.csv").write_text("a,b,c\n", encoding="utf-8")
    with pytest.raises(DataError, match="3 cells"):
        page_groups(pages(tmp_path, 2), str(tmp_path / "g.csv"))
