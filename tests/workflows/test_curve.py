"""Learning curves over real runs that are as short as they can be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ocrtune.config.load import load_config
from ocrtune.config.schema import TrainConfig
from ocrtune.data.formats import read_dataset, write_dataset
from ocrtune.detection.evaluate import DetectionResult
from ocrtune.detection.metric import match_page, score
from ocrtune.errors import DataError, Interrupted, UsageError
from ocrtune.orientation.metric import OrientationResult
from ocrtune.recognition.metric import LineResult, RecognitionResult
from ocrtune.workflows.adapt import AdaptRequest
from ocrtune.workflows.adapt.curve import adapt_curve
from ocrtune.workflows.console import Console
from ocrtune.workflows.settings import curve as curves
from ocrtune.workflows.settings.curve import curve_of_config
from support.pages import printed_page

SHARES = (0.25, 0.5, 1.0)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    folder = tmp_path_factory.mktemp("data")
    for seed, (name, count) in enumerate((("train", 8), ("val", 3))):
        pages = [printed_page(folder / f"{name}_{i}.png", 100 * seed + i) for i in range(count)]
        write_dataset(pages, "json", folder / f"{name}.json")
    settings = [
        f"data.train=json:{folder / 'train.json'}",
        f"data.val=json:{folder / 'val.json'}",
        *("data.batch_size=2", "data.num_workers=0", "input.page_size=320", "input.view_size=96"),
        *("schedule.epochs=1", "trainer.evals=1", "trainer.num_gpus=0"),
    ]
    return load_config(None, settings).config


class Learner:
    """Stands for training: a model that is wrong the less often the more pages it has learnt from."""

    def __init__(self) -> None:
        self.learnt: list[tuple[int, int]] = []
        self.names: list[set[str]] = []
        self.stop_at: int | None = None

    def __call__(self, config: TrainConfig, folder: Path, **others: Any) -> Any:
        if len(self.learnt) == self.stop_at:
            self.stop_at = None
            raise Interrupted("stopped")
        assert isinstance(config.data.train, str)
        pages = read_dataset(config.data.train)
        assert config.schedule.steps is not None
        self.learnt.append((len(pages), config.schedule.steps))
        self.names.append({page.name for page in pages})
        assert config.data.val is not None
        measured = len(read_dataset(config.data.val))
        right = round(50 * (1 - 0.5 * len(pages) ** -0.5))
        return _Result(np.array([[right, 50.0]] * measured))


class _Result:
    monitor = "hmean"

    def __init__(self, tallies: npt.NDArray[np.float64]) -> None:
        self.val = self
        self._tallies = tallies

    def tallies(self) -> npt.NDArray[np.float64]:
        return self._tallies


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> Learner:
    learner = Learner()
    monkeypatch.setattr(curves, "train", learner)
    return learner


def test_nested_parts_with_equal_steps(config: TrainConfig, tmp_path: Path, learner: Learner) -> None:
    result = curve_of_config(config, SHARES, tmp_path / "curve", Console())
    assert learner.learnt == [(2, 4), (4, 4), (8, 4)], "as many steps as an epoch of all labels has"
    assert learner.names[0] < learner.names[1] < learner.names[2]
    assert result.curve.pages == [2, 4, 8]
    assert result.curve.figures == sorted(result.curve.figures)
    written = json.loads(result.json.read_text(encoding="utf-8"))
    assert [point["pages"] for point in written["points"]] == [2, 4, 8]
    assert [forecast["pages"] for forecast in written["forecasts"]] == [16, 32, 64]
    assert result.figure.read_bytes().startswith(b"\x89PNG")
    assert [row[0] for row in result.rows] == ["measured"] * 3 + ["forecast"] * 3


def test_it_goes_on_with_the_part_that_was_stopped(config: TrainConfig, tmp_path: Path, learner: Learner) -> None:
    learner.stop_at = 2
    with pytest.raises(Interrupted):
        curve_of_config(config, SHARES, tmp_path / "curve", Console())
    result = curve_of_config(config, SHARES, tmp_path / "curve", Console())
    assert [pages for pages, _ in learner.learnt] == [2, 4, 8], "no part twice"
    assert len(result.curve.figures) == 3
    with pytest.raises(DataError, match="another search"):
        curve_of_config(config, (0.5, 0.75, 1.0), tmp_path / "curve", Console())


def test_adapts_curve_measures_on_all_pages_that_are_not_learnt_from(tmp_path: Path, learner: Learner) -> None:
    pages = [printed_page(tmp_path / f"{i}.png", i) for i in range(30)]
    write_dataset(pages, "json", tmp_path / "pages.json")
    data, out = f"json:{tmp_path / 'pages.json'}", tmp_path / "out"
    request = AdaptRequest(data, None, "detection", None, 60, out, ("schedule.steps=7",))
    result = adapt_curve(request, SHARES, Console())
    train = len(read_dataset(f"json:{out / 'data' / 'train.json'}"))
    assert learner.learnt[-1] == (train, 7)
    assert len(read_dataset(f"json:{out / 'data' / 'val.json'}")) == 30 - train
    assert result.curve.pages[-1] == train
    assert adapt_curve(request, SHARES, Console()).curve == result.curve
    with pytest.raises(UsageError, match="one model"):
        adapt_curve(AdaptRequest(data, None, "ocr", None, 60, tmp_path / "other"), SHARES, Console())


@pytest.mark.slow
def test_real_runs(config: TrainConfig, tmp_path: Path) -> None:
    short = config.model_copy(update={"schedule": config.schedule.model_copy(update={"steps": 1})})
    result = curve_of_config(short, (0.25, 1.0), tmp_path / "curve", Console())
    assert all(0 < figure <= 1 for figure in result.curve.figures)
    assert (tmp_path / "curve" / "share_25" / "bundle" / "model.onnx").is_file()


def ratio(tallies: npt.NDArray[np.float64]) -> float:
    return float(tallies[:, 0].sum() / tallies[:, 1].sum())


def _detected(folder: Path) -> DetectionResult:
    pages = [printed_page(folder / f"{i}.png", i) for i in range(3)]
    found = [page.with_regions(page.regions[i + 1 :]) for i, page in enumerate(pages)]
    matches = [match_page(page, other) for page, other in zip(pages, found, strict=True)]
    return DetectionResult(score(matches), found, matches)


def _read(folder: Path) -> RecognitionResult:
    lines = [LineResult("A", text, 1, 9, 9, page) for page, text in ((0, "A"), (0, "a"), (2, "B"), (3, "A"))]
    return RecognitionResult.of(lines, "ignore-case")


def _turned(folder: Path) -> OrientationResult:
    return OrientationResult(np.array([0.1, 0.9, 0.8], np.float32), np.array([False, True, False]), 0.5)


@pytest.mark.parametrize("measured", [_detected, _read, _turned])
def test_pages_add_up_to_the_figure(measured: Callable[[Path], Any], tmp_path: Path) -> None:
    result = measured(tmp_path)
    assert ratio(result.tallies()) == pytest.approx(result.figure)
    assert 0 < result.figure < 1
