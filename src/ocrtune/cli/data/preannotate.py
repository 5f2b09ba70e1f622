"""``ocrtune data preannotate``: a model labels, a person corrects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import BundleArg, Json, described_dataset, tell_losses

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocrtune.page import Page

NAME = "preannotate"
EXAMPLES = """Examples:

ocrtune data preannotate adapted/bundle scans --format paddle --out scans     (for PPOCRLabel)

ocrtune data preannotate ppocrv6-small scans --format label-studio --out tasks.json

ocrtune data preannotate adapted/bundle scans --labels icdar:scans --out all.json"""


def command(
    bundle: BundleArg,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Images and folders of them.")],
    out: Annotated[
        Path, typer.Option(help="What to write; for PPOCRLabel (--format paddle) the folder of the images.")
    ],
    format: Annotated[str, typer.Option(help="Label format: json, paddle, icdar, ...")] = "json",
    labels: Annotated[
        str | None, typer.Option(metavar="DATA", help="A person's labels: joined with what is found, never changed.")
    ] = None,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Pages with labels get the texts that they lack, instead of being left alone."),
    ] = False,
    json: Json = False,
) -> None:
    """Label pages with a model, the least certain first, to be corrected by a person.

    A person's texts stay as they are: what the model finds where one is, is dropped. Pages that a person has finished (in
    PPOCRLabel: confirmed; otherwise: any with labels, but for --complete) are left alone. Stopped work goes on where it was.
    """
    from ocrtune.data.formats import FORMATS, write_dataset
    from ocrtune.data.ppocrlabel import LABELS, check_project, write_project
    from ocrtune.data.preannotate import Memory, preannotate, review_rows
    from ocrtune.errors import Interrupted, UsageError, named
    from ocrtune.files import with_name_of_its_own
    from ocrtune.runtime.pages import page_model
    from ocrtune.weights.registry import resolve_bundle
    from ocrtune.workflows.predict import find_images

    named(format, FORMATS, "label format", "--format")
    output = Output(json)
    out = with_name_of_its_own(out)
    project = format == "paddle" and out.is_dir()
    if format == "paddle" and out.name == LABELS:
        raise UsageError(f"{LABELS} is what a person confirms in PPOCRLabel", where=out, hint=f"--out {out.parent}")
    if out.exists() and not project:
        raise UsageError("something is already there", where=out, hint=f"another --out, and this one as --labels {out}")
    model = resolve_bundle(bundle)
    if model.manifest.task not in ("detection", "ocr"):
        raise UsageError(f"the bundle is for {model.manifest.task}", where=bundle, expected="a detector or a pipeline")
    found, errors = find_images(images)
    found = [page for page in found if _is_file(page)]
    if not found:
        raise UsageError("label files cannot name a PDF's pages", hint="give images: --draw of 'predict' renders pages")
    own, finished = _own_labels(labels, out if project else None, complete, output)
    if project:
        check_project([*found, *own], out)
    memory = Memory(out.with_name(f".{out.name}.predicted.jsonl"), model.fingerprint())
    with output.bar("images", len(found)) as each:
        try:
            result = preannotate(page_model(model), found, own, finished, memory, each)
        except KeyboardInterrupt as error:
            raise Interrupted("stopped; what was found so far is kept", hint="the same command goes on") from error
    result.errors += errors
    rows = review_rows(result)
    if project:
        write_project(result.pages, out)
    else:
        tell_losses(output, format, write_dataset([entry.page for entry in result.pages], format, out))
    review = _write_review(rows, out)
    for fault in result.errors:
        output.warn(str(fault))
    output.table(
        "least certain pages",
        ("image", "uncertainty", "state", "texts"),
        [(row["image"], row["uncertainty"], row["state"], row["texts"]) for row in rows[:10]],
    )
    states = {state: sum(row["state"] == state for row in rows) for state in ("predicted", "joined", "kept")}
    dropped = sum(entry.dropped for entry in result.pages)
    output.say(
        f"{len(rows)} pages in {out}: {states['predicted']} predicted ({result.remembered} of them before), "
        f"{states['joined']} joined with a person's, {states['kept']} of a person's kept; {dropped} found texts left out"
    )
    output.say(f"in the order in which to look at them: {review}")
    output.result(
        {
            "path": f"{format}:{out}",
            "review": str(review),
            **states,
            "looked_at": result.predicted,
            "remembered": result.remembered,
            "dropped": dropped,
            "errors": [fault.as_dict() for fault in result.errors],
            "pages": rows,
        }
    )
    output.next(f"open {out} in PPOCRLabel" if project else f"ocrtune data show {format}:{out} --draw drawn")
    if result.errors:
        raise typer.Exit(1)


def _is_file(page: Page) -> bool:
    return isinstance(page.image, Path)


def _own_labels(
    labels: str | None, project: Path | None, complete: bool, output: Output
) -> tuple[list[Page], Callable[[Page], bool]]:
    """A person's pages, and which of them are finished."""
    from ocrtune.data.formats import read_dataset
    from ocrtune.data.ppocrlabel import LABELS
    from ocrtune.data.preannotate import finished_in
    from ocrtune.errors import UsageError

    if project is not None and (project / LABELS).is_file() and (project / LABELS).stat().st_size:
        if labels is not None:
            raise UsageError(
                f"the folder has labels of its own in {LABELS}",
                where=project,
                hint="leave out --labels, or write a label file elsewhere with --out",
            )
        if complete:
            raise UsageError(
                f"the pages in {LABELS} were confirmed in PPOCRLabel, and stay as they are",
                where=project,
                hint="leave out --complete",
            )
        return read_dataset(f"paddle:{project / LABELS}"), lambda page: True
    if labels is None:
        return [], lambda page: False
    dataset = described_dataset(labels, output)
    return read_dataset(dataset), finished_in(dataset.path, complete)


def _write_review(rows: list[dict[str, Any]], out: Path) -> Path:
    """Write the list for review beside the labels; returns its place."""
    import csv
    import io

    from ocrtune.files import write_whole

    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else ["rank"])
    writer.writeheader()
    writer.writerows(rows)
    review = out.with_name(f"{out.name}.review.csv")
    write_whole(review, buffer.getvalue())
    return review
