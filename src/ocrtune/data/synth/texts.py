"""What templates print: texts of a corpus where there is one, generated ones, and the characters that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ocrtune.data.synth import vocabulary as words
from ocrtune.data.synth.corpus import Corpus
from ocrtune.data.synth.natural import text_with

_CURRENCIES = ("$", "€", "£", "RM", "EUR", "USD", "CHF", "¥", "")
_FROM_CORPUS = 0.8  # share of free texts, names included, that a corpus gives where there is one
_WITH_WANTED = 0.7  # share of free texts that take a character from the waiting ones


class Texts:
    """The texts of one page, with one way to write dates and prices.

    Args:
        rng: decides everything.
        drawable: whether a font can draw a text.
        corpus: where free texts come from; None generates them.
        wanted: characters that the page should show, each in a free text of its own.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        drawable: Callable[[str], bool],
        corpus: Corpus | None = None,
        wanted: Sequence[str] = (),
    ) -> None:
        self.rng = rng
        self._drawable = drawable
        self._corpus = corpus
        self._wanted = list(wanted)
        self.currency = self.pick([c for c in _CURRENCIES if drawable(c)])
        self._comma = rng.random() < 0.2
        self._after = rng.random() < 0.3
        self._date = self.pick(("{d:02d}/{m:02d}/{y}", "{d:02d}.{m:02d}.{y}", "{y}-{m:02d}-{d:02d}", "{d} {M} {y}"))

    def pick(self, choices: Sequence[str]) -> str:
        return choices[int(self.rng.integers(len(choices)))]

    def choice_of(self, *numbers: int) -> int:
        return numbers[int(self.rng.integers(len(numbers)))]

    def integer(self, low: int, high: int) -> int:
        """A number from ``low`` up to and with ``high``."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def free(self, low: int, high: int) -> str:
        """Any text of about so many characters."""
        if self._wanted and self.chance(_WITH_WANTED):
            return self.with_wanted(low, high)
        if self._corpus is not None:
            return self._corpus.snippet(self.rng, low, high)
        return self._generated(low, high)

    def single(self, low: int, high: int) -> str:
        """The text of a picture that has no other: with the next of the characters that were asked for, if any."""
        return self.with_wanted(low, high) if self._wanted else self.free(low, high)

    def with_wanted(self, low: int, high: int) -> str:
        """A text with the next of the characters that were asked for."""
        character = self._wanted.pop()
        found = self._corpus.around(self.rng, character, low, high) if self._corpus is not None else None
        return found or text_with(character, self.rng, self._drawable)

    def name(self, choices: Sequence[str], low: int = 5, high: int = 24) -> str:
        """One of the choices, or where there is a corpus mostly something from it."""
        if self._wanted or (self._corpus is not None and self.chance(_FROM_CORPUS)):
            return self.free(low, high)
        return self.pick(choices)

    def paragraphs(self, characters: int) -> list[str]:
        """Running text of about so many characters."""
        found = [self.with_wanted(10, 60) for _ in self._wanted]
        if self._corpus is not None:
            return found + self._corpus.lines(self.rng, characters)
        while characters > 0:
            paragraph = " ".join(self.sentence() for _ in range(self.integer(1, 6)))
            found.append(paragraph)
            characters -= len(paragraph)
        return found

    def sentence(self) -> str:
        fill = {
            "a": lambda: self.pick(words.ADJECTIVES),
            "n": lambda: self.pick(words.NOUNS),
            "v": lambda: self.pick(words.VERBS),
            "t": lambda: self.pick(words.TOWNS),
            "p": self.person,
            "y": lambda: str(self.integer(1950, 2027)),
            "d": self.date,
            "k": lambda: str(self.integer(2, 400)),
            "h": self.phone,
            "m": lambda: self.price(self.rng.uniform(1, 900)),
        }
        parts = self.pick(words.SENTENCES).split("{")
        return parts[0] + "".join(fill[part[0]]() + part[2:] for part in parts[1:])

    def company(self) -> str:
        if self._corpus is not None and self.chance(_FROM_CORPUS):
            return self.free(4, 20)
        trade = self.pick(words.TRADES) + " " if self.chance(0.6) else ""
        return f"{self.pick(words.COMPANIES)} {trade}{self.pick(words.LEGAL)}".strip()

    def person(self) -> str:
        return f"{self.pick(words.FIRST_NAMES)} {self.pick(words.LAST_NAMES)}"

    def street(self) -> str:
        number = self.integer(1, 299)
        return self.pick((f"{number} {self.pick(words.STREETS)}", f"No. {number}, {self.pick(words.STREETS)}"))

    def town(self) -> str:
        return f"{self.integer(10000, 99999)} {self.pick(words.TOWNS)}"

    def date(self) -> str:
        month = self.integer(1, 12)
        name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month - 1]
        return self._date.format(d=self.integer(1, 28), m=month, M=name, y=self.integer(2014, 2027))

    def clock(self) -> str:
        return f"{self.integer(6, 22):02d}:{self.integer(0, 59):02d}"

    def phone(self) -> str:
        a, b, c = self.integer(10, 99), self.integer(100, 999), self.integer(1000, 9999)
        return self.pick((f"0{a}-{b} {c}", f"+{a} {b} {c}", f"({a}) {b}-{c}", f"{a}{b}{c}"))

    def email(self) -> str:
        return f"{self.pick(words.FIRST_NAMES).lower()}.{self.integer(1, 99)}@{self.pick(words.NOUNS)}.com"

    def code(self, low: int = 5, high: int = 11) -> str:
        """Capitals and digits with a stroke here and there, as articles, cables and invoices are numbered."""
        signs = [self.pick("ABCDEFGHJKLMNPQRSTUVWXYZ" if self.chance(0.4) else "0123456789") for _ in range(high)]
        for place in (self.integer(2, 4), self.integer(5, 8)):
            if self.chance(0.5) and place < high - 1:
                signs[place] = self.pick("-/. ")
        return " ".join("".join(signs[: self.integer(low, high)]).strip("-/. ").split()) or "A1"

    def digits(self, count: int) -> str:
        return "".join(str(d) for d in self.rng.integers(0, 10, count))

    def amount(self, value: float) -> str:
        """A sum without currency: ``1,234.50`` or ``1.234,50``."""
        text = f"{value:,.2f}"
        return text.translate(str.maketrans(",.", ".,")) if self._comma else text

    def price(self, value: float) -> str:
        """A sum with the page's currency."""
        amount, sign = self.amount(value), self.currency
        if not sign:
            return amount
        if self._after:
            return f"{amount} {sign}"
        return f"{sign} {amount}" if sign.isalpha() else f"{sign}{amount}"

    def filled(self, pattern: str) -> str:
        """A value of a rating plate: ``{v} V~ {f} Hz`` -> ``230 V~ 50 Hz``."""
        for key, value in (
            ("{C}", self.code(6, 12)),
            ("{c}", self.code(3, 6)),
            ("{N}", self.digits(self.integer(6, 11))),
            ("{v}", self.pick(("230", "110", "400", "100-240", "12", "24"))),
            ("{f}", self.pick(("50", "60", "50/60"))),
            ("{d}", self.pick(("5", "12", "24", "48", "1.5", "10"))),
            ("{a}", f"{self.integer(1, 40) / 10}"),
            ("{w}", str(self.integer(2, 2400))),
            ("{i}", self.pick(("20", "44", "54", "65", "67"))),
            ("{y}", str(self.integer(2005, 2027))),
            ("{t}", str(self.integer(40, 85))),
        ):
            pattern = pattern.replace(key, value)
        return pattern

    def _generated(self, low: int, high: int) -> str:
        """A number, date, price, code, name or words: what documents consist of."""
        makers: tuple[Callable[[], str], ...] = (
            self.sentence,
            lambda: self.pick(words.GOODS),
            lambda: self.pick(words.NOTES),
            self.company,
            self.person,
            self.street,
            self.date,
            lambda: self.price(self.rng.uniform(0.1, 3000)),
            self.code,
            self.phone,
            self.email,
            lambda: f"{self.pick(words.NOUNS).capitalize()}: {self.integer(1, 9999)}",
            lambda: f"{self.date()} {self.clock()}",
            lambda: self.town(),
        )
        text = makers[int(self.rng.integers(len(makers)))]()
        while len(text) < low:
            text += " " + self.pick(words.NOUNS)
        while len(text) > 1.3 * high and " " in text:
            text = text.rpartition(" ")[0]
        return text
