"""``ocrtune batch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import BundleArg, Json

NAME = "batch"
EXAMPLES = """Examples:

ocrtune batch ppocrv6-small scans/ --out read

ocrtune batch adapted/bundle /shared/scans --out /shared/read --ray 10.0.0.1:6379"""


def command(
    bundle: BundleArg,
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Images, PDFs, and folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for pages_00000.jsonl, ...")],
    ray: Annotated[str, typer.Option(metavar="ADDRESS", help="The Ray cluster at HOST:PORT, auto or local.")] = "local",
    json: Json = False,
) -> None:
    """Predict many pages on all machines of a Ray cluster; the same command goes on where an earlier one ended.

    Each file holds 64 pages, a JSON object a line as 'predict --format jsonl' writes it; a damaged page's line holds
    its error, and the exit code is then 1.
    """
    from ocrtune.errors import Interrupted
    from ocrtune.scale.batch import Batch, read_batch
    from ocrtune.scale.cluster import need_ray
    from ocrtune.workflows.predict import find_images

    output = Output(json)
    need_ray()
    pages, unopened = find_images([source.resolve() for source in sources])
    path = Path(bundle)
    batch = Batch(str(path.resolve()) if path.exists() else bundle, pages, out.resolve())
    try:
        with output.bar("pages", len(pages)) as each:
            count = read_batch(batch, ray, each)
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted", where=out, hint="the same command goes on") from error
    errors = [*map(str, unopened), *count.errors]
    for message in errors:
        output.warn(message)
    output.say(f"{count.pages} pages, {count.texts} texts, in {out}")
    output.result({"pages": count.pages, "texts": count.texts, "errors": errors, "out": str(out)})
    if errors:
        output.say(f"{len(errors)} pages or files could not be read")
        raise typer.Exit(1)
