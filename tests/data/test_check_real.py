"""The real data sets have no errors beyond those that their README names (it names none that is an error)."""

from __future__ import annotations

from pathlib import Path

from ocrtune.data.check import check_dataset, find_leaks
from ocrtune.data.formats import parse_dataset_path
from support.paths import DATA, need


def test_receipts_have_one_label_that_vanishes_and_one_pair_of_twins(receipts: Path) -> None:
    train = check_dataset(parse_dataset_path(f"icdar:{receipts / 'train'}"), keep_pages=False)
    assert train.counts() == {"text-too-small": 1, "image-nearly-twice": 1, "labels-one-case": 1}
    places = {code: found[0].where for code, found in train.by_code().items()}
    assert places["text-too-small"].endswith("178.csv:19")
    assert places["image-nearly-twice"].endswith("237.csv")
    val = check_dataset(parse_dataset_path(f"icdar:{receipts / 'val'}"), keep_pages=False)
    assert val.errors == 0
    assert list(find_leaks(train, val)) == [], "receipts of one shop look alike and are not the same"


def test_scene_text_and_cable_labels_have_no_errors(scene_text: Path) -> None:
    cables = need(DATA / "cable_labels")
    for name in (f"icdar:{scene_text / 'test_list.txt'}", f"paddle:{cables / 'val_label.txt'}"):
        report = check_dataset(parse_dataset_path(name), keep_pages=False)
        assert report.errors == 0
        assert not {"image-nearly-twice", "text-lookalike", "text-mojibake"} & set(report.counts())
