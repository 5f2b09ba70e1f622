from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ocrtune.augment.lines import AutoAugment, Erase, RandAugment, Tia
from ocrtune.charset import Charset, plan_texts
from ocrtune.config.schema import RecognitionAugmentConfig
from ocrtune.data.lines import as_lines, cut_lines, with_margin
from ocrtune.errors import DataError
from ocrtune.page import Page, TextRegion, as_polygon
from ocrtune.recognition.samples import RecognitionSamples, augmentation, collate, normalised
from ocrtune.recognition.task import RecognitionTask, check_lines
from ocrtune.recognition.upright import half_turn, upright_labels
from ocrtune.runtime.crop import crop_region
from ocrtune.runtime.load import load_recognizer
from ocrtune.runtime.preprocess import LinePreprocess
from ocrtune.training.diagnose.before import characters
from ocrtune.weights.registry import published_bundle
from support.pages import rectangle, save_image

CHARSET = Charset(tuple("abcdefgh 0123456789"))
PREPROCESS = LinePreprocess()


def line_page(folder: Path, text: str, width: int = 120, height: int = 30, name: str = "line.png") -> Page:
    image = save_image(folder / name, width, height)
    return Page(image, [rectangle(0, 0, width, height, text)])


def samples(pages: list[Page], config: RecognitionAugmentConfig | None = None, seed: int = 0) -> RecognitionSamples:
    config = config or RecognitionAugmentConfig()
    plan = plan_texts([r.text or "" for p in pages for r in p.regions], CHARSET, "drop")
    lines = check_lines(pages, plan, PREPROCESS, 8).lines
    return RecognitionSamples(lines, config, augmentation(config), PREPROCESS, CHARSET.index(" "), seed)


def test_lines_that_ctc_cannot_learn_are_found_and_said(tmp_path: Path) -> None:
    pages = [
        line_page(tmp_path, "abc", name="a.png"),
        line_page(tmp_path, "aabb00112233", width=40, height=40, name="b.png"),  # 48 px: 8 columns of 64 px at most
        line_page(tmp_path, "???", name="c.png"),
    ]
    check = check_lines(pages, plan_texts([], CHARSET, "drop"), PREPROCESS, 8)
    assert [line.text for line in check.lines] == ["abc"]
    assert len(check.infeasible) == 1
    assert "needs 18 columns" in check.infeasible[0]
    assert len(check.empty) == 1


@pytest.mark.parametrize("join", [0.0, 1.0])
def test_no_sample_is_wider_than_the_widest(tmp_path: Path, join: float) -> None:
    pages = [line_page(tmp_path, "abc 12", 100 + 90 * i, name=f"{i}.png") for i in range(4)]
    config = RecognitionAugmentConfig(join=join, tia=1.0, rotate=5.0, perspective=1.0)
    made = samples(pages, config)
    widths = [made.sample(epoch, 3).image.shape[1] for epoch in range(60)]
    assert 0.7 * made.widest() <= max(widths) <= made.widest()


def test_samples_are_a_function_of_seed_epoch_and_index(tmp_path: Path) -> None:
    pages = [line_page(tmp_path, "abc 12", 100 + 30 * i, name=f"{i}.png") for i in range(6)]
    first, again = samples(pages), samples(pages)
    for epoch, index in ((0, 0), (0, 3), (4, 5)):
        a, b = first.sample(epoch, index), again.sample(epoch, index)
        np.testing.assert_array_equal(a.image, b.image)
        assert a.label == b.label
        assert a.label in ((), tuple(CHARSET.encode("abc 12")))
    assert not np.array_equal(first.sample(0, 0).image, first.sample(1, 0).image)
    order = first.order(np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(6))


def test_lines_that_stand_on_their_head_say_nothing(tmp_path: Path) -> None:
    pages = [line_page(tmp_path, "abc", name="a.png"), line_page(tmp_path, "8008", name="b.png")]
    always = samples(pages, RecognitionAugmentConfig(overturn=1.0))
    assert always.sample(0, 0).label == ()
    assert always.sample(0, 1).label == tuple(CHARSET.encode("8008")), "this one reads the same turned over"


def test_joined_lines_have_both_texts_with_a_space(tmp_path: Path) -> None:
    pages = [line_page(tmp_path, "ab", name="a.png"), line_page(tmp_path, "12", name="b.png")]
    config = RecognitionAugmentConfig(join=1.0)
    sample = samples(pages, config.model_copy(update={"overturn": 0.0})).sample(0, 0)
    text = CHARSET.decode(sample.label)
    assert text in ("ab ab", "ab 12")
    assert sample.image.shape[1] > samples(pages).sample(0, 0).image.shape[1]


def test_padding_is_the_middle_of_the_range_as_in_use(tmp_path: Path) -> None:
    pages = [line_page(tmp_path, "ab", 60, name="a.png"), line_page(tmp_path, "12", 200, name="b.png")]
    still: dict[str, float] = dict.fromkeys(
        ("overturn", "jitter", "tia", "rotate", "blur", "noise", "small", "jpeg", "invert"), 0
    )
    plain = RecognitionAugmentConfig(**still, grow=(0, 0), stretch=1, colour=False)
    made = samples(pages, plain)
    batch = collate([made.sample(0, 0), made.sample(0, 1)], PREPROCESS)
    x = normalised(batch, PREPROCESS, torch.device("cpu")).numpy()
    assert x.shape[3] % PREPROCESS.multiple == 0
    assert (x[0, :, :, batch.widths[0] :] == 0).all()
    crops = [crop_region(p.load(), p.regions[0].polygon) for p in pages]
    np.testing.assert_allclose(x, PREPROCESS(crops, x.shape[3]), atol=1e-5)


def test_cut_lines_show_what_the_label_shows(tmp_path: Path, receipt_pages: list[Page]) -> None:
    page = receipt_pages[0]
    tilted = TextRegion(as_polygon([(100, 60), (260, 90), (254, 125), (94, 95)]), "tilted")
    pages = [page.with_regions([*page.regions[:3], tilted])]
    lines = cut_lines(pages, tmp_path / "lines")
    assert [line.regions[0].text for line in lines] == [r.text for r in pages[0].regions]
    image = page.load()
    for line, region in zip(lines, pages[0].regions, strict=True):
        direct = crop_region(image, region.polygon).astype(float)
        cut = crop_region(line.load(), line.regions[0].polygon).astype(float)
        assert cut.shape[0] == pytest.approx(direct.shape[0], abs=2)
        assert cut.shape[1] == pytest.approx(direct.shape[1], abs=2)
        h, w = min(cut.shape[0], direct.shape[0]), min(cut.shape[1], direct.shape[1])
        assert np.abs(cut[:h, :w] - direct[:h, :w]).mean() < 12
    grown, inner = with_margin(tilted.polygon, 0.25)
    assert (inner > 0).all()
    assert np.linalg.norm(grown[1] - grown[0]) > np.linalg.norm(tilted.polygon[1] - tilted.polygon[0])
    few = [page.with_regions(page.regions[:1])]
    assert as_lines(few, tmp_path / "none") == few, "pages of few lines are read whole"


@pytest.mark.parametrize(
    "transform",
    [
        Tia(1.0, kinds=("distort",)),
        Tia(1.0, kinds=("stretch",)),
        Tia(1.0, kinds=("perspective",)),
        Erase(1.0, "cutout"),
        Erase(1.0, "random_erasing"),
        Erase(1.0, "hide_and_seek"),
        Erase(1.0, "grid_mask"),
        RandAugment(prob=1.0),
        AutoAugment(),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (6, 40), (30, 200), (200, 20)])
def test_changes_keep_size_and_type_of_any_line(transform: object, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for seed in range(5):
        out = transform(image.copy(), np.random.default_rng(seed))  # type: ignore[operator]
        assert out.dtype == np.uint8
        assert out.shape == image.shape


def test_labels_that_start_at_the_far_corner_are_turned(cable_pages: list[Page]) -> None:
    recognizer = load_recognizer(published_bundle("ppocrv6-small-rec"))
    upright = upright_labels(recognizer, cable_pages[:80]).pages
    broken = [p.with_regions(half_turn(r) if n % 2 else r for r in p.regions) for n, p in enumerate(upright)]
    found = upright_labels(recognizer, broken)
    same = [
        np.array_equal(a.regions[0].polygon, b.regions[0].polygon) for a, b in zip(found.pages, upright, strict=True)
    ]
    assert sum(same[0::2]) >= 38, "labels that start at the right corner stay as they are"
    assert sum(same[1::2]) >= 20, "most labels whose text the model can read are put right"
    assert len(found.turned) >= 20


def test_unknown_characters_stop_the_training_where_that_is_wanted(tmp_path: Path) -> None:
    from ocrtune.config.load import build_config

    pages = [line_page(tmp_path, "ab\ue000")]
    config = build_config({"task": "recognition", "data": {"train": "x"}, "text": {"unknown": "error"}})
    with pytest.raises(DataError, match="1 characters of the labels are not in the model's character set"):
        RecognitionTask(config, pages, pages)  # type: ignore[arg-type]
    config = build_config({"task": "recognition", "data": {"train": "x"}})
    task = RecognitionTask(config, pages, pages)  # type: ignore[arg-type]
    assert "\ue000" in task.charset
    (told,) = characters(task.plan, ["ab\ue000"], task.check, "x")
    assert told.evidence["unknown_characters"] == 1
    assert "they become new classes" in told.message
    assert task.network().head.out_features == task.charset.classes
