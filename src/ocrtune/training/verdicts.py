"""What the processes of a run decide together, so that none goes on while another stops."""

from __future__ import annotations

from enum import IntEnum


class Verdict(IntEnum):
    """What one process has found; the graver, the higher."""

    GO = 0
    HURRY = 1
    """The time left is enough for a quick end of the schedule, and no more."""
    TIME_OVER = 2
    NOT_FINITE = 3
    """The step's loss or gradient is infinite or not a number."""
    OUT_OF_MEMORY = 4
