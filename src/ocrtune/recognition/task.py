"""Recognition as the training loop sees it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ocrtune.charset import Charset, TextPlan, columns_needed, plan_texts
from ocrtune.config.schema import LineInputConfig, RecognitionConfig
from ocrtune.data.lines import MAX_FIT_LINES, readable, spread_sample
from ocrtune.errors import ConfigError, DataError
from ocrtune.nn.engine import TorchTextEngine
from ocrtune.nn.relative import hold_affines, relative_scales
from ocrtune.page import Page
from ocrtune.recognition.evaluate import evaluate_recognizer
from ocrtune.recognition.guide import guide_loss, guide_tokens, merged_answers
from ocrtune.recognition.loss import ctc_divergence, ctc_loss
from ocrtune.recognition.metric import CASE_NOTICE, LineResult, TextPolicy, score_lines, single_case, suitable_policy
from ocrtune.recognition.model import GUIDES, CTCRecognizer, Guide, Guided, Seen, Told, build_guide
from ocrtune.recognition.network import FAMILY, start_charset, with_charset
from ocrtune.recognition.samples import Batch, Line, RecognitionSamples, Sample, augmentation, collate, normalised
from ocrtune.runtime.load import recognition_settings
from ocrtune.runtime.preprocess import LinePreprocess
from ocrtune.runtime.recognizer import RecognitionThresholds, TextRecognizer
from ocrtune.task import Evaluation, Spread, alone, first_usable
from ocrtune.weights.defaults import line_preprocess
from ocrtune.weights.network import Network, load_start

_SPREAD_SAMPLES = 16
_SHOWN = 5
_LR_FACTOR = 0.05  # at 0.006 for 32 lines it forgets, at 0.00075 it still loses accuracy around the peak (docs/studies)
_SECOND_LOOK = 0.5  # while training; the bundle's own is fitted


@dataclass(frozen=True)
class LineCheck:
    """What of the training lines can be taught.

    Attributes:
        lines: those that can.
        infeasible: lines whose label does not fit into the columns of their width, with the reason.
        empty: lines whose label has no known character.
    """

    lines: list[Line]
    infeasible: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


def check_lines(pages: Sequence[Page], plan: TextPlan, preprocess: LinePreprocess, column: int) -> LineCheck:
    """Find lines that CTC cannot learn: T columns hold a label of T characters, less one for each repeated character.

    Args:
        pages: labelled pages or lines.
        plan: what is taught.
        preprocess: how lines are seen.
        column: pixels of width that become one column of the output.
    """
    check = LineCheck([])
    for page in pages:
        for region in page.regions:
            if not readable(region):
                continue
            text = plan.apply(region.text or "")
            label = tuple(plan.charset.encode(text))
            line = Line(page.with_regions([region]), text, label)
            where = region.source or page.source or page.name
            if not label:
                check.empty.append(f"{where}: '{region.text}' has no known character")
                continue
            width, height = line.size()
            columns = preprocess.input_width(max(1, round(width)), max(1, round(height))) // column
            needed = columns_needed(label)
            if needed > columns:
                check.infeasible.append(
                    f"{where}: '{region.text}' needs {needed} columns, its {width:.0f} x {height:.0f} pixels give {columns}"
                )
                continue
            check.lines.append(line)
    return check


class RecognitionTask:
    """A recogniser that is fine-tuned on labelled lines.

    Args:
        config: the training configuration.
        train: pages or lines to learn from; several regions a page are possible but slow (see `ocrtune.data.lines`).
        val: the same, for choosing the best state.
        progress: takes one line about what was found out.

    Attributes:
        config: with every ``auto`` that depends on the data replaced.
        samples: the training samples.
        charset: what is taught, the start charset extended where that was asked for.
        preprocess: how lines are seen.
        policy: how lines are compared.
        check: what of the lines can be taught.

    Raises:
        BundleError: the start weights are missing or do not fit.
        ConfigError: the architecture or the characters are unknown.
        DataError: labels hold unknown characters and ``text.unknown`` is ``error``; or nothing is left to learn.
        ImageError: an image is missing or damaged.
    """

    def __init__(
        self,
        config: RecognitionConfig,
        train: Sequence[Page],
        val: Sequence[Page],
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._start = load_start(FAMILY, config, progress)
        self._guide = _chosen_guide(self._start, config.model.guide, config.trainer.seed)
        self._start_charset = start_charset(self._start, config.text.dictionary)
        self._val = spread_sample(val, MAX_FIT_LINES)
        texts = [r.text or "" for page in train for r in page.regions if readable(r)]
        self.plan = plan_texts(texts, self._start_charset, config.text.unknown)
        self._refuse_unknown()
        own, self.thresholds = own_settings(self._start)
        if config.augment.overturn:
            self.thresholds = self.thresholds.model_copy(update={"second_look": _SECOND_LOOK})
        line_input = suitable_input(config.input, self._start.model.seen)
        self.preprocess = own.model_copy(update=line_input.model_dump())
        self.check = check_lines(train, self.plan, self.preprocess, self._start.model.seen.column)
        self._tell_empty(progress)
        self.policy: TextPolicy = (
            config.text.policy if config.text.policy != "auto" else self._suitable_policy(progress)
        )
        self.config = config.model_copy(
            update={
                "model": config.model.model_copy(update={"arch": self._start.arch, "form": self._start.form}),
                "text": config.text.model_copy(update={"policy": self.policy}),
                "input": line_input,
            }
        )
        charset = self.plan.charset
        # labels in one case of images in both say nothing about case: none is asked for, and what the base reads stays
        free = self.policy in ("ignore-case", "ignore-case-space") and single_case(texts) is not None
        self._cases = charset.case_pairs() if free else []
        self.samples = RecognitionSamples(
            lines=self.check.lines,
            config=config.augment,
            transform=augmentation(config.augment),
            preprocess=self.preprocess,
            space=charset.index(" ") if " " in charset else None,
            seed=config.trainer.seed,
        )

    @property
    def monitor(self) -> str:
        return "accuracy"

    @property
    def charset(self) -> Charset:
        return self.plan.charset

    @property
    def lr_factor(self) -> float:
        return _LR_FACTOR

    @property
    def start(self) -> Network[CTCRecognizer]:
        """The network and weights that training starts from; never changed by training."""
        return self._start

    def network(self) -> CTCRecognizer:
        """A fresh copy of the start network for the characters that are taught."""
        model = copy.deepcopy(self._start.model)
        with_charset(model, self._start_charset, self.charset)
        if self._start.form == "deployed":
            hold_affines(model)
        return model

    def lr_scales(self, network: nn.Module) -> Mapping[str, float] | None:
        if not self._start.folded:
            return None
        some = first_usable(lambda index: self.samples.sample(0, index), range(len(self.samples)), _SPREAD_SAMPLES)
        batch = collate(some, self.preprocess)
        scales = relative_scales(network, lambda: network(normalised(batch, self.preprocess, torch.device("cpu"))))
        return {name: scale for name, scale in scales.items() if not FAMILY.is_training_branch(name)}

    def backbone_names(self, network: nn.Module) -> Sequence[str]:
        return [name for name, _ in network.named_parameters() if name.startswith("backbone.")]

    def collate(self, samples: Sequence[Sample]) -> Batch:
        return collate(samples, self.preprocess)

    def largest_sample(self) -> Sample:
        """An empty line of the greatest width that can come, with the longest of the labels."""
        image = np.zeros((self.preprocess.height, self.samples.widest(), 3), np.uint8)
        return Sample(image, max((line.label for line in self.samples.lines), key=len))

    def loss(self, network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        return self._losses(network, self._lines(network, batch), batch)[0]

    def loss_beside(
        self, network: nn.Module, base: Callable[[Tensor], Tensor], batch: Batch
    ) -> tuple[Mapping[str, Tensor], Tensor]:
        """See `ocrtune.training.forgetting.Anchorable`."""
        lines = self._lines(network, batch)
        parts, logits = self._losses(network, lines, batch)
        columns = -(-batch.widths // self._start.model.seen.column)
        return parts, ctc_divergence(logits, base(lines), batch.labels, columns)

    def replayed(self, pages: Sequence[Page]) -> RecognitionSamples:
        """Training samples of other lines, changed as the training lines are; unknown characters are left out."""
        plan = TextPlan(self.charset, "drop")
        return replace(
            self.samples, lines=check_lines(pages, plan, self.preprocess, self._start.model.seen.column).lines
        )

    def measure_on(self, pages: Sequence[Page]) -> Callable[[nn.Module, Mapping[str, Any]], float]:
        """See `ocrtune.training.forgetting.Anchorable`; the lines are compared as their own labels allow."""
        policy = suitable_policy(self._read(self.network(), pages))
        return lambda network, details: score_lines(self._read(network, pages), policy).accuracy

    def _lines(self, network: nn.Module, batch: Batch) -> Tensor:
        return normalised(batch, self.preprocess, next(network.parameters()).device)

    def _losses(self, network: nn.Module, lines: Tensor, batch: Batch) -> tuple[Mapping[str, Tensor], Tensor]:
        """The parts of the loss, and the logits of the classes, float [N, T, classes]."""
        device = lines.device
        if self._guide is None:
            logits: Tensor = network(lines)
            return {"loss": ctc_loss(logits, batch.labels, cases=self._cases)}, logits
        tokens = self._guide.tokens(self.charset.classes)
        texts = guide_tokens(batch.labels, tokens).to(device)
        valid = batch.widths.to(device) / lines.shape[3]
        guided: Guided = network(lines, Told(texts[:, :-1], valid))
        merged, answers = merged_answers(guided.guide, texts[:, 1:], self._cases, tokens)
        ctc = ctc_loss(guided.ctc, batch.labels, cases=self._cases)
        guide = guide_loss(merged, answers, tokens.pad, self._guide.SMOOTHING)
        return {"loss": ctc + guide, "ctc": ctc, "guide": guide}, guided.ctc

    def evaluate(self, network: nn.Module, spread: Spread = alone) -> Evaluation:
        lines = self.read(network, spread)
        score = score_lines(lines, self.policy)
        return Evaluation(
            monitor=score.accuracy,
            figures={"accuracy": score.accuracy, "1-ned": score.one_minus_ned, "cer": score.cer},
            details={},
            merit=-score.cer,  # on some hundred lines, characters tell states apart that whole lines do not
            signs={
                "empty": sum(not line.text for line in lines) / max(len(lines), 1),
                "confidence": sum(line.confidence for line in lines) / max(len(lines), 1),
            },
        )

    def read(self, network: nn.Module, spread: Spread = alone) -> list[LineResult]:
        """The validation lines as a network reads them, through the runtime's own code."""
        return self._read(network, self._val, spread)

    def _read(self, network: nn.Module, pages: Sequence[Page], spread: Spread = alone) -> list[LineResult]:
        recognizer = TextRecognizer(TorchTextEngine(network), self.preprocess, self.charset, self.thresholds)
        return evaluate_recognizer(recognizer, pages, spread=spread)

    def _refuse_unknown(self) -> None:
        unknown = self.plan.unknown
        if not unknown or self.plan.policy != "error":
            return
        shown = ", ".join(f"'{c}' {n} times" for c, n in unknown.most_common(_SHOWN))
        raise DataError(
            f"{len(unknown)} characters of the labels are not in the model's character set ({shown})",
            hint="set text.unknown to extend, map or drop",
            code="charset-gap",
            evidence={"unknown_characters": len(unknown), "occurrences": unknown.total()},
        )

    def _tell_empty(self, progress: Callable[[str], None]) -> None:
        empty = self.check.empty
        if empty:
            progress(f"{len(empty)} lines are empty and are left out, first: {'; '.join(empty[:2])}")
        if not self.check.lines:
            raise DataError("no line is left to learn", expected="labelled texts", hint="ocrtune data check DATA")

    def _suitable_policy(self, progress: Callable[[str], None]) -> TextPolicy:
        policy = suitable_policy(self.read(self.network()))
        if policy != "exact":
            progress(CASE_NOTICE)
        return policy


def _chosen_guide(start: Network[CTCRecognizer], wanted: bool, seed: int) -> type[Guide] | None:
    """Give the start network a guide where its weights brought none, or take it away; returns its kind.

    Raises:
        ConfigError: a guide is wanted for a network that has none.
    """
    model = start.model
    if not wanted:
        model.guide = None
    elif model.guide is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model.guide = build_guide(start.arch, model)
        if model.guide is None:
            raise ConfigError(
                f"{start.arch} was never trained with a guide",
                where="model.guide",
                expected=f"one of {', '.join(GUIDES)}",
            )
    return None if model.guide is None else type(model.guide)


def own_settings(start: Network[CTCRecognizer]) -> tuple[LinePreprocess, RecognitionThresholds]:
    """A start bundle's settings, or for plain weight files the network's defaults."""
    if start.bundle is not None:
        return recognition_settings(start.bundle)
    return line_preprocess(start.arch), RecognitionThresholds()


def suitable_input(config: LineInputConfig, seen: Seen) -> LineInputConfig:
    """How wide lines are seen: as configured, or as the network's only width asks for.

    Raises:
        ConfigError: another width is configured.
    """
    if seen.width is None:
        return config
    for name in ("min_width", "max_width"):
        if name in config.model_fields_set and getattr(config, name) != seen.width:
            raise ConfigError(
                f"the network reads lines of one width alone, which {getattr(config, name)} is not",
                where=f"input.{name}",
                expected=f"{seen.width}",
                hint=f"leave input.{name} out",
            )
    return config.model_copy(update={"min_width": seen.width, "max_width": seen.width})
