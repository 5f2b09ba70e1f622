"""A given character where one would expect it: a currency beside a price, an accent inside a word."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from ocrtune.data.synth.vocabulary import COMPANIES, LAST_NAMES, NOUNS
from ocrtune.scripts import name_word

# X is the character; {n} {m} numbers, {p} a price, {w} a word, {W} a word with a capital, {C} a capital letter
_PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("€£¥₩₹₽₺₫₴₪₱฿₦₡₲₵₸₼$¢￥￡￦", ("X{p}", "X {p}", "{p} X", "{W} X{p}", "X{n}")),
    ("%‰‱％", ("{n}X", "{p} X", "{W} {n}X")),
    ("§¶", ("X {n}", "{w} X {n}", "XX {n}, {m}", "X {n} {W}")),
    ("#№＃", ("X{n}", "{W} X{n}", "X {n}")),
    ("°º", ("{n}X", "{n} XC", "-{n} XC", "{n}X {m}'")),
    ("℃℉", ("{n}X", "{n} X", "-{n} X")),
    ("@＠", ("{w}X{w}.com", "{n} X {p}")),
    ("&＆", ("{W} X {W}", "{C}X{C} {W}")),
    ("+＋", ("{n}X{m}", "X{n}", "{W} X {w}")),
    ("±", ("{n} X {m}", "X{n} %", "X {p}")),
    ("©", ("X 20{n} {W}", "X {W}")),
    ("®™℠", ("{W}X", "{W}X {w}")),
    ("²³", ("{n} mX", "{n} cmX", "{p} mX")),
    ("¹⁴⁵⁶⁷⁸⁹⁰", ("10X", "{w}X")),
    ("µμ", ("{n} Xm", "{p} Xg", "{n} XF")),
    ("ΩΩ㏀", ("{n} X", "{n} kX")),
    ("×÷=<>≤≥≈≠＝＜＞∙", ("{n} X {m}", "{n}X{m}", "{C} X {n}")),
    ("√∑∏∫∞∂∆∇", ("X{n}", "{C} = X{n}")),
    ("Ø⌀∅", ("X {n}", "X{n} mm")),
    ("()（）", ("{W} ({w})", "({n}) {W}", "{n} ({m})")),
    ("[]［］", ("{W} [{n}]", "[{w}]")),
    ("{}｛｝", ("{{{w}}}", "{{{n}}} {w}")),
    ("“”〝〞", ("“{W} {w}”", "the “{w}”")),
    ("‘’", ("‘{w}’", "{W}’s {w}")),
    ("„", ("„{W}“", "„{W} {w}“")),
    ("«»", ("«{W} {w}»", "« {w} »")),
    ("‹›", ("‹{W}›", "‹{w}›")),
    ('"＂', ("X{W} {w}X", "{n}X")),
    ("'＇′", ("{W}Xs {w}", "{n}X")),
    ("″", ("{n}X", "{n} X")),
    ("-‐‑–—―−－", ("{n}X{m}", "{W} X {w}", "{C}X{n}")),
    (".．…", ("{W} {w}X", "{p}X")),
    (",，;；", ("{W}X {w}", "{n}X {m}")),
    (":：", ("{W}X {n}", "{W}X {w}", "{n}X{m}")),
    ("!！?？‼⁉", ("{W} {w}X", "{W}X")),
    ("¡¿", ("X{W} {w}", "X{W}")),
    ("/／\\＼|｜¦", ("{n}X{m}", "{w}X{w}", "{C}X{C}")),
    ("*＊†‡", ("{W}X", "{p}X", "X {w} {w}")),
    ("_＿", ("{w}X{w}", "{w}X{n}")),
    ("~～〜", ("X{n}", "{n}X{m}")),
    ("^`´¨", ("X{w}", "{n}X{m}")),
    ("½¼¾⅓⅔⅛⅜⅝⅞", ("{n}X", "{n} X kg", "X {w}")),
    ("ªº", ("{n}X", "n.X")),
    ("•●■◆★☆✓✔✗✘→►▶○□◇※▪▲△▼▽←↑↓⇒☐☑☒·・", ("X {W} {w}", "X {n}", "X {W}")),
    ("、，；：・", ("{h}X{h}", "{h}{h}X{h}")),
    ("。！？", ("{h}{h}X", "{h}X")),
    ("「」", ("「{h}」", "{h}「{h}」")),
    ("『』", ("『{h}』",)),
    ("《》", ("《{h}》", "{h}《{h}》")),
    ("〈〉", ("〈{h}〉",)),
    ("【】", ("【{h}】", "【{n}】{h}")),
    ("〔〕", ("〔{n}〕{h}",)),
    ("〒", ("X{n}-{m}",)),
)
# the alphabets that pseudo-words are made of, and the commonest ideographs
_ALPHABETS = {
    "GREEK": "αβγδεζηθικλμνξοπρστυφχψω",
    "CYRILLIC": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "ARMENIAN": "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ",
    "GEORGIAN": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "HIRAGANA": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん",
    "KATAKANA": "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン",
    "HANGUL": "가나다라마바사아자차카타파하고노도로모보소오구수우주기니리미시이지한국어서울대전부산은는을를에의",
    "BOPOMOFO": "ㄅㄆㄇㄈㄉㄊㄋㄌㄍㄎㄏㄐㄑㄒㄓㄔㄕㄖㄗㄘㄙㄚㄛㄜㄝㄞㄟㄠㄡㄢㄣㄤㄥ",
    "CJK": "的一是了不在人有我他大来上国和地到以要就出会可你生能子自之年作日月水火木金土本中小山川田口手目天工文心方",
}
_BASE_LETTERS = {
    "ß": "s",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "t",
    "æ": "a",
    "œ": "o",
    "ı": "i",
    "ŋ": "n",
    "ħ": "h",
}
_VALUES = {character: patterns for characters, patterns in reversed(_PATTERNS) for character in characters}


def text_with(character: str, rng: np.random.Generator, drawable: Callable[[str], bool]) -> str:
    """A short text that contains a character in a natural place.

    Args:
        character: one code point that can be drawn.
        rng: decides everything.
        drawable: whether a text can be drawn; words of other scripts are made of drawable letters.
    """
    patterns = _VALUES.get(character)
    if patterns is not None:
        text = _filled(_one(patterns, rng).replace("X", character), rng, drawable)
        if character in text:
            return text
    if character.isascii() and character.isdigit():
        return _with_digit(character, rng)
    if character.isalpha():
        return _inside_word(character, rng, drawable)
    return _filled("{W} X".replace("X", character), rng, drawable)


def _filled(pattern: str, rng: np.random.Generator, drawable: Callable[[str], bool]) -> str:
    def number() -> str:
        return str(rng.integers(1, int(_one((10, 100, 1000), rng))))

    text = pattern.replace("{{", "\x00").replace("}}", "\x01")
    while "{" in text:
        start = text.index("{")
        kind = text[start + 1]
        piece = {
            "n": number,
            "m": number,
            "p": lambda: f"{rng.integers(1, 500)}.{rng.integers(0, 100):02d}",
            "w": lambda: _one(NOUNS, rng),
            "W": lambda: _one(COMPANIES + LAST_NAMES, rng),
            "C": lambda: chr(ord("A") + int(rng.integers(26))),
            "h": lambda: _letters("CJK", rng, drawable, 2) or _one(NOUNS, rng),
        }[kind]()
        text = text[:start] + piece + text[start + 3 :]
    return text.replace("\x00", "{").replace("\x01", "}")


def _with_digit(digit: str, rng: np.random.Generator) -> str:
    digits = [str(d) for d in rng.integers(0, 10, int(rng.integers(2, 6)))]
    digits[int(rng.integers(len(digits)))] = digit
    return _one(("{}", "No. {}", "INV-{}", "{}.00", "Tel. {}"), rng).format("".join(digits))


def _inside_word(character: str, rng: np.random.Generator, drawable: Callable[[str], bool]) -> str:
    script = name_word(character).removeprefix("IDEOGRAPHIC")
    if script == "LATIN":
        return _latin(character, rng)
    script = next((name for name in _ALPHABETS if script.startswith(name)), "")
    before = _letters(script, rng, drawable, int(rng.integers(0, 4)))
    after = _letters(script, rng, drawable, int(rng.integers(1, 5)))
    if character != character.lower():  # a capital begins its word
        return character + after
    return before + character + after


def _latin(character: str, rng: np.random.Generator) -> str:
    """The letter in the place of its relative without accent, in a word that has one."""
    small = character.lower()
    base = _BASE_LETTERS.get(small, unicodedata.normalize("NFKD", small)[0])
    if character != small:
        names = [
            name for name in (*COMPANIES, *LAST_NAMES, *(n.capitalize() for n in NOUNS)) if name[0].lower() == base
        ]
        if names and rng.random() < 0.6:
            return character + _one(names, rng)[1:]
        words = [word for word in NOUNS if base in word]
        if not words:
            return character + _one(NOUNS, rng)
        return _one(words, rng).upper().replace(base.upper(), character)
    words = [word for word in NOUNS if base in word[1:]]
    if not words:
        return _one(NOUNS, rng) + character
    word = _one(words, rng)
    places = [index for index, letter in enumerate(word) if letter == base and index]
    place = int(_one(places, rng))
    return word[:place] + character + word[place + 1 :]


def _letters(script: str, rng: np.random.Generator, drawable: Callable[[str], bool], count: int) -> str:
    letters = [letter for letter in _ALPHABETS.get(script, "") if drawable(letter)]
    return "".join(_one(letters, rng) for _ in range(count)) if letters else ""


def _one(choices: Sequence[object], rng: np.random.Generator) -> str:
    return str(choices[int(rng.integers(len(choices)))])
