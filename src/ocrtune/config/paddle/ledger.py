"""What an import did with every value of a PaddleOCR configuration, so that nothing is dropped without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ocrtune.config.paddle.reading import as_flag, as_number
from ocrtune.errors import ConfigError


@dataclass(frozen=True)
class Mapped:
    """A value that became one of ours.

    Attributes:
        key, value: as PaddleOCR has them.
        ours, our_value: as we have them.
        note: what is different all the same.
    """

    key: str
    value: Any
    ours: str
    our_value: Any
    note: str = ""


@dataclass(frozen=True)
class Told:
    """A value that became none of ours, and why."""

    key: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Proposal:
    """A choice of PaddleOCR that bites, with ours beside it.

    Attributes:
        ours: our key.
        theirs: what PaddleOCR would do.
        proposed: what we would do.
        written: whose value the written configuration has.
        why: in one sentence.
    """

    ours: str
    theirs: Any
    proposed: Any
    written: Literal["theirs", "ours"]
    why: str


class Ledger:
    """Takes the leaves of a PaddleOCR configuration one after the other and collects ours.

    A leaf is a value that holds no further keys: a scalar, null, or a list without mappings. Keys are written
    ``Train.dataset.transforms[3].CopyPaste``.

    Args:
        values: the parsed configuration.
        where: its file, for messages.

    Attributes:
        config: our values as nested mappings.
        mapped, meaningless, refused, proposals: what was done, in order.
    """

    def __init__(self, values: Mapping[Any, Any], where: object) -> None:
        self.where = where
        self._leaves = dict(leaves(values))
        self._open = dict(self._leaves)
        self.config: dict[str, Any] = {}
        self.mapped: list[Mapped] = []
        self.meaningless: list[Told] = []
        self.refused: list[Told] = []
        self.proposals: list[Proposal] = []

    def get(self, key: str, default: Any = None) -> Any:
        """A leaf's value; the default where it is missing or null."""
        value = self._leaves.get(key)
        return default if value is None else value

    def text(self, key: str, default: str = "") -> str:
        """A leaf's value as text."""
        return str(self.get(key, default))

    def number(self, key: str, default: float) -> float:
        """A leaf's value as a number.

        Raises:
            ConfigError: it is none.
        """
        return self.number_in(key, self.get(key, default))

    def number_in(self, key: str, value: Any) -> float:
        """A leaf's value, or one of the values in its list, as a number.

        Raises:
            ConfigError: it is none.
        """
        try:
            return as_number(value)
        except ValueError as error:
            raise self.error(key, f"{error}", "a number such as 0.001, 1e-3 or 1./255.") from error

    def numbers(self, key: str) -> list[float]:
        """A leaf's value as numbers; a single one is a list of one.

        Raises:
            ConfigError: one of them is none.
        """
        value = self.get(key, [])
        return [self.number_in(key, part) for part in (value if isinstance(value, list) else [value])]

    def whole(self, key: str, default: int) -> int:
        """A leaf's value as a whole number.

        Raises:
            ConfigError: it is none.
        """
        value = self.number(key, default)
        if value != int(value):
            raise self.error(key, f"{value:g} is no whole number", "a whole number")
        return int(value)

    def pair(self, key: str, default: tuple[float, float]) -> tuple[float, float]:
        """A leaf's value as two numbers; a single one stands for both.

        Raises:
            ConfigError: it is neither.
        """
        values = self.numbers(key) or list(default)
        if len(values) > 2:
            raise self.error(key, f"{values} are not two numbers", "two numbers, as [0.5, 3]")
        return values[0], values[-1]

    def flag(self, key: str, default: bool) -> bool:
        """A leaf's value as true or false.

        Raises:
            ConfigError: it is neither.
        """
        try:
            return as_flag(self.get(key, default))
        except ValueError as error:
            raise self.error(key, f"{error}", "true or false") from error

    def error(self, key: str, what: str, expected: str | None = None, hint: str | None = None) -> ConfigError:
        """An error about a leaf's value."""
        return ConfigError(what, where=f"{self.where}: {key}", expected=expected, hint=hint)

    def __contains__(self, key: str) -> bool:
        """Whether a key is there, as a leaf or above leaves."""
        return any(True for _ in self.below(key))

    def below(self, key: str) -> Iterator[str]:
        """Leaves at or below a key."""
        return (leaf for leaf in self._leaves if leaf == key or leaf.startswith((f"{key}.", f"{key}[")))

    def open_below(self, key: str) -> list[str]:
        """The same, those about which nothing has been said yet."""
        return [leaf for leaf in self.below(key) if leaf in self._open]

    def put(self, ours: str, value: Any) -> None:
        """Set one of our values."""
        *sections, last = ours.split(".")
        node = self.config
        for section in sections:
            node = node.setdefault(section, {})
        node[last] = value

    def map(self, key: str, ours: str, value: Any, note: str = "") -> None:
        """Set one of our values from a leaf; without that leaf the value is set all the same."""
        self.put(ours, value)
        self.note(key, ours, value, note)

    def note(self, key: str, ours: str, value: Any, note: str = "") -> None:
        """Say that a leaf is expressed by one of our keys whose value was set otherwise."""
        if key in self._open:
            self.mapped.append(Mapped(key, self._open.pop(key), ours, value, note))

    def skip(self, key: str, reason: str) -> None:
        """Say why all leaves at or below a key have no meaning here."""
        self.meaningless += [Told(leaf, self._open.pop(leaf), reason) for leaf in self.open_below(key)]

    def skip_leaf(self, key: str, reason: str) -> None:
        """The same for one leaf, leaving those below a key of this name to others."""
        if key in self._open:
            self.skip(key, reason)

    def refuse(self, key: str, reason: str) -> None:
        """Say why all leaves at or below a key are not followed, although they mean something."""
        self.refused += [Told(leaf, self._open.pop(leaf), reason) for leaf in self.open_below(key)]

    def propose(self, ours: str, theirs: Any, proposed: Any, written: Literal["theirs", "ours"], why: str) -> None:
        self.proposals.append(Proposal(ours, theirs, proposed, written, why))

    def unknown(self) -> list[Told]:
        """What nothing was said about."""
        return [Told(key, value, "no key of PaddleOCR that is known here") for key, value in self._open.items()]


def leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(key, value) of every leaf of parsed YAML, each key once."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            plain = isinstance(key, str) and key and not set(key) & set(".[]")
            step = (f".{key}" if prefix else key) if plain else f"[{key!r}]"
            yield from leaves(value, f"{prefix}{step}")
    elif isinstance(node, list) and any(isinstance(item, Mapping) for item in node):
        for index, item in enumerate(node):
            yield from leaves(item, f"{prefix}[{index}]")
    elif prefix:
        yield prefix, node
