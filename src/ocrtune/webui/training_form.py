"""What a visitor fills in to start a training, as the arguments of ``ocrtune adapt``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ocrtune.config.load import load_config
from ocrtune.errors import UsageError
from ocrtune.webui.workspace import Workspace
from ocrtune.weights.registry import NAMES

_UNLIMITED = "240h"
_KEY = re.compile(r"[a-z][\w.*\"]*")
_SIZES = re.compile(r"\d+(,\d+)*")
_OWN_FIELDS = ("data.train", "data.val", "data.train_lmdb", "data.val_lmdb", "output_dir")


@dataclass(frozen=True)
class Form:
    """The form's fields.

    Attributes:
        data, val: label files as chosen or typed, None for nothing; ``val`` may be empty.
        task: ``auto`` or a task.
        base: published name or path; empty for the task's default.
        minutes: for everything; None where ``epochs`` counts.
        epochs: passes over the training pages; None where ``minutes`` counts.
        batch_size: samples in a step; None for the task's default.
        lr: peak learning rate; empty or ``auto`` for the automatic one.
        freeze_epochs: passes in which the backbone stays as it is.
        anchor: what the base must not get worse at: empty, ``synth``, ``base:FOLDER`` or labels.
        sizes: longer sides of a page, in pixels, that a detector's calibration tries; empty for the usual ones.
        further: settings ``key=value``, one a line.
    """

    data: str | None
    val: str | None = None
    task: str = "auto"
    base: str = ""
    minutes: float | None = 20.0
    epochs: float | None = None
    batch_size: float | None = None
    lr: str = ""
    freeze_epochs: float = 0.0
    anchor: str = ""
    sizes: str = ""
    further: str = ""

    def arguments(self, workspace: Workspace) -> list[str]:
        """Of ``ocrtune adapt``, without its output folder.

        Raises:
            UsageError: a path lies outside the page's folders, or a value cannot be used.
            ConfigError: a setting is unknown.
        """
        overrides = self._overrides(workspace)
        if self.task not in ("auto", "ocr"):
            load_config(None, (f"task={self.task}", "data.train=x", *overrides))
        given = [workspace.dataset(self.data), *overrides, "--task", self.task]
        if val := workspace.optional_dataset(self.val):
            given += ["--val", val]
        if base := self.base.strip():
            given += ["--base", base if base in NAMES else str(workspace.path(base))]
        if anchor := self.anchor.strip():
            given += ["--anchor", self._anchor(anchor, workspace)]
        if sizes := "".join(self.sizes.split()):
            if not _SIZES.fullmatch(sizes):
                raise UsageError(f"'{sizes}' are no sizes", expected="pixels with commas between them: 960,1280")
            given += ["--sizes", sizes]
        return [*given, "--budget", self._budget()]

    def _budget(self) -> str:
        if self.epochs:
            return _UNLIMITED
        if not self.minutes or self.minutes <= 0:
            raise UsageError("there is no time to train in", expected="minutes, or a number of epochs")
        return f"{self.minutes:g}m"

    def _overrides(self, workspace: Workspace) -> list[str]:
        given = []
        if self.epochs:
            given.append(f"schedule.epochs={self.epochs:.0f}")
        if self.batch_size:
            given.append(f"data.batch_size={self.batch_size:.0f}")
        if (lr := self.lr.strip()) not in ("", "auto"):
            given.append(f"optimizer.lr={_number(lr)}")
        if self.freeze_epochs:
            given.append(f"freeze.backbone_epochs={self.freeze_epochs:g}")
        return [*given, *(_inside(entry, workspace) for entry in self.further.splitlines() if entry.strip())]

    @staticmethod
    def _anchor(anchor: str, workspace: Workspace) -> str:
        if anchor == "synth":
            return anchor
        kind, colon, rest = anchor.partition(":")
        return f"base:{workspace.path(rest)}" if colon and kind == "base" else workspace.dataset(anchor)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 10:
        raise UsageError(f"'{text}' is no learning rate", expected="auto, or a number such as 0.001")
    return value


def _inside(entry: str, workspace: Workspace) -> str:
    """A setting whose value, where it is a path, lies inside the page's folders.

    Raises:
        UsageError: it does not, is no setting, or has a field of its own.
    """
    key, equals, value = (part.strip() for part in entry.partition("="))
    if not equals or not _KEY.fullmatch(key):  # above all no option of the command
        raise UsageError(f"'{entry}' is no setting", expected="key=value, for example optimizer.weight_decay=0.001")
    if key.endswith(_OWN_FIELDS):
        raise UsageError(f"'{key}' is chosen by the page", hint="use the fields of the form")
    return f"{key}={workspace.path(value)}" if "/" in value or "\\" in value else f"{key}={value}"
