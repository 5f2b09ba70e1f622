"""``ocrtune config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json

NAME = "config"
app = typer.Typer(
    help="Training configurations: show, check, import PaddleOCR's.", no_args_is_help=True, rich_markup_mode=None
)
File = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Configuration file.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that win.")]


@app.command("show", epilog="Example:\n\nocrtune config show configs/detection.yaml optimizer.lr=1e-3")
def show(file: File, overrides: Overrides = None, json: Json = False) -> None:
    """Show every value, where it came from, and what it means."""
    from ocrtune.config.load import load_config

    output = Output(json)
    loaded = load_config(file, overrides or ())
    rows = list(loaded.rows())
    output.table(str(file), ("key", "value", "from", "meaning"), rows)
    output.result({key: {"value": value, "from": origin} for key, value, origin, _ in rows})
    output.next(f"ocrtune train {file}")


@app.command("check")
def check(file: File, overrides: Overrides = None, json: Json = False) -> None:
    """Refuse unknown keys and values that do not fit; nothing is trained."""
    from ocrtune.config.load import load_config

    output = Output(json)
    load_config(file, overrides or ())
    output.say(f"{file}: correct")
    output.result({"file": str(file), "correct": True})
    output.next(f"ocrtune train {file}")


@app.command(
    "import",
    epilog="""Examples:

ocrtune config import configs/det/PP-OCRv4/PP-OCRv4_mobile_det.yml --out det.yaml

ocrtune config import rec.yml -o Global.pretrained_model=./best_accuracy Global.epoch_num=20 --out rec.yaml

ocrtune config import det.yml --num-gpus 4 --json""",
)
def import_(
    file: Annotated[Path, typer.Argument(metavar="PADDLE.yml", help="Configuration file of PaddleOCR, 2.x or 3.x.")],
    out: Annotated[Path | None, typer.Option(metavar="OUR.yaml", help="File to write; default: stdout.")] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="As behind -o.")] = None,
    override: Annotated[
        list[str] | None, typer.Option("-o", metavar="KEY=VALUE", help="PaddleOCR's own overrides; may be repeated.")
    ] = None,
    num_gpus: Annotated[int, typer.Option(min=1, help="Processes that will train; the rate is scaled to them.")] = 1,
    json: Json = False,
) -> None:
    """Turn a training configuration of PaddleOCR into ours.

    Shows what was mapped, what has no meaning here, what is not followed, and choices that bite with ours beside them.
    """
    from ocrtune.cli.paddle_view import as_content, import_file, show_import
    from ocrtune.errors import UsageError

    if out is not None and out.exists() and out.samefile(file):
        raise UsageError("the file would be written over", where=out, hint="name another one with --out")
    output = Output(json or out is None)  # stdout is for the configuration, or the JSON object
    imported = import_file(file, [*(override or ()), *(more or ())], num_gpus)
    show_import(imported, file, output)
    if out is not None:
        from ocrtune.config.paddle import write_imported

        write_imported(imported, file, out)
        output.say(f"written: {out}")
    elif not json:
        typer.echo(imported.yaml([f"imported from {file} (PaddleOCR)"]), nl=False)
    if json:
        output.result({"file": str(file), "out": None if out is None else str(out), **as_content(imported)})
    output.next(f"ocrtune train {out or 'OUR.yaml'}")
