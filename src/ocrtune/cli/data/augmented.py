"""What ``ocrtune data show --augment`` does: draw what a training sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ocrtune.cli.console import Output


def show_augmented(
    output: Output, data: str, draw: Path, limit: int, epoch: int, config: Path | None, overrides: Sequence[str]
) -> None:
    """Draw samples of the training that a configuration and overrides describe, with ``data`` as its training data.

    Raises:
        OcrtuneError: as the training itself would.
    """
    from ocrtune.cli.extras import need_training
    from ocrtune.config.load import load_config

    loaded = load_config(config, [f"data.train={data}", *overrides])
    need_training()
    from ocrtune.cli.training_view import workflow_console
    from ocrtune.data.draw import contact_sheet
    from ocrtune.report.figures import jpeg
    from ocrtune.workflows.samples import drawn_samples

    draw.mkdir(parents=True, exist_ok=True)
    drawn = []
    with workflow_console(output) as console:
        for sample in drawn_samples(loaded.config, epoch, limit, console):
            (draw / f"epoch{epoch}_sample{sample.index:05d}.jpg").write_bytes(jpeg(sample.image))
            drawn.append(sample.image)
    columns, cell = (2, (960, 480)) if loaded.config.task == "detection" else (3, (640, 140))
    (draw / "sheet.jpg").write_bytes(jpeg(contact_sheet(drawn, columns, cell)))
    output.say(f"{len(drawn)} training samples of epoch {epoch} drawn in {draw}, together in {draw / 'sheet.jpg'}")
    output.result({"samples": len(drawn), "epoch": epoch, "folder": str(draw), "sheet": str(draw / "sheet.jpg")})
    output.next(f"ocrtune train {config or 'CONFIG.yaml'} " + " ".join([f"data.train={data}", *overrides]))
