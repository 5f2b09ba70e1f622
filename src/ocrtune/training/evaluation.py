"""Evaluating where memory is short: what a device is too small for is measured on the CPU."""

from __future__ import annotations

import copy
from collections.abc import Callable

from torch import nn

from ocrtune.errors import GateError
from ocrtune.nn.memory import out_of_memory, release_memory
from ocrtune.task import Evaluation, Spread, Task, alone


def evaluate_within_memory(
    task: Task, network: nn.Module, tell: Callable[[str], None], spread: Spread = alone, processes: int = 1
) -> Evaluation:
    """What the task measures, of all its validation data.

    Args:
        task: evaluates.
        network: on the device that it is trained on.
        tell: takes one line where the CPU has to do it.
        spread, processes: share the data out over so many processes.

    Raises:
        GateError: the CPU's memory is too small as well, or that of one of several processes, which cannot begin anew alone.
    """
    try:
        return task.evaluate(network, spread)
    except Exception as error:
        if not out_of_memory(error):
            raise
    release_memory()
    if processes > 1 or next(network.parameters()).device.type == "cpu":
        raise GateError(
            "memory is too small for evaluating the network",
            hint="make validation pages smaller (input.page_size), or free some memory; then resume the run",
        )
    tell("out of memory while evaluating: the CPU does it")
    return task.evaluate(copy.deepcopy(network).cpu(), spread)
