"""``ocrtune weights``."""

from __future__ import annotations

from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json

NAME = "weights"
app = typer.Typer(help="Published models: list, get.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_weights(json: Json = False) -> None:
    """Show the published models that can be named wherever a bundle is asked for."""
    from ocrtune.weights.registry import PIPELINES, PUBLISHED, cache_dir

    output = Output(json)
    rows: list[tuple[str, ...]] = []
    entries: list[dict[str, object]] = []
    for published in PUBLISHED.values():
        here = (cache_dir() / "bundles" / published.name).is_dir()
        source = published.wheel.requirement
        rows.append(
            (published.name, published.task, published.arch, source, published.licence, "yes" if here else "no")
        )
        entries.append(
            {
                "name": published.name,
                "task": published.task,
                "arch": published.arch,
                "source": source,
                "sha256": published.sha256,
                "cached": here,
            }
        )
    for name, parts in PIPELINES.items():
        here = (cache_dir() / "bundles" / name).is_dir()
        rows.append((name, "ocr", " + ".join(parts), "", "", "yes" if here else "no"))
        entries.append({"name": name, "task": "ocr", "parts": list(parts), "cached": here})
    output.table("published models", ("name", "task", "network", "package", "licence", "here"), rows)
    output.result({"weights": entries})
    output.next("ocrtune weights get " + rows[0][0])


@app.command("get", epilog="Example:\n\nocrtune weights get ppocrv4-mobile ppocrv6-small-rec")
def get(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names from the list.")], json: Json = False
) -> None:
    """Fetch published models into the cache, so that everything later works offline."""
    from ocrtune.weights.registry import published_bundle

    output = Output(json)
    paths = {name: str(published_bundle(name).path) for name in names}
    for name, path in paths.items():
        output.say(f"{name}: {path}")
    output.result({"weights": paths})
    output.next(f"ocrtune eval {names[0]} LABELLED_DATA")
