"""A till receipt: head, numbers, goods, totals, foot."""

from __future__ import annotations

from dataclasses import dataclass

from ocrtune.data.synth import vocabulary as words
from ocrtune.data.synth.sheet import Sheet
from ocrtune.data.synth.templates.press import Press


@dataclass
class _Roll:
    """The paper as it comes out of the till.

    Attributes:
        press, sheet: see there.
        left, right: where texts begin and end, in pixels.
        leading: from one baseline to the next, in sizes.
        y: the next baseline.
    """

    press: Press
    sheet: Sheet
    left: float
    right: float
    leading: float
    y: float

    def x(self, share: float) -> float:
        return self.left + share * (self.right - self.left)

    def line(self, *pieces: tuple[float, str, str], scale: float = 1.0, bold: bool = False, fit: float = 0.98) -> None:
        """Pieces of one line, each (x as a share of the width, anchor l/m/r, text)."""
        size = round(self.sheet.size * scale)
        self.y += max(0.0, scale - 1) * self.sheet.size * 0.6
        font = self.press.book.bold(self.sheet.font) if bold else None
        for share, anchor, text in pieces:
            room = fit * (self.right - self.left)
            self.sheet.text(self.x(share), self.y, text, size, anchor=anchor, font=font, fit=room)  # type: ignore[arg-type]
        self.y += self.leading * size

    def rule(self) -> None:
        texts, y = self.press.texts, self.y - 0.45 * self.sheet.size
        kind = texts.integer(0, 3)
        if kind == 0:
            self.sheet.rule(self.left, y, self.right, y, max(1, self.sheet.size // 14))
        elif kind == 1:
            self.sheet.rule(
                self.left, y, self.right, y, max(1, self.sheet.size // 12), dash=max(4, self.sheet.size // 2)
            )
        elif kind == 2:
            for shift in (0, 4):
                self.sheet.rule(self.left, y + shift, self.right, y + shift)
        self.y += self.leading * self.sheet.size * (0.4 if kind == 3 else 0.7)

    def gap(self) -> None:
        self.y += self.press.uniform(0.2, 1.2) * self.sheet.size


def receipt(press: Press) -> Sheet:
    """A strip of 450 to 800 pixels width with 20 to 70 texts."""
    texts = press.texts
    width = press.uniform(450, 800)
    size = width * press.uniform(0.028, 0.042)
    sheet = press.sheet(width, 5 * width, size, text="Total 0123456789", mono=texts.chance(0.6))
    side = press.uniform(0.03, 0.12) * width
    roll = _Roll(press, sheet, side, width - side, press.uniform(1.15, 1.55), press.uniform(0.06, 0.2) * width)
    for part in (_head, _numbers, _goods, _totals, _foot):
        part(roll)
        roll.gap()
    sheet.crop(int(roll.y + press.uniform(0.02, 0.15) * width))
    return sheet


def _head(roll: _Roll) -> None:
    texts = roll.press.texts
    if texts.chance(0.2):
        _logo(roll)
    upper = texts.chance(0.5)

    def cased(text: str) -> str:
        return text.upper() if upper else text

    roll.line((0.5, "m", cased(texts.company())), scale=roll.press.uniform(1, 1.6), bold=texts.chance(0.6))
    place, anchor = (0.5, "m") if texts.chance(0.75) else (0.0, "l")
    if texts.chance(0.5):
        roll.line((place, anchor, f"({texts.digits(6)}-{texts.pick('ADHKTVX')})"))
    roll.line((place, anchor, cased(texts.street())))
    roll.line((place, anchor, cased(texts.town())))
    if texts.chance(0.7):
        roll.line((place, anchor, f"{texts.pick(('Tel:', 'TEL', 'Tel. No:', 'Phone:'))} {texts.phone()}"))
    if texts.chance(0.5):
        roll.line((place, anchor, f"{texts.pick(('GST No:', 'VAT ID', 'Tax No.', 'GST REG NO :'))} {texts.digits(12)}"))
    if texts.chance(0.5):
        sheet_title = texts.pick(("Tax Invoice", "RECEIPT", "TAX INVOICE", "Cash sale", "Simplified Tax Invoice"))
        roll.gap()
        roll.line((0.5, "m", sheet_title), bold=texts.chance(0.5), scale=roll.press.uniform(1, 1.2))
    if texts.chance(0.4):
        roll.rule()


def _logo(roll: _Roll) -> None:
    """A dark plate with the initials cut out of it."""
    sheet, texts = roll.sheet, roll.press.texts
    high = 3.2 * sheet.size
    middle, wide = roll.x(0.5), roll.press.uniform(4, 8) * sheet.size
    top = roll.y - sheet.size
    sheet.tone_colour = (35.0, 35.0, 35.0)
    sheet.fill(middle - wide / 2, top, middle + wide / 2, top + high)
    name = texts.pick(words.COMPANIES).split()[0].upper()
    bold = roll.press.book.bold(sheet.font)
    sheet.text(
        middle, top + 0.68 * high, name, round(1.6 * sheet.size), anchor="m", font=bold, fit=0.85 * wide, reverse=True
    )
    roll.y = top + high + 1.6 * sheet.size


def _numbers(roll: _Roll) -> None:
    """Names and their values: with a colon, in a column, or at the other edge."""
    texts = roll.press.texts
    rows = [
        (texts.pick(("Invoice", "Receipt #", "Doc No.", "Bill No", "Trans ID")), texts.code()),
        (texts.pick(("Date", "DATE", "Doc Date")), texts.date()),
        (texts.pick(("Time", "TIME")), texts.clock()),
        (texts.pick(("Cashier", "Served by", "Sales person", "USER")), texts.person().split()[0]),
        (texts.pick(("Table", "Counter", "Terminal", "Pump #", "Till")), str(texts.integer(1, 40))),
        (texts.pick(("Customer", "Member", "Ref")), texts.name([texts.person()])),
    ]
    kind, column = texts.integer(0, 3), roll.press.uniform(0.28, 0.4)
    for name, value in rows[: texts.integer(2, 6)]:
        if kind == 0:
            roll.line((0, "l", f"{name}: {value}"))
        elif kind == 1:
            roll.line((0, "l", name), (column - 0.04, "l", ":"), (column, "l", value), fit=0.6)
        elif kind == 2:
            roll.line((0, "l", name), (1, "r", value), fit=0.6)
        else:
            roll.line((0, "l", f"{name} :"), (column + 0.05, "l", value), fit=0.6)
    roll.rule()


def _goods(roll: _Roll) -> None:
    texts, press = roll.press.texts, roll.press
    kind = texts.integer(0, 3)
    edge, code = (1.0, "") if texts.chance(0.6) else (0.92, texts.pick(("SR", "Z", "T", "A", "S")))
    if kind == 0:
        roll.line((0, "l", "Qty"), (0.14, "l", texts.pick(("Item", "Description"))), (edge, "r", "Amount"))
    elif kind == 1:
        roll.line((0, "l", "Item"), (0.46, "r", "Qty"), (0.69, "r", "Price"), (edge, "r", "Total"))
    if texts.chance(0.5):
        roll.rule()
    for _ in range(texts.integer(2, 12)):
        quantity, price = texts.integer(1, 9), press.uniform(0.4, 90)
        item = texts.name(words.GOODS)
        if texts.chance(0.3):
            item = item.upper()
        tail = [(edge, "r", texts.amount(quantity * price))] + ([(edge + 0.02, "l", code)] if code else [])
        if kind == 0:
            roll.line((0.0, "l", str(quantity)), (0.14, "l", item), fit=0.55)
            roll.y -= roll.leading * roll.sheet.size
            roll.line(*tail)
        elif kind == 1:
            roll.line((0.0, "l", item))
            roll.line((0.46, "r", str(quantity)), (0.69, "r", texts.amount(price)), *tail)
        elif kind == 2:
            roll.line((0.0, "l", texts.digits(texts.choice_of(5, 8, 13))), (0.5, "l", item), fit=0.48)
            roll.line((0.08, "l", f"{quantity} x {texts.amount(price)}"), *tail)
        else:
            roll.line((0.0, "l", item), fit=0.6)
            roll.y -= roll.leading * roll.sheet.size
            roll.line(*tail)
            if quantity > 4:
                roll.line((0.06, "l", f"{quantity} @ {texts.amount(price)}"))
    roll.rule()


def _totals(roll: _Roll) -> None:
    texts, press = roll.press.texts, roll.press
    net, rate = press.uniform(3, 600), texts.choice_of(5, 6, 7, 19, 20)
    left, anchor = ((0.0, "l"), (0.25, "l"), (0.6, "r"))[texts.integer(0, 2)]
    rows = [
        (texts.pick(("Subtotal", "Sub Total", "SUB-TOTAL", "Net amount")), texts.amount(net)),
        (f"{texts.pick(('GST', 'VAT', 'Tax'))} {rate}%", texts.amount(net * rate / 100)),
        (texts.pick(("Rounding", "Discount", "Service 10%")), texts.amount(press.uniform(0, 3))),
    ]
    colon = texts.pick(("", ":", " :"))
    for name, value in rows[: texts.integer(1, 3)]:
        roll.line((left, anchor, name + colon), (1, "r", value), fit=0.6)
    total = net * (1 + rate / 100)
    name = texts.pick(("TOTAL", "Total", "Grand Total", "TOTAL DUE", "Amount due"))
    roll.line(
        (left, anchor, name + colon),
        (1, "r", texts.price(total)),
        scale=press.uniform(1, 1.4),
        bold=texts.chance(0.7),
        fit=0.4,
    )
    roll.line(
        (left, anchor, texts.pick(("Cash", "VISA", "Card", "MASTER", "E-Wallet")) + colon),
        (1, "r", texts.amount(total)),
    )
    if texts.chance(0.5):
        roll.line(
            (left, anchor, texts.pick(("Change", "CHANGE")) + colon), (1, "r", texts.amount(press.uniform(0, 20)))
        )
    if texts.chance(0.3):
        roll.rule()
        roll.line((0, "l", "Tax Code"), (0.4, "r", "%"), (0.7, "r", "Amount"), (1, "r", "Tax"))
        roll.line(
            (0, "l", "SR"),
            (0.4, "r", str(rate)),
            (0.7, "r", texts.amount(net)),
            (1, "r", texts.amount(net * rate / 100)),
        )


def _foot(roll: _Roll) -> None:
    texts, sheet = roll.press.texts, roll.sheet
    upper = texts.chance(0.4)
    for _ in range(texts.integer(1, 4)):
        note = texts.name(words.NOTES, 10, 40)
        roll.line((0.5, "m", note.upper() if upper else note))
    if texts.chance(0.3):
        wide = roll.press.uniform(0.5, 0.8) * (roll.right - roll.left)
        high = roll.press.uniform(1.6, 3) * sheet.size
        left = roll.x(0.5) - wide / 2
        sheet.bars(left, roll.y - 0.3 * sheet.size, wide, high)
        roll.y += high + 0.8 * sheet.size
        roll.line((0.5, "m", texts.digits(texts.choice_of(8, 13))), scale=0.9)
    elif texts.chance(0.15):
        side = roll.press.uniform(5, 8) * sheet.size
        sheet.matrix(roll.x(0.5) - side / 2, roll.y - 0.5 * sheet.size, side)
        roll.y += side + sheet.size
