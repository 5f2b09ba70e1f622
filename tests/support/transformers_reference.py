"""Makes ``tests/weights/data/transformers.json.xz``: what the networks of the package ``transformers`` compute.

Their weights and inputs are drawn by the rule of `support.golden.stream` (seed ``transformers``), so only names, shapes
and a part of the outputs are stored. Made with transformers 5.23.0 and torch 2.13.0:

    PYTHONPATH=src:tests python -m support.transformers_reference
"""

from __future__ import annotations

import importlib
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from support.golden import stream

REFERENCE = Path(__file__).parents[1] / "weights" / "data" / "transformers.json.xz"
SAMPLES = 400
_LAST = 0.02  # of the gain, for the layer before the sigmoid or softmax
_V5_REC_BLOCKS = [
    [[3, 16, 32, 1, False]],
    [[3, 32, 64, 1, False], [3, 64, 64, 1, False]],
    [[3, 64, 128, [2, 1], False], [3, 128, 128, 1, False]],
    [[3, 128, 256, [1, 2], False], *[[5, 256, 256, 1, False]] * 4],
    [[5, 256, 512, [2, 1], True], [5, 512, 512, 1, True], [5, 512, 512, [2, 1], False], [5, 512, 512, 1, False]],
]
_V6_DET_BLOCKS = [
    [[3, 48, 48, 1, True], [3, 48, 48, 1, False]],
    [[3, 48, 96, 2, False], [3, 96, 96, 1, True], [3, 96, 96, 1, False]],
    [[3, 96, 192, 2, False], *([3, 192, 192, 1, se] for se in (True, False, True, False))],
    [[3, 192, 384, 2, False], [3, 384, 384, 1, True], [3, 384, 384, 1, False]],
]
_V6_DET = {
    "backbone": {
        "block_configs": _V6_DET_BLOCKS,
        "stem_channels": [3, 24, 48],
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    },
    "own": {"layer_list_out_channels": [48, 96, 192, 384]},
}
_INTRACL = {
    "reduce_channel": [1, 1, 0],
    "return_channel": [1, 1, 0],
    **{
        f"{name}_{ratio}ratio": [[k if tall else 1, k if wide else 1], [1, 1], [tall * (k // 2), wide * (k // 2)]]
        for name, tall, wide in (
            ("vertical_long_to_small_conv", 1, 0),
            ("horizontal_small_to_long_conv", 0, 1),
            ("symmetric_conv_long", 1, 1),
        )
        for ratio, k in (("long", 7), ("mid", 5), ("short", 3))
    },
}
_V5_SERVER_DET = {
    "own": {"intraclass_block_config": _INTRACL, "scale_factor_list": [1, 2, 4, 8], "kernel_list": [3, 2, 2]}
}
# module, class prefix, our network, settings of the backbone and of the network, input, gain
_CASES: tuple[tuple[str, str, str, dict[str, Any], tuple[int, ...], float], ...] = (
    ("pp_ocrv5_mobile_det", "PPOCRV5MobileDet", "db_pplcnetv3_mobile", {}, (1, 3, 96, 128), 0.55),
    ("pp_ocrv5_server_det", "PPOCRV5ServerDet", "db_pphgnetv2_server", _V5_SERVER_DET, (1, 3, 96, 128), 1.1),
    (
        "pp_ocrv5_mobile_rec",
        "PPOCRV5MobileRec",
        "ctc_pplcnetv3_mobile",
        {"backbone": {"scale": 0.95, "block_configs": _V5_REC_BLOCKS}, "own": {"head_out_channels": 97}},
        (1, 3, 48, 160),
        0.57,
    ),
    ("pp_ocrv6_small_det", "PPOCRV6SmallDet", "db_pplcnetv4_small", _V6_DET, (1, 3, 96, 128), 0.92),
    (
        "pp_ocrv6_small_rec",
        "PPOCRV6SmallRec",
        "ctc_pplcnetv4_small",
        {"own": {"head_out_channels": 97}},
        (1, 3, 48, 160),
        0.95,
    ),
)


def drawn(name: str, shape: tuple[int, ...], gain: float = 1.0) -> npt.NDArray[np.float32]:
    """The tensor of a name; ``gain`` of the convolutions keeps activations between dying out and saturation."""
    rng = stream("transformers", name)
    if name.endswith("running_var"):
        return np.asarray(0.5 + rng.random(shape, np.float32), np.float32)
    values = rng.standard_normal(shape, np.float32)
    if len(shape) > 1:
        gain *= _LAST if name.startswith(("head.conv_final", "head.head")) else 1.0
        return np.asarray(values * np.float32(gain * (2 / np.prod(shape[1:])) ** 0.5), np.float32)
    if name.endswith(("weight", "scale")):
        return np.asarray(1.0 + 0.1 * values, np.float32)
    return np.asarray(0.05 * values, np.float32)


def main() -> None:
    """Run every network and write the file."""
    reference = {}
    for module, prefix, arch, settings, shape, gain in _CASES:
        package = f"transformers.models.{module}"
        configure = getattr(importlib.import_module(f"{package}.configuration_{module}"), f"{prefix}Config")
        config = configure(**settings.get("own", {}))
        if "backbone" in settings:
            backbone = type(config.backbone_config)(**{**_kept(config.backbone_config), **settings["backbone"]})
            config = configure(backbone_config=backbone, **settings.get("own", {}))
        kind = "ForObjectDetection" if module.endswith("_det") else "ForTextRecognition"
        network = getattr(importlib.import_module(f"{package}.modeling_{module}"), prefix + kind)(config).eval()
        shapes = {
            name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if "num_batches" not in name
        }
        network.load_state_dict({n: torch.from_numpy(drawn(n, s, gain)) for n, s in shapes.items()}, strict=False)
        with torch.no_grad():
            image = torch.from_numpy(drawn("input", shape))
            values, other = (network(x)["last_hidden_state"].numpy().reshape(-1) for x in (image, -image))
        reference[module] = {
            "arch": arch,
            "input": shape,
            "gain": gain,
            "shapes": shapes,
            "output": [round(float(v), 7) for v in values[:: max(1, values.size // SAMPLES)]],
        }
        print(module, len(shapes), values.min(), values.max(), values.std(), np.abs(values - other).std())
    REFERENCE.parent.mkdir(exist_ok=True)
    REFERENCE.write_bytes(lzma.compress(json.dumps(reference).encode(), preset=9))


def _kept(config: Any) -> dict[str, Any]:
    names = ("scale", "block_configs", "stem_channels", "out_features", "divisor")
    return {name: getattr(config, name) for name in names if hasattr(config, name)}


if __name__ == "__main__":
    main()
