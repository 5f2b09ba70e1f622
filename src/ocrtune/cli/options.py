"""Options that several verbs share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ocrtune.cli.console import Output

if TYPE_CHECKING:
    from ocrtune.data.formats import DatasetPath

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
