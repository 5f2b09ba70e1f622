"""Label Studio: one JSON file, a list of tasks, as its export "JSON" and its import have them.

Source: Label Studio's task format and the tags Rectangle, Polygon and TextArea: numbers are shares of the image in per
cent, a rectangle is turned clockwise by ``rotation`` degrees around its top left corner, and results with the same id
belong to one region. The label ``Ignore`` marks what does not count; a region without a text area has a text that nobody
has said. Regions with a score are written as a prediction, to be corrected, and predictions are read where nobody
has annotated.

Images are named ``/data/local-files/?d=PATH``, relative to the file: let Label Studio's local files start in its folder.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from ocrtune.data.formats._folder import no_image
from ocrtune.data.formats._images import Images
from ocrtune.data.formats._json import json_entries, json_keys
from ocrtune.data.formats._losses import Loss
from ocrtune.data.formats._shapes import RotatedBox, as_rotated_box, outline
from ocrtune.data.formats._text import Report, brief, labelled, reference_to
from ocrtune.data.records import MALFORMED
from ocrtune.errors import DataError
from ocrtune.files import whole_file
from ocrtune.page import IMAGE_SUFFIXES, Page, Polygon, TextRegion, image_size

NAME = "label-studio"
CANNOT: frozenset[Loss] = frozenset()
_IGNORES = frozenset({"ignore", "ignored", "difficult", "illegible", "###"})
_LOCAL = "/data/local-files/?d="
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


def matches(path: Path) -> bool:
    """Whether a JSON file is a list of objects with "data"."""
    kind, keys = json_keys(path)
    return kind is list and "data" in keys


def read(path: Path, report: Report) -> Iterator[Page]:
    """Read pages; see `ocrtune.data.formats.read_dataset`.

    Raises:
        DataError: the file as a whole is no JSON list.
    """
    images = Images(path.parent)
    for section, index, task in json_entries(path):
        if section or not isinstance(index, int):
            raise DataError("the file is no list of tasks", where=path, expected='[{"data": ..., "annotations": ...}]')
        where = f"{path}: [{index}]"
        try:
            names = [value for value in task["data"].values() if isinstance(value, str)]
            name = next(name for name in map(_file_name, names) if Path(name).suffix.lower() in IMAGE_SUFFIXES)
            results = _results(task)
        except (*MALFORMED, StopIteration) as error:
            expected = '{"data": {"image": ...}, "annotations": [{"result": [...]}]}'
            report(DataError(f"the task cannot be read: {brief(error)}", where=where, expected=expected))
            continue
        image = images.named(name)
        if image is None:  # uploaded files got a number in front
            image = images.named(_UPLOADED.sub("", PurePosixPath(name).name))
        if image is None:
            report(no_image(name, where, path.parent))
            continue
        try:
            size = image_size(image)
        except DataError as error:
            report(DataError(error.what, where=f"{where}: {image}", hint="copy the file again from its source"))
            continue
        yield Page(image, list(_regions(results, size, where, report)), name=name, source=where)


def write(pages: Iterable[Page], path: Path) -> None:
    """Write one JSON file of tasks."""
    with whole_file(path) as file:
        file.write("[")
        for index, page in enumerate(pages):
            task = _task(page, reference_to(page.path, path.parent))
            file.write(("," if index else "") + "\n" + json.dumps(task, ensure_ascii=False))
        file.write("\n]\n")


def _file_name(address: str) -> str:
    """The path of an image in what Label Studio calls it: a URL, an uploaded file or a local file."""
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0]
    if parts.scheme and len(parts.scheme) > 1:
        return PurePosixPath(unquote(parts.path)).name
    return unquote(address.removeprefix("/data/upload/")) if address.startswith("/data/") else address


def _results(task: Any) -> list[Any]:
    """What the first annotator who did not skip the task has marked, else what a model has."""
    for annotation in task.get("annotations") or task.get("completions") or []:
        if not annotation.get("was_cancelled"):
            return list(annotation["result"])
    for prediction in task.get("predictions") or []:
        return list(prediction["result"])
    return []


def _regions(results: list[Any], size: tuple[int, int], where: str, report: Report) -> Iterator[TextRegion]:
    """Regions from results, several of which may be about the same one."""
    parts: dict[str, list[Any]] = {}
    for index, result in enumerate(results):
        key = str(result.get("id", index)) if isinstance(result, dict) else str(index)
        parts.setdefault(key, []).append(result)
    for key, group in parts.items():
        try:
            region = _region(group, size, f"{where} result {brief(key)}")
        except MALFORMED as error:
            expected = "a rectangle or a polygon in per cent of the image"
            report(DataError(f"the result {brief(key)} cannot be read: {brief(error)}", where=where, expected=expected))
            continue
        if region is not None:
            yield region


def _region(group: list[Any], size: tuple[int, int], where: str) -> TextRegion | None:
    polygon: Polygon | None = None
    text: str | None = None
    labels: set[str] = set()
    score: float | None = None
    for result in group:
        value, kind = result["value"], str(result.get("type", ""))
        if result.get("image_rotation"):
            raise ValueError("the image was turned while it was labelled")
        if "points" in value or "height" in value:
            polygon = _outline(value, size)
        elif "text" not in value and kind not in ("labels", "choices", "textarea"):
            raise ValueError(f"a {brief(kind)} is no outline of a text")
        if "text" in value:
            text = value["text"] if isinstance(value["text"], str) else "\n".join(value["text"])
        for key in ("rectanglelabels", "polygonlabels", "labels", "choices"):
            labels.update(str(label).lower() for label in value.get(key, ()))
        if result.get("score") is not None:
            score = float(result["score"])
    if polygon is None:
        return None  # about the page as a whole
    region = labelled(polygon, text, where, ignore=not labels.isdisjoint(_IGNORES))
    region.score = score
    return region


def _outline(value: Any, size: tuple[int, int]) -> Polygon:
    across, down = size[0] / 100, size[1] / 100
    if "points" in value:
        return outline((float(x) * across, float(y) * down) for x, y in value["points"])
    x, y = float(value["x"]) * across, float(value["y"]) * down
    width, height = float(value["width"]) * across, float(value["height"]) * down
    angle = math.radians(float(value.get("rotation") or 0))
    cos, sin = math.cos(angle), math.sin(angle)
    return RotatedBox(
        x + (width * cos - height * sin) / 2, y + (width * sin + height * cos) / 2, width, height, angle
    ).corners()


def _task(page: Page, reference: str) -> dict[str, Any]:
    size = image_size(page.path)
    results = [part for index, region in enumerate(page.regions) for part in _parts(region, f"r{index}", size)]
    scores = [region.score for region in page.regions if region.score is not None]
    task: dict[str, Any] = {"data": {"image": _LOCAL + quote(reference)}}
    if scores:
        prediction = {"model_version": "ocrtune", "score": round(sum(scores) / len(scores), 6), "result": results}
        return {**task, "predictions": [prediction]}
    return {**task, "annotations": [{"result": results}]}


def _parts(region: TextRegion, key: str, size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    across, down = 100 / size[0], 100 / size[1]
    turned = as_rotated_box(region.polygon)
    label = "Ignore" if region.ignore else "Text"
    common: dict[str, Any] = {
        "id": key,
        "to_name": "image",
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
    }
    if region.score is not None:
        common["score"] = round(region.score, 6)
    place: dict[str, Any]
    if turned is None:
        place = {"points": [[x * across, y * down] for x, y in region.polygon.tolist()]}
        kind = "polygonlabels"
    else:
        x, y = region.polygon[0].tolist()
        place = {"x": x * across, "y": y * down, "width": turned.width * across, "height": turned.height * down}
        place["rotation"] = 0 if turned.upright else math.degrees(turned.angle) % 360
        kind = "rectanglelabels"
    yield {**common, "type": kind, "from_name": kind.removesuffix("labels"), "value": {**place, kind: [label]}}
    if region.text is not None:
        value = {**place, "text": [region.text]}
        yield {**common, "type": "textarea", "from_name": "transcription", "value": value}
