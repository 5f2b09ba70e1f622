"""``ocrtune eval``."""

from __future__ import annotations

from ocrtune.cli.console import Output
from ocrtune.cli.options import BundleArg, Data, Json

NAME = "eval"
EXAMPLES = """Examples:

ocrtune eval adapted/bundle icdar:receipts/val

ocrtune eval ppocrv4-mobile-det scene_text/test_list.txt --json"""


def command(bundle: BundleArg, data: Data, json: Json = False) -> None:
    """Measure a bundle on labelled pages, on the exported file, with its own settings."""
    from ocrtune.data.formats import parse_dataset_path, read_dataset
    from ocrtune.detection.evaluate import evaluate_detector
    from ocrtune.runtime.load import load_detector
    from ocrtune.weights.registry import resolve_bundle

    output = Output(json)
    dataset = parse_dataset_path(data)
    if dataset.detected:
        output.say(f"data: {dataset} (format detected)")
    resolved = resolve_bundle(bundle)
    pages = read_dataset(dataset)
    detector = load_detector(resolved)
    with output.bar("pages", len(pages)) as each:
        result = evaluate_detector(detector, pages, each)
    score = result.score
    low, high = score.hmean_ci95
    output.table(
        f"{resolved.path.name} on {score.pages} pages",
        ("precision", "recall", "hmean", "95 % interval", "mAP@0.5"),
        [
            (
                f"{score.precision:.4f}",
                f"{score.recall:.4f}",
                f"{score.hmean:.4f}",
                f"{low:.4f} .. {high:.4f}",
                f"{score.map50:.4f}",
            )
        ],
    )
    settings = {**detector.thresholds.model_dump(), "preprocess": detector.preprocess.model_dump(mode="json")}
    output.result({"task": "detection", **score.as_dict(), "thresholds": settings})
    output.next(
        f"ocrtune calibrate {bundle} OTHER_PAGES" if bundle.startswith("ppocr") else f"ocrtune predict {bundle} IMAGES"
    )
