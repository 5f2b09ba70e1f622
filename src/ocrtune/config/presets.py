"""Augmentation by scenario: literal numbers that ``augment.preset`` stands for.

They follow what cameras and scanners do to such texts, looked at on drawn samples (``ocrtune data show --augment``); no
training run has tuned them. Keys that a configuration gives itself win.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

Preset: TypeAlias = Literal["none", "document", "receipt", "industrial-marker", "scene", "handwriting"]
Values: TypeAlias = Mapping[str, Any]

PAGES: dict[str, Values] = {
    # dense print, scanned or photographed nearly from above
    "document": {
        "scale": (0.7, 1.4),
        "rotate": 3.0,
        "rotate_prob": 0.5,
        "perspective": 0.03,
        "shadow": 0.2,
        "motion_blur": 0.05,
        "jpeg": 0.2,
    },
    # thermal print, narrow and long, photographed in the hand
    "receipt": {
        "scale": (0.75, 1.33),
        "stretch": 1.1,
        "rotate": 5.0,
        "rotate_prob": 0.5,
        "perspective": 0.04,
        "shadow": 0.25,
        "motion_blur": 0.1,
        "jpeg": 0.15,
        "copy_paste": 0.2,
        "paste_rotate": 5.0,
    },
    # a few short codes on parts and cables, in any direction, in bad light
    "industrial-marker": {
        "scale": (0.6, 1.6),
        "rotate": 45.0,
        "rotate_prob": 0.7,
        "perspective": 0.06,
        "shadow": 0.25,
        "motion_blur": 0.2,
        "jpeg": 0.2,
        "copy_paste": 0.5,
        "paste_rotate": 180.0,
    },
    # signs in the street, of any size, from any side
    "scene": {
        "scale": (0.5, 2.0),
        "stretch": 1.2,
        "rotate": 10.0,
        "rotate_prob": 0.5,
        "perspective": 0.08,
        "shadow": 0.2,
        "motion_blur": 0.15,
        "jpeg": 0.2,
        "copy_paste": 0.3,
        "paste_rotate": 20.0,
    },
    # lines that slope and whose height varies, on paper
    "handwriting": {
        "scale": (0.7, 1.4),
        "stretch": 1.25,
        "rotate": 6.0,
        "rotate_prob": 0.6,
        "perspective": 0.03,
        "shadow": 0.2,
        "jpeg": 0.1,
        "copy_paste": 0.2,
        "paste_rotate": 8.0,
    },
}
"""Of detection, by scenario."""

LINES: dict[str, Values] = {
    "document": {
        "jitter": 0.03,
        "tia": 0.1,
        "rotate": 1.0,
        "perspective": 0.1,
        "noise": 0.1,
        "small": 0.25,
        "jpeg": 0.2,
        "shadow": 0.1,
        "invert": 0.02,
    },
    "receipt": {
        "tia": 0.2,
        "rotate": 2.0,
        "perspective": 0.15,
        "blur": 0.2,
        "noise": 0.2,
        "small": 0.2,
        "jpeg": 0.15,
        "shadow": 0.2,
        "invert": 0.0,
    },
    "industrial-marker": {
        "stretch": 1.2,
        "tia": 0.2,
        "rotate": 8.0,
        "perspective": 0.4,
        "blur": 0.2,
        "motion_blur": 0.2,
        "noise": 0.2,
        "small": 0.2,
        "jpeg": 0.15,
        "shadow": 0.2,
        "invert": 0.2,
    },
    "scene": {
        "stretch": 1.25,
        "tia": 0.4,
        "rotate": 5.0,
        "perspective": 0.4,
        "blur": 0.2,
        "motion_blur": 0.15,
        "small": 0.25,
        "jpeg": 0.2,
        "shadow": 0.15,
        "invert": 0.1,
    },
    "handwriting": {
        "grow": (-0.02, 0.2),
        "stretch": 1.3,
        "tia": 0.6,
        "rotate": 3.0,
        "perspective": 0.15,
        "blur": 0.1,
        "noise": 0.1,
        "shadow": 0.1,
        "invert": 0.0,
    },
}
"""Of recognition and orientation, by scenario."""


def with_preset(values: Any, presets: Mapping[str, Values]) -> Any:
    """A section's values as given, and those of its preset for the keys that are not."""
    if not isinstance(values, dict) or not isinstance(values.get("preset"), str):
        return values
    return {**presets.get(values["preset"], {}), **values}


def preset_keys(task: str, preset: object) -> Values:
    """The keys of ``augment`` that a preset sets for a task; none for ``none``."""
    return (PAGES if task == "detection" else LINES).get(str(preset), {})
