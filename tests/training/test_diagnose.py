"""Diagnoses from recorded figures: what was planted is named, and a healthy run is left alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ocrtune.charset import Charset, plan_texts
from ocrtune.config.schema import TargetSpec
from ocrtune.detection.evaluate import DetectionResult
from ocrtune.detection.metric import match_page, score
from ocrtune.detection.warmstart import RATIOS, BaseFit
from ocrtune.errors import GateError, Interrupted
from ocrtune.orientation.metric import OrientationResult
from ocrtune.page import Page
from ocrtune.recognition.metric import LineResult, RecognitionResult
from ocrtune.recognition.task import LineCheck
from ocrtune.runtime.preprocess import DetectionPreprocess
from ocrtune.training.diagnose import FILE, Diagnosis, Diagnostics, Remedy, before
from ocrtune.training.diagnose.course import Course, Setting
from ocrtune.training.diagnose.during import during
from ocrtune.training.diagnose.limits import (
    Outcome,
    Remains,
    after,
    detection_remains,
    orientation_remains,
    recognition_remains,
)
from ocrtune.training.freeze import NEVER, Part
from support.pages import rectangle

BASE_FIT = BaseFit(0.55, {ratio: 0.2 + abs(ratio - 0.55) for ratio in RATIOS}, 8.0)


def setting(**changes: object) -> Setting:
    values: dict[str, object] = {
        "task": "detection",
        "monitor": "hmean",
        "total_steps": 100,
        "lr": 3e-3,
        "automatic_lr": 3e-3,
        "base": 0.9,
    }
    return Setting(**(values | changes))  # type: ignore[arg-type]


def noisy(levels: np.ndarray, seed: int = 0) -> list[float]:
    """Losses around these levels, as single batches differ."""
    return (levels * np.random.default_rng(seed).lognormal(0, 0.2, len(levels))).tolist()


def evaluations(*figures: float, steps: int = 100) -> list[tuple[int, float]]:
    return [(round(steps * (i + 1) / len(figures)), figure) for i, figure in enumerate(figures)]


def codes(found: list[Diagnosis]) -> set[str]:
    return {diagnosis.code for diagnosis in found}


def one(found: list[Diagnosis], code: str) -> Diagnosis:
    (diagnosis,) = (diagnosis for diagnosis in found if diagnosis.code == code)
    return diagnosis


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("steps", [4, 8, 30, 300])
def test_a_healthy_run_is_left_alone(seed: int, steps: int) -> None:
    course = Course(
        noisy(np.linspace(0.6, 0.4, steps), seed),
        [0.1] * steps,
        evaluations(0.905, 0.915, 0.912, 0.92, 0.918, steps=steps),
        {"unclip_ratio": 1.4},
    )
    assert not during(course, setting(total_steps=steps, base_signs={"unclip_ratio": 1.4}))


def test_a_rate_that_is_a_hundred_times_too_high_is_named_before_and_during() -> None:
    (high,) = before.rate(0.3, 3e-3, 8, "AdamW")
    assert high.severity == "warning"
    assert "100 times" in high.message
    assert high.evidence["automatic_lr"] == 3e-3
    assert high.remedies[0].do == "optimizer.lr=auto"
    course = Course([0.5, 90.0, 60.0, 40.0, 30.0, 25.0, 22.0, 20.0], evaluations=evaluations(0.0, 0.0))
    found = during(course, setting(lr=0.3))
    assert "100 times" in one(found, "loss-rose").message
    assert one(found, "loss-rose").remedies[0].do == "optimizer.lr=auto"
    zeroed = Course([0.3, 9e5, 0.0, 8e5, 0.0, 7e5], evaluations=evaluations(0.0))
    assert "loss-rose" in codes(during(zeroed, setting(lr=0.3))), "CTC's zeros are no low losses"


def test_usual_rates_are_not_told_and_tiny_ones_are() -> None:
    assert not list(before.rate(1e-3, 3e-3, 8, "AdamW"))
    assert not list(before.rate(0.1, 3e-3, 8, "SGD")), "SGD takes larger steps"
    (low,) = before.rate(1e-6, 3e-3, 8, "AdamW")
    assert low.code == "lr-low"
    flat = Course(noisy(np.full(100, 0.5)), evaluations=evaluations(0.89, 0.89, 0.89))
    assert "learning rate is 0.00033 times" in one(during(flat, setting(lr=1e-6)), "loss-flat").message


def test_a_loss_that_jumps_and_comes_back() -> None:
    losses = [0.5, 0.6, 9.0, 8.0, 7.0, *noisy(np.geomspace(5, 0.45, 60))]
    found = during(Course(losses, evaluations=evaluations(0.5, 0.91)), setting())
    assert "thrown away" in one(found, "loss-jumped").message
    assert "loss-rose" not in codes(found)


@pytest.mark.parametrize(
    ("changes", "text", "signs", "cause"),
    [
        ({"trained_share": 0.001}, [0.1], {}, "0.10% of the parameters train"),
        ({}, [0.0], {}, "no batch holds a text"),
        ({}, [0.1], {"empty": 0.8}, "blank"),
        ({}, [0.1], {}, "labels that contradict"),
    ],
)
def test_a_flat_loss_and_its_probable_cause(
    changes: dict[str, object], text: list[float], signs: dict[str, float], cause: str
) -> None:
    course = Course(noisy(np.full(100, 0.5)), text * 100, evaluations(0.88, 0.89), signs)
    assert cause in one(during(course, setting(**changes)), "loss-flat").message


def test_a_flat_loss_is_nothing_bad_where_the_figure_is_better() -> None:
    course = Course(noisy(np.full(100, 0.5)), evaluations=evaluations(0.91, 0.92))
    assert not during(course, setting())


def test_oscillation_is_told_and_a_climb_with_noise_is_not() -> None:
    falling = noisy(np.linspace(0.6, 0.4, 100))
    swinging = Course(falling, evaluations=evaluations(0.92, 0.80, 0.93, 0.79, 0.92, 0.81))
    found = one(during(swinging, setting()), "figure-oscillates")
    assert found.remedies[0].do == "optimizer.lr=0.001"
    climbing = Course(falling, evaluations=evaluations(0.70, 0.78, 0.76, 0.85, 0.83, 0.92))
    assert "figure-oscillates" not in codes(during(climbing, setting()))


def test_overfitting_is_a_figure_that_falls_while_the_loss_does() -> None:
    losses = noisy(np.geomspace(1.0, 0.1, 100))
    found = during(Course(losses, evaluations=evaluations(0.92, 0.94, 0.92, 0.91, 0.90)), setting())
    assert one(found, "overfitting").remedies[0].do == "schedule.steps=40"
    still = during(Course(losses, evaluations=evaluations(0.92, 0.94, 0.935, 0.938, 0.939)), setting())
    assert "overfitting" not in codes(still)


def test_blank_collapse() -> None:
    lines = setting(task="recognition", monitor="accuracy", base_signs={"empty": 0.02, "confidence": 0.9})
    losses = noisy(np.linspace(2, 1.8, 60))
    collapsed = Course(losses, evaluations=evaluations(0.1, 0.0), signs={"empty": 0.97})
    found = one(during(collapsed, lines), "blank-collapse")
    assert "97% of the validation lines are read as nothing, 2% by the base" in found.message
    fresh = setting(task="recognition", monitor="accuracy", base=None, total_steps=1000)
    assert "blank-collapse" not in codes(during(collapsed, fresh)), "fresh weights say blank at first"


def test_batches_without_a_text() -> None:
    course = Course(noisy(np.linspace(0.6, 0.4, 20)), [0.0, 0.0, 0.1, 0.2] * 5, evaluations(0.91))
    assert "50% of the batches" in one(during(course, setting()), "batches-without-text").message


@pytest.mark.parametrize(("now", "size"), [(1.0, "too large"), (1.9, "too small")])
def test_boxes_that_drift_lead_to_the_unclip_ratio(now: float, size: str) -> None:
    course = Course(noisy(np.linspace(0.6, 0.4, 20)), evaluations=evaluations(0.91), signs={"unclip_ratio": now})
    found = one(during(course, setting(base_signs={"unclip_ratio": 1.4})), "boxes-drift")
    assert size in found.message
    assert found.evidence == {
        "unclip_ratio": now,
        "base_unclip_ratio": 1.4,
        "lowest_searched": 1.0,
        "highest_searched": 1.9,
    }


def test_a_collapsed_direction() -> None:
    course = Course([0.7] * 8, evaluations=evaluations(0.5), signs={"turned": 1.0})
    found = one(during(course, setting(task="orientation", monitor="accuracy", base=None)), "direction-collapse")
    assert "calls every line turned" in found.message


def test_below_the_base_is_told_from_half_of_the_run_on() -> None:
    losses = noisy(np.linspace(0.6, 0.5, 100))
    assert "below-base" in codes(during(Course(losses, evaluations=evaluations(0.86, 0.87)), setting()))
    assert "below-base" not in codes(during(Course(losses[:30], evaluations=[(30, 0.86)]), setting()))


def test_the_faulty_ratio_is_told_with_both_numbers_and_where_it_comes_from() -> None:
    (found,) = before.ratio(BASE_FIT, TargetSpec(shrink_ratio=0.8096), epochs=20)
    assert found.code == "ratio-apart"
    assert found.severity == "warning"
    assert "0.8096" in found.message
    assert "0.55" in found.message
    assert "by mistake" in found.message
    assert found.remedies[0].do == "targets.shrink_ratio=auto"


def test_schedules_of_the_ratio_are_judged_by_what_they_do_in_this_run() -> None:
    restarted = {d.code for d in before.ratio(BASE_FIT, TargetSpec(shrink_ratio=0.4, total_epoch=20), epochs=20)}
    assert restarted == {"ratio-apart", "ratio-moves"}
    slow = TargetSpec(shrink_ratio=0.5, total_epoch=10_000)
    assert not list(before.ratio(BASE_FIT, slow, epochs=20)), "0.5 to 0.5004 harms nobody"


def test_a_wrong_charset_and_one_that_lacks_a_few() -> None:
    latin = Charset(tuple("abcdefghijklmnopqrstuvwxyz "))
    none_left_out = LineCheck([])
    russian = ["привет мир", "кассовый чек"]
    (wrong,) = before.characters(plan_texts(russian, latin, "extend"), russian, none_left_out, "x")
    assert wrong.code == "charset-wrong"
    assert "another script or another dictionary" in wrong.message
    assert wrong.evidence["unknown_share"] > 0.9
    some = ["total 5", "the sum of it all", "and so on and on"]
    (gap,) = before.characters(plan_texts(some, latin, "drop"), some, none_left_out, "x")
    assert gap.code == "charset-gap"
    assert "learns to skip them" in gap.message
    assert not list(before.characters(plan_texts(some[1:], latin, "drop"), some[1:], none_left_out, "x"))


def test_a_dictionary_in_another_order_is_a_base_that_is_sure_and_wrong() -> None:
    (found,) = before.dictionary_order({"1-ned": 0.04}, {"confidence": 0.93, "empty": 0.0}, "x")
    assert "93% sure" in found.message
    assert "text.dictionary" in found.remedies[0].do
    assert not list(before.dictionary_order({"1-ned": 0.04}, {"confidence": 0.2, "empty": 0.1}, "x"))
    assert not list(before.dictionary_order({"1-ned": 0.8}, {"confidence": 0.9, "empty": 0.0}, "x"))


def test_labels_that_do_not_fit_into_their_width_are_listed() -> None:
    check = LineCheck([], infeasible=["a.txt:3: 'abc' needs 18 columns"])
    (found,) = before.characters(plan_texts([], Charset(("a",)), "drop"), [], check, "x")
    assert found.code == "ctc-infeasible"
    assert found.suspects == ("a.txt:3: 'abc' needs 18 columns",)


def test_ignored_labels_are_counted() -> None:
    image = np.zeros((9, 9, 3), np.uint8)
    page = Page(image, [rectangle(0, 0, 5, 5, ignore=True)] * 9 + [rectangle(0, 0, 5, 5)])
    (found,) = before.labels([page], "icdar:x")
    assert "90% of the labels are marked as ignored" in found.message
    assert found.remedies[0].do == "ocrtune data check icdar:x"
    assert not list(before.labels([page.with_regions(page.regions[8:])], "x"))


def test_text_heights_at_the_training_size() -> None:
    (small,) = before.page_scale([5.0] * 40 + [20.0] * 60, 960, 640)
    assert "40% of the texts are lower than 8 pixels" in small.message
    assert int(small.remedies[0].do.removeprefix("input.page_size=")) > 960
    (large,) = before.page_scale([500.0] * 40 + [20.0] * 60, 960, 640)
    assert large.code == "texts-large"
    assert not list(before.page_scale([20.0] * 100, 960, 640))
    (lines,) = before.line_scale([8.0] * 30 + [40.0] * 70)
    assert "30% of the lines" in lines.message


def test_stages_that_the_run_does_not_reach_and_networks_that_hardly_train() -> None:
    staged = [Part("backbone", 10, 900, 200, 1.0), Part("head", 2, 100, 0, 1.0)]
    (late,) = before.frozen(staged, steps=100)
    assert "backbone would train from step 201, but the run ends after 100" in late.message
    assert not list(before.frozen(staged, steps=300))
    (little,) = before.frozen([Part("backbone", 10, 9_990, NEVER, 0.0), Part("head", 2, 10, 0, 1.0)], steps=100)
    assert little.code == "little-trains"


def outcome(remains: Remains, val: float = 0.9, train: float = 0.99) -> Outcome:
    return Outcome(val, train, remains, "db_pplcnetv3_mobile", 1280, "icdar:x", "runs/a")


def test_limits_are_ranked_by_what_they_explain() -> None:
    course = Course(noisy(np.full(100, 0.4)))
    left = Remains(texts=1000, wrong=100, extra=5, small=200, small_wrong=80)
    found = after(course, setting(base=0.85), outcome(left))
    assert [d.code for d in found] == ["limit-data", "limit-resolution"]
    assert found[0].message.startswith("what limits the result most: the amount of data")
    assert found[1].message.startswith("then: resolution: of the 200 texts lower than 10 pixels")
    assert found[1].remedies[0].do == "input.page_size=1600"


def test_labels_limit_where_the_model_is_sure_of_something_else() -> None:
    left = Remains(texts=100, wrong=10, extra=20, suspects=("a.jpg: a text at x 3, y 4 without a label (score 0.93)",))
    found = after(Course(noisy(np.full(40, 0.4))), setting(base=None), outcome(left))
    labels = one(found, "limit-labels")
    assert labels.suspects[0].startswith("a.jpg")
    assert labels.remedies[0].do == "ocrtune data check icdar:x --base runs/a"


def test_what_is_wrong_on_training_data_too_is_length_or_capacity() -> None:
    left = Remains(texts=100, wrong=40)
    falling, settled = Course(noisy(np.geomspace(1, 0.1, 100))), Course([0.5] * 100)
    steps = one(after(falling, setting(base=None), outcome(left, 0.6, 0.62)), "limit-steps")
    assert steps.remedies[0].do == "schedule.steps=200"
    capacity = one(after(settled, setting(base=None), outcome(left, 0.6, 0.62)), "limit-capacity")
    assert capacity.remedies[0].do == "model.pretrained=ppocrv6-medium-det"


def test_a_result_below_the_base_is_an_error_and_nothing_limits_it() -> None:
    found = after(Course([0.5] * 10), setting(lr=0.3), outcome(Remains(100, 60), val=0.4))
    assert [(d.code, d.severity) for d in found] == [("below-base", "error")]
    assert "100 times" in found[0].message
    assert found[0].remedies[0].do == "optimizer.lr=auto"


def test_few_mistakes_are_not_explained() -> None:
    assert not after(Course([0.5] * 10), setting(), outcome(Remains(100, 2), val=0.98))


def test_remains_of_a_detector() -> None:
    image = np.zeros((200, 400, 3), np.uint8)
    labels = Page(image, [rectangle(10, 10, 60, 30), rectangle(10, 50, 60, 56), rectangle(10, 70, 60, 90, ignore=True)])
    boxes = [rectangle(10, 10, 60, 30), rectangle(200, 100, 300, 130)]
    boxes[0].score, boxes[1].score = 0.8, 0.9
    predicted = labels.with_regions(boxes)
    match = match_page(labels, predicted)
    result = DetectionResult(score([match]), [predicted], [match])
    left = detection_remains([labels], result, DetectionPreprocess(resize="long_side", size=416))
    assert (left.texts, left.wrong, left.small, left.small_wrong, left.extra) == (2, 1, 1, 1, 1)
    assert "x 200, y 100" in left.suspects[0]


def test_remains_of_a_recogniser() -> None:
    lines = [
        LineResult("abc", "abc", 0.99, 60, 20),
        LineResult("abc", "abd", 0.97, 60, 20),
        LineResult("xyz", "xy", 0.3, 60, 9),
    ]
    page = Page(np.zeros((9, 9, 3), np.uint8), [rectangle(0, 0, 5, 5, "abc")], name="p.png")
    left = recognition_remains([page], RecognitionResult.of(lines, "exact"))
    assert (left.texts, left.wrong, left.contradicted, left.small, left.small_wrong) == (3, 2, 1, 1, 1)
    assert left.suspects == ("p.png: labelled 'abc', read 'abd' (0.97)",)


def test_diagnoses_are_told_once_and_kept_in_the_folder(tmp_path: Path) -> None:
    told: list[str] = []
    kept = Diagnostics(tmp_path, "detection", told.append)
    rate = Diagnosis("lr-high", "before", "warning", "too high", {"lr": 0.3}, (Remedy("optimizer.lr=auto", "less"),))
    flat = Diagnosis("loss-flat", "during", "warning", "flat", {"loss_last": 0.51234567})
    kept.add([rate])
    kept.renew([flat])
    kept.renew([flat])
    assert Counter(told)["warning: loss-flat: flat"] == 1
    assert "  to do: optimizer.lr=auto (less)" in told
    assert "  evidence: loss last 0.5123" in (tmp_path / "log.txt").read_text(encoding="utf-8")
    kept.renew([])
    kept.add([Diagnosis("below-base", "after", "error", "worse")])
    content = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert content["task"] == "detection"
    assert [entry["code"] for entry in content["diagnosis"]] == ["below-base", "lr-high"], "what has passed is gone"
    assert content["diagnosis"][1] == {
        "code": "lr-high",
        "when": "before",
        "severity": "warning",
        "message": "too high",
        "evidence": {"lr": 0.3},
        "remedies": [{"do": "optimizer.lr=auto", "why": "less"}],
        "suspects": [],
    }


def test_an_error_that_ends_a_run_is_a_diagnosis_and_carries_the_others(tmp_path: Path) -> None:
    kept = Diagnostics(tmp_path, "detection", lambda line: None)
    kept.add([Diagnosis("lr-high", "before", "warning", "too high")])
    kept.phase = "during"
    with pytest.raises(GateError) as caught, kept.of_errors():
        raise GateError("the loss is not finite", hint="lower the rate", code="loss-not-finite", evidence={"step": 3})
    assert [entry["code"] for entry in caught.value.as_dict()["diagnosis"]] == ["loss-not-finite", "lr-high"]
    assert caught.value.diagnosis[0]["remedies"] == [{"do": "lower the rate", "why": ""}]
    with (
        pytest.raises(GateError, match="disk"),
        Diagnostics(tmp_path / "log.txt" / "run", "detection", print).of_errors(),
    ):
        raise GateError("the disk is full")  # and not that the diagnosis could not be written
    with pytest.raises(Interrupted), kept.of_errors():
        raise Interrupted("stopped")
    assert len(kept.found) == 2, "an interruption is nothing wrong"


def test_a_base_that_is_far_from_the_labels() -> None:
    (found,) = before.base_far("hmean", 0.4, "icdar:x", "ppocrv4-mobile-det")
    assert found.remedies[0].do == "ocrtune data check icdar:x --base ppocrv4-mobile-det"
    assert not list(before.base_far("hmean", 0.9, "icdar:x", "ppocrv4-mobile-det"))


def test_remains_of_a_direction_classifier() -> None:
    result = OrientationResult(np.array([0.1, 0.95, 0.6, 0.9], np.float32), np.array([False, False, False, True]), 0.5)
    left = orientation_remains(result)
    assert (left.texts, left.wrong, left.contradicted) == (4, 2, 1)


def test_numbers_that_json_does_not_have_are_null() -> None:
    found = Diagnosis("x", "before", "error", "y", {"loss": float("inf"), "parameters": 1171449})
    assert found.as_dict()["evidence"] == {"loss": None, "parameters": 1171449}
    assert found.lines()[1] == "  evidence: loss inf, parameters 1,171,449"
