"""``ocrtune weights``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json

NAME = "weights"
app = typer.Typer(help="Published weights: list, get, import.", no_args_is_help=True, rich_markup_mode=None)
_KINDS = {
    "onnx": "model, ready to run",
    "training": "weight file, to start training from",
    "backbone": "backbone, for a partial load",
}
IMPORT_EXAMPLES = """Examples:

ocrtune weights import best_accuracy.pdparams --out bundle

ocrtune weights import ch_PP-OCRv3_det_distill_train.tar --part student --out bundle

ocrtune weights import latest.pdparams --arch ctc_pplcnetv3_mobile --dictionary my_dict.txt --out bundle

ocrtune weights import PPLCNetV3_x0_75_ocr_det.pdparams --partial --out bundle"""


@app.command("list")
def list_weights(
    kind: Annotated[str, typer.Option(help="Only these: onnx, training or backbone.")] = "", json: Json = False
) -> None:
    """Show the published models and weight files, and which of them are here already."""
    from ocrtune.errors import UsageError
    from ocrtune.weights.defaults import task_of
    from ocrtune.weights.published import LICENCE, PIPELINES, WEIGHTS
    from ocrtune.weights.registry import in_cache

    output = Output(json)
    if kind not in ("", *_KINDS):
        raise UsageError(f"'{kind}' is no kind of weights", where="--kind", expected=", ".join(_KINDS))
    here = {name: in_cache(name) for name in (*PIPELINES, *WEIGHTS)}
    shown = [weights for weights in WEIGHTS.values() if kind in ("", weights.kind)]
    pipelines = PIPELINES if kind in ("", "onnx") else {}
    if pipelines:
        rows = [(name, " + ".join(parts), _yes(here[name])) for name, parts in pipelines.items()]
        output.table("pipelines", ("name", "models", "here"), rows)
    for each, title in _KINDS.items():
        chosen = [weights for weights in shown if weights.kind == each]
        if chosen:
            output.table(
                f"{each}: {title}",
                ("name", "task", "network", "MB", "licence", "here"),
                [(w.name, task_of(w.arch), w.arch, w.megabytes or "", LICENCE, _yes(here[w.name])) for w in chosen],
            )
    entries: list[dict[str, object]] = [
        {"name": name, "task": "ocr", "kind": "onnx", "parts": list(parts), "cached": here[name]}
        for name, parts in pipelines.items()
    ]
    entries += [
        {
            "name": weights.name,
            "task": task_of(weights.arch),
            "kind": weights.kind,
            "arch": weights.arch,
            "source": f"{weights.wheel.requirement}: {weights.source}" if weights.wheel else weights.source,
            "sha256": weights.sha256,
            "megabytes": weights.megabytes,
            "licence": LICENCE,
            "cached": here[weights.name],
        }
        for weights in shown
    ]
    output.result({"weights": entries})
    output.next(f"ocrtune weights get {entries[0]['name']}")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


@app.command("get", epilog="Example:\n\nocrtune weights get ppocrv4-mobile ppocrv6-small-rec")
def get(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names from the list.")], json: Json = False
) -> None:
    """Fetch published models and weight files into the cache, so that everything later works offline.

    A transfer that broke off goes on where it stopped. Without a network the error says which file to put where.
    """
    from ocrtune.weights.registry import FILES, published_bundle, published_file

    output = Output(json)
    paths: dict[str, str] = {}
    for name in names:
        with _megabytes(output, name) as progress:
            path = (
                published_file(name, output.say, progress)
                if name in FILES
                else published_bundle(name, output.say, progress).path
            )
        paths[name] = str(path)
        output.say(f"{name}: {path}")
    output.result({"weights": paths})
    first = names[0]
    output.next(
        f"ocrtune weights import {first} --out BUNDLE" if first in FILES else f"ocrtune eval {first} LABELLED_DATA"
    )


@contextmanager
def _megabytes(output: Output, name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar in hundredths, for a transfer whose size is known once it runs."""
    with output.bar(name, 100) as step:
        shown = 0

        def progress(done: int, total: int | None) -> None:
            nonlocal shown
            while total and shown < min(100 * done // total, 100):
                shown += 1
                step()

        yield progress


@app.command("import", epilog=IMPORT_EXAMPLES)
def import_file(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help=".pdparams, .onnx, .safetensors, .pth, official .tar, Hugging Face folder, web address, or a name from "
            "'ocrtune weights list --kind training'.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Bundle folder to write.")],
    arch: Annotated[str, typer.Option(help="Network; auto: the one that the tensors fit.")] = "auto",
    dictionary: Annotated[
        str | None, typer.Option(metavar="FILE", help="Characters, one a line, of a recogniser that does not say them.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="Part of a distillation checkpoint: student, student2, teacher.")
    ] = None,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Load what fits and leave the rest untrained, for a backbone or another head."),
    ] = False,
    json: Json = False,
) -> None:
    """Make a bundle of a weight file: it can then be run, measured, fine-tuned and exported like any other.

    Nothing in the file is executed. Tensors that do not find their place are an error that lists them, unless --partial
    is given. The exported file is compared with the weights on drawn pages; exit code 1 when it does not do the same.
    """
    from ocrtune.cli.extras import need_training

    need_training()
    from ocrtune.weights.report import LoadReport, MisfitError
    from ocrtune.workflows.importing import import_weights

    output = Output(json)

    def show(report: LoadReport) -> None:
        output.table("tensors", ("", "number", "which"), report.rows())

    try:
        done = import_weights(file, out, arch=arch, dictionary=dictionary, part=part, partial=partial, tell=output.say)
    except MisfitError as error:
        show(error.report)
        raise
    manifest = done.bundle.manifest
    if done.report is not None:
        show(done.report)
        if not done.report.complete:
            output.warn("a part of the network has fresh weights: the bundle is of use as a start for training only")
    output.say(f"written: {out} ({manifest.task}, {manifest.arch}, {done.form} form)")
    output.result(
        {
            "bundle": str(out),
            "task": manifest.task,
            "arch": manifest.arch,
            "guessed": done.guessed,
            "form": done.form,
            "report": None if done.report is None else done.report.as_dict(),
            "gate": manifest.provenance["gate"],
        }
    )
    output.next(f"ocrtune eval {out} LABELLED_DATA")
