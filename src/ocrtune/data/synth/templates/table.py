"""A table with a title: ruled, striped or bare, with columns of words, codes, dates and numbers."""

from __future__ import annotations

from collections.abc import Callable

from ocrtune.data.synth import vocabulary as words
from ocrtune.data.synth.sheet import Sheet
from ocrtune.data.synth.templates.press import Press
from ocrtune.data.synth.texts import Texts

# heading, anchor, width in sizes, value of a row
_COLUMNS: tuple[tuple[str, str, float, Callable[[Texts], str]], ...] = (
    ("Item", "l", 13, lambda t: t.name(words.GOODS, 5, 26)),
    ("Description", "l", 15, lambda t: t.free(6, 28)),
    ("Name", "l", 10, lambda t: t.person()),
    ("Code", "l", 8, lambda t: t.code(4, 9)),
    ("Part No.", "l", 8, lambda t: t.code(6, 10)),
    ("Date", "l", 7.5, lambda t: t.date()),
    ("Town", "l", 8, lambda t: t.pick(words.TOWNS)),
    ("Qty", "r", 4, lambda t: str(t.integer(1, 999))),
    ("%", "r", 4, lambda t: f"{t.integer(0, 1000) / 10}"),
    ("Price", "r", 6.5, lambda t: t.amount(t.integer(10, 99999) / 100)),
    ("Amount", "r", 8, lambda t: t.amount(t.integer(100, 9999999) / 100)),
    ("Min", "r", 5, lambda t: f"{t.integer(-40, 400) / 100:.2f}"),
    ("Max", "r", 5, lambda t: f"{t.integer(40, 9900) / 100:.2f}"),
    ("Unit", "m", 4, lambda t: t.pick(("pcs", "kg", "m", "mm", "h", "set", "box"))),
    ("OK", "m", 4, lambda t: t.pick(("yes", "no", "n/a", "-"))),
    ("Pos.", "r", 4, lambda t: str(t.integer(1, 99))),
)
_NUMBERED = {"Price", "Amount"}


def table(press: Press) -> Sheet:
    """A page of 750 to 1250 pixels width with 30 to 150 texts."""
    texts = press.texts
    width = press.uniform(750, 1250)
    size = press.uniform(15, 23)
    side = press.uniform(0.03, 0.08) * width
    sheet = press.sheet(width, 1.4 * width, size, text="Total 0123456789", mono=texts.chance(0.2))
    columns = _chosen(press, (width - 2 * side) / size)
    wide = sum(column[2] for column in columns)
    stretch = (width - 2 * side) / wide
    edges = [side]
    for column in columns:
        edges.append(edges[-1] + column[2] * stretch)
    y = side + 1.5 * size
    if texts.chance(0.8):
        title = f"{texts.pick(words.TABLE_TITLES)} {texts.date()}"
        sheet.text(
            side, y, title, round(size * press.uniform(1.1, 1.7)), font=press.book.bold(sheet.font), fit=0.9 * width
        )
        y += 1.3 * size
        if texts.chance(0.5):
            y = sheet.paragraph(
                side, y + 0.6 * size, texts.free(20, 90), round(size), width - 2 * side, 1.3, y + 3 * size
            )
    y = _rows(press, sheet, columns, edges, y)
    if texts.chance(0.5):
        sheet.text(side, y + 1.6 * size, texts.name(words.NOTES, 15, 60), round(0.85 * size), fit=width - 2 * side)
        y += 2 * size
    sheet.crop(int(y + press.uniform(0.5, 3) * size))
    return sheet


def _chosen(press: Press, room: float) -> list[tuple[str, str, float, Callable[[Texts], str]]]:
    """Different columns, as many as there is room for, words before numbers."""
    order = [int(index) for index in press.rng.permutation(len(_COLUMNS))]
    chosen: list[int] = []
    for index in order:
        if sum(_COLUMNS[i][2] for i in (*chosen, index)) <= room and len(chosen) < 8:
            chosen.append(index)
    return [_COLUMNS[index] for index in sorted(chosen)]


def _rows(
    press: Press,
    sheet: Sheet,
    columns: list[tuple[str, str, float, Callable[[Texts], str]]],
    edges: list[float],
    y: float,
) -> float:
    """Head, rows and perhaps a sum; returns the lower edge."""
    texts, size = press.texts, sheet.size
    high = press.uniform(1.45, 2.2) * size
    grid, stripes, dark_head = texts.integer(0, 2), texts.chance(0.35), texts.chance(0.25)
    sheet.tone_colour = (60.0, 45.0, 40.0) if dark_head else (215.0, 210.0, 205.0)
    count = min(texts.integer(5, 22), int((sheet.height - y) / high) - 4)
    top, bold = y, press.book.bold(sheet.font)
    rows: list[list[str]] = [[column[0] for column in columns]]
    rows += [[column[3](texts) for column in columns] for _ in range(count)]
    if texts.chance(0.4) and columns[-1][0] in _NUMBERED:
        rows.append(
            ["Total" if i == 0 else "" for i in range(len(columns) - 1)] + [texts.price(press.uniform(100, 90000))]
        )
    for number, row in enumerate(rows):
        head = number == 0
        if (head and (dark_head or texts.chance(0.5))) or (stripes and not dark_head and number % 2 == 0):
            sheet.fill(edges[0], y, edges[-1], y + high)
        for column, text, x0, x1 in zip(columns, row, edges[:-1], edges[1:], strict=True):
            pad = 0.35 * size
            x = {"l": x0 + pad, "r": x1 - pad, "m": (x0 + x1) / 2}[column[1]]
            sheet.text(
                x,
                y + 0.5 * high + 0.36 * size,
                text,
                round(size),
                anchor=column[1],  # type: ignore[arg-type]
                font=bold if head or number > count else None,
                fit=x1 - x0 - 2 * pad,
                reverse=head and dark_head,
            )
        y += high
        if grid == 2 or (grid == 1 and (head or number == len(rows) - 1)):
            sheet.rule(edges[0], y, edges[-1], y, 2 if head else 1, dark=200)
    if grid == 2:
        sheet.rule(edges[0], top, edges[-1], top)
        for edge in edges:
            sheet.rule(edge, top, edge, y, dark=200)
    return y
