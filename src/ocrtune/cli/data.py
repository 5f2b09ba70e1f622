"""``ocrtune data``: check, stats, split, convert, show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Data, Json, described_dataset

if TYPE_CHECKING:
    from ocrtune.data.check import CheckReport
    from ocrtune.data.formats import DatasetPath

NAME = "data"
app = typer.Typer(
    help="Labelled data: check, look at, split and convert it.", no_args_is_help=True, rich_markup_mode=None
)
PageSize = Annotated[int, typer.Option(min=32, help="Longer side in pixels at which pages will be trained on.")]
Format = Annotated[str | None, typer.Option(help="icdar, paddle, csv, lmdb or json; default: as the data.")]


@app.command(
    "check",
    epilog="Examples:\n\nocrtune data check receipts/train --val receipts/val\n\nocrtune data check icdar:pages --fix",
)
def check(
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


@app.command("stats", epilog="Example:\n\nocrtune data stats receipts/train --json")
def stats(data: Data, page_size: PageSize = 1280, json: Json = False) -> None:
    """Sizes, text heights at the training size, lengths, characters (percentiles 5, 25, 50, 75, 95)."""
    from ocrtune.data.formats import read_dataset
    from ocrtune.data.stats import dataset_stats

    output = Output(json)
    dataset = described_dataset(data, output)
    pages = read_dataset(dataset)
    with output.bar("pages", len(pages)) as each:
        figures = dataset_stats(pages, page_size, each)
    rows = [(key, "  ".join(map(str, value)) if isinstance(value, list) else value) for key, value in figures.items()]
    output.table(str(dataset), ("what", "value, or percentiles 5 25 50 75 95"), rows)
    output.result(figures)
    output.next(f"ocrtune data check {data}")


@app.command("split", epilog="Example:\n\nocrtune data split icdar:pages --out parts --shares 70,20,10")
def split(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the parts.")],
    shares: Annotated[str, typer.Option(help="Shares of train, val and test.")] = "70,20,10",
    format: Format = None,
    json: Json = False,
) -> None:
    """Split by the images' content: the same pages always go to the same part, twins stay together."""
    from ocrtune.data.formats import read_dataset, write_dataset
    from ocrtune.data.split import split_pages
    from ocrtune.errors import UsageError

    output = Output(json)
    names = ("train", "val", "test")
    try:
        sizes = [float(share) for share in shares.split(",")]
    except ValueError as error:
        raise UsageError(f"'{shares}' are no shares", where="--shares", expected="70,20,10") from error
    if not 1 <= len(sizes) <= len(names):
        raise UsageError(f"{len(sizes)} shares", where="--shares", expected="one to three: train, val, test")
    dataset = described_dataset(data, output)
    target_format = format or dataset.format
    parts = split_pages(read_dataset(dataset), sizes)
    written = {}
    for name, pages in zip(names, parts, strict=False):
        if not pages:
            continue
        suffix = {"icdar": "", "lmdb": "", "json": ".json", "csv": ".csv"}.get(target_format, ".txt")
        path = out / f"{name}{suffix}"
        if path.exists():
            raise UsageError("a part would overwrite something", where=path, hint="name another folder with --out")
        write_dataset(pages, target_format, path)
        written[name] = {"path": f"{target_format}:{path}", "pages": len(pages)}
        output.say(f"{name}: {len(pages)} pages, {target_format}:{path}")
    output.result(written)
    output.next(
        f"ocrtune adapt {written['train']['path']}" + (f" --val {written['val']['path']}" if "val" in written else "")
    )


@app.command("convert", epilog="Example:\n\nocrtune data convert icdar:receipts/train --format paddle --out train.txt")
def convert(
    data: Data,
    format: Annotated[str, typer.Option(help="icdar, paddle, csv, lmdb or json.")],
    out: Annotated[Path, typer.Option(help="File (icdar: folder) to write.")],
    json: Json = False,
) -> None:
    """Write the labels in another format; images stay where they are."""
    from ocrtune.data.formats import read_dataset, write_dataset
    from ocrtune.errors import UsageError

    output = Output(json)
    dataset = described_dataset(data, output)
    if out.exists():
        raise UsageError("something is already there", where=out, hint="name another place with --out")
    pages = read_dataset(dataset)
    write_dataset(pages, format, out)
    output.say(f"written: {format}:{out} ({len(pages)} pages)")
    output.result({"path": f"{format}:{out}", "pages": len(pages)})
    output.next(f"ocrtune data check {format}:{out}")


@app.command(
    "crop",
    epilog="Examples:\n\nocrtune data crop icdar:receipts/train --out lines\n\n"
    "ocrtune data crop lmdb:store --out lines --format csv",
)
def crop(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the lines and their label file.")],
    margin: Annotated[float, typer.Option(min=0, max=1, help="Kept around a label, as a share of its height.")] = 0.0,
    format: Annotated[
        str, typer.Option(help="paddle (labels.txt), csv (labels.csv) or lmdb (folder lmdb).")
    ] = "paddle",
    json: Json = False,
) -> None:
    """Cut every labelled text out as a line, with the code that cuts in use; texts marked as ignored are left out."""
    from dataclasses import replace

    from ocrtune.data.formats import read_dataset, write_dataset
    from ocrtune.data.lines import cut_lines, readable
    from ocrtune.errors import DataError, UsageError
    from ocrtune.page import image_size, whole_image

    places = {"paddle": out / "labels.txt", "csv": out / "labels.csv", "lmdb": out / "lmdb"}
    if format not in places:
        raise UsageError(f"'{format}' is no format of lines", where="--format", expected=", ".join(places))
    output = Output(json)
    dataset = described_dataset(data, output)
    if places[format].exists() or (out / "images").exists():
        raise UsageError("lines are already there", where=out, hint="name another folder with --out")
    pages = read_dataset(dataset)
    if not any(readable(region) for page in pages for region in page.regions):
        raise DataError("no text that counts is labelled", where=dataset, hint="ocrtune data check " + data)
    with output.bar("pages", len(pages)) as each:
        lines = cut_lines(pages, out / "images", margin, each)
    whole = [
        line.with_regions([replace(line.regions[0], polygon=whole_image(*image_size(line.path)))]) for line in lines
    ]
    write_dataset(whole, format, places[format])
    output.say(f"{len(lines)} lines of {len(pages)} pages: {format}:{places[format]}")
    output.result({"path": f"{format}:{places[format]}", "lines": len(lines), "pages": len(pages)})
    output.next(f"ocrtune adapt {format}:{places[format]} --task recognition")


@app.command("show", epilog="Example:\n\nocrtune data show receipts/train --draw drawn --limit 12")
def show(
    data: Data,
    draw: Annotated[Path, typer.Option(help="Folder for the drawn pages and sheet.jpg.")],
    limit: Annotated[int, typer.Option(min=1, help="How many pages.")] = 12,
    json: Json = False,
) -> None:
    """Draw labelled pages: green what counts, grey what is ignored."""
    from ocrtune.data.draw import contact_sheet, draw_regions
    from ocrtune.data.formats import read_dataset
    from ocrtune.report.figures import jpeg

    output = Output(json)
    dataset = described_dataset(data, output)
    pages = read_dataset(dataset)[:limit]
    draw.mkdir(parents=True, exist_ok=True)
    drawn = [draw_regions(page.load(), page.regions) for page in pages]
    for index, image in enumerate(drawn):
        (draw / f"{index + 1:03d}_{Path(pages[index].name).stem}.jpg").write_bytes(jpeg(image))
    (draw / "sheet.jpg").write_bytes(jpeg(contact_sheet(drawn)))
    output.say(f"{len(pages)} pages drawn in {draw}, together in {draw / 'sheet.jpg'}")
    output.result({"pages": len(pages), "folder": str(draw), "sheet": str(draw / "sheet.jpg")})
    output.next(f"ocrtune data check {data}")


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
