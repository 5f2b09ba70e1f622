"""``ocrtune data synth``: generated pages and lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocrtune.cli.console import Output
from ocrtune.cli.options import Json, described_dataset, tell_losses

if TYPE_CHECKING:
    from ocrtune.charset import Charset
    from ocrtune.data.synth.generate import Generator
    from ocrtune.data.synth.job import Written

NAME = "synth"
EXAMPLES = (
    "Examples:\n\nocrtune data synth --out made --count 200\n\n"
    "ocrtune data synth --out slips --template receipt --scenario thermal --scenario photo --granularity word\n\n"
    "ocrtune data synth --out lines --template line --corpus texts.txt --font fonts/ --count 5000\n\n"
    'ocrtune data synth --out euros --template line --characters "€§" --count 500\n\n'
    "ocrtune data synth --out rare --template line --lacking train.txt --charset ppocrv6-small --count 2000"
)
_SHOWN = 40  # characters in a message


def command(
    out: Annotated[Path, typer.Option(help="Folder for images and labels; the same command again goes on in it.")],
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 100,
    template: Annotated[
        list[str] | None,
        typer.Option(
            help="receipt, form, table, label, text (pages) or line (single lines); may be given several times. "
            "Default: all pages, with --corpus text."
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            help="clean, scan, photo, thermal, dot-matrix, copy, or loose (photos in any direction); may be given several "
            "times. Default: all but loose."
        ),
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="UTF-8 text file that texts are taken from. Default: generated texts.")
    ] = None,
    font: Annotated[
        list[Path] | None,
        typer.Option(help="TrueType or OpenType file, or a folder of them; may be given several times."),
    ] = None,
    backgrounds: Annotated[
        Path | None, typer.Option(help="Folder of photos without text that pages are laid on.")
    ] = None,
    granularity: Annotated[str, typer.Option(help="What one label is: line or word.")] = "line",
    characters: Annotated[str, typer.Option(help="Characters that texts should contain.")] = "",
    lacking: Annotated[
        str | None, typer.Option(metavar="DATA", help="Labelled data: texts should contain what they hardly ever show.")
    ] = None,
    charset: Annotated[
        str | None, typer.Option(metavar="FILE|BUNDLE", help="Which characters --lacking looks for.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other pictures.")] = 0,
    format: Annotated[str, typer.Option(help="Label format: paddle, icdar, json, csv, lmdb, ...")] = "paddle",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. Default: one a core.")] = None,
    json: Json = False,
) -> None:
    """Generate documents with exact labels: any font and texts, printed, worn, photographed."""
    from ocrtune.data.formats import FORMATS
    from ocrtune.data.synth.generate import Generator, Recipe
    from ocrtune.data.synth.job import generate
    from ocrtune.data.synth.scenarios import SCENARIOS, UPRIGHT
    from ocrtune.data.synth.templates import LINE, TEMPLATES
    from ocrtune.errors import UsageError, named
    from ocrtune.runtime.engines import available_cores

    output = Output(json)
    for name in template or ():
        named(name, TEMPLATES, "template", "--template")
    for name in scenario or ():
        named(name, SCENARIOS, "scenario", "--scenario")
    named(format, FORMATS, "label format", "--format")
    kinds = {"line": "line", "word": "word"}
    if format == "csv" and list(dict.fromkeys(template or ())) != [LINE]:
        raise UsageError(
            "csv holds images of one line, not pages",
            where="--format",
            hint=f"only --template {LINE}, or another format",
        )
    named(granularity, kinds, "granularity", "--granularity")
    if (lacking is None) != (charset is None):
        raise UsageError(
            "--lacking and --charset belong together",
            expected="labelled data, and a charset file or a bundle",
            hint="for example --lacking train.txt --charset ppocrv6-small",
        )
    if lacking is not None and charset is not None:
        characters += _lacking(lacking, charset, output)
    default = ("text",) if corpus else tuple(name for name in TEMPLATES if name != LINE)
    recipe = Recipe(
        templates=tuple(template or default),
        scenarios=tuple(scenario or UPRIGHT),
        seed=seed,
        granularity="word" if granularity == "word" else "line",
        fonts=tuple(font or ()),
        corpus=corpus,
        backgrounds=_photos(backgrounds),
        characters=characters,
    )
    generator = Generator(recipe)
    _say_fonts(generator, output)
    with output.bar("pictures", count) as each:
        written = generate(generator, count, out, format, workers or available_cores(), each)
    path = f"{format}:{written.labels}"
    tell_losses(output, format, written.dataset)
    _say_written(written, path, output)
    output.result(
        {
            "path": path,
            "pages": written.pages,
            "regions": written.regions,
            "made": written.made,
            "templates": written.templates,
            "scenarios": written.scenarios,
            "skipped": written.skipped,
            "missing": written.missing,
            "undrawable": "".join(generator.undrawable),
            "characters": written.characters,
        }
    )
    output.next(f"ocrtune data show {path} --draw {out / 'drawn'}")


def _lacking(data: str, charset: str, output: Output) -> str:
    """The characters of a charset that data hardly ever show.

    Raises:
        UsageError: there are none.
    """
    from ocrtune.data.formats import read_dataset
    from ocrtune.data.synth.lacking import SELDOM, lacking_characters
    from ocrtune.errors import UsageError

    known = _charset(charset)
    found = lacking_characters(read_dataset(described_dataset(data, output)), known)
    if not found:
        raise UsageError(
            f"every character of the charset is in {SELDOM} texts or more", where=data, hint="leave --lacking out"
        )
    never = sum(not number for number in found.values())
    output.say(
        f"lacking: {len(found)} of {len(known.characters)} characters are in fewer than {SELDOM} texts, {never} in none: "
        + _some(list(found))
    )
    return "".join(found)


def _charset(spec: str) -> Charset:
    """The charset of a file, or of a bundle's recogniser.

    Raises:
        BundleError: it is neither, or damaged.
    """
    from ocrtune.charset import Charset
    from ocrtune.weights.registry import resolve_part

    return Charset.read(Path(spec) if Path(spec).is_file() else resolve_part(spec, "recognition").charset)


def _photos(folder: Path | None) -> tuple[Path, ...]:
    """The images of a folder by name.

    Raises:
        DataError: there are none.
    """
    from ocrtune.errors import DataError
    from ocrtune.page import IMAGE_SUFFIXES

    if folder is None:
        return ()
    found = (
        sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES) if folder.is_dir() else []
    )
    if not found:
        raise DataError("the folder holds no images", where=folder, expected="photos without text, as PNG or JPEG")
    return tuple(found)


def _say_fonts(generator: Generator, output: Output) -> None:
    output.say(
        f"fonts: {len(generator.book.fonts)}"
        + ("" if generator.recipe.fonts else " (built in: Latin, Greek, Cyrillic)")
    )
    for error in generator.left_out:
        output.warn(f"left out: {error.where}: {error.what}")
    if generator.undrawable:
        output.warn(f"no font has {len(generator.undrawable)} of the characters: {_some(generator.undrawable)}")


def _say_written(written: Written, path: str, output: Output) -> None:
    output.say(f"{written.pages} pictures with {written.regions} texts: {path} ({written.made} of them new)")
    if written.skipped:
        missing = ", ".join(f"{c} {number}" for c, number in written.missing.most_common(10))
        output.warn(f"{written.skipped} texts left out that no single font can draw; missing: {missing}")
    never = [c for c, number in written.characters.items() if not number]
    if written.characters:
        shown = len(written.characters) - len(never)
        output.say(f"characters asked for: {shown} of {len(written.characters)} are in at least one text")
    if never:
        output.say(f"not yet shown, a larger --count reaches them: {_some(never)}")


def _some(characters: list[str]) -> str:
    return "".join(characters[:_SHOWN]) + (" ..." if len(characters) > _SHOWN else "")
