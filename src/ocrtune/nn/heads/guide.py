"""What the guides of a CTC recogniser share: decoders that read the same features in training and are dropped afterwards.

Source: Hu et al., "GTC: Guided Training of CTC towards Efficient and Accurate Scene Text Recognition" (2020).
"""

from __future__ import annotations

from typing import NamedTuple


class Tokens(NamedTuple):
    """How a guide counts characters.

    Attributes:
        first: token of the first character, which is class 1 of CTC.
        start, end: tokens before and behind a text; may be the same.
        pad: token behind the end.
    """

    first: int
    start: int
    end: int
    pad: int
