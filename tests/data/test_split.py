from __future__ import annotations

from pathlib import Path

import pytest

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
