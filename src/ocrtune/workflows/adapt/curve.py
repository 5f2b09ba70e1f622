"""`adapt --learning-curve`: the same data and base, but parts of the labels instead of one model."""

from __future__ import annotations

from collections.abc import Sequence

from ocrtune.config.load import dump_yaml, load_config
from ocrtune.errors import UsageError
from ocrtune.files import write_whole
from ocrtune.weights.registry import resolve_part
from ocrtune.workflows.adapt import DEFAULTS
from ocrtune.workflows.adapt.job import AdaptRequest, prepare
from ocrtune.workflows.adapt.stage import planned_config
from ocrtune.workflows.budget import Clock
from ocrtune.workflows.console import Console
from ocrtune.workflows.settings.curve import CurveResult, curve_of_pages
from ocrtune.workflows.settings.folder import claim
from ocrtune.workflows.train import CONFIG

_RESERVE = 30.0  # seconds of a run for export, gate and measuring


def adapt_curve(request: AdaptRequest, shares: Sequence[float], console: Console) -> CurveResult:
    """Check and split as `adapt` does, then train on nested parts within the budget, each for the same number of steps.

    Nothing is reported but the curve, so that the pages held out for choosing and those of `adapt`'s before/after table
    are measured on together.

    Args:
        request: the job; its task is a single one.
        shares: of the training pages, growing, up to 1.
        console: where to report to.

    Raises:
        BundleError: the base does something else.
        DataError: the data cannot be used, or the folder holds something else.
        GateError: the budget or the pages are too few.
        Interrupted: the user stopped it; the same command goes on.
        UsageError: the task is a whole pipeline, or the pages are too few for the shares.
    """
    if request.task == "ocr":
        raise UsageError(
            "a learning curve is about one model",
            where="--learning-curve",
            hint="name it: --task detection or --task recognition",
        )
    base = request.base or DEFAULTS[request.task]
    resolve_part(base, request.task)  # a base that does something else is refused before any work is done
    clock = Clock.start(request.budget)
    claim(request.out, [request.fingerprint(), *map(str, shares)])
    parts = prepare(request, console)
    path = request.out / CONFIG
    if path.is_file():
        config = load_config(path).config
    else:
        seconds = clock.left / len(shares) - _RESERVE
        values = {"task": request.task}
        config = planned_config(values, request, base, parts, request.out, seconds, console)
        write_whole(path, dump_yaml(config))
    return curve_of_pages(config, parts.train, [*parts.holdout, *parts.report], shares, request.out, console)
