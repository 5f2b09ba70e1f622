"""``ocrtune data check``: find what is wrong."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.data.options import PageSize
from ocrtune.cli.options import Data, Json, described_dataset, tell_losses
from ocrtune.files import with_name_of_its_own

if TYPE_CHECKING:
    from ocrtune.data.check import CheckReport, CheckSettings
    from ocrtune.data.check.run import Bar
    from ocrtune.data.formats import DatasetPath

NAME = "check"
EXAMPLES = """Examples:

ocrtune data check receipts/train --val receipts/val

ocrtune data check icdar:pages --fix

ocrtune data check receipts/train --base ppocrv4-mobile --html check.html

ocrtune data check rec_gt.txt --charset dictionary.txt --json"""


def command(
    data: Data,
    val: Annotated[str | None, typer.Option(help="Validation data, to find pages that are in both.")] = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="BUNDLE", help="Model that will be fine-tuned: finds labels it disagrees with (slow)."),
    ] = None,
    base_pages: Annotated[int, typer.Option(min=1, help="Pages that --base looks at, spread over the data.")] = 50,
    charset: Annotated[
        Path | None, typer.Option(help="Dictionary, one character a line; default: that of --base.")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write mended labels beside the old ones, which stay untouched.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where --fix writes; default: DATA_fixed.")] = None,
    html: Annotated[Path | None, typer.Option(help="Report with drawn examples, one file.")] = None,
    page_size: PageSize = 1280,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Decode only images that changed since the last check.")
    ] = True,
    json: Json = False,
) -> None:
    """Decode every image, look at every line and outline; exit code 1 when there are errors.

    --base also tells whether the labels are cut as the model cuts (words or lines), and ranks labels that are probably
    wrong: another text, a missing box, a shifted box.
    """
    from ocrtune.charset import Charset
    from ocrtune.data.check import CheckSettings, find_leaks
    from ocrtune.data.check.base import load_base
    from ocrtune.weights.cache import cache_dir
    from ocrtune.weights.registry import resolve_bundle

    output = Output(json)
    datasets = [described_dataset(name, output) for name in (data, val) if name is not None]
    target = _target(datasets[0], out) if fix else None
    settings = CheckSettings(page_size, Charset.read(charset) if charset is not None else None)
    model = load_base(resolve_bundle(base), base) if base is not None else None
    if model is not None:
        settings = model.settings(settings)
    folder = cache_dir() / "check" if cache else None
    val_settings = replace(settings, few_pages=8)
    reports = [
        _run_check(output, dataset, chosen, folder, fix)
        for dataset, chosen in zip(datasets, (settings, val_settings), strict=False)
    ]
    if len(reports) > 1:
        reports[1].add(find_leaks(*reports))
    if model is not None:
        from ocrtune.data.check.base import ask_base

        for dataset, report in zip(datasets, reports, strict=True):
            with ExitStack() as stack:
                bar = _bar(output, stack, f"asking {base}")
                report.add(ask_base(dataset, model, report.total_pages, base_pages, bar, folder))
    for report in reports:
        _show(output, report)
    errors = sum(report.errors for report in reports)
    if target is not None:
        _write_fixed(output, reports, datasets[0], target)
    fixable = any(finding.fixed_by for report in reports for finding in report.findings)
    if errors and fixable and not fix:
        next_command = f"ocrtune data check {data} --fix"
    else:
        next_command = f"ocrtune adapt {f'{datasets[0].format}:{target}' if target is not None else data}"
    if html is not None:
        from ocrtune.report.check import write_check_report

        write_check_report(reports, html, next_command)
        output.say(f"written: {html}")
    output.result(
        {
            "errors": errors,
            "fixed": None if target is None else str(target),
            "datasets": [report.as_dict() for report in reports],
        }
    )
    output.next(next_command)
    if errors:
        raise typer.Exit(1)


def _run_check(
    output: Output, dataset: DatasetPath, settings: CheckSettings, cache: Path | None, keep_pages: bool
) -> CheckReport:
    from ocrtune.data.check import check_dataset

    with ExitStack() as stack:
        bar = _bar(output, stack, "pages")
        return check_dataset(dataset, settings, bar, cache=cache, keep_pages=keep_pages)


def _bar(output: Output, stack: ExitStack, name: str) -> Bar:
    return lambda total: stack.enter_context(output.bar(name, total))


def _show(output: Output, report: CheckReport) -> None:
    counts = report.counts()
    rows = [
        (found[0].severity, code, counts[code], f"{found[0].where}: {found[0].message}", found[0].fixed_by or "")
        for code, found in report.by_code().items()
    ]
    title = f"{report.dataset}: {report.total_pages} pages, {report.regions} texts, {report.ignored} ignored"
    if rows:
        output.table(title, ("severity", "what", "count", "first", "--fix"), rows)
    else:
        output.say(f"{title}: nothing to complain about")


def _target(dataset: DatasetPath, out: Path | None) -> Path:
    from ocrtune.errors import UsageError

    target = out or _beside(dataset)
    if target.exists():
        raise UsageError(
            "the fixed labels would overwrite something", where=target, hint="name another place with --out"
        )
    return target


def _write_fixed(output: Output, reports: list[CheckReport], dataset: DatasetPath, target: Path) -> None:
    """Write the mended pages, without those that are in the validation data."""
    from ocrtune.data.formats import write_dataset

    known = set(reports[1].hashes) if len(reports) > 1 else set()
    pages = [page for page, digest in zip(reports[0].pages, reports[0].hashes, strict=True) if digest not in known]
    written = write_dataset(pages, dataset.format, target)
    tell_losses(output, dataset.format, written)
    output.say(f"written: {target} ({written.pages} pages)")


def _beside(dataset: DatasetPath) -> Path:
    """``receipts/train`` -> ``receipts/train_fixed``; ``labels.txt`` -> ``labels_fixed.txt``, or a folder of its format."""
    from ocrtune.data.formats import written_suffix

    path = with_name_of_its_own(dataset.path)
    name = path.name if path.is_dir() else path.stem
    return path.with_name(f"{name}_fixed{written_suffix(dataset.format)}")
