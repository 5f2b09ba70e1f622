"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ocrtune.cli.console import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocrtune.data.formats import DatasetPath, Written
    from ocrtune.runtime.engines import EngineName

FORMATS = (
    "alto, coco-text, csv, ctw1500, cvat, funsd, icdar, json, label-studio, labelme, lmdb, paddle, page-xml, td500, "
    "total-text, voc"
)
"""The label formats, for help texts: `ocrtune.data.formats` is not loaded to show them."""
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")]
Data: TypeAlias = Annotated[str, typer.Argument(metavar="DATA", help=f"PATH or FORMAT:PATH ({FORMATS}).")]
BundleArg: TypeAlias = Annotated[
    str, typer.Argument(metavar="BUNDLE", help="Bundle folder, run folder, or a name from 'ocrtune weights list'.")
]
EngineArg: TypeAlias = Annotated[
    str,
    typer.Option(
        "--engine",
        help="onnxruntime, openvino, or openvino-bf16: faster where the processor has bfloat16, and less exact. "
        "OpenVINO is the extra [openvino].",
    ),
]

Config: TypeAlias = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Configuration file.")]
Overrides: TypeAlias = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that win.")]
LearningCurve: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PERCENTAGES",
        help="Train on nested parts of the labels instead, 10,25,50,100, and tell what more labels would give.",
    ),
]
Sizes: TypeAlias = Annotated[str, typer.Option(help="Detection: lengths of the longer side to try, in pixels.")]
ALL_SIZES = "960,1120,1280,1440,1600"


def parsed_sizes(text: str) -> tuple[int, ...]:
    """Lengths of the longer side, as a user lists them.

    Raises:
        UsageError: it is no list of numbers from 32.
    """
    from ocrtune.errors import UsageError

    try:
        wanted = tuple(int(size) for size in text.split(","))
    except ValueError as error:
        raise UsageError(f"'{text}' is no list of sizes", where="--sizes", expected="736,960,1280") from error
    if min(wanted) < 32:
        raise UsageError(f"a longer side of {min(wanted)} pixels is too small", where="--sizes", expected="32 or more")
    return wanted


def chosen_engine(name: str) -> EngineName:
    """The engine that a user named.

    Raises:
        UsageError: there is none of this name.
    """
    from ocrtune.errors import UsageError
    from ocrtune.runtime.engines import ENGINES

    for engine in ENGINES:
        if name == engine:
            return engine
    raise UsageError(f"'{name}' is no engine", where="--engine", expected=", ".join(ENGINES))


def train_command(config: Path, overrides: Sequence[str] | None, settings: Sequence[str]) -> str:
    """The command that trains with found settings, which take the place of what was typed for the same keys."""
    keys = {setting.partition("=")[0] for setting in settings}
    kept = [override for override in overrides or () if override.partition("=")[0] not in keys]
    return " ".join(["ocrtune train", str(config), *kept, *settings])


def described_dataset(data: str, output: Output) -> DatasetPath:
    """The data set that a user named; its format is said where it was detected.

    Raises:
        DataError: the path does not exist, or no format fits.
        UsageError: the format is unknown.
    """
    from ocrtune.data.formats import parse_dataset_path

    dataset = parse_dataset_path(data)
    if dataset.detected:
        output.say(f"data: {dataset} (format detected)")
    return dataset


def tell_losses(output: Output, format: str, written: Written) -> None:
    """Warn of what a label format could not say: one line for each kind of loss."""
    for message in written.messages():
        output.warn(f"{format} cannot say everything: {message}")
