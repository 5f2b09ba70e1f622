"""Pages a second of the whole pipeline, side by side with the package that carries the weights, same weights and sizes.

The package is imported from the downloaded wheel; it needs omegaconf, colorlog, requests, six and tqdm. The sides take
turns page by page, so that whatever else the machine does hits both. ``OCRTUNE_BENCH_PAGES`` and ``OCRTUNE_BENCH_THREADS``
set another number of pages of each data set and of threads of both sides. The other side's own choice on OpenVINO is
bfloat16 where the processor has it: there its rows of ``openvino-bf16`` are what its users run.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import cv2
import numpy as np
from _common import pages, show

from ocrtune.bundle import Bundle
from ocrtune.detection.metric import match_page
from ocrtune.ocr.evaluate import OcrResult, score_readings
from ocrtune.page import Image, Page, TextRegion, as_polygon
from ocrtune.recognition.metric import TextPolicy, compared
from ocrtune.runtime.engines import ENGINES, EngineName, available_cores, import_openvino
from ocrtune.runtime.load import detection_settings, load_pipeline, part_for
from ocrtune.weights.published import RAPIDOCR_V6
from ocrtune.weights.registry import fetch_wheel, published_bundle

PAGES = int(os.environ.get("OCRTUNE_BENCH_PAGES", "30"))
DATA_SETS = ("receipts/val", "cable_labels/val_label.txt", "scene_text/test_list.txt")
BUNDLES = ("ppocrv4-mobile", "ppocrv6-small")
POLICY: TextPolicy = "ignore-case-space"
Reader = Callable[[Image], list[TextRegion]]


def reference(bundle: Bundle, threads: int, engine_name: EngineName) -> Reader:
    """The other side with the same files, engine, threads and detection settings."""
    sys.path.insert(0, unpacked())
    openvino: Any = import_openvino()
    from rapidocr import EngineType, RapidOCR
    from rapidocr.inference_engine.openvino import main as theirs

    def core() -> Any:
        """Computes as precisely as our side; left alone, OpenVINO takes bfloat16 where the processor has it."""
        made = openvino.Core()
        compile_model, hint = made.compile_model, "bf16" if engine_name == "openvino-bf16" else "f32"
        made.compile_model = partial(compile_model, config={"INFERENCE_PRECISION_HINT": hint})
        return made

    theirs.Core = core
    detection, recognition, orientation = (
        part_for(bundle, task) for task in ("detection", "recognition", "orientation")
    )
    preprocess, thresholds = detection_settings(detection)
    engine = RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.text_score": 0.0,
            **{f"{part}.engine_type": EngineType(engine_name.partition("-")[0]) for part in ("Det", "Cls", "Rec")},
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.openvino.inference_num_threads": threads,
            "Det.model_path": str(detection.onnx),
            "Det.limit_type": "max",
            "Det.limit_side_len": preprocess.size,
            "Det.mean": list(preprocess.mean),
            "Det.std": list(preprocess.std),
            "Det.thresh": thresholds.bin_thresh,
            "Det.box_thresh": thresholds.box_thresh,
            "Det.unclip_ratio": thresholds.unclip_ratio,
            "Det.max_candidates": thresholds.max_candidates,
            "Det.use_dilation": False,
            "Cls.model_path": str(orientation.onnx),
            "Rec.model_path": str(recognition.onnx),
            "Rec.rec_keys_path": str(recognition.charset),
        }
    )

    def read(image: Image) -> list[TextRegion]:
        found: Any = engine(image)
        if found.boxes is None:
            return []
        return [
            TextRegion(as_polygon(box), text=text, score=1.0, text_score=float(score))
            for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        ]

    return read


@cache
def unpacked() -> str:
    """The wheel's content on disk: the package reads its own YAML files."""
    folder = tempfile.mkdtemp(prefix="ocrtune-bench-")
    with zipfile.ZipFile(fetch_wheel(RAPIDOCR_V6)) as archive:
        archive.extractall(folder)
    return folder


def measured(some: Sequence[Page], readers: Sequence[Reader]) -> list[tuple[float, float, OcrResult]]:
    """Seconds, seconds of all processors, and what was read, of each side."""
    images = [page.load() for page in some]
    for reader in readers:
        reader(images[0])
    seconds, processor = np.zeros(len(readers)), np.zeros(len(readers))
    found: list[list[Page]] = [[] for _ in readers]
    for page, image in zip(some, images, strict=True):
        for index, reader in enumerate(readers):
            started, spent = time.perf_counter(), time.process_time()
            regions = reader(image)
            seconds[index] += time.perf_counter() - started
            processor[index] += time.process_time() - spent
            found[index].append(page.with_regions(regions))
    results = []
    for index, predictions in enumerate(found):
        matches = [match_page(page, prediction) for page, prediction in zip(some, predictions, strict=True)]
        score = score_readings(some, predictions, matches, POLICY)
        results.append((float(seconds[index]), float(processor[index]), score))
    return results


def same_texts(found: Sequence[Page], others: Sequence[Page]) -> float:
    """Share of the texts of two readings of the same pages that both hold."""
    both = every = 0
    for page, other in zip(found, others, strict=True):
        a, b = (Counter(compared(region.text or "", POLICY) for region in each.regions) for each in (page, other))
        both += (a & b).total()
        every += (a | b).total()
    return both / max(every, 1)


def main() -> None:
    threads = int(os.environ.get("OCRTUNE_BENCH_THREADS", available_cores()))
    cv2.setNumThreads(threads)
    rows, notes = [], []
    for data in DATA_SETS:
        label, some = pages(data, PAGES)
        for name in BUNDLES:
            bundle = published_bundle(name)
            for engine in ENGINES:
                sides: dict[str, Reader] = {"ocrtune": load_pipeline(bundle, threads, engine).read}
                try:
                    sides["rapidocr 3.10.0"] = reference(bundle, threads, engine)
                except Exception as error:
                    notes.append(f"{name}: the other side could not be run: {type(error).__name__}: {error}")
                results = measured(some, list(sides.values()))
                slowest, other = results[-1][0], results[-1][2].predictions
                for side, (seconds, processor, score) in zip(sides, results, strict=True):
                    rows.append(
                        (
                            label,
                            name,
                            engine,
                            side,
                            f"{len(some) / seconds:.2f}",
                            f"{slowest / seconds:.2f}x",
                            f"{processor / len(some):.3f}",
                            f"{same_texts(score.predictions, other):.3f}",
                            f"{score.end_to_end_hmean:.4f}",
                            f"{score.cer:.4f}",
                        )
                    )
                print(*rows[-2:], sep="\n", file=sys.stderr, flush=True)
    show(
        f"whole pipeline, {PAGES} pages of each, {threads} threads",
        (
            "pages",
            "weights",
            "engine",
            "side",
            "pages/s",
            "speed",
            "CPU s a page",
            "same texts",
            f"read ({POLICY})",
            "CER",
        ),
        rows,
        notes,
    )


if __name__ == "__main__":
    main()
