"""How published networks are run: the settings of a network whose weights do not say theirs."""

from __future__ import annotations

from pydantic import BaseModel

from ocrtune.bundle import TaskName
from ocrtune.errors import ConfigError
from ocrtune.runtime.decode import DetectionThresholds
from ocrtune.runtime.orientation import OrientationThresholds
from ocrtune.runtime.preprocess import DetectionPreprocess, LinePreprocess
from ocrtune.runtime.recognizer import RecognitionThresholds

_LINE_WIDTH = 96  # the publisher pads to 320; less is as exact on real lines, and a third faster
_TASKS: dict[str, TaskName] = {"db": "detection", "dbpp": "detection", "ctc": "recognition", "cls": "orientation"}
_FIXED_LINE_WIDTH = {"ctc_svtrnet_large": 320}
_CRNN = ("ctc_mobilenetv3_crnn", "ctc_resnet34_crnn", "ctc_mobilenetv1_crnn")  # PP-OCR v2.0 and v2: lines of 32 pixels


def task_of(arch: str) -> TaskName:
    """What a network does: the prefix of its name says so.

    Raises:
        ConfigError: it says something else.
    """
    prefix = arch.partition("_")[0]
    if prefix not in _TASKS:
        raise ConfigError(
            f"no network is called '{arch}'", where="--arch", expected="db_..., dbpp_..., ctc_... or cls_..."
        )
    return _TASKS[prefix]


def page_preprocess() -> DetectionPreprocess:
    """How PaddleOCR runs its detectors."""
    return DetectionPreprocess(resize="limit_max", size=960)


def line_preprocess(arch: str) -> LinePreprocess:
    """How a recogniser or direction classifier is run. Source: the networks' PaddleOCR configurations."""
    if arch in _FIXED_LINE_WIDTH:
        return LinePreprocess(min_width=_FIXED_LINE_WIDTH[arch], max_width=_FIXED_LINE_WIDTH[arch])
    if arch.startswith("ctc_"):
        return LinePreprocess(height=32 if arch in _CRNN else 48, min_width=_LINE_WIDTH)
    if arch.startswith("cls_pplcnet"):
        return LinePreprocess(
            height=80,
            min_width=160,
            max_width=160,
            fit="stretch",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            channels="rgb",
        )
    return LinePreprocess(min_width=192, max_width=192)


def default_preprocess(arch: str) -> DetectionPreprocess | LinePreprocess:
    """The same for a network of any task."""
    return page_preprocess() if task_of(arch) == "detection" else line_preprocess(arch)


def page_thresholds(arch: str) -> DetectionThresholds:
    """How PaddleOCR decodes a detector's maps."""
    if arch.startswith("db_pplcnetv4"):
        return DetectionThresholds(bin_thresh=0.2, box_thresh=0.45, unclip_ratio=1.4, max_candidates=3000)
    return DetectionThresholds(bin_thresh=0.3, box_thresh=0.6, unclip_ratio=1.5)


def default_thresholds(arch: str) -> BaseModel:
    """The same for a network of any task."""
    task = task_of(arch)
    if task == "detection":
        return page_thresholds(arch)
    return RecognitionThresholds() if task == "recognition" else OrientationThresholds()
