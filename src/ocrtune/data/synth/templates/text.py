"""Running text: a letter or an article in one or two columns; and a single line."""

from __future__ import annotations

from ocrtune.data.synth import vocabulary as words
from ocrtune.data.synth.sheet import Sheet
from ocrtune.data.synth.templates.press import Press


def text(press: Press) -> Sheet:
    """A page of 850 to 1200 pixels width with 20 to 90 lines."""
    texts = press.texts
    width = press.uniform(850, 1200)
    size = press.uniform(15, 24)
    paragraphs = texts.paragraphs(texts.integer(500, 2200))
    sheet = press.sheet(width, press.uniform(1.0, 1.42) * width, size, text="".join(paragraphs)[:400])
    side = press.uniform(0.06, 0.11) * width
    leading = press.uniform(1.25, 1.6)
    bottom = sheet.height - side
    y = side + size
    letter = texts.chance(0.4)
    if letter:
        y = _letter_head(press, sheet, side, y, leading)
    elif texts.chance(0.8):
        title = texts.free(12, 40)
        sheet.text(
            side,
            y + size,
            title,
            round(size * press.uniform(1.5, 2.2)),
            font=press.book.bold(sheet.font),
            fit=width - 2 * side,
        )
        y += 3.6 * size
    long = sum(map(len, paragraphs)) > 1400
    columns = 2 if long and not letter and texts.chance(0.6) else 1
    gutter = 0.04 * width
    wide = (width - 2 * side - (columns - 1) * gutter) / columns
    justify, top, column, last = texts.chance(0.5), y, 0, y
    for paragraph in paragraphs:
        if y > bottom:
            column, y = column + 1, top
            if column == columns:
                break
        y = sheet.paragraph(
            side + column * (wide + gutter), y, paragraph, round(size), wide, leading, bottom, justify=justify
        )
        y += press.uniform(0.2, 0.8) * size
        last = max(last, y)
    if texts.chance(0.5) and last > bottom - 2 * size:
        sheet.text(width / 2, bottom + 0.5 * side, f"{texts.integer(1, 300)}", round(0.9 * size), anchor="m")
    else:
        sheet.crop(int(min(sheet.height, last + press.uniform(0.3, 1) * side)))
    return sheet


def line(press: Press) -> Sheet:
    """One line of 2 to 40 characters with room around it."""
    texts = press.texts
    size = press.uniform(22, 52)
    high = texts.choice_of(10, 20, 40)
    content = texts.single(2, high)
    font = press.book.pick(press.rng, content)
    face = font or press.book.fonts[0]
    length = face.face(round(size)).getlength(content)
    sheet = press.sheet(length + 3 * size, 3 * size, size, text=content)
    sheet.font = face
    sheet.text(1.5 * size, 1.8 * size, content, round(size), font=font)
    return sheet


def _letter_head(press: Press, sheet: Sheet, side: float, y: float, leading: float) -> float:
    """Sender, receiver, date and subject; returns the next baseline."""
    texts, size = press.texts, sheet.size
    sheet.text(sheet.width - side, y, texts.company(), round(1.2 * size), anchor="r", font=press.book.bold(sheet.font))
    for content in (texts.street(), texts.town(), texts.phone()):
        y += leading * size
        sheet.text(sheet.width - side, y, content, round(0.85 * size), anchor="r")
    for content in (texts.person(), texts.street(), texts.town()):
        y += leading * size
        sheet.text(side, y, content, round(size))
    y += 2 * leading * size
    sheet.text(sheet.width - side, y, f"{texts.pick(words.TOWNS)}, {texts.date()}", round(size), anchor="r")
    y += 1.5 * leading * size
    sheet.text(side, y, texts.free(12, 45), round(size), font=press.book.bold(sheet.font), fit=sheet.width - 2 * side)
    return y + 2 * leading * size
