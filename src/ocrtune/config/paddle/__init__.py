"""PaddleOCR's training configurations (YAML of 2.x and 3.x) as ours, with an account of every value.

Source: PaddleOCR's configuration files and its documentation of them; nothing of its code is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ocrtune.config.load import build_config
from ocrtune.config.paddle.data import import_data
from ocrtune.config.paddle.detection import import_detection
from ocrtune.config.paddle.known import Known
from ocrtune.config.paddle.ledger import Ledger, Mapped, Proposal, Told
from ocrtune.config.paddle.lines import import_orientation, import_recognition
from ocrtune.config.paddle.loop import CountLines, import_loop
from ocrtune.config.paddle.networks import import_network, task_of
from ocrtune.config.paddle.optimizer import import_optimizer
from ocrtune.config.paddle.reading import read_paddle
from ocrtune.config.paddle.silent import skip_silent
from ocrtune.config.paddle.weights import import_weights
from ocrtune.config.schema import TrainConfig
from ocrtune.errors import ConfigError
from ocrtune.files import write_whole

__all__ = ["CountLines", "Imported", "Mapped", "Proposal", "Told", "import_paddle", "write_imported"]


@dataclass(frozen=True)
class Imported:
    """One of our configurations, and what became of every leaf of PaddleOCR's: each is in exactly one of the lists.

    Attributes:
        config: checked, with our defaults for what is not said.
        values: what is said, as nested mappings.
        network: the network, as PaddleOCR calls it.
        mapped: leaves that became ours.
        meaningless: leaves that say nothing here, with the reason.
        refused: leaves that mean something that is not followed, with the reason.
        unknown: leaves that no version of PaddleOCR is known to have.
        proposals: choices that bite, with ours beside them.
        notices: what else is to be told, one line each.
    """

    config: TrainConfig
    values: dict[str, Any]
    network: str
    mapped: list[Mapped]
    meaningless: list[Told]
    refused: list[Told]
    unknown: list[Told]
    proposals: list[Proposal]
    notices: list[str]

    def yaml(self, heading: Iterable[str] = ()) -> str:
        """What is said as a configuration file.

        Args:
            heading: lines of the comment on top.
        """
        comment = "".join(f"# {line}".rstrip() + "\n" for line in heading)
        return comment + yaml.safe_dump(self.values, sort_keys=False, allow_unicode=True)


def import_paddle(
    text: str,
    where: object = "configuration",
    overrides: Iterable[str] = (),
    *,
    num_gpus: int = 1,
    count_lines: CountLines = lambda file: None,
) -> Imported:
    """Turn a training configuration of PaddleOCR into ours.

    Args:
        text: the YAML.
        where: its file, for messages.
        overrides: ``Section.key=value``, as behind the official tools' ``-o``.
        num_gpus: processes that will train; the learning rate is scaled to their batch.
        count_lines: counts the lines of a label file, to know how many steps a run has.

    Raises:
        ConfigError: the text is no such configuration, a value does not fit, or no network here is like its own.
    """
    values, notices = read_paddle(text, where, overrides)
    ledger = Ledger(values, where)
    task, root = task_of(ledger)
    known = import_network(ledger, task, root)
    import_data(ledger)
    import_weights(ledger, known, root)
    import_optimizer(ledger, task, known, num_gpus)
    import_loop(ledger, task, num_gpus, count_lines)
    _import_task(ledger, task, known, root)
    skip_silent(ledger)
    return Imported(
        config=build_config(ledger.config, {row.ours: f"{where}: {row.key}" for row in ledger.mapped}),
        values=ledger.config,
        network=known.name,
        mapped=ledger.mapped,
        meaningless=ledger.meaningless,
        refused=ledger.refused,
        unknown=ledger.unknown(),
        proposals=ledger.proposals,
        notices=notices,
    )


def write_imported(imported: Imported, file: Path, out: Path) -> None:
    """Write a configuration that says where it comes from and how it is used.

    Raises:
        ConfigError: the file cannot be written.
    """
    heading = [f"ocrtune train {out}", "", f"Imported from PaddleOCR's {file.name}: {imported.network}."]
    try:
        write_whole(out, imported.yaml(heading))
    except OSError as error:
        raise ConfigError(f"the configuration cannot be written: {error.strerror}", where=out) from error


def _import_task(ledger: Ledger, task: str, known: Known, root: str) -> None:
    if task == "detection":
        import_detection(ledger)
    elif task == "recognition":
        import_recognition(ledger, known, root)
    else:
        import_orientation(ledger, known)
