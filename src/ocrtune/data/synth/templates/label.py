"""Labels: a cable marker, a rating plate, a shelf price, a parcel."""

from __future__ import annotations

from ocrtune.data.synth import vocabulary as words
from ocrtune.data.synth.sheet import Colour, Sheet
from ocrtune.data.synth.templates.press import Press

_MARKER_PAPERS: tuple[Colour, ...] = ((60, 205, 245), (40, 190, 235), (245, 245, 245), (235, 235, 230), (80, 150, 240))
_PLATE_PAPERS: tuple[tuple[Colour, Colour], ...] = (
    ((205, 205, 200), (25, 25, 25)),
    ((190, 195, 195), (40, 35, 30)),
    ((45, 42, 40), (225, 225, 225)),
    ((120, 60, 30), (240, 240, 240)),
    ((240, 240, 240), (30, 30, 30)),
)


def label(press: Press) -> Sheet:
    """A label of 250 to 800 pixels width with 1 to 30 texts."""
    kinds = (_marker, _plate, _price, _parcel)
    return kinds[int(press.rng.integers(len(kinds)))](press)


def _marker(press: Press) -> Sheet:
    """One short code, as on a cable."""
    texts = press.texts
    size = press.uniform(38, 80)
    text = texts.free(2, 8) if texts.chance(0.2) else _cable(press)
    sheet = press.sheet(
        press.uniform(1.4, 2.6) * size + 0.62 * size * len(text), press.uniform(1.6, 2.6) * size, size, text=text
    )
    sheet.paper = _MARKER_PAPERS[int(press.rng.integers(len(_MARKER_PAPERS)))]
    sheet.colour = (25.0, 25.0, 25.0)
    font = press.book.bold(sheet.font) if texts.chance(0.4) else None
    middle = sheet.height * 0.5 + 0.36 * size
    sheet.text(0.5 * sheet.width, middle, text, round(size), anchor="m", font=font, fit=0.92 * sheet.width)
    if texts.chance(0.2):
        sheet.box(4, 4, sheet.width - 5, sheet.height - 5, 2)
    return sheet


def _cable(press: Press) -> str:
    texts = press.texts
    letters = texts.pick(("F", "K", "Q", "X", "XS", "W", "S", "M", "H", "TB", "PE", "L", "N", "UPS"))
    number = str(texts.integer(1, 399))
    return texts.pick(
        (
            f"-{letters}{number}",
            f"{letters}{number}",
            f"={letters}{number}",
            f"{letters}{number}:{texts.integer(1, 24)}",
            letters,
        )
    )


def _plate(press: Press) -> Sheet:
    """Names and values of a machine."""
    texts = press.texts
    size = press.uniform(17, 27)
    width = press.uniform(22, 32) * size
    fields = [words.PLATE_FIELDS[int(i)] for i in press.rng.permutation(len(words.PLATE_FIELDS))[: texts.integer(4, 9)]]
    sheet = press.sheet(width, (len(fields) + 7) * 1.6 * size, size, text="Model 0123456789", mono=False)
    sheet.paper, sheet.colour = _PLATE_PAPERS[int(press.rng.integers(len(_PLATE_PAPERS)))]
    side, column = press.uniform(0.8, 1.6) * size, press.uniform(0.36, 0.45) * width
    bold = press.book.bold(sheet.font)
    y = side + 1.5 * size
    sheet.text(side, y, texts.company(), round(1.5 * size), font=bold, fit=width - 2 * side)
    y += 1.4 * size
    if texts.chance(0.6):
        sheet.text(side, y, texts.name(words.GOODS), round(size), fit=width - 2 * side)
        y += 0.6 * size
    sheet.rule(side, y, width - side, y, 2)
    y += 1.6 * size
    for name, value in fields:
        sheet.text(side, y, name + texts.pick(("", ":")), round(0.9 * size), fit=column - side - 5)
        sheet.text(column, y, texts.filled(value), round(size), font=bold, fit=width - column - side)
        y += press.uniform(1.4, 1.55) * size
    if texts.chance(0.6):
        sheet.text(
            side,
            y + 0.3 * size,
            f"Made in {texts.pick(('Germany', 'Malaysia', 'Italy', 'P.R.C.', 'EU'))}",
            round(0.85 * size),
        )
        y += 1.4 * size
    sheet.crop(int(y + side))
    sheet.box(3, 3, sheet.width - 4, sheet.height - 4, 2)
    return sheet


def _price(press: Press) -> Sheet:
    """A shelf label: an article, a large price, a bar code."""
    texts = press.texts
    width, height = press.uniform(420, 640), press.uniform(210, 300)
    size = 0.1 * height
    sheet = press.sheet(width, height, size, text="Price 0123456789", mono=False)
    sheet.paper = (80.0, 225.0, 250.0) if texts.chance(0.3) else None
    bold = press.book.bold(sheet.font)
    sheet.text(14, 0.18 * height, texts.name(words.GOODS, 6, 28), round(1.4 * size), font=bold, fit=width - 28)
    sheet.text(
        14, 0.31 * height, texts.pick((f"Art. {texts.digits(6)}", texts.code(), texts.date())), round(0.9 * size)
    )
    value = texts.price(press.uniform(0.3, 400))
    sheet.text(
        width - 14, 0.68 * height, value, round(press.uniform(2.6, 3.4) * size), anchor="r", font=bold, fit=0.7 * width
    )
    sheet.text(
        width - 14,
        0.83 * height,
        f"1 kg = {texts.price(press.uniform(1, 60))}",
        round(0.8 * size),
        anchor="r",
        fit=0.4 * width,
    )
    sheet.bars(14, 0.76 * height, 0.42 * width, 0.12 * height)
    sheet.text(14 + 0.2 * width, 0.965 * height, texts.digits(13), round(0.8 * size), anchor="m")
    return sheet


def _parcel(press: Press) -> Sheet:
    """From, to, weight, a large routing code and a bar code."""
    texts = press.texts
    width = press.uniform(560, 760)
    size = width * press.uniform(0.034, 0.042)
    sheet = press.sheet(width, 1.5 * width, size, text="From 0123456789", mono=texts.chance(0.3))
    side, y = 0.05 * width, 0.05 * width + size
    bold = press.book.bold(sheet.font)
    for name, scale in (("From:", 0.8), ("To:", 1.15)):
        sheet.text(side, y, name, round(0.8 * size), font=bold)
        y += 1.3 * scale * size
        for text in (texts.name([texts.person()]), texts.street(), texts.town()):
            sheet.text(side + 1.5 * size, y, text, round(scale * size), fit=width - 2.5 * side - 1.5 * size)
            y += 1.35 * scale * size
        sheet.rule(side, y - 0.5 * size, width - side, y - 0.5 * size, 2)
        y += size
    sheet.text(side, y + 1.4 * size, texts.code(5, 7), round(2.4 * size), font=bold, fit=0.5 * width)
    sheet.text(width - side, y, f"{texts.integer(1, 300) / 10} kg", round(1.1 * size), anchor="r")
    sheet.text(width - side, y + 1.5 * size, texts.date(), round(size), anchor="r")
    y += 2.2 * size
    sheet.rule(side, y, width - side, y, 2)
    if texts.chance(0.5):
        sheet.matrix(width - side - 5 * size, y + 0.6 * size, 5 * size)
        sheet.text(side, y + 1.8 * size, texts.name(words.NOTES, 6, 22), round(size), fit=width - 3 * side - 6 * size)
        y += 6.5 * size
    sheet.bars(side, y + 0.6 * size, width - 2 * side, 4 * size)
    y += 5.8 * size
    sheet.text(width / 2, y, " ".join(texts.digits(4) for _ in range(4)), round(size), anchor="m", fit=width - 2 * side)
    sheet.crop(int(y + side))
    return sheet
