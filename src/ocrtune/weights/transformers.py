"""Names of the PP-OCR networks of the Python package ``transformers`` (a folder with config.json and model.safetensors).

Source: the state dicts of its classes PPOCRV5MobileDet, PPOCRV5MobileRec, PPOCRV5ServerDet, PPOCRV5ServerRec,
PPOCRV6SmallDet, PPOCRV6SmallRec and PPOCRV6TinyRec (version 5.23), held against Paddle's, and for those that
tests/support/transformers_reference.py names against its outputs. Its v6 networks come with their re-parameterised
depthwise convolutions merged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TypeAlias

from ocrtune.weights.paddle import torch_name

_SVTR_CONVS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        5: ("conv1", "conv2", "conv3", "conv4", "conv1x1"),  # SVTR neck of v4 and v5
        3: ("skip_conv", "conv_reduce", "local_conv"),  # light SVTR neck of v6
    }
)
_Replacement: TypeAlias = str | Callable[[re.Match[str]], str]
_WRITTEN: tuple[tuple[str | re.Pattern[str], _Replacement], ...] = (
    ("model.backbone.embedder.", "backbone.stem."),
    ("model.backbone.encoder.", "backbone."),
    ("model.layer.", "backbone.layer_list."),
    ("model.neck.", "neck."),
    # PP-LCNetV3 and V4
    (".depthwise_convolution.", ".dw_conv."),
    (".pointwise_convolution.", ".pw_conv."),
    (".conv_symmetric.", ".conv_kxk."),
    (".conv_small_symmetric.", ".conv_1x1."),
    (".squeeze_excitation_module.convolutions.0.", ".se.conv1."),
    (".squeeze_excitation_module.convolutions.2.", ".se.conv2."),
    (".token_squeeze_excitation.convolutions.0.", ".token_mixer.se.conv1."),
    (".token_squeeze_excitation.convolutions.2.", ".token_mixer.se.conv2."),
    (".token_conv.convolution.", ".token_mixer.dw_conv.conv."),
    (".token_conv.normalization.", ".token_mixer.dw_conv.bn."),
    (".token_conv.", ".token_mixer.rep_dw."),
    (".channel_conv1.", ".channel_mixer.expand."),
    (".channel_conv2.", ".channel_mixer.compress."),
    # PP-HGNetV2
    (".aggregation.0.", ".aggregation_squeeze_conv."),
    (".aggregation.1.", ".aggregation_excitation_conv."),
    # RSE-FPN and RepLK-FPN
    ("neck.insert_conv.", "neck.ins_conv."),
    ("neck.input_conv.", "neck.inp_conv."),
    (".squeeze_excitation_block.", ".se_block."),
    (re.compile(r"^neck\.inp_conv\.(\d+)\.dw_conv\."), r"neck.inp_conv_dw.\1."),
    (re.compile(r"^neck\.inp_conv\.(\d+)\.pw_conv\."), r"neck.inp_conv_pw.\1."),
    (re.compile(r"^neck\.inp_conv\.(\d+)\.squeeze_excitation_module\."), r"neck.inp_conv_se.\1."),
    # LK-PAN
    (".input_channel_adjustment_convolution.", ".ins_conv."),
    (".input_feature_projection_convolution.", ".inp_conv."),
    (".path_aggregation_head_convolution.", ".pan_head_conv."),
    (".path_aggregation_lateral_convolution.", ".pan_lat_conv."),
    (re.compile(r"\.intraclass_blocks\.(\d+)\."), lambda match: f".incl{int(match[1]) + 1}."),
    (".conv_reduce_channel.", ".conv1x1_reduce_channel."),
    (".conv_final.convolution.", ".conv1x1_return_channel."),
    (".conv_final.norm.", ".bn."),
    *(
        (f".{long}_{ratio}ratio.", f".{short}_layer_{shape.replace('k', str(k))}.")
        for long, short, shape in (
            ("vertical_long_to_small_conv", "v", "kx1"),
            ("horizontal_small_to_long_conv", "q", "1xk"),
            ("symmetric_conv_long", "c", "kxk"),
        )
        for ratio, k in (("long", 7), ("mid", 5), ("short", 3))
    ),
    # DB heads
    (re.compile(r"^head\.(?:binarize_head\.)?conv_down\.convolution\."), "head.binarize.conv1."),
    (re.compile(r"^head\.(?:binarize_head\.)?conv_down\.norm\."), "head.binarize.conv_bn1."),
    (re.compile(r"^head\.(?:binarize_head\.)?conv_up\.convolution\."), "head.binarize.conv2."),
    (re.compile(r"^head\.(?:binarize_head\.)?conv_up\.norm\."), "head.binarize.conv_bn2."),
    (re.compile(r"^head\.(?:binarize_head\.)?conv_final\."), "head.binarize.conv3."),
    ("head.local_refinement_module.convolution_backbone.convolution.", "head.cbn_layer.last_3.conv."),
    ("head.local_refinement_module.convolution_backbone.norm.", "head.cbn_layer.last_3.bn."),
    ("head.local_refinement_module.convolution_final.", "head.cbn_layer.last_1."),
    # SVTR necks and what follows them
    (".layer_norm", ".norm"),
    (".self_attn.qkv.", ".mixer.qkv."),
    (".self_attn.projection.", ".mixer.proj."),
    ("head.encoder.", "head.ctc_encoder.encoder."),
    ("head.head.", "head.ctc_head.fc."),
    *(
        (re.compile(rf"^head\.{theirs}\."), f"head.ctc_head.{ours}.")  # v6 tiny has no SVTR neck
        for theirs, ours in (
            ("conv1", "guide_layer.0"),
            ("norm1", "guide_layer.1"),
            ("conv2", "guide_layer.3"),
            ("norm2", "guide_layer.4"),
            ("fc1", "fc1"),
            ("fc2", "fc2"),
        )
    ),
    (".convolution.", ".conv."),
    (".normalization.", ".bn."),
)
_RENAMES = tuple(
    (re.compile(re.escape(pattern)) if isinstance(pattern, str) else pattern, replacement)
    for pattern, replacement in _WRITTEN
)


def from_transformers(names: Collection[str]) -> bool:
    """Whether tensor names are those of a network of ``transformers``."""
    return any(name.startswith("model.backbone.") for name in names)


def names_here(names: Collection[str]) -> dict[str, str]:
    """Our name of each tensor of such a network, by its name there."""
    detector = any(name.startswith("model.neck.") for name in names)
    convolutions = len({match[1] for name in names if (match := re.match(r"head\.encoder\.conv_block\.(\d+)\.", name))})
    return {name: torch_name(_paddle_name(name, detector, convolutions)) for name in names}


def _paddle_name(name: str, detector: bool, convolutions: int) -> str:
    name = re.sub(
        r"^(model\.backbone\.encoder\.)convolution\.(?:convolution|normalization)\.",
        lambda match: match[0].replace(".encoder.convolution.", ".encoder.conv1."),
        name,
    )
    # PP-LCNetV4's stem: its convolutions are called stem1 to stem4, or (v6 tiny rec) conv1 and conv2
    name = name.replace("encoder.convolution.stem", "encoder.stem.stem" if detector else "encoder.conv1.stem")
    name = name.replace("encoder.convolution.conv1.", "encoder.conv1.0.").replace(
        "encoder.convolution.conv2.", "encoder.conv1.2."
    )
    name = re.sub(r"encoder\.blocks\.(\d+)\.layers\.", lambda match: f"encoder.blocks{int(match[1]) + 2}.", name)
    stage = (lambda index: f"blocks_s{index + 1}") if detector else (lambda index: f"blocks{index + 2}")
    name = re.sub(r"encoder\.blocks\.(\d+)\.blocks\.", lambda match: f"encoder.{stage(int(match[1]))}.", name)
    if convolutions in _SVTR_CONVS:
        chosen = _SVTR_CONVS[convolutions]
        name = re.sub(
            r"^head\.encoder\.conv_block\.(\d+)\.(convolution|normalization)\.",
            lambda match: f"neck.{chosen[int(match[1])]}.{'conv' if match[2] == 'convolution' else 'bn'}.",
            name,
        )
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name
