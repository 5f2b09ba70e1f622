"""How each task is trained, one file a task."""

from __future__ import annotations

from typing import Any

from ocrtune.workflows.recipes.base import Recipe
from ocrtune.workflows.recipes.detection import DetectionRecipe
from ocrtune.workflows.recipes.orientation import OrientationRecipe
from ocrtune.workflows.recipes.recognition import RecognitionRecipe

RECIPES: dict[str, Recipe[Any, Any]] = {
    "detection": DetectionRecipe(),
    "recognition": RecognitionRecipe(),
    "orientation": OrientationRecipe(),
}
