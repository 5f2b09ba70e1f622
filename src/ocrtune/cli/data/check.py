"""``ocrtune data check``: find what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.data.options import PageSize
from ocrtune.cli.options import Data, Json, described_dataset

if TYPE_CHECKING:
    from ocrtune.data.check import CheckReport
    from ocrtune.data.formats import DatasetPath

NAME = "check"
EXAMPLES = "Examples:\n\nocrtune data check receipts/train --val receipts/val\n\nocrtune data check icdar:pages --fix"


def command(
    data: Data,
    val: Annotated[str | None, typer.Option(help="Validation data, to find pages that are in both.")] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write mended labels beside the old ones, which stay untouched.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where --fix writes; default: DATA_fixed.")] = None,
    page_size: PageSize = 1280,
    json: Json = False,
) -> None:
    """Decode every image, look at every line and outline; exit code 1 when there are errors."""
    from ocrtune.data.check import find_leaks
    from ocrtune.data.formats import write_dataset
    from ocrtune.errors import UsageError

    output = Output(json)
    dataset = described_dataset(data, output)
    reports = [_run_check(output, dataset, page_size)]
    if val is not None:
        val_dataset = described_dataset(val, output)
        reports.append(_run_check(output, val_dataset, page_size))
        reports[1].findings += find_leaks(*reports)
    for report in reports:
        rows = [
            (found[0].severity, code, len(found), f"{found[0].where}: {found[0].message}", found[0].fixed_by or "")
            for code, found in report.by_code().items()
        ]
        title = f"{report.dataset}: {report.total_pages} pages, {report.regions} texts, {report.ignored} ignored"
        if rows:
            output.table(title, ("severity", "what", "count", "first", "--fix"), rows)
        else:
            output.say(f"{title}: nothing to complain about")
    errors = sum(report.errors for report in reports)
    fixed = None
    if fix:
        target = out or _beside(dataset.path, "fixed", dataset.format)
        if target.exists():
            raise UsageError(
                "the fixed labels would overwrite something", where=target, hint="name another place with --out"
            )
        known = set(reports[1].hashes) if len(reports) > 1 else set()
        pages = [p for p, digest in zip(reports[0].pages, reports[0].hashes, strict=True) if digest not in known]
        write_dataset(pages, dataset.format, target)
        fixed = str(target)
        output.say(f"written: {target} ({len(pages)} pages)")
    output.result({"errors": errors, "fixed": fixed, "datasets": [report.as_dict() for report in reports]})
    if errors and not fix:
        output.next(f"ocrtune data check {data} --fix")
    else:
        output.next(f"ocrtune adapt {f'{dataset.format}:{fixed}' if fixed else data}")
    if errors:
        raise typer.Exit(1)


def _run_check(output: Output, dataset: DatasetPath, page_size: int) -> CheckReport:
    from contextlib import ExitStack

    from ocrtune.data.check import check_dataset

    with ExitStack() as stack:
        return check_dataset(dataset, page_size, lambda total: stack.enter_context(output.bar("pages", total)))


def _beside(path: Path, suffix: str, data_format: str) -> Path:
    """``receipts/train`` -> ``receipts/train_fixed``; ``labels.txt`` -> ``labels_fixed.txt`` (icdar: a folder)."""
    if path.is_dir():
        return path.with_name(f"{path.name}_{suffix}") / ("Label.txt" if data_format == "paddle" else "")
    return path.with_name(f"{path.stem}_{suffix}" + ("" if data_format == "icdar" else path.suffix))
