"""A filled-in form: sections of named fields in boxes or on lines, boxes to tick, a place to sign."""

from __future__ import annotations

from collections.abc import Callable

from ocrtune.data.synth import vocabulary as words
from ocrtune.data.synth.fonts import Font
from ocrtune.data.synth.sheet import Sheet
from ocrtune.data.synth.templates.press import Press
from ocrtune.data.synth.texts import Texts

_FIELDS: dict[str, Callable[[Texts], str]] = {
    "Surname": lambda t: t.person().split()[-1],
    "First name": lambda t: t.person().split()[0],
    "Date of birth": lambda t: t.date(),
    "Nationality": lambda t: t.pick(("British", "Malaysian", "German", "French", "Polish", "Irish")),
    "Street and number": lambda t: t.street(),
    "Postcode, town": lambda t: t.town(),
    "Telephone": lambda t: t.phone(),
    "E-mail": lambda t: t.email(),
    "Company": lambda t: t.company(),
    "Customer No.": lambda t: t.digits(8),
    "Order number": lambda t: t.code(),
    "IBAN": lambda t: f"DE{t.digits(2)} {t.digits(4)} {t.digits(4)} {t.digits(4)}",
    "Amount": lambda t: t.price(t.integer(100, 900000) / 100),
    "Due date": lambda t: t.date(),
    "Vehicle": lambda t: t.code(5, 8),
    "Remarks": lambda t: t.free(10, 40),
    "Reason": lambda t: t.free(10, 40),
    "Reference": lambda t: t.code(),
    "Description": lambda t: t.free(8, 30),
    "Item": lambda t: t.name(words.GOODS),
    "Passport No.": lambda t: t.code(8, 9),
    "Signed at": lambda t: t.pick(words.TOWNS),
}


def form(press: Press) -> Sheet:
    """A page of 850 to 1150 pixels width with 25 to 60 texts."""
    texts = press.texts
    width = press.uniform(850, 1150)
    size = width * press.uniform(0.016, 0.021)
    sheet = press.sheet(width, 1.42 * width, size, text="Name 0123456789", mono=False)
    hand = press.book.pick(press.rng, "Name 0123456789", texts.chance(0.5)) or sheet.font
    side = press.uniform(0.05, 0.09) * width
    bold = press.book.bold(sheet.font)
    y = side + 1.5 * size
    sheet.text(
        side, y, texts.pick(words.FORM_TITLES), round(size * press.uniform(1.5, 2.1)), font=bold, fit=0.6 * width
    )
    sheet.text(width - side, y, f"No. {texts.digits(7)}", round(size), anchor="r", font=hand)
    y += 1.6 * size
    sheet.text(side, y, texts.company() + ", " + texts.street(), round(0.8 * size), fit=width - 2 * side)
    y += 1.4 * size
    boxed, shaded = texts.chance(0.55), texts.chance(0.5)
    sheet.tone_colour = (205.0, 200.0, 195.0) if texts.chance(0.5) else (235.0, 215.0, 190.0)
    for section in range(texts.integer(2, 4)):
        if shaded:
            sheet.fill(side, y - 0.2 * size, width - side, y + 1.5 * size)
        title = texts.pick(words.SECTIONS)
        sheet.text(side + 0.5 * size, y + size, f"{section + 1}. {title}", round(1.05 * size), font=bold)
        y = _fields(press, sheet, hand, side, y + 1.9 * size, boxed)
        if y > sheet.height - 9 * size:
            break
    y = _ticks(press, sheet, side, y + size)
    y = _signature(press, sheet, hand, side, y + 3 * size)
    sheet.crop(int(min(sheet.height, y + press.uniform(1, 5) * size)))
    return sheet


def _fields(press: Press, sheet: Sheet, hand: Font, side: float, y: float, boxed: bool) -> float:
    """Rows of one to three fields; returns the next free row."""
    texts, size = press.texts, sheet.size
    names = list(press.rng.permutation(list(_FIELDS)))
    for _ in range(texts.integer(2, 5)):
        columns = texts.integer(1, 3)
        wide = (sheet.width - 2 * side) / columns
        for column in range(columns):
            name = str(names.pop())
            value = _FIELDS[name](texts) if texts.chance(0.9) else ""
            x = side + column * wide
            if boxed:
                sheet.box(x, y, x + wide, y + 2.7 * size, 1, dark=170)
                sheet.text(x + 0.4 * size, y + 0.95 * size, name, round(0.75 * size), fit=wide - size)
                sheet.text(x + 0.5 * size, y + 2.25 * size, value, round(1.05 * size), font=hand, fit=wide - size)
            else:
                label = sheet.measure(name + ":", round(0.9 * size)) + 0.6 * size
                sheet.text(x, y + 1.5 * size, name + ":", round(0.9 * size))
                sheet.text(
                    x + label, y + 1.45 * size, value, round(1.05 * size), font=hand, fit=wide - label - 0.8 * size
                )
                sheet.rule(x + label - 0.2 * size, y + 1.8 * size, x + wide - 0.5 * size, y + 1.8 * size, 1, dark=180)
        y += (2.7 if boxed else 2.3) * size
    return y + press.uniform(0.6, 1.4) * size


def _ticks(press: Press, sheet: Sheet, side: float, y: float) -> float:
    texts, size = press.texts, sheet.size
    for _ in range(texts.integer(0, 3)):
        if y > sheet.height - 6 * size:
            break
        sheet.box(side, y - 0.8 * size, side + 0.9 * size, y + 0.1 * size, 1)
        if texts.chance(0.5):
            sheet.rule(side + 2, y - 0.75 * size, side + 0.85 * size, y, 2)
            sheet.rule(side + 2, y, side + 0.85 * size, y - 0.75 * size, 2)
        text = texts.name(words.NOTES, 15, 60)
        sheet.text(side + 1.6 * size, y, text, round(0.95 * size), fit=sheet.width - 2 * side - 2 * size)
        y += 1.7 * size
    return y


def _signature(press: Press, sheet: Sheet, hand: Font, side: float, y: float) -> float:
    texts, size = press.texts, sheet.size
    half = (sheet.width - 2 * side) / 2
    if y > sheet.height - 2 * size:
        return y
    for x, name, value in (
        (side, "Place, date", f"{texts.pick(words.TOWNS)}, {texts.date()}"),
        (side + half, "Signature", ""),
    ):
        sheet.rule(x, y, x + 0.85 * half, y, 1, dark=200)
        sheet.text(x, y - 0.35 * size, value, round(1.05 * size), font=hand, fit=0.8 * half)
        sheet.text(x, y + size, name, round(0.75 * size))
    return y + size
