"""A text recogniser ready to run: pre-processing, engine, characters and confidence that belong together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ocrtune.charset import BLANK, Charset
from ocrtune.page import Image
from ocrtune.runtime.crop import is_tall, turned_left, turned_over
from ocrtune.runtime.engines import TextEngine
from ocrtune.runtime.parallel import each
from ocrtune.runtime.preprocess import LinePreprocess

_BATCH_COLUMNS = 768  # pixels of width in one batch: what fits into a core's cache; more is slower


class RecognitionThresholds(BaseModel):
    """How a recogniser's output becomes texts; stored in the bundle and fitted by calibration.

    Attributes:
        temperature: the log-odds of a line's confidence are divided by it (Guo et al. 2017, for the whole line).
        second_look: lines that are read with less confidence (before the temperature) are read again upside down, and
            the more confident reading counts; 0 never looks twice.
        min_confidence: lines below it are reported as not read; 0 reports everything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(1.0, gt=0)
    second_look: float = Field(0.0, ge=0, le=1)
    min_confidence: float = Field(0.0, ge=0, le=1)


@dataclass(frozen=True)
class Reading:
    """What a line says.

    Attributes:
        text: without blanks and repeats; "" where nothing was read.
        confidence: calibrated, 0 to 1; 0 for "".
        turned: whether it was read upside down (see `RecognitionThresholds.second_look`).
    """

    text: str
    confidence: float
    turned: bool = False


@dataclass
class TextRecognizer:
    """Reads crops of text lines.

    Attributes:
        engine: the network.
        preprocess: how a crop becomes its input.
        charset: what its classes mean.
        thresholds: how its output becomes texts.
        threads: that work at the same time, each on a batch of its own.
    """

    engine: TextEngine
    preprocess: LinePreprocess
    charset: Charset
    thresholds: RecognitionThresholds
    threads: int = 1

    def read(self, crops: Sequence[Image]) -> list[Reading]:
        """Read crops, uint8 [h, w, 3] BGR each; a result depends on nothing but its own crop.

        A tall crop is read as it is and turned to the left, and the more confident reading counts: it may be a text
        that runs downwards or one narrow character.
        """
        tall = [index for index, crop in enumerate(crops) if is_tall(crop)]
        readings = self._read_lines([*crops, *(turned_left(crops[index]) for index in tall)])
        _prefer(readings, tall, readings[len(crops) :])
        del readings[len(crops) :]
        doubtful = [i for i, reading in enumerate(readings) if reading.confidence < self.thresholds.second_look]
        again = self._read_lines([turned_over(crops[index]) for index in doubtful])
        _prefer(readings, doubtful, [replace(reading, turned=True) for reading in again])
        return [self._calibrated(reading) for reading in readings]

    def _read_lines(self, crops: Sequence[Image]) -> list[Reading]:
        by_width: dict[int, list[int]] = defaultdict(list)
        for index, crop in enumerate(crops):
            by_width[self.preprocess.input_width(crop.shape[1], crop.shape[0])].append(index)
        batches = []
        for width, indices in sorted(by_width.items()):
            size = max(1, _BATCH_COLUMNS // width)
            batches += [(width, indices[start : start + size]) for start in range(0, len(indices), size)]

        def read(batch: tuple[int, list[int]]) -> list[Reading]:
            width, indices = batch
            classes, probabilities = self.engine(self.preprocess([crops[index] for index in indices], width))
            lines = zip(classes, probabilities, strict=True)
            return [Reading(*decode_ctc(line, line_probabilities, self.charset)) for line, line_probabilities in lines]

        readings = [Reading("", 0.0)] * len(crops)
        for (_, indices), found in zip(batches, each(read, batches, self.threads), strict=True):
            for index, reading in zip(indices, found, strict=True):
                readings[index] = reading
        return readings

    def _calibrated(self, reading: Reading) -> Reading:
        confidence = tempered(reading.confidence, self.thresholds.temperature)
        text = reading.text if confidence >= self.thresholds.min_confidence else ""
        return replace(reading, text=text, confidence=confidence)


def _prefer(readings: list[Reading], indices: Sequence[int], others: Sequence[Reading]) -> None:
    """Replace readings by others of the same lines that are more confident."""
    for index, other in zip(indices, others, strict=True):
        if other.confidence > readings[index].confidence:
            readings[index] = other


def decode_ctc(
    classes: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32], charset: Charset
) -> tuple[str, float]:
    """Greedy CTC decoding of one line: repeats collapse, blanks fall out (Graves et al. 2006, best path).

    Args:
        classes: best class of each column, int64 [T].
        probabilities: its probability, float32 [T].
        charset: what the classes mean.

    Returns:
        the text, and the mean probability of the columns that its characters come from (0 for "").
    """
    new = np.ones(len(classes), bool)
    new[1:] = classes[1:] != classes[:-1]
    kept = new & (classes != BLANK)
    if not kept.any():
        return "", 0.0
    return charset.decode(classes[kept].tolist()), float(probabilities[kept].mean())


def tempered(confidence: float, temperature: float) -> float:
    """A confidence with its log-odds divided by a temperature; above 1 makes it more modest."""
    if temperature == 1.0 or not 0 < confidence < 1:
        return confidence
    odds = math.log(confidence / (1 - confidence)) / temperature
    return 1 / (1 + math.exp(-odds))
