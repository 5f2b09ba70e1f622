"""``ocrtune predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import BundleArg, EngineArg, chosen_engine

NAME = "predict"
EXAMPLES = """Examples:

ocrtune predict adapted/bundle receipt.jpg --draw drawn

ocrtune predict ppocrv6-small contract.pdf --format text

ocrtune predict ppocrv4-mobile-det scans/ --format jsonl --out found.jsonl

ocrtune predict adapted/bundle scans/ --format icdar --out labels"""


def command(
    bundle: BundleArg,
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Images, PDFs, and folders of them.")],
    format: Annotated[str, typer.Option(help="json, jsonl, text, icdar, paddle.")] = "json",
    draw: Annotated[Path | None, typer.Option(help="Folder for the pages with what was found and read.")] = None,
    preset: Annotated[str, typer.Option(help="Kind of image: document, photo, small-text, complex; see above.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="File (icdar: folder) to write; default: stdout for json, jsonl, text.")
    ] = None,
    engine: EngineArg = "onnxruntime",
) -> None:
    """Find the texts on images, and read them where the bundle can; boxes are in pixels after EXIF rotation.

    A PDF's pages are rendered at 200 dpi and called FILE.pdf#1, FILE.pdf#2, ...

    A preset changes these of the bundle's own settings, and no other:

    document: nothing changes.

    photo: where noisy, detector's input shrunk by averaging, denoised and sharpened; noisy lines denoised.

    small-text: detector's input x1.5.

    complex: detector's input x1.25; box_thresh +0.1; lines read with less confidence than 0.7 left out.

    A damaged image is told and left out; the exit code is then 1.
    """
    from ocrtune.errors import UsageError
    from ocrtune.runtime.pages import page_model
    from ocrtune.runtime.presets import preset_by_name
    from ocrtune.weights.registry import resolve_bundle
    from ocrtune.workflows.predict import FORMATS, find_images, predict_images, write_predictions

    if format not in FORMATS:
        raise UsageError(f"'{format}' is no format", where="--format", expected=", ".join(FORMATS))
    chosen = preset_by_name(preset) if preset else None
    if out is None and format not in ("json", "jsonl", "text"):
        raise UsageError(f"the format {format} writes files", hint="name them with --out")
    runs_on = chosen_engine(engine)
    output = Output(as_json=True)  # stdout is for the predictions
    images, unopened = find_images(sources)
    if format in ("icdar", "paddle") and any(not isinstance(page.image, Path) for page in images):
        raise UsageError(f"label files of {format} cannot name a PDF's pages", hint="use --format json, jsonl or text")
    if format == "icdar" and out is not None:
        _check_free(out)
    model = page_model(resolve_bundle(bundle), preset, runs_on)
    if chosen is not None:
        output.say(f"preset {chosen.name}: {chosen.told()}")
    with output.bar("images", len(images)) as each:
        predicted = predict_images(model, images, draw, each)
    predicted.errors += unopened
    write_predictions(predicted.pages, predicted.sizes, format, out)
    for error in predicted.errors:
        output.warn(str(error))
    texts = sum(len(page.regions) for page in predicted.pages)
    output.say(f"{len(predicted.pages)} images, {texts} texts" + (f", drawn in {draw}" if draw else ""))
    if predicted.errors:
        output.say(f"{len(predicted.errors)} images could not be read")
        raise typer.Exit(1)


def _check_free(folder: Path) -> None:
    """Make sure that label files of icdar can go into a folder, before a model works for them.

    Raises:
        UsageError: it holds some already, or is a file.
    """
    from ocrtune.data.formats.icdar import LABELS, LIST
    from ocrtune.errors import UsageError

    if folder.is_file():
        raise UsageError("this is a file, and icdar is a folder", where=folder, hint="name another place with --out")
    taken = next((folder / name for name in (LIST, LABELS) if (folder / name).exists()), None)
    if taken is not None:
        raise UsageError("labels are already there", where=taken, hint="name another folder with --out")
