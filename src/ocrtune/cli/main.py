"""``ocrtune``: the verbs, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import ocrtune
from ocrtune.cli import (
    adapt,
    batch,
    bench,
    calibrate,
    config,
    data,
    demo,
    doctor,
    evaluate,
    export,
    predict,
    serve,
    sweep,
    train,
    tune,
    ui,
    weights,
)
from ocrtune.errors import DataError, OcrtuneError
from ocrtune.files import disk_is_full

app = typer.Typer(
    name="ocrtune",
    help="From labelled images to a deployed OCR model that reads your documents measurably better.",
    epilog="Start with: ocrtune demo   or: ocrtune adapt PATH/TO/LABELLED/PAGES",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for module in (demo, adapt, train, sweep, evaluate, calibrate, export, predict, serve, ui, batch, doctor, bench):
    app.command(module.NAME, epilog=module.EXAMPLES)(module.command)
for group in (data, tune, weights, config):
    app.add_typer(group.app, name=group.NAME)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"ocrtune {ocrtune.__version__}")
        raise typer.Exit


def run() -> None:
    """Entry point of the console script; exits with the codes of the interface."""
    debug = "--debug" in sys.argv[1:] or bool(os.environ.get("OCRTUNE_DEBUG"))
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app()
    except OcrtuneError as error:
        if debug:
            raise
        from ocrtune.cli.console import fail, wants_json

        sys.exit(fail(error, wants_json()))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # the reader of our output has gone, as `ocrtune ... | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        if disk_is_full(error):
            from ocrtune.cli.console import fail, wants_json

            full = DataError(f"no space is left: {error}", hint="free some, then give the same command again")
            sys.exit(fail(full, wants_json()))
        print(f"internal error: {type(error).__name__}: {error}", file=sys.stderr)
        print("  to do: run the same command with --debug and report what it prints", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run()
