"""What a sweep searches: ``key=a,b,c`` is a choice, ``key=low..high`` a range, ``key=value`` is fixed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import yaml

from ocrtune.errors import UsageError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_DECADE = 10.0


@dataclass(frozen=True)
class Choice:
    """One of some values, each as it would be typed."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """A number between two others, both included.

    Attributes:
        key: of the configuration.
        low, high: the ends.
        whole: whether it is a whole number.
    """

    key: str
    low: float
    high: float
    whole: bool

    @property
    def log(self) -> bool:
        """Whether it is searched by its logarithm: where it spans a factor of ten or more."""
        return self.low > 0 and self.high >= _DECADE * self.low


@dataclass(frozen=True)
class Space:
    """What is searched, and what is the same in every trial."""

    searched: list[Choice | Range] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)


def parse_space(settings: Sequence[str]) -> Space:
    """Settings as typed.

    Raises:
        UsageError: a setting cannot be read, a range is empty, a key comes twice, or nothing is searched.
    """
    space = Space()
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key or not text:
            raise UsageError(
                "a setting needs a key and values",
                where=setting,
                expected="optimizer.lr=1e-4..1e-2 or targets.gap_weight=0,4",
            )
        if any(key == other.key for other in space.searched):
            raise UsageError(f"'{key}' is given twice", where=setting)
        found = _RANGE.fullmatch(text)
        if found:
            space.searched.append(_range(key, found[1], found[2], setting))
            continue
        values = _values(text, setting)
        if len(values) == 1:
            space.fixed.append(setting)
        else:
            space.searched.append(Choice(key, values))
    if not space.searched:
        raise UsageError(
            "no setting has several values: there is nothing to search",
            expected="for example optimizer.lr=1e-4..1e-2 or targets.gap_weight=0,2,4",
        )
    return space


def _range(key: str, low: str, high: str, setting: str) -> Range:
    if float(low) >= float(high):
        raise UsageError("the range is empty", where=setting, expected="LOW..HIGH")
    whole = all(re.fullmatch(r"[-+]?\d+", end) for end in (low, high))
    return Range(key, float(low), float(high), whole)


def _values(text: str, setting: str) -> tuple[str, ...]:
    """Values between commas, of which those inside of brackets do not count."""
    try:
        values = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError as error:
        raise UsageError("the values cannot be read", where=setting, expected="key=a,b,c") from error
    return tuple(dict.fromkeys(value if isinstance(value, str) else json.dumps(value) for value in values))
