from __future__ import annotations

import pytest

from ocrtune.recognition.metric import (
    LineResult,
    breakdown,
    compared,
    confusions,
    label_case_conflict,
    score_lines,
    suitable_policy,
    wilson,
)
from support.golden import load_json


def result(label: str, text: str, confidence: float = 0.9) -> LineResult:
    return LineResult(label, text, confidence, 100, 30)


@pytest.mark.parametrize(
    ("setting", "policy"), [("ignore_space_true", "ignore-space"), ("ignore_space_false", "exact")]
)
def test_accuracy_and_edit_distance_are_the_official_ones(setting: str, policy: str) -> None:
    golden = load_json("metric.json")["rec"]
    reference = golden["results"][setting]
    for (prediction, label), expected in zip(golden["pairs_pred_label"], reference["per_pair"], strict=True):
        score = score_lines([result(label, prediction)], policy)  # type: ignore[arg-type]
        assert score.accuracy == expected["correct"], (prediction, label)
        assert 1 - score.one_minus_ned == pytest.approx(expected["normalized_edit_distance"], abs=1e-9)


def test_rates_count_edits_over_all_labels() -> None:
    score = score_lines([result("ab cd", "ab xd"), result("efgh", "efgh")])
    assert score.accuracy == 0.5
    assert score.cer == pytest.approx(1 / 9)
    assert score.wer == pytest.approx(1 / 3)
    assert score.as_dict()["text_policy"] == "exact"


def test_policies_ignore_what_they_say() -> None:
    assert compared("Total 5", "exact") == "Total 5"
    assert compared("Total 5", "ignore-case") == compared("TOTAL 5", "ignore-case")
    assert compared("To tal", "ignore-space") == "Total"
    assert compared("é", "exact") == compared("e\u0301", "exact"), "composed and decomposed accents are the same"


def test_wilson_interval_of_known_values() -> None:
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.49, 0.943)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_confusions_name_both_characters() -> None:
    counts = confusions([result("O1", "01"), result("abc", "ac"), result("a", "ab")])
    assert counts == {("O", "0"): 1, ("b", ""): 1, ("", "b"): 1}


def test_breakdown_covers_every_line_once_for_each_key() -> None:
    results = [result("1", "1"), result("中文", "中文"), result("Hello world", "Hello")]
    for key in ("length", "height", "script"):
        assert sum(group.score.lines for group in breakdown(results) if group.by == key) == 3
    assert [group.name for group in breakdown(results) if group.by == "script"] == ["digits", "CJK", "Latin"]


def test_labels_in_one_case_are_noticed_only_where_the_images_differ() -> None:
    upper = [result("TOTAL", "Total"), result("CASH", "Cash"), result("5.00", "5.00")]
    assert label_case_conflict(upper) == "upper"
    assert suitable_policy(upper) == "ignore-case"
    assert suitable_policy([result("TOTAL", "TOTAL"), result("CASH", "CASH")]) == "exact"
    assert suitable_policy([result("Total", "TOTAL")]) == "exact", "the labels use both cases"
