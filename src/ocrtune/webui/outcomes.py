"""What trainings have come to, read from the bundles that they wrote."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from ocrtune.bundle import MANIFEST, ONNX, Bundle
from ocrtune.errors import BundleError
from ocrtune.report.html import PAGES_HEAD
from ocrtune.webui import words
from ocrtune.webui.language import Language
from ocrtune.webui.trainings import REPORT, RESULT
from ocrtune.webui.watching import Stage, stages
from ocrtune.webui.workspace import Workspace

_ADAPT = "adapt.json"
_FIGURES = ("hmean", "accuracy", "end_to_end_hmean")
_SHOWN = (
    *("precision", "recall", "hmean", "map50", "accuracy", "one_minus_ned", "cer", "wer"),
    *("end_to_end_precision", "end_to_end_recall", "end_to_end_hmean"),
)
_PICTURE = re.compile(r'<img src="data:image/(\w+);base64,([^"]+)"[^>]*><figcaption>([^<]*)</figcaption>')
_CAPTIONS = (
    (re.compile(r"^(.*): (\d+) missed, (\d+) wrong$"), r"\2 missed, \3 wrong · \1", r"漏检 \2，误检 \3 · \1"),
    (
        re.compile(r"^(.*): labelled '(.*)', read '(.*)' \((.*)\)$"),
        r"'\2' was read '\3' (\4) · \1",
        r"“\2”被读成“\3”（\4）· \1",
    ),
    (
        re.compile(r"^(.*): (\d+) texts not found, .*$"),
        r"\2 texts missed, misread or too much · \1",
        r"\2 处文字漏检、误读或多余 · \1",
    ),
)
"""What the report writes below its pictures, with the mistakes first: a small picture shows the begin only."""


@dataclass(frozen=True)
class Outcome:
    """A training that has come to a bundle.

    Attributes:
        folder: of an ``adapt`` job, or a run.
        bundle: the result.
        adapted: whether it is an ``adapt`` job.
    """

    folder: Path
    bundle: Bundle
    adapted: bool

    @classmethod
    def all(cls, workspace: Workspace) -> list[Outcome]:
        """Every finished training in the page's folders, the newest first."""
        folders: dict[Path, bool] = {}
        for run in workspace.runs():
            above = next((f for f in (run.parent, run.parent.parent) if (f / _ADAPT).is_file()), None)
            folders.setdefault(above or run, above is not None)
        found = []
        for folder, adapted in folders.items():
            try:
                found.append(cls(folder, Bundle.load(folder / "bundle", verify=False), adapted))
            except BundleError:
                continue  # it has not come to one yet
        return sorted(found, key=lambda outcome: -outcome.written)

    def name(self, workspace: Workspace) -> str:
        """What visitors call it: for trainings of the page the name in their list."""
        folder = self.folder.parent if self.folder.name == RESULT else self.folder
        inside = folder.is_relative_to(workspace.outputs)
        return str(folder.relative_to(workspace.outputs)) if inside else workspace.shown(folder)

    @property
    def written(self) -> float:
        """When, in seconds since 1970."""
        return (self.bundle.path / MANIFEST).stat().st_mtime

    @property
    def stages(self) -> list[Stage]:
        return stages(self.folder) if self.adapted else [Stage(self.folder, (".",))]

    @property
    def after(self) -> Mapping[str, Any]:
        """Figures of the result: on pages that nothing was fitted to, or of a plain run on its validation data."""
        metrics = self.bundle.manifest.metrics
        return metrics.get("report") or metrics.get("val") or {}

    @property
    def before(self) -> Mapping[str, Any]:
        """Figures of the base on the same."""
        metrics = self.bundle.manifest.metrics
        known = metrics.get("base_calibrated") or metrics.get("base")
        if known or self.adapted:
            return known or {}
        stage = self.stages[0]
        return {} if stage.base is None else {stage.monitor: stage.base}

    @property
    def figure(self) -> str | None:
        """The name of the figure that decides."""
        return next((name for name in reversed(_FIGURES) if name in self.after), None)

    @property
    def seconds(self) -> float | None:
        """How long the training took."""
        try:
            return json.loads((self.folder / _ADAPT).read_text(encoding="utf-8")).get("seconds")
        except (OSError, ValueError):
            return None

    @property
    def megabytes(self) -> float:
        """Of the model in use."""
        return sum(path.stat().st_size for path in self.bundle.path.rglob(ONNX)) / 1e6

    @property
    def settings(self) -> str:
        """The fitted thresholds in few words."""
        thresholds = self.bundle.manifest.thresholds
        names = {"bin_thresh": "bin", "box_thresh": "box", "unclip_ratio": "unclip", "turn_thresh": "turn"}
        return ", ".join(f"{short} {thresholds[name]:g}" for name, short in names.items() if name in thresholds)

    def better(self) -> bool | None:
        """Whether the result is better than the base; None where nobody knows."""
        name = self.figure
        if name is None or name not in self.before:
            return None
        return bool(self.after[name] > self.before[name])

    def comparison(self, say: Language) -> list[list[object]]:
        """Rows of figure, before, after, and the latter's interval."""
        rows: list[list[object]] = []
        for name in _SHOWN:
            if name in self.after:
                then = self.before.get(name)
                before = "–" if then is None else f"{then:.4f}"
                rows.append([words.figure(name, say), before, f"{self.after[name]:.4f}", self.interval(name)])
        return rows

    def interval(self, name: str) -> str:
        """The 95 % interval of a figure of the result."""
        known = self.after.get(f"{name}_ci95")
        return "–" if known is None else f"{known[0]:.3f} … {known[1]:.3f}"

    def worst_pages(self, say: Language) -> list[tuple[str, bytes, str]]:
        """The pages with the most errors, as the report has them: kind of picture, its base64 content, caption."""
        try:
            report = (self.folder / REPORT).read_text(encoding="utf-8")
        except OSError:
            return []
        pictures = _PICTURE.findall(report.partition(f"<h2>{PAGES_HEAD}</h2>")[2])
        return [(kind, content.encode(), _caption(unescape(caption), say)) for kind, content, caption in pictures]

    def zipped(self) -> Path:
        """The bundle as one file beside it, made where it is missing or older."""
        path = self.bundle.path.with_suffix(".zip")
        if not path.is_file() or path.stat().st_mtime < self.written:
            with tempfile.TemporaryDirectory(prefix=".zip-", dir=path.parent) as folder:  # several visitors at once
                unfinished = Path(folder) / path.name
                with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as file:
                    for name in (MANIFEST, *self.bundle.manifest.files):
                        file.write(self.bundle.path / name, f"bundle/{name}")
                unfinished.replace(path)
        return path

    def downloads(self, say: Language) -> list[tuple[str, Path]]:
        """The report, the bundle and the weights of each model, those that are there, by what they are called."""
        report, bundle = say("Report (HTML)", "报告（HTML）"), say("Model (bundle, zip)", "模型（bundle，zip）")
        found = [(report, self.folder / REPORT), (bundle, self.zipped())]
        for stage in self.stages:
            model = f" · {words.short_task(stage.folder.name, say)}" if len(self.stages) > 1 else ""
            found.append((f"best_model.pth{model}", stage.run / "best_model.pth"))
        return [(name, path) for name, path in found if path.is_file()]


def _caption(caption: str, say: Language) -> str:
    for pattern, english, chinese in _CAPTIONS:
        if (found := pattern.match(caption)) is not None:
            return found.expand(say(english, chinese))
    return caption
